"""Point metrics in NumPy, for what pools and resamples runs and for what has no torch; those of
`classification.py`, which a test holds equal."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalynet.metrics.suite import PAPER_PREVALENCE

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of decisions; attack is the positive class."""

    true_negatives: int
    false_positives: int
    false_negatives: int
    true_positives: int


def confusion(labels: ArrayLike, decisions: ArrayLike) -> Confusion:
    """Count decisions against labels.

    Args:
        labels: (steps,) 0 normal, 1 attack.
        decisions: (steps,) bool, true where an alarm is raised.
    """
    attack = np.asarray(labels) == 1
    alarm = np.asarray(decisions, dtype=bool)
    return Confusion(
        true_negatives=int(np.sum(~attack & ~alarm)),
        false_positives=int(np.sum(~attack & alarm)),
        false_negatives=int(np.sum(attack & ~alarm)),
        true_positives=int(np.sum(attack & alarm)),
    )


def ratio(part: float, whole: float) -> float:
    """part / whole, NaN where whole is 0 or either is undefined."""
    return part / whole if whole else NAN


def decision_metrics(counts: Confusion) -> dict[str, float]:
    """Every metric that a confusion matrix determines, as fractions; NaN where undefined.

    A precision is undefined without predictions of the class, a recall without members, an F1
    without either, balanced accuracy and MCC where a class is missing, MCC also where one class is
    never predicted. Precision follows prevalence: `precision_at_paper_prevalence` is that of the
    attack class at the paper's prevalence, with both recalls kept.

    Source: §4 for precision, recall, F1 and accuracy; the rest is not in the paper.
    """
    tn, fp, fn, tp = astuple(counts)
    recall_normal, recall_attack = ratio(tn, tn + fp), ratio(tp, tp + fn)
    found = PAPER_PREVALENCE * recall_attack
    lost = (1 - PAPER_PREVALENCE) * (1 - recall_normal)
    margins = float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "precision_normal": ratio(tn, tn + fn),
        "recall_normal": recall_normal,
        "f1_normal": ratio(2 * tn, 2 * tn + fn + fp),
        "precision_attack": ratio(tp, tp + fp),
        "recall_attack": recall_attack,
        "f1_attack": ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": ratio(tn + tp, tn + fp + fn + tp),
        "balanced_accuracy": (recall_normal + recall_attack) / 2,
        "mcc": ratio(tp * tn - fp * fn, margins**0.5),
        "precision_at_paper_prevalence": ratio(found, found + lost),
        "true_negatives": float(tn),
        "false_positives": float(fp),
        "false_negatives": float(fn),
        "true_positives": float(tp),
        "prevalence": ratio(tp + fn, tn + fp + fn + tp),
    }


def _curve(
    labels: NDArray[np.int8], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and false positives at each distinct score taken as threshold, from the highest; both
    begin at (0, 0)."""
    order = np.argsort(-scores, kind="stable")
    ranked, attack = scores[order], labels[order] == 1
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(attack)[last_of_tie]
    false = last_of_tie + 1 - true
    return np.append(0.0, true), np.append(0.0, false)


def ranking_metrics(labels: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """AUROC (ties count half) and average precision (step-wise, no interpolation); NaN with one
    class or undefined scores.

    Args:
        labels: (steps,) 0 normal, 1 attack.
        scores: (steps,) any range; higher is more anomalous.
    """
    label, score = np.asarray(labels, dtype=np.int8), np.asarray(scores, dtype=np.float64)
    attack = int(np.sum(label == 1))
    if attack in (0, len(label)) or np.isnan(score).any():
        return {"auroc": NAN, "average_precision": NAN}
    true, false = _curve(label, score)
    precision = true[1:] / (true[1:] + false[1:])
    return {
        "auroc": float(np.trapezoid(true, false) / (attack * (len(label) - attack))),
        "average_precision": float(np.sum(np.diff(true) * precision) / attack),
    }


def known_steps(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Steps (n,) that have a label, which is not -1, and a score, which is not NaN."""
    return np.asarray((labels >= 0) & ~np.isnan(scores))


def point_metrics(
    labels: ArrayLike, scores: ArrayLike, thresholds: ArrayLike, probability: bool
) -> dict[str, float]:
    """Compute every metric of single time steps, named as in `suite.py`; NaN where undefined.

    Args:
        labels: (steps,) 0 normal, 1 attack, -1 unlabelled, which takes no part.
        scores: (steps,) higher is more anomalous; NaN where missed, which takes no part.
        thresholds: one threshold, or (steps,) so that pooled folds keep their own; a score at its
        threshold is an alarm.
        probability: whether the score is one, so that 0.5 means something.
    Source: §4; MCC, ranking and re-weighted precision are not in the paper.
    """
    label, score = np.asarray(labels, dtype=np.int8), np.asarray(scores, dtype=np.float64)
    known = known_steps(label, score)
    alarm = (score >= np.asarray(thresholds, dtype=np.float64))[known]
    label, score = label[known], score[known]
    half = decision_metrics(confusion(label, score >= 0.5))["accuracy"] if probability else NAN
    decided = decision_metrics(confusion(label, alarm))
    return {**decided, **ranking_metrics(label, score), "accuracy_at_half": half}
