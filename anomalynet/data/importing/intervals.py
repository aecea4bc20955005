"""Annotators' intervals: start, end, type, cause, impact, severity, and optionally series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.data.importing.rows import ROW, Rows, open_rows
from anomalynet.data.importing.times import read_clock, to_utc
from anomalynet.data.importing.values import NULLS, text
from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError

WORDS = ("type", "cause", "impact", "severity")
KNOWN = ("start", "end", "series", *WORDS)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals sorted by (series, start), both ends included; `series` is null where all series
    are meant."""

    table: pl.DataFrame
    incidents: dict[int, Incident]


def read_intervals(path: Path, series: Sequence[str], zone: str | None, staging: Path) -> Intervals:
    """Read and check the annotators' file; an incident's number is its place in the file.

    Args:
        path: the CSV.
        series: names of the series in the data.
        zone: as for the data's own times.
        staging: an empty folder for what is laid down on the way.

    Raises:
        DataError: names the first line that is wrong.
    """
    rows = open_rows(path, None, staging)
    positions = {name.lower(): index for index, name in enumerate(rows.names)}
    for name in ("start", "end"):
        if name not in positions:
            raise DataError(
                f"{path}: no column {name!r}",
                f"the columns of an incidents file are {', '.join(KNOWN)}",
            )
    unknown = [name for name in positions if name not in KNOWN]
    if unknown:
        raise DataError(
            f"{path}: column {unknown[0]!r} is not known",
            f"the columns of an incidents file are {', '.join(KNOWN)}",
        )
    words = [
        (
            text(rows, positions[name], NULLS) if name in positions else pl.lit(None, pl.String)
        ).alias(name)
        for name in ("series", *WORDS)
    ]
    read = [_time(rows, positions[name], zone).alias(name) for name in ("start", "end")]
    table = (
        rows.frame.select(ROW, *words)
        .collect()
        .with_columns(read)
        .with_columns(incident=pl.int_range(pl.len(), dtype=pl.Int32))
    )
    _check(rows, table, set(series))
    incidents = {
        row["incident"]: Incident(
            row["type"],
            row["cause"],
            row["impact"],
            int(row["severity"]) if row["severity"] else None,
        )
        for row in table.iter_rows(named=True)
    }
    return Intervals(table, incidents)


def mark(keys: pl.DataFrame, intervals: Intervals) -> pl.DataFrame:
    """Return keys with the Int32 column `incident` and the column `kind` filled from the intervals.

    Args:
        keys: series, time, sorted by them; `kind` (String, nullable).
        intervals: of these series.
    """
    numbers = np.full(keys.height, -1, dtype=np.int32)
    times = keys["time"].to_physical().to_numpy()
    bounds = (
        keys.with_row_index("at")
        .group_by("series", maintain_order=True)
        .agg(pl.col("at").min().alias("low"), pl.len())
    )
    for name, low, length in bounds.iter_rows():
        mine = intervals.table.filter(pl.col("series").is_null() | (pl.col("series") == name))
        own = times[low : low + length]
        for start, end, number in mine.select(
            pl.col("start", "end").to_physical(), "incident"
        ).iter_rows():
            numbers[
                low + np.searchsorted(own, start, "left") : low + np.searchsorted(own, end, "right")
            ] = number
    kinds = {number: what.type for number, what in intervals.incidents.items()}
    marked = keys.with_columns(incident=pl.Series(numbers).set(pl.Series(numbers) < 0, None))
    typed = pl.col("incident").replace_strict(kinds, default=None, return_dtype=pl.String)
    return marked.with_columns(kind=pl.coalesce(typed, "kind"))


def _time(rows: Rows, index: int, zone: str | None) -> pl.Series:
    clock = read_clock(rows, index, alone=False)
    keys = rows.frame.select(
        ROW, clock.time.alias("time"), pl.int_range(pl.len()).alias("series")
    ).collect()
    return (to_utc(rows, keys, zone)[0] if zone and clock.local else keys)["time"]


def _check(rows: Rows, table: pl.DataFrame, series: set[str]) -> None:
    for row in table.iter_rows(named=True):
        where = rows.where(row[ROW])
        if row["end"] < row["start"]:
            raise DataError(
                f"{where}: ends at {row['end']}, before it starts at {row['start']}",
                "exchange start and end",
            )
        if row["series"] is not None and row["series"] not in series:
            raise DataError(
                f"{where}: series {row['series']!r} is not in the data",
                f"known: {', '.join(sorted(series)[:8])}",
            )
        if row["severity"] is not None and row["severity"] not in {"1", "2", "3", "4"}:
            raise DataError(f"{where}: severity is {row['severity']!r}", "1 (least) to 4, or empty")
    for name in sorted(series):
        mine = table.filter(pl.col("series").is_null() | (pl.col("series") == name)).sort(
            "start", "end", maintain_order=True
        )
        overlap = mine.with_columns(
            before=pl.col(ROW).shift(1), until=pl.col("end").shift(1)
        ).filter(pl.col("start") <= pl.col("until"))
        if overlap.height:
            raise DataError(
                f"{rows.where(overlap[ROW][0])}: overlaps with the incident of line "
                f"{overlap['before'][0]} in series {name!r}",
                "merge them, or let one end before the other starts",
            )
