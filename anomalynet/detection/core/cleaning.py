"""Readings that cannot be, or that stand alone, become missing: the rules of
`anomalynet.data.quality`, reading by reading."""

from __future__ import annotations

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.core.table import Array, Table

ROBUST = 1.4826
"""Median absolute deviation × this is the standard deviation of a normal distribution."""


class Cleaner:
    """Drops values outside the sensors' ranges, and outliers against each sensor's last readings of
    the same device."""

    def __init__(self, contract: Contract, table: Table) -> None:
        sensors = contract.sensors
        self._least = np.array(
            [-np.inf if sensor.minimum is None else sensor.minimum for sensor in sensors],
            np.float32,
        )
        self._most = np.array(
            [np.inf if sensor.maximum is None else sensor.maximum for sensor in sensors], np.float32
        )
        self._ranged = contract.range_check and any(
            (sensor.minimum, sensor.maximum) != (None, None) for sensor in sensors
        )
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
