"""Which faults of single sensors a run's model would alarm on: what a user without labels can know
of its limits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalynet.training.finished import FinishedRun

WINDOWS = 64  # of the validation part, at equal distances
SIZES: tuple[float, ...] = tuple(2.0**power for power in range(-1, 8))
"""Shifts that are tried, in units of `TelemetryDataModule.magnitudes`."""


class Visible(NamedTuple):
    """What is seen of a sensor in half of the ordinary windows."""

    sensor: str
    unit: str
    shift: float | None  # smallest shift that is seen, in the sensor's unit; None: none of `SIZES`
    stuck: bool  # whether a value that stays throughout the window is seen


def visible_faults(run: FinishedRun) -> list[Visible]:
    """Shift one sensor up and down, from the middle of ordinary windows and throughout, and hold
    its value; count the windows whose score reaches the run's threshold. Empty without a window
    that does not reach it by itself. Raises RunError: as `run.data`."""
    data, prepared, limit = run.data, run.data.prepared, run.result.threshold
    x = data.windows("validation").sample(WINDOWS)
    x = x[run.score(x) < limit]
    if not len(x):
        return []
    units = data.magnitudes
    scales = prepared.calibration_scale
    heard = np.where(np.isfinite(scales), scales, np.nan)
    found = []
    for at, channel in enumerate(prepared.channels):
        if at == prepared.mask:
            continue
        sizes = (size for size in SIZES if _seen(run, x, at, size * units[at]) >= 0.5)
        size = next(sizes, None)
        scale = np.nanmedian(heard[:, at]) if len(heard) and not np.isnan(heard[:, at]).all() else 1
        held = x.copy()
        held[:, :, at] = x[:, :1, at]
        stuck = bool((run.score(held) >= limit).mean() >= 0.5)
        shift = None if size is None else float(f"{size * units[at] * scale:.2g}")
        found.append(Visible(channel.name, channel.unit, shift, stuck))
    return found


def _seen(run: FinishedRun, x: NDArray[np.float32], at: int, size: float) -> float:
    """The share of windows that alarm when a channel is shifted, up in every other one."""
    signs = np.where(np.arange(len(x)) % 2, -1, 1)[:, None].astype(np.float32)
    bound, scores = np.float32(run.config.data.bound or np.inf), []
    for first in (x.shape[1] // 2, 0):
        changed = x.copy()
        changed[:, first:, at] += np.float32(size) * signs
        scores.append(run.score(changed.clip(-bound, bound)))
    return float((np.maximum(*scores) >= run.result.threshold).mean())
