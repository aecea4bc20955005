"""Range-based precision and recall: each range counts once, by how much of it is met, where, and in
how many pieces."""

from __future__ import annotations

from typing import Literal

import numpy as np

from anomalynet.reporting.range_metrics.stretches import (
    NO_ALARM,
    NO_ATTACK,
    Booleans,
    Floats,
    Integers,
    Ranges,
    Value,
    ranges,
    sums,
    undefined,
)

Bias = Literal["flat", "front", "middle", "back"]
Cardinality = Literal["one", "reciprocal"]


def range_recall(
    labels: Integers,
    alarms: Booleans,
    stretch: Integers,
    *,
    alpha: float = 0.0,
    cardinality: Cardinality = "reciprocal",
    bias: Bias = "flat",
) -> Value:
    """Mean reward of the ranges of attack: α if met at all, and (1 − α) × γ × the share of it that
    is alarmed; 0 without alarm.

    Several series: the mean over the ranges of all; a range ends with its stretch. Undefined
    without attack.

    Args:
        labels: (n,) 1 attack, 0 normal.
        alarms: (n,) bool; a step without a score raises none.
        stretch: (n,) number of the stretch.
        alpha: weight of being met at all, 0 … 1.
        cardinality: γ, 1 or one over the number of alarmed ranges that meet it.
        bias: which part of a range counts more: δ(i) of position i = 1 … L is 1, L − i + 1, min(i,
        L − i + 1) by halves, or i.

    Source: not in the paper. Tatbul, Lee, Zdonik, Alam, Gottschlich: Precision and Recall for Time
    Series, NeurIPS 2018; defaults as in aeon 1.6.
    """
    return _mean_reward(labels == 1, alarms, stretch, alpha, cardinality, bias, NO_ATTACK)


def range_precision(
    labels: Integers,
    alarms: Booleans,
    stretch: Integers,
    *,
    alpha: float = 0.0,
    cardinality: Cardinality = "reciprocal",
    bias: Bias = "flat",
) -> Value:
    """Mean reward of the alarmed ranges, as `range_recall` with the parts exchanged; undefined
    without alarm.

    aeon 1.6 gives 0 where every step is alarmed; here that is a range like any other. Source: as
    `range_recall`.
    """
    return _mean_reward(alarms, labels == 1, stretch, alpha, cardinality, bias, NO_ALARM)


def range_f1(labels: Integers, alarms: Booleans, stretch: Integers) -> Value:
    """Harmonic mean of range-based precision and recall with their defaults; 0 without alarm,
    undefined without attack."""
    recall = range_recall(labels, alarms, stretch)
    if recall.reason:
        return recall
    precision = range_precision(labels, alarms, stretch)
    if precision.reason or precision.value + recall.value == 0:
        return Value(0.0)
    return Value(2 * precision.value * recall.value / (precision.value + recall.value))


def _mean_reward(
    own: Booleans,
    other: Booleans,
    stretch: Integers,
    alpha: float,
    cardinality: Cardinality,
    bias: Bias,
    nothing: str,
) -> Value:
    mine = ranges(own, stretch)
    if len(mine) == 0:
        return undefined(nothing)
    both = own & other
    pieces = np.zeros(len(own))
    pieces[ranges(both, stretch).starts] = 1
    met = sums(pieces, mine)
    weights = _weights(mine, len(own), bias)
    overlap = sums(weights * both, mine) / sums(weights, mine)
    factor = 1 / np.maximum(met, 1) if cardinality == "reciprocal" else 1.0
    return Value(float(np.mean(alpha * (met > 0) + (1 - alpha) * factor * overlap)))


def _weights(mine: Ranges, steps: int, bias: Bias) -> Floats:
    """(steps,) δ of each step in its range; what it is elsewhere does not matter."""
    if bias == "flat":
        return np.ones(steps)
    inside = np.repeat(mine.starts, mine.lengths)
    at = np.arange(len(inside)) - np.repeat(np.cumsum(mine.lengths) - mine.lengths, mine.lengths)
    length = np.repeat(mine.lengths, mine.lengths)
    place = at + 1
    chosen = {
        "front": length - at,
        "back": place,
        "middle": np.where(place <= length / 2, place, length - at),
    }[bias]
    weights = np.zeros(steps)
    weights[inside + at] = chosen
    return weights
