"""The sentences of a report on the runs, and on why the paper's numbers need repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anomalynet.reporting.arms import Arm, settings
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.tables import device_seconds
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder

HOW_TO_READ = (
    "*printed* is the paper's number. *repaired* comes from the one confusion matrix per model, at "
    "71.37 % attack, that the consistent cells of its tables imply; an asterisk marks a printed "
    "number that the repair had to change. *ours* is the result of the runs listed at the end. The "
    "paper names no data set, split, seed or spread, so printed and ours are different "
    "measurements, not a reproduction that could fail or succeed by a tenth of a point."
)

SHOWN_SETTINGS = {
    "data.scenario": "changes to the scenario: {}",
    "data.label": "positive class, called attack here: {}",
    "data.view": "view of a {}",
    "data.window": "window of {} steps",
    "data.label_step": "label of the {} step",
    "data.calibration_rows": "first {} readings of a series calibrate it and are not scored",
    "data.calibration": "calibration by {}",
    "data.stride": "every {}. training window, every test step",
    "training.epochs": "at most {} epochs",
    "training.patience": "stopped early after {} epochs without improvement",
    "training.monitor": "best epoch by {}",
    "evaluation.threshold": "threshold rule {}",
}


def _settings(arms: Sequence[Arm]) -> str:
    """The most important settings of the runs, in one line."""
    values: dict[str, set[str]] = {key: set() for key in SHOWN_SETTINGS}
    for record in (record for arm in arms for record in arm.records):
        own = settings(record.config)
        for key in values.keys() & own.keys():
            unread = key.startswith("training.") and record.result.epochs is None
            if own[key] != "null" and not unread:
                values[key].add(own[key])
    used = {key: " or ".join(sorted(found)) for key, found in values.items() if found}
    return "; ".join(text.format(used[key]) for key, text in SHOWN_SETTINGS.items() if key in used)


def abstract(context: ReportContext, command: str | None = None) -> str:
    """Data, split, prevalence, seeds, folds and models in one paragraph; hardware, versions, code,
    time and command in another."""
    arms = [one.arm for one in context.models]
    records = [record for arm in arms for record in arm.records]
    prints = sorted({record.result.fingerprint[:10] for record in records})
    worlds = {world for arm in arms for world in arm.worlds}
    where = "one per world" if len(prints) == len(worlds) else "see the appendix"
    several = f"{len(prints)} fingerprints, {where}"
    version = f"fingerprint {prints[0]}" if len(prints) == 1 else several
    titles = [arm.title for arm in arms if arm.records]
    counted = f"{_counted(len(records), 'run')} of {_counted(len(titles), 'model')}"
    run = f"{counted} ({', '.join(titles)}) on `{context.data}` ({version})."
    shown = f" Settings: {used}." if (used := _settings(arms)) else ""
    origin = provenance(records, command)
    return f"{run} {context.facts()}{shown}" + (f"\n\n{origin}" if origin else "")


AUDITED = "*The paper's tables, audited* below has the numbers."


# Below Tables 2 to 5: why numbers are repaired, and how the paper computes accuracies
PAPER_NOTES = (
    "Why *repaired*: the normal rows of CNN, LSTM and CNN-LSTM imply one test set with "
    "71.37 % attack, which their printed attack precisions contradict. With "
    "this test set they must be the repaired values, each of which differs in one digit. The "
    "hybrid is assumed to have had the same test set, although its own normal row implies "
    f"another. {AUDITED}",
    "The paper's recalls are used as printed: together with the prevalence they are the basis of "
    "the repair.",
    "An F1 is always between its precision and its recall; some printed ones are not. With the "
    f"repaired precisions they are, except the hybrid's normal F1, which changes too. {AUDITED}",
    "One classifier has one accuracy. The paper computes its accuracies per class only from "
    "precisions, and not even that recipe gives the printed values. *Repaired* is the recipe "
    "applied to the repaired precisions. It is shown under its own name, *eq. 13 recipe*, "
    "next to overall and balanced accuracy and the recalls, which are meaningful. The "
    "paper's headline accuracy of the hybrid is 95.73, 95.745 and 96.16 in three places. "
    f"{AUDITED}",
)


def provenance(records: Sequence[RunRecord], command: str | None = None) -> str:
    """Hardware, versions, code, device time and the command that makes everything again, as
    sentences.

    What a run has not stored is left out; if runs differ, the runs of each value are counted."""
    environments = [read_json(RunFolder(record.folder).environment) for record in records]
    sentences = [
        _sentence("Hardware", (_machine(one) for one in environments if one)),
        _sentence("Software", (_software(one) for one in environments if one)),
        _sentence("Code", (f"`{record.code[:10]}`" for record in records if record.code)),
        _time(records),
    ]
    if command:
        does = "writes this report" if command.startswith("anomalynet report") else "makes it"
        sentences.append(f"`{command}` {does} again.")
    return " ".join(filter(None, sentences))


def _sentence(name: str, values: Iterable[str]) -> str:
    """The value of all runs; if they differ, each value with its number of runs."""
    counts = Counter(filter(None, values))
    if len(counts) < 2:
        return f"{name}: {next(iter(counts))}." if counts else ""
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    text = "; ".join(f"{value} ({_counted(counts[value], 'run')})" for value in ordered)
    return f"{name}: {text}."


def _machine(environment: Mapping[str, Any]) -> str:
    """Processors and graphics cards of a run's machine, and the threads and devices it used."""
    gpus = Counter(map(str, environment.get("gpus") or ()))
    cards = ", ".join(f"{count} × {name}" for name, count in sorted(gpus.items())) or "no GPU"
    cores, threads, devices = (environment.get(name) for name in ("cores", "threads", "devices"))
    cpu = f"{cores} CPU cores ({environment.get('cpu', 'kind unknown')})" if cores else ""
    machine = ", ".join(filter(None, (cpu, cards, str(environment.get("platform", "")))))
    used = list(filter(None, (_counted(threads, "thread"), _counted(devices, "device"))))
    return machine + (f"; {' and '.join(used)} per run" if used else "")


def _counted(number: object, noun: str) -> str:
    return "" if number is None else f"{number} {noun}{'' if number == 1 else 's'}"


def _software(environment: Mapping[str, Any]) -> str:
    versions = environment.get("packages") or {}
    names = ("anomalynet", "torch", "lightning", "scikit-learn")
    named = [f"{name} {versions[name]}" for name in names if versions.get(name)]
    named += [f"Python {environment['python']}"] if environment.get("python") else []
    return ", ".join(named)


def _time(records: Sequence[RunRecord]) -> str:
    """The sum of the runs' training and scoring."""
    timed = [seconds for record in records if (seconds := device_seconds(record)) is not None]
    if not timed:
        return ""
    untimed = len(records) - len(timed)
    note = f" (unknown for {untimed} of {len(records)} runs)" if untimed else ""
    return f"Device time: {sum(timed):.0f} s of training and scoring{note}."
