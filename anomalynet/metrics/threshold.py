"""How scores become decisions: a step is called an attack if its score is at or above the
threshold. NumPy only.

All rules except `fixed` try each distinct score: thresholds between two neighbouring scores decide
alike, and the one in the middle is taken. Scores that differ by rounding alone are one score: an
exported graph, or the sum of a forest's trees in another order, would alarm another part of them.
Steps without a score (NaN) are ignored."""

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
Floats = npt.NDArray[np.float64]

# Neighbouring scores closer than this share of them are one; a graph's are about 1e-7 away.
TIE = 1e-6
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
    devices = devices or len(np.unique(series))
    budget = config.alarms_of_all(devices)
    rules: dict[str, Callable[[], float]] = {
        "fixed": lambda: config.fixed_threshold,
        "f1": lambda: best_f1(labels, scores),
        "balanced_accuracy": lambda: best_balanced_accuracy(labels, scores),
        "alarm_budget": lambda: alarm_budget(labels, scores, series, period, budget, devices),
    }
    limit = rules[config.threshold]()
    every = scores[~np.isnan(scores)]
    if config.threshold == "fixed" or limit <= every.min():
        return limit
    return off_ties(limit, every)  # not near those that the rule leaves out either


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
    lowest, highest, index = _distinct(scores[usable].astype(np.float64))
    if not attack.any():
        return _below(lowest, highest, len(lowest))
    tp, fp = (
        _at_or_above(np.bincount(index[which], minlength=len(lowest)))
        for which in (attack, ~attack)
    )
    best = int(np.argmax(quality(tp, fp, int(tp[0]), int(fp[0]))))
    return _below(lowest, highest, best)


def _at_or_above(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Steps at or above each distinct score, from the steps at each, ascending."""
    return counts[::-1].cumsum()[::-1]


def _distinct(scores: Floats) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """The distinct scores, ascending, as the lowest and the highest value of each, and the index
    (n,) of each of `scores` among them; see `TIE`."""
    values, index = np.unique(scores, return_inverse=True)
    size = np.minimum(np.abs(values[1:]), np.abs(values[:-1]))
    new = np.append(True, np.diff(values) > TIE * size)[: len(values)]
    highest = values[np.append(new[1:], True)[: len(values)]]
    return values[new], highest, (np.cumsum(new) - 1)[index]


def _below(lowest: Floats, highest: Floats, best: int) -> float:
    """The threshold that alarms from the distinct score of this index on."""
    if best == len(lowest):
        return float(highest[-1] + 1e-6 * max(1.0, abs(highest[-1])))
    above = float(lowest[best])
    below = float(highest[best - 1]) if best else -np.inf
    if not np.isfinite(below):
        return above
    middle = below + (above - below) / 2
    return middle if below < middle <= above else above


def off_ties(limit: float, scores: Scores) -> float:
    """A threshold that decides alike for these scores (n,), without NaN, also where they are
    rounded: the same one, but in the middle of its neighbours if one is a tie of it, or just below
    the lowest."""
    if not len(scores):
        return limit
    lowest, highest, _ = _distinct(scores.astype(np.float64))
    best = int(np.searchsorted(highest, limit))
    near = TIE / 4 * abs(limit)  # a middle of two distinct scores is further away
    on = best < len(lowest) and lowest[best] - limit <= near
    over = best > 0 and limit - highest[best - 1] <= near
    if not (on or over):
        return limit
    return _below(lowest, highest, best) if best else float(lowest[0] - TIE * abs(lowest[0]))


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
    lowest, highest, index = _distinct(level[admitted])
    level[admitted] = lowest[index]
    (least,) = lowest_thresholds(level, series, np.array([budget]))
    counts = np.bincount(index)
    too_many = _at_or_above(counts) > MOST_ALARMED * counts.sum()
    return _below(lowest, highest, max(int(np.searchsorted(lowest, least)), int(too_many.sum())))
