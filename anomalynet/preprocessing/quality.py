"""Makes readings missing that are outside the sensor's range or are outliers, in the same way for
every source (§3.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from anomalynet.config.schema import QualityConfig
from anomalynet.preprocessing import LARGEST, Bool, Float64, Int64

ROBUST = 1.4826
"""Median absolute deviation × this is the standard deviation of a normal distribution."""

BLOCK = 1 << 21  # numbers in memory at a time while looking for outliers
OUTSIDE, OUTLYING = "values outside the sensor's range", "outliers"  # keys of `Cleaner.counts`


class Limits(Protocol):
    """The smallest and largest values that a sensor can measure; None if unknown."""

    @property
    def minimum(self) -> float | None: ...
    @property
    def maximum(self) -> float | None: ...


class Cleaner:
    """Makes readings missing that are outside their sensor's range or are outliers; counts them.

    Source: §3.1.4; Hampel's rule is not in the paper
    """

    def __init__(self, sensors: Sequence[Limits], rules: QualityConfig) -> None:
        low = np.array([-np.inf if one.minimum is None else one.minimum for one in sensors])
        high = np.array([np.inf if one.maximum is None else one.maximum for one in sensors])
        # Readings of a float32 source are rounded, so one that equals a limit may be beyond it.
        self._low = np.minimum(low, low.astype(np.float32))
        self._high = np.maximum(high, high.astype(np.float32))
        self.width = rules.hampel_window if rules.outliers == "hampel" else 0
        self._threshold = rules.hampel_threshold
        self.counts: dict[str, int] = {}  # values dropped so far, by reason
        if rules.range_check and bool(np.isfinite([low, high]).any()):
            self.counts[OUTSIDE] = 0
        if self.width:
            self.counts[OUTLYING] = 0

    def new(self, series: int) -> Float64:
        """The `history` of series without earlier readings."""
        return np.full((series, self.width, len(self._low)), np.nan)

    def clean(self, values: Float64, lengths: Int64, history: Float64) -> Float64:
        """Clean the next readings of some series.

        Args:
            values: float64 (reading, sensor), NaN if missing; changed in place.
            lengths: int64 (series,), number of readings of each series here, at least one.
            history: float64 (series, width, sensor), the readings before them.
        Returns: `history` for the next call.
        """
        values[~(np.abs(values) <= LARGEST)] = np.nan
        if OUTSIDE in self.counts:
            outside = (values < self._low) | (values > self._high)
            if count := np.count_nonzero(outside):
                self.counts[OUTSIDE] += int(count)
                values[outside] = np.nan
        if OUTLYING in self.counts:
            outlying, history = self._outlying(values, lengths, history)
            self.counts[OUTLYING] += int(outlying.sum())
            values[outlying] = np.nan
        return history

    def _outlying(self, values: Float64, lengths: Int64, history: Float64) -> tuple[Bool, Float64]:
        """Values far from the median of the previous readings of the series. Dropped readings count
        for the median, so that a new level is soon accepted."""
        # Each series' rows follow its history, so that the readings before a row are a slice.
        rows, back = len(values), np.arange(self.width)
        starts = np.cumsum(lengths) - lengths + self.width * np.arange(len(lengths))
        before = np.arange(rows) + np.repeat(self.width * np.arange(len(lengths)), lengths)
        extended = np.empty((rows + self.width * len(lengths), values.shape[1]))
        extended[starts[:, None] + back] = history
        extended[before + self.width] = values
        windows = sliding_window_view(extended, self.width, axis=0)  # (row, sensor, width)
        found = np.empty(values.shape, np.bool_)
        block = max(1, BLOCK // (values.shape[1] * self.width))
        for first in range(0, rows, block):
            some = slice(first, first + block)
            window = windows[before[some]]
            centre, count = _median(window)
            spread, _ = _median(np.abs(window - centre[..., None]))
            with np.errstate(invalid="ignore"):
                far = np.abs(values[some] - centre) > self._threshold * ROBUST * spread
            # Without spread, or with too few values, "far" is not defined.
            found[some] = far & (spread > 0) & (2 * count >= self.width)
        return found, extended[(starts + lengths)[:, None] + back]


def _median(window: Float64) -> tuple[Float64, Int64]:
    """Median over the last axis without NaN, NaN if there are no numbers; and the count of
    numbers."""
    ordered = np.sort(window, axis=-1)  # NaN last
    count = np.asarray((~np.isnan(window)).sum(axis=-1))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, window.shape[-1] - 1)
    ends = [np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0] for at in (low, high)]
    return (ends[0] + ends[1]) / 2, count
