"""Readings that cannot be, or that stand alone, become missing: the same for every source
(§3.1.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalynet.config.schema import QualityConfig
from anomalynet.data.prepared import Bool, Float32, Float64, Int64
from anomalynet.data.telemetry import Channel

ROBUST = 1.4826
"""Median absolute deviation × this is the standard deviation of a normal distribution."""

OUTSIDE, OUTLYING = "values outside the sensor's range", "outliers"  # what is counted


class Cleaner:
    """Cleans readings chunk by chunk; whatever the chunks, the result is the same."""

    def __init__(self, channels: Sequence[Channel], quality: QualityConfig) -> None:
        self.counts: dict[str, int] = {}  # values dropped so far, by reason
        self._quality = quality
        limits = [(channel.minimum, channel.maximum) for channel in channels]
        self._least = np.array([-np.inf if low is None else low for low, _ in limits], np.float32)
        self._most = np.array([np.inf if high is None else high for _, high in limits], np.float32)
        if quality.range_check and any(limit != (None, None) for limit in limits):
            self.counts[OUTSIDE] = 0
        if quality.outliers == "hampel":
            self.counts[OUTLYING] = 0
        self._before = np.empty((0, len(channels)), np.float32)
        self._age = 0

    def clean(self, values: Float32, starts: Int64) -> Float32:
        """Return readings without what is to be dropped and what is no number; NaN stands for
        missing.

        Args:
            values: float32 (reading, channel) with NaN; changed in place.
            starts: readings at which another series starts, ascending.
        Source: §3.1.4; Hampel's rule is not in the paper
        """
        values[~np.isfinite(values)] = np.nan
        if OUTSIDE in self.counts:
            outside = (values < self._least) | (values > self._most)
            self.counts[OUTSIDE] += int(outside.sum())
            values[outside] = np.nan
        if OUTLYING in self.counts:
            outlying = self._outlying(values, starts)
            self.counts[OUTLYING] += int(outlying.sum())
            values[outlying] = np.nan
        return values

    def _outlying(self, values: Float32, starts: Int64) -> Bool:
        """Values far from the median of the readings before them in the series, dropped ones
        included: a new level is soon believed."""
        width, rows = self._quality.hampel_window, len(values)
        history = np.concatenate([self._before, values])
        kept = len(history) - rows
        begin = np.zeros(rows, np.int64)
        begin[starts] = starts
        begin = np.maximum.accumulate(begin)
        age = np.arange(rows) - begin + np.where(begin == 0, self._age, 0) * (0 not in starts)
        found = np.zeros(values.shape, np.bool_)
        back = np.arange(1, width + 1)
        place = kept + np.arange(rows)[:, None] - back
        known = back <= np.minimum(age, width)[:, None]
        for channel in range(values.shape[1]):
            window = np.where(known, history[np.maximum(place, 0), channel], np.nan)
            window = window.astype(np.float64)
            centre, heard = _median(window)
            spread, _ = _median(np.abs(window - centre[:, None]))
            with np.errstate(invalid="ignore"):
                limit = self._quality.hampel_threshold * ROBUST * spread
                far = np.abs(values[:, channel] - centre) > limit
            # A sensor that stood still, or was hardly heard, says nothing of how far is far.
            found[:, channel] = far & (spread > 0) & (2 * heard >= width)
        self._before = history[-width:].copy()
        self._age = int(age[-1]) + 1
        return found


def _median(window: Float64) -> tuple[Float64, Int64]:
    """Median of each row without its NaN, NaN where nothing is left; and how many numbers it is
    of."""
    ordered = np.sort(window, axis=1)  # NaN last
    count = (~np.isnan(window)).sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, window.shape[1] - 1)
    rows = np.arange(len(window))
    return (ordered[rows, low] + ordered[rows, high]) / 2, count
