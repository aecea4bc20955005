"""Resamples readings to their expected grid: a short silence becomes steps without a value, a long
silence ends a segment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from anomalynet.preprocessing import Bool, Float64, Int64

IN_TIME = 1.5  # periods after a reading within which the next one is in time


def missing_steps(elapsed: Int64, period: float | Float64) -> Int64:
    """The number of steps without a reading, int64, shape of `elapsed`: the time since the previous
    reading. `period` has the same unit, of all readings or of each; it is infinite if readings are
    events without a grid."""
    late = elapsed > IN_TIME * period
    return np.where(late, np.rint(elapsed / period) - 1, 0).astype(np.int64)


def time_between(before: Int64, elapsed: Int64, nth: Int64, missing: Int64) -> Int64:
    """Time of the `nth` missing step, from 1 to `missing`. The missing steps divide the time
    `elapsed` after the reading at `before` evenly; all int64 (n,)."""
    share: Float64 = nth / (missing + 1)
    return before + np.rint(share * elapsed).astype(np.int64)


class Gridded(NamedTuple):
    """Steps on the grid: those with readings, and missing ones between them."""

    position: Int64  # (reading,), index of its step
    reading: Int64  # (step,), index of its reading; of the next reading if the step is missing
    observed: Bool  # (step,), False if the step is missing
    times: Int64  # (step,)
    breaks: Bool  # (reading,), whether a segment starts because a long silence precedes it


def resample_to_grid(before: Int64, times: Int64, period: float | Float64, max_gap: int) -> Gridded:
    """The steps of some readings, in order.

    Args:
        before: int64 (reading,), time of the previous reading of the same series; for the first
            reading of a series its own time.
        times: int64 (reading,).
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
