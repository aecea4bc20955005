"""Twelve statistics a channel: what classical models and the audit's probes see of a window."""

from __future__ import annotations

import numpy as np

from anomalynet.preprocessing import Float32

names = (
    *("mean", "deviation", "minimum", "maximum", "median", "first quartile", "third quartile"),
    *("first", "last", "slope", "mean absolute difference", "last minus mean"),
)


def statistics(windows: Float32) -> Float32:
    """Summarise windows.

    Quartiles are interpolated linearly; the slope is the least-squares one, per step; the deviation
    is the population's. `windows`: float32 (window, time, channel).

    Returns: float32 (window, 12 × channel); column 12·c + s is statistic `names[s]` of channel c.
    """
    count, steps, channels = windows.shape
    centred_time = np.arange(steps, dtype=np.float32) - np.float32((steps - 1) / 2)
    spread = float((centred_time.astype(np.float64) ** 2).sum())
    mean = windows.mean(axis=1)
    # About the mean: single precision keeps small deviations of large readings.
    centred = windows - mean[:, None]
    ordered = np.sort(windows, axis=1)
    difference = np.abs(np.diff(windows, axis=1)).mean(axis=1) if steps > 1 else np.zeros_like(mean)
    first, last = windows[:, 0], windows[:, -1]
    found = [
        mean,
        np.sqrt(np.einsum("wtc,wtc->wc", centred, centred) / steps),
        ordered[:, 0],
        ordered[:, -1],
        *(_quantile(ordered, share) for share in (0.5, 0.25, 0.75)),
        first,
        last,
        np.einsum("wtc,t->wc", centred, centred_time) / max(spread, 1.0),
        difference,
        last - mean,
    ]
    return np.stack(found, axis=2).reshape(count, len(names) * channels).astype(np.float32)


def _quantile(ordered: Float32, share: float) -> Float32:
    place = share * (ordered.shape[1] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[1] - 1)
    between: Float32 = ordered[:, below] + np.float32(place - below) * (
        ordered[:, above] - ordered[:, below]
    )
    return between
