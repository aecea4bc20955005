"""How each metric is named and scaled in tables: the suite's metrics, and those that only a report has; shares in percent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from anomalynet.metrics.suite import METRICS, Metric


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric as readers see it; unit "" is a bare number."""

    title: str
    unit: str
    higher_is_better: bool

    @property
    def scale(self) -> float:
        """What a value is multiplied with for the tables."""
        return 100.0 if self.unit == "%" else 1.0

    def text(self, value: float | None) -> str:
        """A value of the tables, already scaled; a dash where there is none."""
        if value is None or math.isnan(value):
            return "–"
        return f"{value:.3f}" if self.unit == "" else f"{value:.2f}"


def _measure(metric: Metric) -> Measure:
    percent = metric.unit == "" and metric.name != "mcc"
    return Measure(metric.title, "%" if percent else metric.unit, metric.direction != "min")


MEASURES = {metric.name: _measure(metric) for metric in METRICS.values()} | {
    "auroc_fold_mean": Measure("AUROC, fold mean", "%", True),
    "average_precision_fold_mean": Measure("Average precision, fold mean", "%", True),
    "eq13_accuracy_normal": Measure("eq. 13 recipe (normal)", "%", True),
    "eq13_accuracy_attack": Measure("eq. 13 recipe (attack)", "%", True),
    "brier": Measure("Brier score", "", False),
    "brier_constant": Measure("Brier score, share of attack alone", "", False),
    "ece": Measure("Calibration error, equal width", "%", False),
    "ece_equal_mass": Measure("Calibration error, equal mass", "%", False),
    "mean_score": Measure("Mean score", "%", False),
}
for _name in ("auroc", "average_precision"):
    MEASURES[_name] = replace(MEASURES[_name], title=f"{MEASURES[_name].title}, pooled")
