"""Tables as Parquet, from their CSV."""

from __future__ import annotations

import io

TEXT = (
    "table",
    "model",
    "arm",
    "data",
    "metric",
    "parameter",
    "paper",
    "used",
    "split",
    "seeds",
    "folds",
    "worlds",
    "unit",
    "status",
    "reason",
)
"""Columns that are text even where all of it looks like numbers, so that a column has one type in
every report."""


def parquet(csv: bytes) -> bytes:
    """A CSV table as Parquet; the same table gives the same bytes.

    Numbers are Int64 or Float64, empty cells null, and a column without any value has the type
    Null, which says nothing that is not known.

    Args:
        csv: UTF-8, a header and rows.

    Source: not in the paper.
    """
    import polars as pl

    frame = pl.read_csv(
        csv,
        infer_schema_length=None,
        null_values=[""],
        schema_overrides=dict.fromkeys(_header(csv) & set(TEXT), pl.String),
    )
    empty = [column.name for column in frame if column.null_count() == frame.height]
    target = io.BytesIO()
    frame.with_columns(pl.lit(None).alias(name) for name in empty).write_parquet(
        target, compression="zstd", statistics=True
    )
    return target.getvalue()


def _header(csv: bytes) -> set[str]:
    return set(csv.split(b"\n", 1)[0].decode().strip().split(","))
