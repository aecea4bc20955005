"""Recordings prepared once into a memory-mapped cache that all processes share."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import ExitStack
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from filelock import FileLock

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.describe import common_warnings
from anomalynet.data.folder import data_folder
from anomalynet.data.prepared import (
    COLUMNS,
    FORMAT,
    ArrayFile,
    Float64,
    Prepared,
    Segment,
    describe,
    open_prepared,
    read_rows,
)
from anomalynet.data.resample import Layout, Resampler
from anomalynet.data.telemetry import MASK, Channel, Telemetry
from anomalynet.errors import DataError, first_line, say
from anomalynet.preprocessing.calibration import calibrate
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import sync

MOST_CALIBRATION_ROWS = 10_000_000  # which are in memory until a series has them


def prepare(config: DataConfig) -> Prepared:
    """Resample recordings to their grid and calibrate them, or open what an earlier call prepared.

    One process at a time builds the folder and moves it to its place when it is complete. `config`:
    window, stride, label step and split do not matter here.

    Raises DataError: the data cannot be read, or no series is longer than the calibration.
    """
    if config.first_rows > MOST_CALIBRATION_ROWS:
        what = f"data.calibration_rows={config.first_rows:,} takes too much memory"
        raise DataError(what, f"choose at most {MOST_CALIBRATION_ROWS:,}")
    fingerprint = sources.fingerprint(config)
    folder = data_folder() / "prepared" / cache_key(config, fingerprint)
    if found := open_prepared(folder, fingerprint):
        return found
    building = folder.with_suffix(".building")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if found := open_prepared(folder, fingerprint):
                return found
            if folder.exists():
                say(f"{folder}: damaged, the data are prepared again")
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir()
            try:
                _build_unchanged(config, fingerprint, building)
                shutil.rmtree(folder, ignore_errors=True)
                building.replace(folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
            sync(folder.parent)
    except OSError as error:
        what = f"{error.filename or folder}: {error.strerror or error}"
        raise DataError(what, "free some space, or set another ANOMALYNET_DATA") from error
    if found := open_prepared(folder, fingerprint):
        return found
    raise DataError(f"{folder} cannot be read after it was written", "check the disk")


def _build_unchanged(config: DataConfig, fingerprint: str, folder: Path) -> None:
    """`build`. Raises DataError: also if the data were replaced meanwhile, or cannot be read."""
    failed = None
    try:
        build(sources.load(config), config, fingerprint, folder)
    except pl.exceptions.PolarsError as error:
        failed = error
    if sources.fingerprint(config, reread=True) != fingerprint:
        what = f"{config.title} changed while it was prepared"
        raise DataError(what, "repeat the command when nothing writes there")
    if failed is not None:
        what = f"{config.title}: cannot be read: {first_line(failed)}"
        raise DataError(what, "fetch or import it again") from failed


def cache_key(config: DataConfig, fingerprint: str) -> str:
    """Name of the prepared folder: 16 hex digits of a SHA-256 over all that changes the arrays."""
    c = config
    keys = (c.name, c.subset, c.first_rows, c.calibration, c.clip, c.mask_channel, c.max_gap)
    channels = (c.view, c.neighbours, c.link_channels, c.evidence_channels, c.without)
    parts = [
        FORMAT,
        code_hash(("data", "preprocessing")),
        fingerprint,
        *keys,
        c.calibration_floor,
        c.label,
        *channels,
        asdict(c.quality),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def build(telemetry: Telemetry, config: DataConfig, fingerprint: str, folder: Path) -> None:
    """Write a prepared folder; memory does not grow with the number of rows. Raises DataError: the
    data is empty or unsorted, or no series is longer than the calibration."""
    raw, sensors = folder / "raw.npy", len(telemetry.channels)
    resampler = _resample(telemetry, config, folder, raw)
    layout = resampler.layout
    calibrated = config.first_rows > 0
    segments = _segments(layout, telemetry, calibrated)
    short = len(layout.names) - len(layout.commissioned) if calibrated else 0
    if not segments:
        raise DataError(
            f"no series of {config.name} has more than "
            f"data.calibration_rows={config.first_rows} readings",
            "lower data.calibration_rows; 0 normalises with the training part's statistics",
        )
    mean = np.zeros((len(layout.names), sensors))
    scale = np.full_like(mean, np.inf if calibrated else 1.0)
    for series, (_, own_mean, own_scale) in layout.commissioned.items():
        mean[series], scale[series] = own_mean, own_scale
    floor = _floor(scale[sorted(layout.commissioned)], config)
    scale = np.maximum(scale, floor or 0.0)
    bound = config.bound or np.inf
    with ArrayFile(folder / "values.npy", "<f4", sensors + config.mask_channel) as file:
        for start, values in read_rows(raw, sensors + config.mask_channel):
            rows = np.arange(start, start + len(values))
            owner = np.searchsorted(layout.edges, rows, side="right") - 1
            found = values.astype(np.float32)
            found[:, :sensors] = calibrate(values[:, :sensors], mean[owner], scale[owner], bound)
            file.append(found)
    raw.unlink()
    np.save(folder / "series_starts.npy", layout.edges)
    np.save(folder / "calibration_mean.npy", mean if calibrated else mean[:0])
    np.save(folder / "calibration_scale.npy", scale if calibrated else scale[:0])
    counts = {
        "readings": layout.observed,
        "steps added in gaps": layout.rows - layout.observed,
        "gaps too long to fill": len(layout.breaks),
        "series": len(layout.names),
        "series too short to calibrate": short,
        "attack readings used for calibration": layout.commissioning_attacks,
    }
    silent = int(np.isinf(scale[sorted(layout.commissioned)]).sum())
    mask = [Channel(MASK, "share")] if config.mask_channel else []
    facts = {
        "segments": segments,
        "series": layout.names,
        "calibration_floor": floor,
        "channels": [*(Channel(one.name, one.unit) for one in telemetry.channels), *mask],
        "kind_names": list(layout.kinds),
        "incident_table": dict(telemetry.incidents),
        "period": telemetry.period,
        "periods": resampler.periods,
        "policy": telemetry.policy,
        "fingerprint": fingerprint,
        "has_split": bool((np.load(folder / "splits.npy") >= 0).any()),
        "counts": {**telemetry.counts, **layout.dropped, **counts},
        "warnings": [
            *telemetry.warnings,
            *common_warnings(telemetry, resampler.periods),
            *_warnings(layout, config, short, silent),
        ],
    }
    describe(folder, facts)


def _floor(scale: Float64, config: DataConfig) -> list[float]:
    """The smallest scale of each sensor: a share of the root mean square of its deviations over the
    series; empty without one. scale: float64 (series, sensor), infinite where nothing was heard."""
    if not (config.calibration == "deviation" and config.calibration_floor and len(scale)):
        return []
    heard = np.isfinite(scale)
    squares = np.where(heard, scale, 0.0) ** 2
    pooled = np.sqrt(squares.sum(axis=0) / np.maximum(heard.sum(axis=0), 1))
    found: list[float] = (config.calibration_floor * pooled).tolist()
    return found


def _resample(telemetry: Telemetry, config: DataConfig, folder: Path, raw: Path) -> Resampler:
    """Clean recordings and write their steps, one `.npy` file per column of `prepared.COLUMNS`;
    `raw` receives the values before calibration, float64."""
    resampler = Resampler(telemetry, config)
    files = {name: ArrayFile(folder / f"{name}.npy", dtype) for name, dtype in COLUMNS.items()}
    files["values"] = ArrayFile(raw, "<f8", len(telemetry.channels) + config.mask_channel)
    with ExitStack() as stack:
        for file in files.values():
            stack.enter_context(file)
        for columns in resampler.chunks():
            for name, column in columns.items():
                files[name].append(column)
    if resampler.layout.rows == 0:
        raise DataError("the data has no rows")
    return resampler


def _segments(layout: Layout, telemetry: Telemetry, calibrated: bool) -> list[Segment]:
    """Every stretch without a long gap, after the commissioning rows."""
    cuts = np.union1d(layout.edges, np.array(layout.breaks, np.int64))
    owners = np.searchsorted(layout.edges, cuts[:-1], side="right") - 1
    found = []
    for owner, (cut, stop) in zip(owners.tolist(), pairwise(cuts.tolist()), strict=True):
        ready = layout.commissioned[owner][0] if owner in layout.commissioned else stop
        start = max(cut, ready) if calibrated else cut
        if start < stop:
            name = layout.names[owner]
            group, train_only = telemetry.groups.get(name, name), name in telemetry.train_only
            found.append(Segment(name, group, train_only, start, stop))
    return found


def _warnings(layout: Layout, config: DataConfig, short: int, silent: int) -> list[str]:
    attacks = layout.commissioning_attacks
    warnings = {
        f"{short} of {len(layout.names)} series have too few readings for "
        f"data.calibration_rows={config.first_rows}: not used": short,
        f"{attacks} calibration readings are labelled attack: the commissioning phase is not "
        "normal": attacks,
        f"{silent} sensors were never heard in their series' calibration readings: they read 0 "
        "there": silent,
    }
    return [text for text, count in warnings.items() if count]
