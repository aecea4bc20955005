"""Reads the incidents file of annotators: a table of start, end, and optionally type, cause,
impact, severity and series; or windows in JSON, as the Numenta Anomaly Benchmark has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from anomalynet.data.importing.cells import check_name, quote
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.rows import ROW, Rows, open_rows
from anomalynet.data.importing.times import read_clock, to_utc
from anomalynet.data.telemetry import Incident
from anomalynet.documents import json_value, read_text
from anomalynet.errors import DataError

WORDS = ("series", "type", "cause", "impact", "severity")
DATE = r"^([0-9]{8}|[0-9]{1,4}[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/. ][0-9]{1,4})$"  # without a time
KNOWN = f"the columns of an incidents file are start, end, {', '.join(WORDS)}"


def read_intervals(
    path: Path,
    series: Sequence[str],
    zone: str | None,
    staging: Path,
    files: Sequence[Path] = (),
) -> tuple[pl.DataFrame, dict[int, Incident], int]:
    """Read and check an incidents file; an incident's number is its row in the file.

    Args:
        series: names of the series in the data.
        zone: as for the data's own times.
        staging: an empty folder for temporary files.
        files: of the data, which may name its only series in JSON.

    Returns: start and end (both included; two dates without a time are whole days), series (null:
        all series), type and number of each incident; the incidents; and how many are of series
        that are not in the data (JSON only).

    Raises DataError: invalid content; names the first line.
    """
    if path.suffix.lower() == ".json":
        rows, unknown = _open_windows(path, series, files)
    else:
        rows, unknown = open_rows([path], TableFormat(), staging), 0
    columns = {name.lower(): index for index, name in enumerate(rows.names)}
    missing = [name for name in ("start", "end") if name not in columns]
    for name in [*missing, *(set(columns) - {"start", "end", *WORDS})]:
        what = "missing" if missing else "unknown"
        raise DataError(f"{path}: {what} column {quote(name)}", KNOWN)
    none = pl.lit(None, pl.String)
    words = {name: rows.text(columns[name]) if name in columns else none for name in WORDS}
    bounds = [rows.text(columns[name]).str.contains(DATE) for name in ("start", "end")]
    day = rows.frame.select(ROW, day=bounds[0] & bounds[1]).collect().sort(ROW)["day"]
    read = {"start": _time(rows, columns["start"], zone)}
    read["end"] = _time(rows, columns["end"], zone, day)
    table = rows.frame.select(ROW, **words).collect().with_columns(**read)
    table = table.with_row_index("incident").cast({"incident": pl.Int32})
    _check(rows, table, set(series))
    incidents = {
        number: Incident(kind, cause, impact, int(severity) if severity else None)
        for number, kind, cause, impact, severity in table.select("incident", *WORDS[1:]).rows()
    }
    return table, incidents, unknown


def _open_windows(path: Path, series: Sequence[str], files: Sequence[Path]) -> tuple[Rows, int]:
    """Windows in JSON as an incidents file: {"FILE OR SERIES": [[START, END], …], …}, or the list
    alone where the data are one recording; and how many are of other series."""
    shape = 'write {"series": [["start", "end"], …], …}, or only the list for one recording'
    try:
        content = json_value(read_text(path, encoding="utf-8-sig"))
        by_key: dict[str | None, Any] = content if isinstance(content, dict) else {None: content}
        lists = [isinstance(many, list) for many in by_key.values()]
        pairs = [(key, pair) for key, many in by_key.items() if all(lists) for pair in many]
        if not all(lists) or not all(
            isinstance(pair, list) and len(pair) == 2 for _, pair in pairs
        ):
            raise ValueError("a window is not a pair of start and end")
        windows = [(key, *map(str, pair)) for key, pair in pairs]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not windows in JSON: {error}", shape) from error
    if None in by_key and len(series) > 1:
        raise DataError(f"{path}: names no series, the data have {len(series)}", shape)
    known: dict[str | None, str] = {name: name for name in series}
    if len(series) == 1:
        known |= dict.fromkeys([None, *(file.stem for file in files)], series[0])
    names = {key: known.get(key, known.get(key and Path(key).stem)) for key in by_key}
    found = [(names[key], start, end) for key, start, end in windows if names[key] is not None]
    if not found:
        keys = ", ".join(map(quote, list(by_key)[:4]))
        raise DataError(
            f"{path}: no windows of the series in the data, but of {keys}",
            f"known: {', '.join(sorted(series)[:8])}",
        )
    columns = dict.fromkeys("012", pl.String)
    frame = pl.DataFrame(found, schema=columns, orient="row").with_row_index(ROW, 1)
    rows = Rows((path,), ("series", "start", "end"), frame.lazy(), is_text=False)
    return rows, len(windows) - len(found)


def mark(keys: pl.DataFrame, intervals: pl.DataFrame) -> pl.DataFrame:
    """Fill the columns `incident` (Int32) and `kind` of keys from the intervals. `keys`: series,
    time, sorted by them; `kind` (String, nullable)."""
    numbers = np.full(keys.height, -1, dtype=np.int32)
    times = keys["time"].to_physical().to_numpy()
    bounds = intervals.select("series", pl.col("start", "end").to_physical(), "incident").rows()
    low = 0
    for name, length in keys.group_by("series", maintain_order=True).len().iter_rows():
        own, marked = times[low : low + length], numbers[low : low + length]
        for series, start, end, number in bounds:
            if series in (None, name):
                first, last = np.searchsorted(own, start), np.searchsorted(own, end, "right")
                marked[first:last] = number
        low += length
    kinds = dict(intervals.select("incident", "type").rows())
    incident = pl.Series(numbers).replace(-1, None)
    typed = pl.col("incident").replace_strict(kinds, default=None, return_dtype=pl.String)
    return keys.with_columns(incident=incident).with_columns(kind=pl.coalesce(typed, "kind"))


def _time(rows: Rows, index: int, zone: str | None, day: pl.Series | None = None) -> pl.Series:
    """A column of times in UTC; where `day`, the end of that day."""
    clock = read_clock(rows, [index], None, alone=False, sampled=False)
    keys = clock.time.with_columns(series=pl.int_range(pl.len()))
    if day is not None:
        last = pl.col("time") + pl.duration(days=1, microseconds=-1)
        keys = keys.with_columns(time=pl.when(day).then(last).otherwise("time"))
    return (to_utc(rows, keys, zone)[0] if zone and clock.local else keys)["time"]


def _check(rows: Rows, table: pl.DataFrame, series: set[str]) -> None:
    for row in table.iter_rows(named=True):
        where = rows.where(row[ROW])
        if row["end"] < row["start"]:
            what = f"{where}: end {row['end']} is before start {row['start']}"
            raise DataError(what, "swap start and end")
        if row["series"] is not None and row["series"] not in series:
            what = f"{where}: series {quote(row['series'])} is not in the data"
            raise DataError(what, f"known: {', '.join(sorted(series)[:8])}")
        for word in filter(row.get, WORDS):
            check_name(row[word], f"{where}: {word}")
        if row["severity"] is not None and row["severity"] not in {"1", "2", "3", "4"}:
            raise DataError(
                f"{where}: severity is {quote(row['severity'])}", "1 (least) to 4, or empty"
            )
    for name in sorted(series):
        mine = table.filter(pl.col("series").is_null() | (pl.col("series") == name))
        mine = mine.sort("start", "end", maintain_order=True)
        before = mine.with_columns(before=pl.col(ROW).shift(1), until=pl.col("end").shift(1))
        overlap = before.filter(pl.col("start") <= pl.col("until"))
        if overlap.height:
            raise DataError(
                f"{rows.where(overlap[ROW][0])}: overlaps with the incident of line "
                f"{overlap['before'][0]} in series {name!r}",
                "merge them, or end one before the other starts",
            )
