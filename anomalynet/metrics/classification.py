"""All metrics of single steps: of decisions, which follow from four counts, and of the order of
scores.

torchmetrics applies a sigmoid to scores outside [0, 1], batch by batch: reconstruction errors
saturate to ties, and each batch by a rule of its own. Its functional forms have no switch for it;
the classes do."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision
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


def auroc(scores: Tensor, labels: Tensor) -> float:
    """Area under the ROC curve of scores (n,), any range, for labels (n,), integers 1 attack, 0
    normal; NaN where a class is missing.

    Source: not in the paper.
    """
    return _compute(BinaryAUROC(normalization=None, sync_on_compute=False), scores, labels)


def average_precision(scores: Tensor, labels: Tensor) -> float:
    """Average precision of scores (n,), any range, for labels (n,), integers 1 attack, 0 normal;
    NaN where a class is missing.

    Source: not in the paper.
    """
    return _compute(
        BinaryAveragePrecision(normalization=None, sync_on_compute=False), scores, labels
    )


def _compute(metric: BinaryAUROC | BinaryAveragePrecision, scores: Tensor, labels: Tensor) -> float:
    if not 0 < int(labels.sum()) < len(labels):
        return nan
    metric.update(scores, labels)
    return float(metric.compute())


def point_metrics(
    labels: npt.NDArray[np.integer],
    scores: npt.NDArray[np.floating],
    threshold: float,
    probability: bool,
) -> dict[str, float]:
    """Every metric of `suite.METRICS` that judges step by step, NaN where undefined.

    Args:
        labels: (n,) 1 attack, 0 normal, -1 unlabelled; unlabelled steps take no part.
        scores: (n,) NaN where a step was missed; missed steps take no part, the caller reports
        their number. threshold: a step is predicted an attack where its score is at or above it.
        probability: whether the scores are probabilities, so that 0.5 means something.
    """
    known = (labels >= 0) & ~np.isnan(scores)
    truth = torch.from_numpy(labels[known].astype(np.int64))
    judged = torch.from_numpy(scores[known].astype(np.float64))
    at_half = from_counts(*confusion((judged >= 0.5).long(), truth))["accuracy"]
    return {
        **from_counts(*confusion((judged >= threshold).long(), truth)),
        "accuracy_at_half": at_half if probability else nan,
        "auroc": auroc(judged, truth),
        "average_precision": average_precision(judged, truth),
    }
