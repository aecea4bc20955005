"""Where time flows without a gap, and the ranges within: no range, buffer or zone of a metric
reaches beyond a stretch.

A *stretch* is steps of one series that follow each other. Metrics take `stretch`, a number a step;
steps are ordered by (series, time), and neighbours in the arrays are neighbours in time only where
they share the number. Source: not in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]
Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

LATE = 1.5
"""Steps more than this many steps apart do not follow each other."""


@dataclass(frozen=True, slots=True)
class Value:
    """A metric's value, NaN where it is undefined, and then why."""

    value: float
    reason: str = ""


def undefined(reason: str) -> Value:
    """No value, and why."""
    return Value(float("nan"), reason)


NO_ATTACK, NO_NORMAL, NO_ALARM = "no step of attack", "no normal step", "no alarm"


@dataclass(frozen=True, slots=True)
class Ranges:
    """Runs of steps, in order: `starts` and `stops` (exclusive) are positions, int64 (ranges,)."""

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each range."""
        return self.stops - self.starts

    def __len__(self) -> int:
        return len(self.starts)


def stretches(series: Integers, times: NDArray[np.int64], step_seconds: float) -> NDArray[np.int64]:
    """Number the stretches: a new one where the series changes, or where the next step is late.

    Steps that a metric cannot use are dropped before this is called, so that they end a stretch as
    a gap in time does.

    Args:
        series: (n,) number of the series.
        times: (n,) microseconds, ascending within a series.
        step_seconds: seconds from a step to the next; NaN where no two steps follow each other.
    """
    cut = np.diff(series) != 0
    cut |= np.diff(times) > LATE * step_seconds * 1e6
    return np.concatenate([np.zeros(min(len(series), 1), np.int64), np.cumsum(cut)])


def ranges(mask: Booleans, stretch: Integers) -> Ranges:
    """The runs of true steps; the end of a stretch ends a run.

    Args:
        mask: (n,) bool.
        stretch: (n,) number of the stretch.
    """
    begins = mask.copy()
    begins[1:] &= ~mask[:-1] | (stretch[1:] != stretch[:-1])
    ends = mask.copy()
    ends[:-1] &= ~mask[1:] | (stretch[1:] != stretch[:-1])
    return Ranges(np.flatnonzero(begins), np.flatnonzero(ends) + 1)


def sums(values: NDArray[np.number] | Booleans, over: Ranges) -> Floats:
    """Sum of (n,) values over each range."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    found: Floats = total[over.stops] - total[over.starts]
    return found
