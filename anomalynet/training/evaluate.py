"""What is measured of a trained model: threshold, metrics, table of scores, time for a window."""

from __future__ import annotations

import time

import numpy as np
import polars as pl

from anomalynet.data.steps import fleet_warning, metrics, threshold
from anomalynet.data.windows import Windows
from anomalynet.models import WindowModel
from anomalynet.runs.schema import SCORES_COLUMNS

__all__ = ["fleet_warning", "metrics", "scores_table", "single_window_microseconds", "threshold"]

SINGLES = 50  # windows whose scoring is timed one by one


def single_window_microseconds(model: WindowModel, windows: Windows) -> float | None:
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
