"""The sentences of a report: what was run, and why the paper's numbers cannot be taken as
printed."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.reporting import captions, paper
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.arms import Arm, settings
from anomalynet.reporting.paper_audit import common_prevalence
from anomalynet.reporting.provenance import provenance

HOW_TO_READ = (
    "*printed* is what the paper shows. *repaired* is the one confusion matrix per model, at "
    "71.37 % attack, that the consistent cells of its tables imply; an asterisk marks a printed "
    "number that the repair had to change. *ours* is what the runs listed at the end give. The "
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
    """The settings a reader asks for first, as the runs had them."""
    values: dict[str, set[str]] = {key: set() for key in SHOWN_SETTINGS}
    for arm in arms:
        for record in arm.records:
            for key, value in settings(record.config).items():
                if (
                    key in values
                    and value != "null"
                    and not (key.startswith("training.") and record.result.epochs is None)
                ):
                    values[key].add(value)
    return "; ".join(
        text.format(" or ".join(sorted(values[key])))
        for key, text in SHOWN_SETTINGS.items()
        if values[key]
    )


def abstract(models: Sequence[ArmMetrics], command: str | None = None) -> str:
    """Data, split, prevalence, seeds, folds and models in one paragraph; hardware, versions, code,
    time and command in another."""
    arms = [one.arm for one in models]
    records = [record for arm in arms for record in arm.records]
    prints = sorted({record.result.fingerprint[:10] for record in records})
    worlds = {world for arm in arms for world in arm.worlds}
    several = (
        f"{len(prints)} fingerprints, "
        f"{'one a world' if len(prints) == len(worlds) else 'see the appendix'}"
    )
    version = f"fingerprint {prints[0]}" if len(prints) == 1 else several
    run = ", ".join(arm.title for arm in arms if arm.records)
    settings = _settings(arms)
    models_run = sum(bool(arm.records) for arm in arms)
    counted = (
        f"{len(records)} run{'s' if len(records) > 1 else ''} of {models_run} "
        f"model{'s' if models_run > 1 else ''}"
    )
    made = provenance(records, command)
    return (
        f"{counted} ({run}) on `{records[0].result.data}` ({version}). "
        f"{captions.facts(models)}{f' Settings: {settings}.' if settings else ''}"
        + (f"\n\n{made}" if made else "")
    )


AUDITED = "*The paper's tables, audited* below has the numbers."


def precision_note() -> str:
    """Why the attack precisions are repaired, and what is assumed for the hybrid."""
    return (
        "Why *repaired*: the normal rows of CNN, LSTM and CNN-LSTM imply one test set with "
        f"{common_prevalence()} % attack, which their printed attack precisions contradict. There "
        "they must be the repaired values, one digit off each. That the hybrid had the same test "
        f"set is an assumption: its own normal row implies another. {AUDITED}"
    )


RECALL_NOTE = (
    "The paper's recalls are taken as printed: together with the prevalence they are what "
    "the repair starts from."
)

F1_NOTE = (
    "An F1 lies between its precision and its recall; some printed ones do not. With the repaired "
    f"precisions they fit, but for the hybrid's normal F1, which changes too. {AUDITED}"
)


def accuracy_note() -> str:
    """How the paper makes an accuracy per class, and its headline."""
    headline = paper.load().headline_accuracy
    return (
        "One classifier has one accuracy. The paper's accuracies per class are made from "
        "precisions alone, and not even that recipe gives the printed values. *Repaired* is the "
        "recipe on the repaired precisions. It stands here under its own name, *eq. 13 recipe*, "
        "next to overall and balanced accuracy and the recalls, which do mean something. The "
        f"paper's headline accuracy of the hybrid is {headline['abstract']}, "
        f"{headline['calculation']} and {headline['table_5']} in three places. {AUDITED}"
    )
