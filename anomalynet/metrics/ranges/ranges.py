"""Stretches without a gap in time, ranges of steps within them, and metrics of ranges: range-based
precision and recall, and point adjustment.

A *stretch* is a sequence of steps of one series without a gap; no range, buffer or zone of a metric
crosses its ends. Metrics take `stretch`, the number of the stretch of each step. Steps are ordered
by (series, time); neighbours in the arrays are neighbours in time only within a stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]
Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
LATE = 1.5  # a gap is more than this many steps
NO_ATTACK, NO_NORMAL, NO_ALARM = "no step of attack", "no normal step", "no alarm"


@dataclass(frozen=True, slots=True)
class Value:
    """A metric's value."""

    value: float  # NaN if undefined
    reason: str = ""  # why it is undefined


def undefined(reason: str) -> Value:
    """An undefined value, with the reason."""
    return Value(float("nan"), reason)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Runs of steps, in order: `starts` and `stops` (exclusive) are indices, int64 (ranges,)."""

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each range."""
        return self.stops - self.starts

    def __len__(self) -> int:
        return len(self.starts)


def stretches(series: Integers, times: NDArray[np.int64], step_seconds: float) -> NDArray[np.int64]:
    """The number of the stretch of each step (n,). A new one begins if the series changes or the
    next step is late.

    The caller drops steps that a metric cannot use before, so that they end a stretch like a gap in
    time.

    Args:
        series: (n,) number of the series.
        times: (n,) microseconds, ascending within a series.
        step_seconds: seconds per step; NaN if no series has two steps.
    """
    cut = np.diff(series) != 0
    cut |= np.diff(times) > LATE * step_seconds * 1e6
    return np.concatenate([np.zeros(min(len(series), 1), np.int64), np.cumsum(cut)])


def ranges(mask: Booleans, stretch: Integers) -> Ranges:
    """The runs of true steps in a mask, bool (n,), within one stretch: `stretch` (n,)."""
    begins, ends = mask.copy(), mask.copy()
    apart = stretch[1:] != stretch[:-1]
    begins[1:] &= ~mask[:-1] | apart
    ends[:-1] &= ~mask[1:] | apart
    return Ranges(np.flatnonzero(begins), np.flatnonzero(ends) + 1)


def sums(values: NDArray[np.number] | Booleans, over: Ranges) -> Floats:
    """Sum of (n,) values over each range."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    found: Floats = total[over.stops] - total[over.starts]
    return found


def range_recall(labels: Integers, alarms: Booleans, stretch: Integers) -> Value:
    """Mean over the ranges of attack: the alarmed share of a range, divided by the number of its
    alarmed pieces. It is 0 without alarm, undefined without attack.

    For several series it is the mean over the ranges of all; a range ends with its stretch.

    Args:
        labels: (n,) 1 attack, 0 normal.
        alarms: (n,) bool; a step without a score raises none.
        stretch: (n,) number of the stretch.

    Source: not in the paper. Tatbul, Lee, Zdonik, Alam, Gottschlich: Precision and Recall for Time
    Series, NeurIPS 2018, with α 0, flat bias and reciprocal cardinality, the defaults of aeon 1.6.
    """
    return _mean_reward(labels == 1, alarms, stretch, NO_ATTACK)


def range_precision(labels: Integers, alarms: Booleans, stretch: Integers) -> Value:
    """`range_recall` with attacks and alarms exchanged; undefined without alarm. (If every step is
    alarmed, aeon 1.6 gives 0; here that is a range like any other.) Arguments as in
    `range_recall`."""
    return _mean_reward(alarms, labels == 1, stretch, NO_ALARM)


def range_f1(labels: Integers, alarms: Booleans, stretch: Integers) -> Value:
    """Harmonic mean of range-based precision and recall; 0 without alarm, undefined without
    attack. Arguments as in `range_recall`."""
    recall = range_recall(labels, alarms, stretch)
    if recall.reason:
        return recall
    precision = range_precision(labels, alarms, stretch)
    if precision.reason or precision.value + recall.value == 0:
        return Value(0.0)
    return Value(2 * precision.value * recall.value / (precision.value + recall.value))


def _mean_reward(own: Booleans, other: Booleans, stretch: Integers, nothing: str) -> Value:
    mine = ranges(own, stretch)
    if len(mine) == 0:
        return undefined(nothing)
    both = own & other
    pieces = np.zeros(len(own))
    pieces[ranges(both, stretch).starts] = 1
    overlap = sums(both, mine) / mine.lengths
    return Value(float(np.mean(1 / np.maximum(sums(pieces, mine), 1) * overlap)))


@dataclass(frozen=True, slots=True)
class Adjusted:
    """F1 after point adjustment; see `adjusted`."""

    f1: Value  # K = 0: ranges with any alarmed step are adjusted
    at_20: Value  # K = 20: ranges alarmed by more than 20 % are adjusted
    area: Value  # mean over K = 0 … 100


def adjusted(labels: Integers, alarms: Booleans, stretch: Integers) -> Adjusted:
    """PA-F1, PA%20 and the area under PA%K over K (trapezoids of 1 %), for comparison with papers
    that use them. Never report them as F1: one alarmed step can count as a whole range.

    If more than K percent of a range is alarmed, all its steps count as alarmed; K = 0 is the usual
    point adjustment, K = 100 plain F1. The steps of several series are counted together. It is 0
    without alarm, undefined without attack. Arguments as in `range_recall`.

    Source: not in the paper. Kim, Choi, Choi, Lee, Yoon: Towards a Rigorous Evaluation of
    Time-Series Anomaly Detection, AAAI 2022, where K must be exceeded. (tsadmetrics 1.0 adjusts at
    exactly K too.)
    """
    attack = labels == 1
    real = ranges(attack, stretch)
    if len(real) == 0:
        nothing = undefined(NO_ATTACK)
        return Adjusted(nothing, nothing, nothing)
    length, hit = real.lengths, np.rint(sums(alarms, real)).astype(np.int64)
    false = int((alarms & ~attack).sum())
    percent = np.arange(101)
    found = np.where(100 * hit > percent[:, None] * length, length, hit).sum(axis=1)
    f1 = 2 * found / (found + false + int(length.sum()))
    return Adjusted(Value(float(f1[0])), Value(float(f1[20])), Value(float(np.trapezoid(f1) / 100)))
