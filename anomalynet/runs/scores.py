"""Reads `scores.parquet` and the other Parquet files of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from anomalynet.errors import RunError
from anomalynet.runs.collect import MOVE_AWAY, RunRecord
from anomalynet.runs.folder import RunFolder

Query = Callable[[pl.LazyFrame], pl.LazyFrame]

SCORED = pl.col("score").is_not_null() & pl.col("score").is_not_nan()
"""Whether a step has a score."""

STEP = (
    pl.col("series").cast(pl.String),
    pl.col("time"),
    pl.col("label").cast(pl.Int8),
    pl.col("incident").cast(pl.Int64),
    pl.col("kind").cast(pl.String),
    pl.col("score").cast(pl.Float64).fill_nan(None),
    pl.col("threshold").cast(pl.Float64),
)


def read(path: Path, query: Query) -> pl.DataFrame:
    """The result of a query on a file. Raises RunError: missing or damaged file, or column."""
    try:
        return query(pl.scan_parquet(path, glob=False)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{path}: cannot be read: {str(error).splitlines()[0]}", MOVE_AWAY) from None


def read_test_part(record: RunRecord, query: Query) -> pl.DataFrame:
    """The result of a query on the steps of the test part, columns as in `runs/schema.py`."""
    path = RunFolder(record.folder).scores
    return read(path, lambda frame: query(frame.filter(pl.col("split") == "test")))


def read_test_steps(record: RunRecord) -> pl.DataFrame:
    """The test part in the order of the file: series, time, label (null: unlabelled), incident,
    kind, score (null: missed) and threshold. Errors: as `read`."""
    return read_test_part(record, lambda steps: steps.select(STEP))


def read_scored_steps(record: RunRecord) -> pl.DataFrame:
    """The steps of the test part that have a label and a score."""
    return read_test_steps(record).drop_nulls(["label", "score"])
