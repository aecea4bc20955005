"""Scores every window of a part with a trained model, and says how long it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.data.steps import fleet_warning, metrics, threshold
from anomalynet.data.windows import Windows
from anomalynet.models.base import Detector
from anomalynet.models.carried import Carrying, carried_scores
from anomalynet.models.classical import Classical
from anomalynet.runs.schema import SCORES_COLUMNS

__all__ = ["Scored", "fleet_warning", "metrics", "score", "scores_table", "threshold"]

CHUNK = 1024  # windows scored at once
SINGLES = 50  # windows whose scoring is timed one by one


@dataclass(frozen=True, slots=True)
class Scored:
    """A score for each window, in order: float64 (window,); and how long scoring took, in
    seconds."""

    scores: NDArray[np.float64]
    seconds: float


def score(model: Detector | Classical, windows: Windows) -> Scored:
    """Score every window with a trained model; one that carries its state reads the windows'
    segments instead."""
    size = 4 * windows.shape.steps * windows.shape.channels * CHUNK
    started = time.perf_counter()
    if model.carries_state:
        carried = carried_scores(cast("Carrying", model), windows)
        return Scored(carried, time.perf_counter() - started)
    parts = [model.score_array(windows.gather(chunk)) for chunk in windows.chunks(size)]
    return Scored(np.concatenate(parts) if parts else np.empty(0), time.perf_counter() - started)


def single_window_microseconds(model: Detector | Classical, windows: Windows) -> float | None:
    """Median time to score one window by itself, after one that does not count; None without
    windows."""
    known = [windows.gather(np.array([number])) for number in range(min(len(windows), SINGLES + 1))]
    durations = []
    for x in known:
        started = time.perf_counter()
        model.score_array(x)
        durations.append(1e6 * (time.perf_counter() - started))
    return float(np.median(durations[1:])) if len(durations) > 1 else None


def scores_table(parts: list[pl.DataFrame], limit: float) -> pl.DataFrame:
    """The rows of scores.parquet (`runs/schema.py`)."""
    alarm = (pl.col("score") >= limit).alias("alarm")
    table = pl.concat(parts).with_columns(pl.lit(limit).alias("threshold"), alarm)
    columns = table.select(SCORES_COLUMNS)
    return columns.sort("split", "series", "time", maintain_order=True)
