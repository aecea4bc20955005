"""Metrics of decisions: the confusion matrix, and what follows from its four counts."""

from __future__ import annotations

from math import nan, sqrt

from torch import Tensor
from torchmetrics.functional.classification import binary_confusion_matrix

from anomalynet.metrics.suite import PAPER_PREVALENCE


def confusion(predictions: Tensor, labels: Tensor) -> tuple[int, int, int, int]:
    """True negatives, false positives, false negatives, true positives of predictions (n,) for
    labels (n,), integers 0 and 1."""
    if len(labels) == 0:
        return 0, 0, 0, 0
    (tn, fp), (fn, tp) = binary_confusion_matrix(predictions, labels).tolist()
    return tn, fp, fn, tp


def from_counts(tn: int, fp: int, fn: int, tp: int) -> dict[str, float]:
    """Every metric that the four counts determine; NaN where it is undefined.

    A precision is undefined without predictions of the class, a recall without members, an F1
    without either, balanced accuracy and MCC where a class is missing, MCC also where one class is
    never predicted.

    Source: §4 for precision, recall, F1 and accuracy; the rest is not in the paper.
    """
    recall_normal, recall_attack = _ratio(tn, tn + fp), _ratio(tp, tp + fn)
    return {
        "precision_normal": _ratio(tn, tn + fn),
        "recall_normal": recall_normal,
        "f1_normal": _ratio(2 * tn, 2 * tn + fn + fp),
        "precision_attack": _ratio(tp, tp + fp),
        "recall_attack": recall_attack,
        "f1_attack": _ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": _ratio(tn + tp, tn + fp + fn + tp),
        "balanced_accuracy": (recall_normal + recall_attack) / 2,
        "mcc": _ratio(tp * tn - fp * fn, sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))),
        "precision_at_paper_prevalence": precision_at(recall_attack, 1 - recall_normal),
        "true_negatives": float(tn),
        "false_positives": float(fp),
        "false_negatives": float(fn),
        "true_positives": float(tp),
        "prevalence": _ratio(tp + fn, tn + fp + fn + tp),
    }


def precision_at(
    recall: float, false_positive_rate: float, prevalence: float = PAPER_PREVALENCE
) -> float:
    """Precision of the attack class as it would be at another prevalence, with recall and false
    positive rate kept.

    Why: precision follows prevalence, so two test sets compare only at the same one. NaN where a
    rate is, or nothing is predicted.

    Source: not in the paper; the prevalence of 71.37 % is implied by its tables.
    """
    return _ratio(recall * prevalence, recall * prevalence + false_positive_rate * (1 - prevalence))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0 else nan
