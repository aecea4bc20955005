"""Shared code of sources: their description, parsing of files, and incidents from labels. Files are
read as text first, so that every invalid value is found and reported with its line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError

LEADING = ("series", "time", "label", "incident", "kind")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The description of a data set, known without reading its files."""

    name: str  # as in `data.name`
    title: str
    licence: str  # licence of the recordings, not of this program
    url: str = ""  # home page of the recordings; empty for simulated data
    period: float | None = None  # expected seconds between readings, None for events without a grid
    subsets: tuple[str, ...] = ()  # valid values of `data.subset`
    # a subset is required, because subsets have different channels
    needs_subset: bool = False
    # folders below the root that may contain the files, in order of preference
    folders: tuple[str, ...] = (".",)
    by_hand: str = ""  # how to get files that may not be redistributed
    generated: bool = False  # simulated from the seed `data.world`; there are no files
    warnings: tuple[str, ...] = ()  # for every table made from this data


def pinned(repository: str, commit: str, folder: str = "") -> Callable[[str], str]:
    """A source's `url`: file → its URL on GitHub at a fixed commit; `<name>.sha256` has hashes."""
    return lambda file: f"https://raw.githubusercontent.com/{repository}/{commit}/{folder}{file}"


def incomplete(found: int, whole: int, what: str) -> list[str]:
    """A warning if parts of a data set are missing."""
    few = f"only {found} of {whole} {what} found: results are not comparable with the whole set"
    return [few] if found < whole else []


def read_text(path: Path, separator: str, required: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Read a CSV (any BOM and line ends) as stripped text; return it with the number of padded
    fields. Raises DataError: the file cannot be read, or a `required` column is missing."""
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
            f"{path}:1: missing column {', '.join(map(repr, missing))}; the file has "
            f"{', '.join(map(repr, raw.columns))}",
            "use a file of the data set; for your own table use `anomalynet data import`",
        )
    stripped = raw.select(pl.all().fill_null("").str.strip_chars())
    padded = sum(int((raw[name].fill_null("") != stripped[name]).sum()) for name in raw.columns)
    return stripped, padded


def parse(path: Path, before: pl.Series, after: pl.Series, what: str, header: int = 1) -> pl.Series:
    """Check that only empty text became null when `before` was parsed to `after`; return `after`.
    Raises DataError: text that could not be parsed; names the first line."""
    failed = (after.is_null() & (before != "")).arg_max()
    if failed is not None and after[failed] is None and before[failed] != "":
        raise DataError(
            f"{path}:{failed + header + 1}: {before.name} is {before[failed]!r}, not {what}",
            "fetch or copy the file again",
        )
    return after


def numbers(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column as Float64; empty text is null. Raises DataError as `parse`."""
    return parse(path, column, column.cast(pl.Float64, strict=False), "a number")


def labels(path: Path, column: pl.Series, header: int = 1) -> pl.Series:
    """Parse a text column of 0 and 1, written as integers or decimals, as Int8. Raises DataError as
    `parse`."""
    number = column.cast(pl.Float64, strict=False)
    known = number.set(~number.is_in([0.0, 1.0]), None).cast(pl.Int8)
    return parse(path, column, known, "0 or 1", header)


def number_incidents(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Number incidents: each run of label 1 within a series is one; if it has several kinds, one
    per kind. `frame`: sorted by (series, time), with the columns series, time, label and kind.

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
