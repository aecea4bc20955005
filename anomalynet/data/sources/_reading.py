"""What sources have in common: what they say of themselves, reading files as text first, so that
every oddity is seen, counted and named with its line, and incidents from labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError

LEADING = ("series", "time", "label", "incident", "kind")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a data set says of itself before anything is read."""

    name: str  # as in `data.name`
    title: str
    licence: str  # of the recordings, not of this program
    url: str = ""  # the home of the recordings; empty where they are simulated
    period: float | None = None  # expected seconds between readings, None for events without a grid
    subsets: tuple[str, ...] = ()  # parts that `data.subset` can name
    # one part must be named, because the parts do not share their channels
    needs_subset: bool = False
    # folders below the root, tried in this order, that may hold the files
    folders: tuple[str, ...] = (".",)
    by_hand: str = ""  # how to get the files where nobody but their authors may hand them out
    generated: bool = False  # simulated from the seed `data.world`; there are no files
    warnings: tuple[str, ...] = ()  # true of every table made from this data


def read_text(path: Path, separator: str, required: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Read a CSV as stripped text, whatever its BOM and line ends; return it with the number of
    padded fields. Raises DataError: the file cannot be read, or lacks one of the `required`
    columns."""
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
    """Return `after`, the parsed form of the text `before`, having made sure that only empty
    text became null. Raises DataError: some text could not be parsed; names the first such line."""
    failed = (after.is_null() & (before != "")).arg_max()
    if failed is not None and after[failed] is None and before[failed] != "":
        raise DataError(
            f"{path}:{failed + 2}: {before.name} is {before[failed]!r}, not {what}",
            "fetch or copy the file again",
        )
    return after


def numbers(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column as Float64; empty text is null. Raises DataError as `parse`."""
    return parse(path, column, column.cast(pl.Float64, strict=False), "a number")


def labels(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column of 0 and 1, written as integers or decimals, as Int8. Raises DataError as
    `parse`."""
    number = column.cast(pl.Float64, strict=False)
    return parse(path, column, number.set(~number.is_in([0.0, 1.0]), None).cast(pl.Int8), "0 or 1")


def number_incidents(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Number each unbroken stretch of label 1 within a series; where a stretch has several kinds,
    each is an incident. `frame`: sorted by (series, time), with the columns series, time, label and
    kind.

    Returns: the frame in canonical column order with the column `incident` (Int32, null outside),
        and the table number → incident.
    """
    attack = (pl.col("label") == 1).fill_null(False)
    begins = attack & (
        ~attack.shift(1, fill_value=False) | pl.col("series").ne_missing(pl.col("series").shift(1))
    )
    marked = frame.drop("incident", strict=False).with_columns(
        stretch=pl.when(attack).then(begins.cum_sum())
    )
    found = (
        marked.filter(attack)
        .select("stretch", "kind")
        .unique(maintain_order=True)
        .with_columns(incident=pl.int_range(pl.len(), dtype=pl.Int32))
    )
    numbered = marked.join(
        found, on=["stretch", "kind"], how="left", nulls_equal=True, maintain_order="left"
    )
    incidents = {
        number: Incident(type=kind) for number, kind in found.select("incident", "kind").rows()
    }
    return numbered.select(*LEADING, pl.exclude(*LEADING, "stretch")), incidents
