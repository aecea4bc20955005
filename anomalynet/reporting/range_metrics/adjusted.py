"""Point-adjusted F1 and PA%K, only ever under these names: one alarmed step is paid as a whole
range, so random detectors score high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalynet.reporting.range_metrics.stretches import (
    NO_ATTACK,
    Booleans,
    Integers,
    Value,
    ranges,
    sums,
    undefined,
)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """F1 after adjustment: of every range that is met (`f1`), of those alarmed by more than 20 %,
    and the mean over K = 0 … 100 %."""

    f1: Value
    at_20: Value
    area: Value


def adjusted(labels: Integers, alarms: Booleans, stretch: Integers) -> Adjusted:
    """PA-F1, PA%20 and the area under PA%K over K (trapezoids of 1 %), for comparison with papers
    that use them.

    A range of which more than K percent is alarmed counts as alarmed throughout; K = 0 is the usual
    point adjustment, K = 100 plain F1. Several series: steps of all are counted together. 0 without
    alarm, undefined without attack.

    Args:
        labels: (n,) 1 attack, 0 normal.
        alarms: (n,) bool; a step without a score raises none.
        stretch: (n,) number of the stretch; a range ends with it.

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
