"""Readings on their expected grid: silence becomes steps without a value, and a long silence ends a
segment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from anomalynet.preprocessing import Bool, Float64, Int64

IN_TIME = 1.5  # periods after a reading within which the next one is in time


def missing_steps(elapsed: Int64, period: float | Float64) -> Int64:
    """How many steps have no reading, int64 like `elapsed`, the time since the reading before;
    `period` in the same unit, of all or of each, infinite where readings are events without a
    grid."""
    late = elapsed > IN_TIME * period
    return np.where(late, np.rint(elapsed / period) - 1, 0).astype(np.int64)


def time_between(before: Int64, elapsed: Int64, nth: Int64, missing: Int64) -> Int64:
    """Time of the `nth` of so many missing steps, which part the time `elapsed` between two
    readings evenly; all int64 (n,), `nth` from 1 to `missing`."""
    share: Float64 = nth / (missing + 1)
    return before + np.rint(share * elapsed).astype(np.int64)


class Gridded(NamedTuple):
    """The steps that readings and the silence between them make."""

    position: Int64  # (reading,), its step
    reading: Int64  # (step,), the reading at this step; at a missing one the next after it
    observed: Bool  # (step,), False at a missing one
    times: Int64  # (step,)
    breaks: Bool  # (reading,), whether a segment starts because a long silence precedes it


def resample_to_grid(before: Int64, times: Int64, period: float | Float64, max_gap: int) -> Gridded:
    """Steps of some readings, in order.

    Args:
        before: int64 (reading,), time of the reading before each in its series; for the first one
            of a series its own.
        times: int64 (reading,), their times.
        period: expected time between readings in the same unit, of all or (reading,), infinite for
        events.
        max_gap: longest silence, in steps, that becomes missing steps.
    """
    elapsed = times - before
    missing = missing_steps(elapsed, period)
    breaks = missing > max_gap
    missing[breaks] = 0
    position = np.cumsum(missing + 1) - 1
    reading = np.repeat(np.arange(len(times)), missing + 1)
    steps = np.arange(len(reading))
    observed = steps == position[reading]
    nth = steps - (position - missing)[reading] + 1
    between = time_between(before[reading], elapsed[reading], nth, missing[reading])
    return Gridded(position, reading, observed, np.where(observed, times[reading], between), breaks)
