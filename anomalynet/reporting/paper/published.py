"""The numbers of the paper's Tables 1–5: as printed, and repaired to the one confusion matrix per
model that the consistent cells imply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from anomalynet.metrics.kernels import Confusion, decision_metrics, ratio

# Experiments with a row in the paper's tables, in its order → their names there
TITLES = {"cnn": "CNN", "lstm": "LSTM", "cnn_lstm": "CNN-LSTM", "hybrid": "Hybrid"}

# Our names of the paper's accuracies per class, which are not accuracies → the paper's names
EQ13 = {"eq13_accuracy_normal": "accuracy_normal", "eq13_accuracy_attack": "accuracy_attack"}

COUNTS = {"true_negatives": "tn", "false_positives": "fp"}
COUNTS |= {"false_negatives": "fn", "true_positives": "tp"}


@dataclass(frozen=True, slots=True)
class Paper:
    """The numbers of the paper; shares in percent, counts per 10 000 windows."""

    training: dict[str, str | float | int]  # Table 1
    printed_cells: dict[str, dict[str, float]]
    repaired_cells: dict[str, dict[str, float]]

    def printed(self, model: str, metric: str) -> float | None:
        """The paper's printed value of a metric of the report, None if there is none."""
        return self.printed_cells.get(model, {}).get(EQ13.get(metric, metric))

    def repaired(self, model: str, metric: str) -> float | None:
        """The repaired value: the listed cell, else from the repaired counts; else None."""
        cells = self.repaired_cells.get(model)
        if cells is None:
            return None
        if metric in EQ13:
            return eq13(cells["precision_normal"], cells["precision_attack"])[metric]
        if metric in COUNTS:
            return cells[COUNTS[metric]]
        if metric in cells:
            return cells[metric]
        value = decision_metrics(self.repaired_counts(model)).get(metric)
        return None if value is None else value * (1.0 if metric == "mcc" else 100.0)

    def repaired_counts(self, model: str) -> Confusion:
        """The repaired confusion matrix, counts per 10 000 windows."""
        return Confusion(
            **{name: int(self.repaired_cells[model][short]) for name, short in COUNTS.items()}
        )


def eq13(precision_normal: float, precision_attack: float) -> dict[str, float]:
    """Compute the paper's accuracies per class from two precisions in percent, as the paper does;
    recalls are not used.

    TP := precision of normal, FP := 100 − precision of attack, and the same with the classes
    exchanged. The result is not an accuracy; it is only shown next to the printed numbers.

    Source: §4, eq. 13, Table 5.
    """
    return {
        "eq13_accuracy_normal": 100
        * ratio(precision_normal, precision_normal + 100 - precision_attack),
        "eq13_accuracy_attack": 100
        * ratio(precision_attack, precision_attack + 100 - precision_normal),
    }


@cache
def load() -> Paper:
    """Read the numbers shipped with the package."""
    file = files("anomalynet.reporting.paper").joinpath("paper_tables.yaml")
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Paper(content["training"], content["printed"], content["repaired"])
