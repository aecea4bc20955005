"""Titles and scales of metrics, the suite's and those of reports alone; shares are in percent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from anomalynet.metrics.suite import AGAINST_ALL, ALL, METRICS, Metric


@dataclass(frozen=True, slots=True)
class Measure:
    """How tables show a metric."""

    title: str
    unit: str  # "": a number without unit
    higher_is_better: bool

    @property
    def scale(self) -> float:
        """The factor by which a value is multiplied for the tables."""
        return 100.0 if self.unit == "%" else 1.0

    def text(self, value: float | None, spread: float | None = None) -> str:
        """A scaled value, with its spread if there is one, as text; a dash without a value."""
        if value is None or math.isnan(value):
            return "–"
        return (f"{value:.3f}" if self.unit == "" else f"{value:.2f}") + (
            f" ± {self.text(spread)}" if spread is not None else ""
        )


def _measure(metric: Metric) -> Measure:
    percent = metric.unit == "" and metric.name != "mcc"
    return Measure(metric.title, "%" if percent else metric.unit, metric.direction != "min")


RANKING = ("auroc", "average_precision")  # metrics of the order of scores

RUN_METRICS: tuple[str, ...] = ("event_recall", "detection_delay", "false_alarms_per_device_day")
RUN_METRICS += tuple(f"{name}{ALL}" for name in AGAINST_ALL)
"""Metrics of incidents, and those against everything, taken from `result.json` and averaged over
folds."""


# Metrics that are not computed from single steps, or that do not judge a model
NOT_OF_STEPS = (*RUN_METRICS, "prevalence")


def primary(metric: str) -> str:
    """The name of a metric of an arm in every table: `…_fold_mean` for ranking metrics and those of
    incidents, otherwise unchanged, because decisions are pooled (`prose.RULE`)."""
    return f"{metric}_fold_mean" if metric in (*RANKING, *RUN_METRICS) else metric


def series_mean(metric: str) -> str:
    """The name of the value that tests compare: the mean over clusters of the metric per series."""
    return f"{metric}_series_mean"


MEASURES = {metric.name: _measure(metric) for metric in METRICS.values()}
MEASURES |= {
    f"{name}_{how}": replace(MEASURES[name], title=f"{MEASURES[name].title}, {words}")
    for names, how, words in (
        ((*RANKING, *RUN_METRICS), "fold_mean", "fold mean"),
        (RANKING, "pooled", "scores pooled"),
        (METRICS, "series_mean", "mean over clusters"),
    )
    for name in names
}
MEASURES |= {
    "eq13_accuracy_normal": Measure("eq. 13 recipe (normal)", "%", True),
    "eq13_accuracy_attack": Measure("eq. 13 recipe (attack)", "%", True),
    "brier": Measure("Brier score", "", False),
    "brier_constant": Measure("Brier score, share of attack alone", "", False),
    "ece": Measure("Calibration error, equal width", "%", False),
    "ece_equal_mass": Measure("Calibration error, equal mass", "%", False),
    "mean_score": Measure("Mean score", "%", False),
    "vus_pr": Measure("VUS-PR", "%", True),
    "vus_roc": Measure("VUS-ROC", "%", True),
    "range_f1": Measure("Range F1", "%", True),
    "range_precision": Measure("Range precision", "%", True),
    "range_recall": Measure("Range recall", "%", True),
    "affiliation_precision": Measure("Affiliation precision", "%", True),
    "affiliation_recall": Measure("Affiliation recall", "%", True),
    "affiliation_unjudged": Measure("Alarmed steps in no affiliation zone", "%", False),
    "event_recall_at_1": Measure("Incidents at 1 false alarm per node and day", "%", True),
    "event_recall_at_10": Measure("Incidents at 10 false alarms per node and day", "%", True),
    "delay_p10": Measure("Delay of 10 %", "s", False),
    "delay_p50": Measure("Delay of 50 %", "s", False),
    "delay_p90": Measure("Delay of 90 %", "s", False),
    "undetected": Measure("Incidents undetected", "%", False),
    "pa_f1": Measure("PA-F1", "%", True),
    "pa_20": Measure("PA%20", "%", True),
    "pa_area": Measure("PA%K, mean over K", "%", True),
}
