"""How scores become decisions: a step is an attack where its score is at or above the threshold.
NumPy only.

Every rule looks at every threshold there is: between two neighbouring scores all thresholds decide
alike. Steps without a score (NaN) take no part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.config.schema import EvaluationConfig
from anomalynet.errors import DataError
from anomalynet.metrics.events import device_days, lowest_thresholds

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
        labels: (n,) 1 attack, 0 normal, -1 unlabelled.
        scores: (n,) NaN where a step was missed.
        series: (n,) number of the series; the steps of one stand together, in the order of time.
        period: seconds a step stands for.
        devices: series of the whole data set, which share the alarm budget; None: these.

    Raises DataError: no step has what the rule needs.
    """
    if config.threshold == "fixed":
        return config.fixed_threshold
    if config.threshold == "alarm_budget":
        return alarm_budget(labels, scores, series, period, config.alarms_per_day, devices)
    return (best_f1 if config.threshold == "f1" else best_balanced_accuracy)(labels, scores)


def best_f1(labels: Labels, scores: Scores) -> float:
    """Threshold with the largest F1 of the attack class.

    Of equally good scores the smallest, then the middle between it and the next smaller score: the
    same decisions here, and the widest margin elsewhere. Without any attack no alarm is right: just
    above the largest score. Arguments as of `choose_threshold`.

    Raises DataError: no labelled step has a score.
    """
    return _best(labels, scores, lambda tp, fp, attacks, _: 2 * tp / (tp + fp + attacks))


def best_balanced_accuracy(labels: Labels, scores: Scores) -> float:
    """Threshold with the largest mean of both classes' recalls; ties and missing attacks as in
    `best_f1`."""
    # integers: ties are exact
    return _best(labels, scores, lambda tp, fp, ones, zeros: tp * max(zeros, 1) - fp * ones)


def _best(labels: Labels, scores: Scores, quality: Callable[..., npt.NDArray[Any]]) -> float:
    """The threshold where `quality` is largest: it is given the numbers of true and false alarms at
    each score, int64 (score,), and of attacks and other steps."""
    known = (labels >= 0) & ~np.isnan(scores)
    if not known.any():
        raise DataError(
            "no labelled step with a score to choose the threshold from",
            "evaluation.threshold=alarm_budget needs no label; "
            "evaluation.threshold=fixed needs no data",
        )
    attack = labels[known] == 1
    values, at = np.unique(scores[known].astype(np.float64), return_inverse=True)
    if not attack.any():
        return float(np.nextafter(values[-1], np.inf))
    true = np.bincount(at[attack], minlength=len(values))[::-1].cumsum()[::-1]
    false = np.bincount(at[~attack], minlength=len(values))[::-1].cumsum()[::-1]
    best = int(np.argmax(quality(true, false, int(attack.sum()), int((~attack).sum()))))
    return _margin(values, best)


def _margin(values: npt.NDArray[np.float64], best: int) -> float:
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
    """The lowest threshold from which on, upwards, none raises more than `alarms_per_day` alarms
    in the whole fleet, nor alarms more than `MOST_ALARMED` of the steps; needs no label.

    An alarm is a contiguous run of steps at or above the threshold within a series; steps labelled
    as attack and steps without a score end a run and are none. The `devices` share the budget
    equally; a day of one is 86,400 s of steps with a score. Where even the largest score is too
    much, just above it.

    The number of alarms does not fall steadily as a threshold rises, because runs break apart:
    hence from which on. Hourly and smooth scores have few runs, however many steps: hence the
    share.

    Args:
        labels, scores, series, period, devices: as of `choose_threshold`.
        alarms_per_day: the budget of all devices together.

    Raises DataError: the period is unknown, or no step is left to count on.
    """
    if not period > 0:
        what = "an alarm budget counts alarms a day, and how long a step lasts is not known"
        raise DataError(what, "give the data set a period")
    admitted = ~np.isnan(scores) & (labels != 1)
    if not admitted.any():
        raise DataError(
            "no step with a score that is not labelled as attack: an alarm budget has nothing to "
            "count on"
        )
    level = np.where(admitted, scores, -np.inf).astype(np.float64)
    days = device_days(int((~np.isnan(scores)).sum()), period)
    budget = alarms_per_day * days / (devices or len(np.unique(series)))
    (lowest,) = lowest_thresholds(level, series, np.array([budget]))
    values, counts = np.unique(level[admitted], return_counts=True)
    alarmed = counts[::-1].cumsum()[::-1]  # steps at or above each score
    few = int((alarmed > MOST_ALARMED * alarmed[0]).sum())
    best = max(int(np.searchsorted(values, lowest)), few)
    if best == len(values):  # an exported graph computes scores with an error of about 1e-7
        return float(values[-1] + 1e-6 * max(1.0, abs(values[-1])))
    return _margin(values, best)
