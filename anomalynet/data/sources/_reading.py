"""Reading the files of known data sets: as text first, so that every oddity is seen, counted, and
named with its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from anomalynet.errors import DataError


def read_text(path: Path, separator: str, required: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Read a CSV as stripped text, whatever its BOM and line ends; return it with the number of
    padded fields.

    Raises:
        DataError: the file cannot be read, or lacks one of the `required` columns.
    """
    try:
        raw = pl.read_csv(path, separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path}: not a table: {str(error).splitlines()[0]}", "fetch or copy the file again"
        ) from error
    raw = raw.rename({name: name.strip() for name in raw.columns})
    missing = [name for name in required if name not in raw.columns]
    if missing:
        raise DataError(
            f"{path}:1: no column {', '.join(map(repr, missing))}; the file has "
            f"{', '.join(map(repr, raw.columns))}",
            "this is not a file of the data set; for a table of your own: anomalynet data import",
        )
    stripped = raw.select(pl.all().fill_null("").str.strip_chars())
    padded = sum(int((raw[name].fill_null("") != stripped[name]).sum()) for name in raw.columns)
    return stripped, padded


def parse(path: Path, before: pl.Series, after: pl.Series, what: str) -> pl.Series:
    """Return `after`, the parsed form of the text `before`, having made sure that only empty text
    became null.

    Raises:
        DataError: some text could not be parsed; names the first such line.
    """
    failed = (after.is_null() & (before != "")).arg_max()
    if failed is not None and after[failed] is None and before[failed] != "":
        raise DataError(
            f"{path}:{failed + 2}: {before.name} is {before[failed]!r}, not {what}",
            "fetch or copy the file again",
        )
    return after


def numbers(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column as Float32; empty text is null. Raises DataError as `parse`."""
    return parse(path, column, column.cast(pl.Float64, strict=False), "a number").cast(pl.Float32)


def labels(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column of 0 and 1, written as integers or decimals, as Int8. Raises DataError as
    `parse`."""
    number = column.cast(pl.Float64, strict=False)
    return parse(path, column, number.set(~number.is_in([0.0, 1.0]), None).cast(pl.Int8), "0 or 1")
