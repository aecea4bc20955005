"""The paper's Tables 1–5: printed, and repaired to the one confusion matrix per model that its
consistent cells imply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from anomalynet.metrics.kernels import Confusion, decision_metrics, ratio

# Experiments with a row in the paper's tables, in its order, and how it writes them
TITLES = {"cnn": "CNN", "lstm": "LSTM", "cnn_lstm": "CNN-LSTM", "hybrid": "Hybrid"}

# Our names of the paper's accuracies per class → its own names. They get their own because they are
# not accuracies.
EQ13 = {"eq13_accuracy_normal": "accuracy_normal", "eq13_accuracy_attack": "accuracy_attack"}

COUNTS = {
    "true_negatives": "tn",
    "false_positives": "fp",
    "false_negatives": "fn",
    "true_positives": "tp",
}


@dataclass(frozen=True, slots=True)
class Paper:
    """The numbers of the paper; shares in percent, counts per 10 000 windows."""

    training: dict[str, str | float | int]  # Table 1
    printed_cells: dict[str, dict[str, float]]
    repaired_cells: dict[str, dict[str, float]]
    # The hybrid's accuracy as three places of the paper give it
    headline_accuracy: dict[str, float]

    def printed(self, model: str, metric: str) -> float | None:
        """What the paper prints for a metric of this report, None where it prints nothing."""
        return self.printed_cells.get(model, {}).get(EQ13.get(metric, metric))

    def repaired(self, model: str, metric: str) -> float | None:
        """What the repaired confusion matrix gives: the listed cell, else computed from the counts;
        None for another model."""
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

    def implied_prevalence(self, model: str, class_: str) -> float:
        """Share of attack, percent, that one class's printed precision and both printed recalls
        imply."""
        cells = {name: value / 100 for name, value in self.printed_cells[model].items()}
        precision, kept = cells[f"precision_{class_}"], cells[f"recall_{class_}"]
        lost = 1 - cells["recall_attack" if class_ == "normal" else "recall_normal"]
        # precision = share·kept / (share·kept + (1 − share)·lost), solved for the share of this
        # class
        share = precision * lost / (precision * lost + kept * (1 - precision))
        return 100 * (share if class_ == "attack" else 1 - share)


def eq13(precision_normal: float, precision_attack: float) -> dict[str, float]:
    """Compute the paper's accuracies per class from two precisions in percent, as it does; recalls
    are never used.

    TP := precision of normal, FP := what attack's precision lacks to 100, and the same with the
    classes exchanged. The result says nothing of accuracy and is shown beside the printed numbers
    only.

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
    text = (
        files("anomalynet.reporting.paper")
        .joinpath("paper_tables.yaml")
        .read_text(encoding="utf-8")
    )
    content: dict[str, Any] = yaml.safe_load(text)
    return Paper(
        training=content["training"],
        printed_cells=content["printed"],
        repaired_cells=content["repaired"],
        headline_accuracy=content["headline_accuracy"],
    )
