"""How scores become decisions: a step is called an attack if its score is at or above the
threshold. NumPy only.

All rules except `fixed` try each distinct score: thresholds between two neighbouring scores decide
alike. Steps without a score (NaN) are ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.config.schema import EvaluationConfig
from anomalynet.errors import DataError
from anomalynet.metrics.events import device_days, lowest_thresholds
from anomalynet.metrics.kernels import usable_steps

Labels = npt.NDArray[np.integer]
Scores = npt.NDArray[np.floating]

MOST_ALARMED = 0.05  # largest share of the steps that the rule `alarm_budget` alarms


def choose_threshold(
    config: EvaluationConfig,
    labels: Labels,
    scores: Scores,
    series: npt.NDArray[np.integer],
    period: float,
    devices: int | None = None,
) -> float:
    """The threshold by the configured rule, from validation steps alone.

    Args:
        labels: (n,) 1 attack, 0 normal, -1 unlabelled; steps ordered by (series, time).
        scores: (n,) NaN if a step was missed.
        series: (n,) number of the series.
        period: seconds per step.
        devices: series of the whole data set, which share the alarm budget; None: these.

    Raises DataError: no step has what the rule needs.
    """
    budget = config.alarms_per_day
    rules: dict[str, Callable[[], float]] = {
        "fixed": lambda: config.fixed_threshold,
        "f1": lambda: best_f1(labels, scores),
        "balanced_accuracy": lambda: best_balanced_accuracy(labels, scores),
        "alarm_budget": lambda: alarm_budget(labels, scores, series, period, budget, devices),
    }
    return rules[config.threshold]()


def best_f1(labels: Labels, scores: Scores) -> float:
    """Threshold with the largest F1 of the attack class.

    Ties: the smallest score. The threshold returned is midway between it and the next smaller
    score: the same decisions here, the widest margin on new data. Without any attack: just above
    the largest score. Raises DataError: no labelled step has a score.
    """
    return _best(labels, scores, lambda tp, fp, attacks, normals: 2 * tp / (tp + fp + attacks))


def best_balanced_accuracy(labels: Labels, scores: Scores) -> float:
    """Threshold with the largest mean of both classes' recalls; else as `best_f1`."""
    # Balanced accuracy, multiplied out so that it stays whole and ties are exact.
    return _best(
        labels, scores, lambda tp, fp, attacks, normals: tp * max(normals, 1) - fp * attacks
    )


def _best(labels: Labels, scores: Scores, quality: Callable[..., npt.NDArray[Any]]) -> float:
    """The threshold with the largest `quality(tp, fp, attacks, normals)`; tp and fp are int64
    arrays, one entry per distinct score."""
    usable = usable_steps(labels, scores)
    if not usable.any():
        raise DataError(
            "no labelled step with a score to choose the threshold from",
            "use evaluation.threshold=alarm_budget (no labels) or fixed (no data)",
        )
    attack = labels[usable] == 1
    values, index = np.unique(scores[usable].astype(np.float64), return_inverse=True)
    if not attack.any():
        return float(np.nextafter(values[-1], np.inf))
    tp, fp = (
        _at_or_above(np.bincount(index[which], minlength=len(values)))
        for which in (attack, ~attack)
    )
    return _midpoint_below(values, int(np.argmax(quality(tp, fp, int(tp[0]), int(fp[0])))))


def _at_or_above(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Steps at or above each distinct score, from the steps at each, ascending."""
    return counts[::-1].cumsum()[::-1]


def _midpoint_below(values: npt.NDArray[np.float64], best: int) -> float:
    if best == 0 or not np.isfinite(values[best - 1]):
        return float(values[best])
    middle = values[best - 1] + (values[best] - values[best - 1]) / 2
    return float(middle if values[best - 1] < middle <= values[best] else values[best])


def alarm_budget(
    labels: Labels,
    scores: Scores,
    series: npt.NDArray[np.integer],
    period: float,
    alarms_per_day: float,
    devices: int | None = None,
) -> float:
    """The smallest score such that neither it nor any higher threshold raises more than
    `alarms_per_day` alarms in the whole fleet, or alarms more than `MOST_ALARMED` of the steps.
    Needs no label; arguments as in `choose_threshold`.

    An alarm is a run of steps of a series at or above the threshold; steps labelled as attack and
    steps without a score end it. The `devices` share the budget equally. Smooth scores have few
    runs, however many steps they alarm: hence the share. Just above the largest score if even that
    is too much; otherwise midway as in `best_f1`.

    Raises DataError: the period is unknown, or no step is left to count on.
    """
    if not period > 0:
        what = "an alarm budget counts alarms per day, and how long a step lasts is not known"
        raise DataError(what, "give the data set a period")
    scored = ~np.isnan(scores)
    admitted = scored & (labels != 1)
    if not admitted.any():
        raise DataError("an alarm budget needs a step with a score that is not labelled as attack")
    level = np.where(admitted, scores, -np.inf).astype(np.float64)
    days = device_days(int(scored.sum()), period)
    budget = alarms_per_day * days / (devices or len(np.unique(series)))
    (lowest,) = lowest_thresholds(level, series, np.array([budget]))
    values, counts = np.unique(level[admitted], return_counts=True)
    too_many = _at_or_above(counts) > MOST_ALARMED * counts.sum()
    best = max(int(np.searchsorted(values, lowest)), int(too_many.sum()))
    if best == len(values):  # an exported graph computes scores with an error of about 1e-7
        return float(values[-1] + 1e-6 * max(1.0, abs(values[-1])))
    return _midpoint_below(values, best)
