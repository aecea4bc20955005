"""From values that a device reports to what the network reads: the rules of
`anomalynet.data.calibration`, step by step."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.core.cleaning import Cleaner
from anomalynet.detection.core.table import Array, Table

LONG_AGO = 1 << 30
"""Steps: no value was ever heard."""


class Prepared(NamedTuple):
    """One step of each of some devices.

    Attributes:
        held: float32 (n, channels), the last values heard in the units of the data, NaN where there
        is none; then the mask. calibrated: float32 (n, channels), as `prepare` stores them; NaN
        while the device is being calibrated. ready: bool (n,), whether the step belongs to a
        segment; None: all do.
    """

    held: Array
    calibrated: Array
    ready: Array | None


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
        """The next step of distinct devices.

        Args:
            values: float32 (n, sensors) with NaN, changed in place; None: a step at which nothing
            came.
        """
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
        return (
            self._table["calibrated"][:rows] < self.wanted
            if self.wanted
            else np.zeros(rows, np.bool_)
        )

    def forget_silence(self, rows: Array, steps: Array) -> None:
        """The last `steps` steps of these devices were none: the silence became too long to be
        steps, and values are held across it."""
        self._table["age"][rows] -= steps[:, None].astype(np.int32)

    def commissioning(self) -> Array:
        """Float32 (device, reading, sensor): the first readings of those that `calibrating` tells,
        zeros where there is none yet."""
        empty = np.empty((0, self.wanted, self.sensors), np.float32)
        return np.concatenate(
            [
                empty,
                *(self._buffer(row)[None] for row in np.flatnonzero(self.calibrating()).tolist()),
            ]
        )

    def resume(self, commissioning: Array) -> None:
        """Take over what `commissioning` gave, after the table was restored."""
        self._commissioning = dict(
            zip(np.flatnonzero(self.calibrating()).tolist(), commissioning.copy(), strict=True)
        )

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
            found[:, -1] = (
                1 if values is None else missing.dot(self._ones) / np.float32(self.sensors)
            )
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
