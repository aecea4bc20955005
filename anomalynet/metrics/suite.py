"""Declares every metric once: name, title, direction and unit. Never imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PAPER_PREVALENCE = 0.7137
"""Share of attack in the paper's test set, computed from its tables (rows of the normal class)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that judges a part of the data."""

    name: str  # key in result files, without the part: `test/auroc` is `auroc` of the test part
    title: str  # for tables and figures
    direction: Literal["max", "min"] | None  # which is better; None if it only describes the data
    unit: str = ""  # "": a share between 0 and 1 (MCC from -1); otherwise "count", "s" or "1/day"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("precision_normal", "Precision (normal)", "max"),
        Metric("recall_normal", "Recall (normal)", "max"),
        Metric("f1_normal", "F1 (normal)", "max"),
        Metric("precision_attack", "Precision (attack)", "max"),
        Metric("recall_attack", "Recall (attack)", "max"),
        Metric("f1_attack", "F1 (attack)", "max"),
        Metric("accuracy", "Accuracy", "max"),
        Metric("balanced_accuracy", "Balanced accuracy", "max"),
        Metric("mcc", "MCC", "max"),
        Metric("auroc", "AUROC", "max"),
        Metric("average_precision", "Average precision", "max"),
        Metric("precision_at_paper_prevalence", "Precision at 71.37 % attack", "max"),
        Metric("accuracy_at_half", "Accuracy at 0.5", "max"),
        Metric("true_negatives", "True negatives", "max", "count"),
        Metric("false_positives", "False positives", "min", "count"),
        Metric("false_negatives", "False negatives", "min", "count"),
        Metric("true_positives", "True positives", "max", "count"),
        Metric("event_recall", "Event recall", "max"),
        Metric("detection_delay", "Detection delay", "min", "s"),
        Metric("false_alarms_per_device_day", "False alarms per device-day", "min", "1/day"),
        Metric("prevalence", "Prevalence", None),
        Metric("f1_attack_all", "F1 (attack) against everything", "max"),
        Metric("balanced_accuracy_all", "Balanced accuracy against everything", "max"),
        Metric("auroc_all", "AUROC against everything", "max"),
        Metric("average_precision_all", "Average precision against everything", "max"),
    )
}

ALL = "_all"
AGAINST_ALL = tuple(name.removesuffix(ALL) for name in METRICS if name.endswith(ALL))
"""Metrics that exist twice: with attack steps against normal ones, and, with `ALL` behind the name,
with the steps of other incidents among the normal ones."""
