"""Commissioning calibration: each series is normalised by the mean and deviation of its own first
readings."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from anomalynet.data.prepared import ArrayFile, Float32, Float64, Int64, read_rows
from anomalynet.preprocessing.grid import Layout

BLOCK = 1 << 22  # numbers in memory at a time while calibrating


def calibrate(
    raw: Path, layout: Layout, calibration_rows: int, *, divide: bool
) -> tuple[Float64, Float64]:
    """Mean of each series' first readings, and with `divide` their population deviation, else 1;
    only values that were heard count.

    The deviation is at least 1e-6·max(1, |mean|), so that a constant channel stays finite. A sensor
    never heard in those rows was not commissioned: mean 0 and infinite scale make it read 0
    throughout the series. So do series that are too short.

    Returns: mean and scale, float64 (series, sensor).
    """
    channels = int(np.load(raw, mmap_mode="r").shape[1])
    mean = np.zeros((len(layout.names), channels))
    scale = np.full_like(mean, np.inf)
    rows = np.concatenate(layout.commissioning)
    whole = np.array(sorted(layout.commissioned), np.int64)
    owner = np.searchsorted(layout.edges, rows, side="right") - 1
    table = rows[np.isin(owner, whole)].reshape(len(whole), calibration_rows)
    block = max(1, BLOCK // (calibration_rows * channels))
    for first in range(0, len(whole), block):
        # Mapped anew for each block: pages that were touched are given back.
        readings = np.load(raw, mmap_mode="r")[table[first : first + block]].astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a sensor that was never heard
            found, deviation = np.nanmean(readings, axis=1), np.nanstd(readings, axis=1)
        silent = np.isnan(found)
        numbers = whole[first : first + block]
        mean[numbers] = np.where(silent, 0.0, found)
        spread = np.maximum(deviation, 1e-6 * np.maximum(1.0, np.abs(found))) if divide else 1.0
        scale[numbers] = np.where(silent, np.inf, spread)
    return mean, scale


def hold(values: Float32, starts: Int64, before: Float32, longest: int) -> Float32:
    """Replace what was not heard by the last value heard of that channel in the series, for at most
    `longest` steps; NaN remains elsewhere. A value held longer would reach across the purge gap of
    a split.

    Args:
        values: float32 (step, channel) with NaN.
        starts: steps at which another series starts, ascending.
        before: float32 (step, channel) with NaN, up to `longest` steps before the first one.
    """
    if not np.isnan(values).any():
        return values
    extended = np.concatenate([before, values])
    steps = np.arange(len(extended))
    last = np.maximum.accumulate(np.where(np.isnan(extended), -1, steps[:, None]), axis=0)
    begin = np.zeros(len(extended), np.int64)
    begin[starts + len(before)] = starts + len(before)
    begin = np.maximum(np.maximum.accumulate(begin), steps - longest)
    held = np.take_along_axis(extended, np.maximum(last, 0), axis=0)
    held[last < begin[:, None]] = np.nan
    filled: Float32 = held[len(before) :]
    return filled


def finish(
    raw: Path,
    target: Path,
    layout: Layout,
    mean: Float64,
    scale: Float64,
    clip: float,
    longest: int,
    mask_channel: bool,
) -> None:
    """Hold, calibrate and clip the raw values in bounded memory, and add the mask channel.

    Args:
        raw: the `raw.npy` of `grid.lay`.
        target: receives float32 (step, channel), finite everywhere.
        mean, scale: float64 (series, sensor); without rows where there is no calibration: then the
            values stay as they are.
        clip: bound on calibrated values, in deviations.
        longest: steps that a value is held; after them, and before the first value, a sensor reads
            0.
        mask_channel: adds the share of sensors missing at each step as the last channel.
    """
    edges = layout.edges
    width = int(np.load(raw, mmap_mode="r").shape[1])
    before = np.empty((0, width), np.float32)
    with ArrayFile(target, "<f4", width + mask_channel) as file:
        for start, values in read_rows(raw, width):
            rows = np.arange(start, start + len(values))
            owner = np.searchsorted(edges, rows, side="right") - 1
            first, after = np.searchsorted(edges, (start, start + len(values)))
            inside = edges[first:after]
            missing = np.isnan(values).mean(axis=1, dtype=np.float32)
            held = hold(values, inside - start, before, longest)
            before = np.concatenate([before, values])[-longest:].copy() if longest else before
            if len(mean):
                held = np.clip((held - mean[owner]) / scale[owner], -clip, clip)
            finished = np.nan_to_num(held, nan=0.0)
            if mask_channel:
                finished = np.concatenate([finished, missing[:, None]], axis=1)
            file.append(finished.astype(np.float32))
