"""Scores windows, maps them back to time steps, chooses the threshold on validation, and computes
the metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from anomalynet.config.schema import EvaluationConfig
from anomalynet.data.prepared import Int64
from anomalynet.data.windows import Windows
from anomalynet.metrics.classification import point_metrics
from anomalynet.metrics.events import event_metrics, step_seconds
from anomalynet.metrics.suite import METRICS
from anomalynet.metrics.threshold import choose_threshold
from anomalynet.models.base import Detector
from anomalynet.models.classical import Classical
from anomalynet.models.hybrid_causal import HybridCausal
from anomalynet.runs.schema import SCORES_COLUMNS

STEPS_AT_ONCE = 4096  # steps read at once, over all segments together


class Touched(NamedTuple):
    """The segments in which windows end."""

    starts: Int64  # (segment,), the first row of each
    lengths: Int64  # (segment,), its steps up to the last end of a window
    of: Int64  # (window,), the segment of each window
    at: Int64  # (window,), the step on which it ends, counted from the segment's first

    @property
    def longest(self) -> int:
        """Steps of the longest."""
        return int(self.lengths.max(initial=0))

    def rows(self, steps: Int64, some: slice = slice(None)) -> Int64:
        """Rows (segment, step) of these steps of some segments; one that is over repeats its last
        step."""
        rows: Int64 = self.starts[some, None] + np.minimum(steps, self.lengths[some, None] - 1)
        return rows


def touched(windows: Windows) -> Touched:
    """Which segments must be read, and how far, to score these windows with a carried state."""
    ends, known = windows.ends(), windows.prepared.segment_starts
    numbers, of = np.unique(np.searchsorted(known, ends, side="right") - 1, return_inverse=True)
    starts, lengths = known[numbers], np.zeros(len(numbers), np.int64)
    at = ends - starts[of]
    np.maximum.at(lengths, of, at + 1)
    return Touched(starts, lengths, of, at)


def carried_scores(model: HybridCausal, windows: Windows) -> NDArray[np.float64]:
    """Scores (window,) of the steps on which windows end, with a state that began where the step's
    segment begins: a step is scored with what came before it there, whichever part that belongs to:
    readings, never labels."""
    segments = touched(windows)
    count, longest = len(segments.starts), segments.longest
    found = np.empty((count, longest))
    state, size = model.start(count), max(1, STEPS_AT_ONCE // max(1, count))
    for first in range(0, longest, size):
        x = windows.prepared.values[segments.rows(np.arange(first, min(first + size, longest)))]
        read, state = model.advance(torch.from_numpy(x).to(model.device), state)
        found[:, first : first + size] = read.double().cpu().numpy()
    scores: NDArray[np.float64] = found[segments.of, segments.at]
    return scores


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
    if isinstance(model, HybridCausal):
        return Scored(carried_scores(model, windows), time.perf_counter() - started)
    parts = [score_windows(model, windows.gather(chunk)) for chunk in windows.chunks(size)]
    return Scored(np.concatenate(parts) if parts else np.empty(0), time.perf_counter() - started)


def score_windows(model: Detector | Classical, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores (window,) of windows x (window, time, channel)."""
    if isinstance(model, Classical):
        return model.score(x)
    scores = model.score(torch.from_numpy(x).to(model.device))
    return np.asarray(scores.double().cpu().numpy())


def single_window_microseconds(model: Detector | Classical, windows: Windows) -> float | None:
    """Median time to score one window by itself, after one that does not count; None without
    windows."""
    known = [windows.gather(np.array([number])) for number in range(min(len(windows), SINGLES + 1))]
    durations = []
    for x in known:
        started = time.perf_counter()
        score_windows(model, x)
        durations.append(1e6 * (time.perf_counter() - started))
    return float(np.median(durations[1:])) if len(durations) > 1 else None


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one part, ordered by series and time, each array (step,)."""

    labels: NDArray[np.int8]  # 1 positive class, 0 the rest, -1 unlabelled
    incidents: NDArray[np.int32]  # number of the event, whatever its label, -1 none
    series: NDArray[np.integer]  # number of the series
    times: NDArray[np.int64]  # microseconds
    scores: NDArray[np.float64]  # NaN where a step was missed

    @classmethod
    def of(cls, table: pl.DataFrame) -> Steps:
        """From a table with the columns series, time, label, incident and score."""
        return cls(
            labels=table["label"].fill_null(-1).to_numpy(),
            incidents=table["incident"].fill_null(-1).to_numpy(),
            series=table["series"].rle_id().to_numpy(),
            times=table["time"].cast(pl.Int64).to_numpy(),
            scores=table["score"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        )

    @property
    def step_seconds(self) -> float:
        """Seconds a step stands for: the median time between neighbouring steps of a series."""
        return step_seconds(self.series, self.times)


def threshold(config: EvaluationConfig, validation: pl.DataFrame) -> float:
    """The decision threshold, from the steps of the validation part alone."""
    steps = Steps.of(validation)
    return choose_threshold(config, steps.labels, steps.scores, steps.series, steps.step_seconds)


def metrics(table: pl.DataFrame, limit: float, *, probability: bool) -> dict[str, float | None]:
    """Point and event metrics of one part's steps, those that the suite declares; None where
    undefined (one class, no label)."""
    steps = Steps.of(table)
    values = point_metrics(steps.labels, steps.scores, limit, probability)
    names = ("labels", "scores", "incidents", "series", "times", "step_seconds")
    values |= event_metrics(threshold=limit, **{name: getattr(steps, name) for name in names})
    known = {name: values[name] for name in values if name in METRICS}
    return {name: float(value) if np.isfinite(value) else None for name, value in known.items()}


def scores_table(parts: list[pl.DataFrame], limit: float) -> pl.DataFrame:
    """The rows of scores.parquet (`runs/schema.py`)."""
    alarm = (pl.col("score") >= limit).alias("alarm")
    table = pl.concat(parts).with_columns(pl.lit(limit).alias("threshold"), alarm)
    columns = table.select(SCORES_COLUMNS)
    return columns.sort("split", "series", "time", maintain_order=True)
