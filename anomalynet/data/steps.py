"""The steps of a part with their scores: as a table, as arrays, and judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.config.schema import EvaluationConfig
from anomalynet.data.prepared import Float64, Int64, Prepared
from anomalynet.data.windows import Windows
from anomalynet.metrics.classification import point_metrics
from anomalynet.metrics.events import event_metrics, step_seconds
from anomalynet.metrics.suite import METRICS
from anomalynet.metrics.threshold import choose_threshold
from anomalynet.runs.schema import SCORES_COLUMNS


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
    """The decision threshold, from the steps of the validation part alone. Raises DataError: no
    step has what the rule needs."""
    steps = Steps.of(validation)
    return choose_threshold(config, steps.labels, steps.scores, steps.series, steps.step_seconds)


def metrics(table: pl.DataFrame, limit: float, *, probability: bool) -> dict[str, float | None]:
    """Point and event metrics of one part's steps, those that the suite declares; None where
    undefined (one class, no label)."""
    steps = Steps.of(table)
    values = point_metrics(steps.labels, steps.scores, limit, probability)
    values |= event_metrics(
        labels=steps.labels,
        scores=steps.scores,
        threshold=limit,
        incidents=steps.incidents,
        series=steps.series,
        times=steps.times,
        step_seconds=steps.step_seconds,
    )
    known = {name: values[name] for name in values if name in METRICS}
    return {name: float(value) if np.isfinite(value) else None for name, value in known.items()}


def scored_steps(
    prepared: Prepared, rows: Int64, windows: Windows, scores: Float64, part: str
) -> pl.DataFrame:
    """Some rows with the scores of the windows that end on them, null where none does; columns as
    in `TelemetryDataModule.steps`. `rows`: ascending int64 (step,), among them each window's last;
    `scores`: float64 (window,)."""
    column = np.full(len(rows), np.nan)
    column[np.searchsorted(rows, windows.ends())] = scores
    return (
        step_table(prepared, rows)
        .with_columns(pl.lit(part).alias("split"), pl.Series("score", column).fill_nan(None))
        .select("series", "time", "split", "label", "incident", "kind", "score")
    )


def step_table(prepared: Prepared, rows: Int64) -> pl.DataFrame:
    """What is known of some rows: series, time, label, incident, kind; null where there is none."""
    series = pl.Series("series", prepared.series, dtype=pl.String).gather(prepared.series_of(rows))
    kinds = prepared.kinds[rows].astype(np.int64)
    kinds[kinds < 0] = len(prepared.kind_names)  # the None that is added below
    names = pl.Series("kind", [*prepared.kind_names, None], dtype=pl.String).gather(kinds)
    table = pl.DataFrame(
        {
            "time": pl.Series(prepared.times[rows]).cast(pl.Datetime("us")),
            "label": pl.Series(np.asarray(prepared.labels[rows])),
            "incident": pl.Series(np.asarray(prepared.incidents[rows])),
        }
    ).with_columns(pl.col("label", "incident").replace(-1, None))
    return table.insert_column(0, series).with_columns(names)


def scores_table(parts: list[pl.DataFrame], limit: float) -> pl.DataFrame:
    """The rows of scores.parquet (`runs/schema.py`)."""
    alarm = (pl.col("score") >= limit).alias("alarm")
    table = pl.concat(parts).with_columns(pl.lit(limit).alias("threshold"), alarm)
    columns = table.select(SCORES_COLUMNS)
    return columns.sort("split", "series", "time", maintain_order=True)
