"""The step-wise metrics of `classification.py` in NumPy, for code that pools or resamples runs and
for code without torch. A test makes sure that both are equal.

A new metric needs an entry in `decision_metrics` or `point_metrics` here and in `suite.METRICS`;
if it is not computed from the confusion matrix, also in `classification.metric_collection`."""

from __future__ import annotations

import itertools
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalynet.metrics.suite import PAPER_PREVALENCE

NAN = float("nan")
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


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
        decisions: (steps,) bool, true if the step is predicted to be an attack.
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
    """part / whole, NaN if whole is 0 or either is undefined."""
    return part / whole if whole else NAN


def decision_metrics(counts: Confusion) -> dict[str, float]:
    """Every metric that is computed from the confusion matrix, as a fraction; NaN if undefined.

    A precision is undefined without predictions of the class, a recall without members of it, an F1
    without either. Balanced accuracy and MCC are undefined if a class is missing, MCC also if one
    class is never predicted. Precision depends on the prevalence: `precision_at_paper_prevalence`
    is the precision of the attack class at the paper's prevalence and with the same recalls.

    Source: §4 of the paper for precision, recall, F1 and accuracy; the rest is not in the paper.
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


def alarm_counts(
    labels: NDArray[np.integer], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of true and false positives if each distinct score is the threshold, from the highest
    score down; both begin with 0."""
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
    true, false = alarm_counts(label, score)
    precision = true[1:] / (true[1:] + false[1:])
    return {
        "auroc": float(np.trapezoid(true, false) / (attack * (len(label) - attack))),
        "average_precision": float(np.sum(np.diff(true) * precision) / attack),
    }


def stratified_pairs(
    labels: ArrayLike, scores: ArrayLike, strata: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pairs of an attack and a normal step of the same stratum, for each step: how many of its
    pairs are ranked right, ties count half, and how many it has. The ratio of their sums is the
    AUROC that a score has beyond what the stratum alone tells.

    Args:
        labels, scores: (steps,) as in `ranking_metrics`.
        strata: (steps,) integers, such as the position in the recording // 25.
    Returns: right and pairs, float64 (steps,).
    """
    label, score = np.asarray(labels) == 1, np.asarray(scores, np.float64)
    names, index = np.unique(np.asarray(strata), return_inverse=True)
    order = np.argsort(index, kind="stable")
    borders = np.searchsorted(index[order], np.arange(len(names) + 1)).tolist()
    right, pairs = np.zeros((2, len(score)))
    for inside in (order[start:stop] for start, stop in itertools.pairwise(borders)):
        sides = inside[label[inside]], inside[~label[inside]]
        for (own, other), sign in zip((sides, sides[::-1]), (1, -1), strict=True):
            others = np.sort(sign * score[other])
            below, up_to = (np.searchsorted(others, sign * score[own], side=s) for s in _SIDES)
            right[own], pairs[own] = (below + up_to) / 2, len(other)
    return right, pairs


def usable_steps(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Steps (n,) that have a label, which is not -1, and a score, which is not NaN."""
    return np.asarray((labels >= 0) & ~np.isnan(scores))


def point_metrics(
    labels: ArrayLike, scores: ArrayLike, thresholds: ArrayLike, probability: bool
) -> dict[str, float]:
    """Compute every step-wise metric, named as in `suite.py`; NaN if undefined.

    Args:
        labels: (steps,) 0 normal, 1 attack, -1 unlabelled; an unlabelled step is ignored.
        scores: (steps,) higher is more anomalous; NaN if missed; a missed step is ignored.
        thresholds: one threshold, or (steps,) so that pooled folds keep their own; a score at its
            threshold is predicted to be an attack.
        probability: whether the scores are probabilities, so that 0.5 has a meaning.
    Source: §4 of the paper; MCC, ranking and re-weighted precision are not in the paper.
    """
    label, score = np.asarray(labels, dtype=np.int8), np.asarray(scores, dtype=np.float64)
    usable = usable_steps(label, score)
    alarm = (score >= np.asarray(thresholds, dtype=np.float64))[usable]
    label, score = label[usable], score[usable]
    half = decision_metrics(confusion(label, score >= 0.5))["accuracy"] if probability else NAN
    decided = decision_metrics(confusion(label, alarm))
    return {**decided, **ranking_metrics(label, score), "accuracy_at_half": half}
