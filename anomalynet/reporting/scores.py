"""Reading the Parquet files of a run: what is asked of them, or one message that says which file is
damaged."""

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


def read(path: Path, query: Query) -> pl.DataFrame:
    """What a query gives of a file.

    Raises:
        RunError: the file is absent, damaged, or lacks a column.
    """
    try:
        return query(pl.scan_parquet(path, glob=False)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{path}: cannot be read: {str(error).splitlines()[0]}", MOVE_AWAY) from None


def read_test_part(record: RunRecord, query: Query) -> pl.DataFrame:
    """What a query gives of the test part's steps, columns as in `runs/schema.py`.

    Raises:
        RunError: `scores.parquet` is absent, damaged, or lacks a column.
    """
    return read(
        RunFolder(record.folder).scores,
        lambda frame: query(frame.filter(pl.col("split") == "test")),
    )
