"""Calibrates each series by the mean and deviation of its own first readings (commissioning), and
replaces missing values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from anomalynet.preprocessing import LARGEST, Float32, Float64, Int64

LONG_AGO = 1 << 30  # steps; the age if a sensor has never had a value


class Held(NamedTuple):
    """The last values of each series."""

    value: Float64  # (series, sensor), the last value, NaN if there was none
    age: Int64  # (series, sensor), steps since then

    @classmethod
    def new(cls, series: int, sensors: int) -> Held:
        """The last values of series without earlier steps."""
        shape = series, sensors
        return cls(np.full(shape, np.nan), np.full(shape, LONG_AGO))


def hold(values: Float64, lengths: Int64, last: Held, longest: int) -> tuple[Float64, Held]:
    """Replace missing values by the sensor's last value in the series, for at most `longest` steps;
    other missing values remain NaN. A value that is held longer would cross the purge gap of a
    split.

    Args:
        values: float64 (step, sensor) with NaN.
        lengths: int64 (series,), number of steps of each series here, at least one.
        last: the last values before these steps.
    Returns: the values, and `last` for the next call.
    """
    missing = np.isnan(values)
    value, age, latest = last.value, last.age + 1, values
    since: Int64 | int = 0  # steps since the value of this call that a step holds
    if len(values) > len(lengths):
        rows = np.arange(len(values))[:, None]
        begin = np.repeat(np.cumsum(lengths) - lengths, lengths)[:, None]
        source = np.maximum.accumulate(np.where(missing, -1, rows), axis=0)
        latest = np.take_along_axis(values, np.maximum(source, 0), axis=0)
        missing, since = source < begin, rows - source
        value = np.repeat(value, lengths, axis=0)
        age = np.repeat(age, lengths, axis=0) + rows - begin
    held, age = np.where(missing, value, latest), np.where(missing, age, since)
    ends = np.cumsum(lengths) - 1
    after = Held(held[ends], age[ends])
    held[age > longest] = np.nan
    return held, after


def missing_share(values: Float64) -> Float32:
    """Share of the sensors that are missing (NaN), float32 (step,), of values (step, sensor)."""
    missing: Float32 = np.isnan(values).dot(np.ones(values.shape[1], np.float32))
    return missing / np.float32(values.shape[1])


def calibrate(values: Float64, mean: Float64, scale: Float64, bound: float) -> Float32:
    """The inputs of networks, float32 and finite: (values − mean) / scale.

    Args:
        values: float64 (step, sensor) with NaN, which becomes 0.
        mean, scale: float64 (step, sensor), of each step's series; 0 and 1 without calibration.
        bound: largest magnitude of a calibrated value; may be infinite.
    """
    bound = min(bound, LARGEST)
    found = (values - mean) / scale
    np.minimum(np.maximum(found, -bound, out=found), bound, out=found)
    found[np.isnan(found)] = 0.0
    return found.astype(np.float32)


class Calibrated(NamedTuple):
    """The calibration of series whose first readings are complete."""

    which: Int64  # (n,), indices of these series in the arguments of the call
    mean: Float64  # (n, sensor)
    scale: Float64  # (n, sensor)


class Commissioning:
    """Collects the first readings of each series until there are `count`; these calibrate it.

    With `divide`, the scale is their population deviation, at least 1e-6·max(1, |mean|), so that a
    constant sensor stays finite, and at least the sensor's `floor`; else it is 1. Missing values
    do not count. A sensor without any value in these readings gets mean 0 and an infinite scale, so
    its input is 0 throughout the series.
    """

    def __init__(self, count: int, *, divide: bool, floor: Sequence[float] = ()) -> None:
        self.count, self._divide = count, divide
        self._floor = np.array(floor or 0.0)  # (sensor,), or of all sensors
        # series → its first readings, float64 (count, sensor); zeros for those to come
        self.readings: dict[int, Float64] = {}

    def add(
        self, series: Int64, earlier: Int64, lengths: Int64, values: Float64
    ) -> Calibrated | None:
        """Add the next readings of some series; None if no series is complete now.

        Args:
            series: int64 (series,), numbers of the series.
            earlier: int64 (series,), number of readings that each had before.
            lengths: int64 (series,), number of readings that each has here.
            values: float64 (reading, sensor) with NaN.
        """
        starts = np.cumsum(lengths) - lengths
        for at in np.flatnonzero(earlier < self.count).tolist():
            number, have, start = int(series[at]), int(earlier[at]), int(starts[at])
            taken = min(int(lengths[at]), self.count - have)
            if number not in self.readings:
                self.readings[number] = np.zeros((self.count, values.shape[1]))
            self.readings[number][have : have + taken] = values[start : start + taken]
        complete = np.flatnonzero((earlier < self.count) & (earlier + lengths >= self.count))
        if not len(complete):
            return None
        readings = np.stack([self.readings.pop(number) for number in series[complete].tolist()])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a sensor without any value
            # Relative to one reading: the sum of large readings would lose their last digits.
            base = np.nanmin(readings, axis=1)
            mean = base + np.nanmean(readings - base[:, None], axis=1)
            deviation = np.nanstd(readings - base[:, None], axis=1)
        silent = np.isnan(mean)
        spread = np.maximum(deviation, 1e-6 * np.maximum(1.0, np.abs(mean)))
        spread = np.maximum(spread, self._floor)
        scale = np.where(silent, np.inf, spread if self._divide else 1.0)
        return Calibrated(complete, np.where(silent, 0.0, mean), scale)
