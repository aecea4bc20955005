"""The sentences of a report on the runs, and on why the paper's numbers need repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anomalynet.errors import counted
from anomalynet.reporting.arms import Arm, settings
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.tables import device_seconds
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder

RULE = (
    "A *repetition* is a seed with its assignment of groups to folds. Decisions are pooled over "
    "folds, each with the threshold of its validation part; AUROC, average precision, incidents "
    "and false alarms are means over folds. Incomplete repetitions count only if none is complete."
)

SHOWN_SETTINGS = {
    "data.worlds": "worlds {}",
    "data.scenario": "scenario with {}",
    "data.label": "attack means {}",
    "data.view": "view of a {}",
    "data.window": "window {}",
    "data.calibration": "calibration by {}",
    "data.stride": "training stride {}",
    "training.epochs": "at most {} epochs",
    "training.windows_per_epoch": "{} windows per epoch",
    "training.monitor": "best epoch by {}",
    "evaluation.threshold": "threshold by {}",
}


def capital(text: str) -> str:
    """A text with a capital first letter."""
    return text[:1].upper() + text[1:]


def settings_of(arms: Sequence[Arm]) -> str:
    """The most important settings of the runs, in one line."""
    values: dict[str, set[str]] = {key: set() for key in SHOWN_SETTINGS}
    for record in (record for arm in arms for record in arm.records):
        own = settings(record.config)
        for key in values.keys() & own.keys():
            unread = key.startswith("training.") and record.result.epochs is None
            if own[key] not in ("null", "attack") and not unread:
                values[key].add(own[key])
    used = {key: " or ".join(sorted(found)) for key, found in values.items() if found}
    return "; ".join(text.format(used[key]) for key, text in SHOWN_SETTINGS.items() if key in used)


def conditions(context: ReportContext, listed: bool = True, timed: bool = True) -> list[str]:
    """Everything that holds for the whole report, once: runs, data, split, settings, machine, rule,
    and what is missing. `listed`: whether the report has a list of runs; `timed`:
    whether the sum of their durations is named."""
    arms = [one.arm for one in context.models]
    records = [record for arm in arms for record in arm.records]
    prints = sorted({record.result.fingerprint[:10] for record in records})
    version = f"fingerprint {prints[0]}" if len(prints) == 1 else f"{len(prints)} fingerprints"
    titles = [arm.title for arm in arms if arm.records]
    runs_made = f"{counted(len(records), 'run')} of {counted(len(titles), 'model')}"
    shown = f" Settings: {used}." if (used := settings_of(arms)) else ""
    runs = "; [runs.csv](tables/runs.csv)" if listed else ""
    facts = f"{runs_made} ({version}{runs}). {context.facts()}{shown}"
    notes = [f"- {note}" for note in context.notes()]
    left_out = "Left out, because another run has their configuration, seed and fold:"
    notes += [f"- {left_out} {', '.join(own)}." for arm in arms if (own := arm.duplicates)]
    return [facts, provenance(records, timed), RULE, *(["\n".join(notes)] if notes else [])]


def provenance(records: Sequence[RunRecord], timed: bool = True) -> str:
    """Hardware, versions, code and device time, as sentences.

    What a run has not stored is left out; if runs differ, the runs of each value are counted."""
    environments = [read_json(RunFolder(record.folder).environment) for record in records]
    sentences = [
        _sentence("Hardware", (_machine(one) for one in environments if one)),
        _sentence("Software", (_software(one) for one in environments if one)),
        _sentence("Source hash", (f"`{record.code[:10]}`" for record in records if record.code)),
        _time(records) if timed else "",
    ]
    return " ".join(filter(None, sentences))


def _sentence(name: str, values: Iterable[str]) -> str:
    """The value of all runs; if they differ, each value with its number of runs."""
    counts = Counter(filter(None, values))
    if len(counts) < 2:
        return f"{name}: {next(iter(counts))}." if counts else ""
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    text = "; ".join(f"{value} ({counted(counts[value], 'run')})" for value in ordered)
    return f"{name}: {text}."


def _machine(environment: Mapping[str, Any]) -> str:
    """Processors and graphics cards of a run's machine, and the threads and devices it used."""
    known = environment.get("gpus")
    gpus = Counter(map(str, known if isinstance(known, list) else ()))
    cards = ", ".join(f"{count} × {name}" for name, count in sorted(gpus.items())) or "no GPU"
    cores, threads, devices = (environment.get(name) for name in ("cores", "threads", "devices"))
    cpu = f"{cores} CPU cores ({environment.get('cpu', 'kind unknown')})" if cores else ""
    machine = ", ".join(filter(None, (cpu, cards, str(environment.get("platform", "")))))
    each = {"thread": threads, "device": devices}
    used = [counted(number, noun) for noun, number in each.items() if isinstance(number, int)]
    return machine + (f"; {' and '.join(used)} per run" if used else "")


def _software(environment: Mapping[str, Any]) -> str:
    versions = environment.get("packages")
    versions = versions if isinstance(versions, dict) else {}
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
    return f"Device time: {sum(timed):.0f} s{note}."
