"""Affiliation precision and recall: how near alarms and attacks are to each other, compared with
alarms at random times.

Time is continuous and counted in steps: step i is the interval [i, i + 1). Each range of attack J
has a zone E: all times nearer to it than to any other range of its stretch. The precision of a zone
is the mean, over its alarmed times, of the probability that a random time of the zone is farther
from J. The recall is the mean, over J, of the probability that a random time of the zone is farther
away than the nearest alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalynet.metrics.ranges.ranges import (
    NO_ALARM,
    NO_ATTACK,
    Booleans,
    Floats,
    Integers,
    Ranges,
    Value,
    ranges,
    undefined,
)

NO_ALARM_IN_ZONES = "no alarm in a stretch with attack"


@dataclass(frozen=True, slots=True)
class Affiliation:
    """Affiliation precision and recall, and what they ignore."""

    precision: Value
    recall: Value
    unjudged: Value  # share of alarmed steps that precision ignores: in stretches without attack


@dataclass(frozen=True, slots=True)
class _Zones:
    """Zones [begin, end] around their ranges [start, stop], float64 (zones,), ascending."""

    begin: Floats
    end: Floats
    start: Floats
    stop: Floats

    def by_piece(self, pieces: _Pieces) -> list[Floats]:
        """begin, end, start and stop of the zone of each piece."""
        return [side[pieces.zone] for side in (self.begin, self.end, self.start, self.stop)]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces of alarmed ranges within a zone: its number, start, stop, each (pieces,)."""

    zone: Integers
    start: Floats
    stop: Floats


def affiliation(labels: Integers, alarms: Booleans, stretch: Integers) -> Affiliation:
    """Affiliation precision and recall, each the mean over zones; a zone without alarm has recall 0
    and no precision.

    Random alarms get about 0.5, so compare with a random detector. For several series it is the
    mean over the zones of all; zones end with their stretch, and alarms in a stretch without attack
    are in no zone.

    Args:
        labels: (n,) 1 attack, 0 normal.
        alarms: (n,) bool; a step without a score raises none.
        stretch: (n,) number of the stretch.
    Source: not in the paper. Huet, Navarro, Rossi: Local Evaluation of Time Series Anomaly
    Detection Algorithms, KDD 2022.
    """
    real, alarmed = ranges(labels == 1, stretch), ranges(alarms, stretch)
    attacked = np.isin(stretch, stretch[real.starts])
    ignored = int((alarms & ~attacked).sum())
    unjudged = Value(ignored / int(alarms.sum())) if len(alarmed) else undefined(NO_ALARM)
    if len(real) == 0:
        return Affiliation(undefined(NO_ATTACK), undefined(NO_ATTACK), unjudged)
    zones = _zones(real, stretch)
    pieces = _cut(alarmed, zones)
    if len(pieces.zone) == 0:
        reason = NO_ALARM_IN_ZONES if len(alarmed) else NO_ALARM
        return Affiliation(undefined(reason), Value(0.0), unjudged)

    def by_zone(values: Floats) -> Floats:
        return np.bincount(pieces.zone, values, minlength=len(real)).astype(np.float64)

    length = by_zone(pieces.stop - pieces.start)
    judged = length > 0
    precision = by_zone(_near_attack(pieces, zones))[judged] / length[judged]
    recall = by_zone(_near_alarm(pieces, zones)) / (zones.stop - zones.start)
    return Affiliation(Value(float(precision.mean())), Value(float(recall.mean())), unjudged)


def _zones(real: Ranges, stretch: Integers) -> _Zones:
    """The zone of each range. Zones meet half-way between neighbouring ranges; the first and the
    last zone of a stretch reach its ends."""
    first = np.append(0, np.flatnonzero(np.diff(stretch)) + 1)
    index = np.searchsorted(first, real.starts, side="right") - 1  # of the stretch of each range
    opening, closing = first[index], np.append(first[1:], len(stretch))[index]
    apart = index[1:] != index[:-1]
    middle = (real.stops[:-1] + real.starts[1:]) / 2
    begin = np.append(opening[0], np.where(apart, opening[1:], middle))
    end = np.append(np.where(apart, closing[:-1], middle), closing[-1])
    sides = (begin, end, real.starts, real.stops)
    return _Zones(*(side.astype(np.float64) for side in sides))


def _cut(alarmed: Ranges, zones: _Zones) -> _Pieces:
    low = np.searchsorted(zones.end, alarmed.starts, side="right")
    high = np.searchsorted(zones.begin, alarmed.stops, side="left")
    count = np.maximum(high - low, 0)
    which = np.repeat(np.arange(len(alarmed)), count)
    zone = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + low[which]
    return _Pieces(
        zone,
        np.maximum(alarmed.starts[which], zones.begin[zone]),
        np.minimum(alarmed.stops[which], zones.end[zone]),
    )


def _near_attack(pieces: _Pieces, zones: _Zones) -> Floats:
    """Integral over each piece of 1 − (|J| + d + min(d, m)) / |E|, where d is the distance to J and
    m the shorter side of the zone beside J; inside J the integrand is 1."""
    begin, end, start, stop = zones.by_piece(pieces)
    margin, whole, own = np.minimum(start - begin, end - stop), end - begin, stop - start

    def from_attack(distance: Floats) -> Floats:
        """The integral from distance 0 to this distance."""
        short = np.minimum(distance, margin)
        both = short**2 / 2 + margin * (distance - short)
        integral: Floats = distance - (own * distance + distance**2 / 2 + both) / whole
        return integral

    def between(far: Floats, near: Floats) -> Floats:
        return from_attack(np.maximum(far, 0)) - from_attack(np.maximum(near, 0))

    before = between(start - pieces.start, start - pieces.stop)
    behind = between(pieces.stop - stop, pieces.start - stop)
    inside = np.maximum(np.minimum(pieces.stop, stop) - np.maximum(pieces.start, start), 0)
    integral: Floats = before + inside + behind
    return integral


def _near_alarm(pieces: _Pieces, zones: _Zones) -> Floats:
    """For each piece, the integral over those times of J to which it is the nearest piece, of the
    probability that a random time is farther away than the piece."""
    begin, end, start, stop = zones.by_piece(pieces)
    same = np.diff(pieces.zone) == 0
    middle = (pieces.stop[:-1] + pieces.start[1:]) / 2
    low = np.maximum(start, np.append(begin[0], np.where(same, middle, begin[1:])))
    high = np.minimum(stop, np.append(np.where(same, middle, end[:-1]), end[-1]))
    inside = np.maximum(np.minimum(high, pieces.stop) - np.maximum(low, pieces.start), 0)
    behind = _behind_alarm(np.maximum(low, pieces.stop), high, pieces.stop, begin, end)
    # Times before the alarm are behind it if time runs backwards.
    before = _behind_alarm(np.maximum(-high, -pieces.start), -low, -pieces.start, -end, -begin)
    integral: Floats = before + inside + behind
    return integral


def _behind_alarm(low: Floats, high: Floats, alarm: Floats, begin: Floats, end: Floats) -> Floats:
    """Integral over t = low … high, all after the alarm's end, of 1 − (d + min(d, end − t)) / |E|
    with d = t − alarm; 0 if low >= high.

    d is at most t − begin, because the alarm is in the zone. It is the smaller argument of the
    minimum until half-way between alarm and end."""
    half = (end - alarm) / 2

    def from_alarm(time: Floats) -> Floats:
        d = time - alarm
        rest = np.maximum(d - half, 0)
        integral: Floats = d**2 / 2 + np.minimum(d, half) ** 2 / 2 + half * rest - rest**2 / 2
        return integral

    integral = (high - low) - (from_alarm(high) - from_alarm(low)) / (end - begin)
    return np.where(high > low, integral, 0.0)
