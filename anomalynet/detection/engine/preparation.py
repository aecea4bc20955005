"""From values that a device reports to what the network reads: the rules of `data.quality` and
`data.calibration`, step by step."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.engine.table import Array, Table

ROBUST = 1.4826
"""Median absolute deviation × this is the standard deviation of a normal distribution."""


class Cleaner:
    """Drops values outside the sensors' ranges, and outliers against each sensor's last readings of
    the same device."""

    def __init__(self, contract: Contract, table: Table) -> None:
        sensors = contract.sensors
        least = [-np.inf if sensor.minimum is None else sensor.minimum for sensor in sensors]
        most = [np.inf if sensor.maximum is None else sensor.maximum for sensor in sensors]
        self._least, self._most = np.array(least, np.float32), np.array(most, np.float32)
        bounded = np.isfinite(self._least).any() or np.isfinite(self._most).any()
        self._ranged = contract.range_check and bool(bounded)
        self._width = contract.hampel_window if contract.outliers == "hampel" else 0
        self._threshold = contract.hampel_threshold
        self._table = table
        if self._width:
            table.add("history", np.float32, (self._width, len(sensors)), fill=np.nan)
            table.add("heard", np.int64)

    def clean(self, rows: Array, values: Array) -> Array:
        """Values float32 (n, sensors) of distinct devices without what is to be dropped, changed in
        place; NaN stands for missing."""
        values[~np.isfinite(values)] = np.nan
        if self._ranged:
            values[(values < self._least) | (values > self._most)] = np.nan
        if self._width:
            self._drop_outliers(rows, values)
        return values

    def silent(self, rows: Array) -> None:
        """The next reading of these devices has no value at all."""
        if self._width:
            self._remember(rows, np.float32(np.nan))

    def _drop_outliers(self, rows: Array, values: Array) -> None:
        window = self._table["history"][rows].astype(np.float64)
        centre, heard = _median(window)
        spread, _ = _median(np.abs(window - centre[:, None]))
        with np.errstate(invalid="ignore"):
            far = np.abs(values - centre) > self._threshold * ROBUST * spread
        self._remember(rows, values)  # dropped ones included: a new level is soon believed
        # A sensor that stood still, or was hardly heard, says nothing of how far is far.
        values[far & (spread > 0) & (2 * heard >= self._width)] = np.nan

    def _remember(self, rows: Array, values: Array | np.float32) -> None:
        count = self._table["heard"]
        self._table["history"][rows, count[rows] % self._width] = values
        count[rows] += 1


def _median(window: Array) -> tuple[Array, Array]:
    """Median over the readings of window (n, reading, sensor) without its NaN, NaN where nothing is
    left; and how many numbers it is of."""
    ordered = np.sort(window, axis=1)  # NaN last
    count = (~np.isnan(window)).sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, window.shape[1] - 1)
    taken = [np.take_along_axis(ordered, place[:, None], axis=1)[:, 0] for place in (low, high)]
    return (taken[0] + taken[1]) / 2, count


LONG_AGO = 1 << 30  # steps: no value was ever heard


class Prepared(NamedTuple):
    """One step of each of some devices."""

    # float32 (n, channels), the last values heard in the units of the data, NaN where there is
    # none; then the mask
    held: Array
    # float32 (n, channels), as `prepare` stores them; NaN while the device is being calibrated
    calibrated: Array
    ready: Array | None  # bool (n,), whether the step belongs to a segment; None: all do


class Preparation:
    """Cleans, holds and calibrates; what it keeps of a device outlives its segments."""

    def __init__(self, contract: Contract, table: Table) -> None:
        sensors, channels = len(contract.sensors), len(contract.channels)
        self.cleaner = Cleaner(contract, table)
        self.sensors, self._channels, self._hold = sensors, channels, contract.hold
        self.wanted, self._divide = contract.calibration_rows, contract.calibration == "deviation"
        self._rows_without_reading = not contract.breaks
        self._mask, self._ones = contract.mask, np.ones(sensors, np.float32)
        self._bound = contract.clip
        self._table = table
        table.add("value", np.float32, (sensors,), fill=np.nan)
        table.add("age", np.int32, (sensors,), fill=LONG_AGO)
        table.add("offset", np.float64, (channels,))
        table.add("scale", np.float64, (channels,), fill=1)
        if self.wanted:
            table.add("calibrated", np.int32)
        self._commissioning: dict[int, Array] = {}

    def advance(self, rows: Array, values: Array | None) -> Prepared:
        """The next step of distinct devices. `values`: float32 (n, sensors) with NaN, changed in
        place; None: a step at which nothing came."""
        if values is not None:
            values = self.cleaner.clean(rows, values)
        elif self._rows_without_reading:
            self.cleaner.silent(rows)
        held = self._held(rows, values)
        ready = self._commission(rows, values) if self.wanted else None
        table = self._table
        calibrated = (held - table.take("offset", rows)) / table.take("scale", rows)
        if self._bound is not None:
            sensors = calibrated[:, : self.sensors]
            np.minimum(np.maximum(sensors, -self._bound, out=sensors), self._bound, out=sensors)
        calibrated[np.isnan(calibrated)] = 0.0
        if ready is not None:
            calibrated[~ready] = np.nan
        return Prepared(held, calibrated.astype(np.float32), ready)

    def calibrating(self) -> Array:
        """Bool (devices,): whose calibration is not complete."""
        rows = self._table.rows
        if not self.wanted:
            return np.zeros(rows, np.bool_)
        return np.asarray(self._table["calibrated"][:rows] < self.wanted)

    def forget_silence(self, rows: Array, steps: Array) -> None:
        """The last `steps` steps of these devices were none: the silence became too long to be
        steps, and values are held across it."""
        self._table["age"][rows] -= steps[:, None].astype(np.int32)

    def commissioning(self) -> Array:
        """Float32 (device, reading, sensor): the first readings of those that `calibrating` tells,
        zeros where there is none yet."""
        empty = np.empty((0, self.wanted, self.sensors), np.float32)
        rows = np.flatnonzero(self.calibrating()).tolist()
        return np.concatenate([empty, *(self._buffer(row)[None] for row in rows)])

    def resume(self, commissioning: Array) -> None:
        """Take over what `commissioning` gave, after the table was restored."""
        rows = np.flatnonzero(self.calibrating()).tolist()
        self._commissioning = dict(zip(rows, commissioning.copy(), strict=True))

    def _buffer(self, row: int) -> Array:
        """First readings of a device: in memory until it is calibrated, so that a fleet costs
        little."""
        if row not in self._commissioning:
            self._commissioning[row] = np.zeros((self.wanted, self.sensors), np.float32)
        return self._commissioning[row]

    def _held(self, rows: Array, values: Array | None) -> Array:
        table = self._table
        found = np.empty((len(rows), self._channels), np.float32)
        held, age = table.take("value", rows), table.take("age", rows)
        age += 1
        if values is not None:
            missing = np.isnan(values)
            np.copyto(held, values, where=~missing)
            age *= missing
            table.put("value", rows, held)
        table.put("age", rows, age)
        held[age > self._hold] = np.nan
        found[:, : self.sensors] = held
        if self._mask:
            found[:, -1] = 1
            if values is not None:
                found[:, -1] = missing.dot(self._ones) / np.float32(self.sensors)
        return found

    def _commission(self, rows: Array, values: Array | None) -> Array | None:
        table = self._table
        count = table["calibrated"][rows]
        ready = count >= self.wanted
        if np.count_nonzero(ready) == len(ready):
            return None
        if values is None and not self._rows_without_reading:
            return np.asarray(ready)
        first, at = rows[~ready], count[~ready]
        read = (
            np.full((len(first), self.sensors), np.nan, np.float32)
            if values is None
            else values[~ready]
        )
        for row, place, reading in zip(first.tolist(), at.tolist(), read, strict=True):
            self._buffer(row)[place] = reading
        table["calibrated"][first] = at + 1
        complete = first[at + 1 == self.wanted]
        if len(complete):
            self._calibrate(complete)
        return np.asarray(ready)

    def _calibrate(self, rows: Array) -> None:
        table = self._table
        readings = np.stack([self._commissioning.pop(row) for row in rows.tolist()]).astype(
            np.float64
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a sensor that was never heard
            mean, deviation = np.nanmean(readings, axis=1), np.nanstd(readings, axis=1)
        silent = np.isnan(mean)
        spread = (
            np.maximum(deviation, 1e-6 * np.maximum(1.0, np.abs(mean)))
            if self._divide
            else np.ones_like(mean)
        )
        table["offset"][rows, : self.sensors] = np.where(silent, 0.0, mean)
        table["scale"][rows, : self.sensors] = np.where(silent, np.inf, spread)
