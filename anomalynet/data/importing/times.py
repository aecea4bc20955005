"""Converts text and numbers to UTC times. The format is detected from the whole file; ambiguous
formats are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl

from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.errors import DataError

DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y"),
)
CLOCKS = (" %H:%M:%S%.f", " %H:%M", "", " %I:%M:%S %p", " %I:%M %p")
FORMATS = tuple(date + clock for date in DATES for clock in CLOCKS)
YEARS = (1900, 2200)
SAMPLE = 1_000
EPOCHS = ((1e8, 1.0), (1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (float("inf"), 1e-9))
"""Upper bound of a numeric time, and its unit in seconds: below 1e8 elapsed seconds, then epoch s,
ms, µs, ns."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A parsed time column, Datetime("us"); `local`: wall-clock time without offset."""

    time: pl.Expr
    local: bool


def read_clock(rows: Rows, index: int, alone: bool) -> Clock:
    """Detect the time format of a column. `alone`: the table is one recording, without duplicate
    timestamps. Raises DataError: missing or unreadable times, times without a date, day and month
    ambiguous."""
    dtype, raw = rows.dtype(index), pl.col(str(index))
    if isinstance(dtype, pl.Datetime):
        utc = raw if dtype.time_zone is None else _in_utc(raw)
        clock = Clock(utc.cast(pl.Datetime("us")), local=dtype.time_zone is None)
    elif dtype == pl.Date:
        clock = Clock(raw.cast(pl.Datetime("us")), local=True)
    else:
        clock = _numeric(rows, index, alone) or _offset(rows, index) or _written(rows, index)
    bad = rows.first(clock.time.is_null())
    if bad is not None:
        raise _unreadable(rows, index, bad, rows.cell(index, bad), "correct or remove the line")
    return clock


def _unreadable(rows: Rows, index: int, row: int, text: str, advice: str) -> DataError:
    return DataError(
        f"{rows.where(row)}: invalid time {text!r} in column {rows.names[index]!r}", advice
    )


def _in_utc(time: pl.Expr) -> pl.Expr:
    return time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _numeric(rows: Rows, index: int, alone: bool) -> Clock | None:
    """Parse epoch or elapsed seconds; None if a time is not a number."""
    text = rows.text(index)
    value = text.cast(pl.Float64, strict=False)
    first = rows.frame.select(text.drop_nulls().head(1).cast(pl.Float64, strict=False)).collect()
    if first.to_series().null_count():
        return None
    query = rows.frame.select(
        text=text.count(),
        read=value.count(),
        largest=value.abs().max(),
        repeated=value.n_unique() < pl.len(),
        hours=(value == value.floor()).all() & (value >= 0).all(),
    )
    facts = query.collect().row(0, named=True)
    if facts["read"] < max(facts["text"], 1):
        return None
    if alone and facts["largest"] in (23, 24) and facts["hours"] and facts["repeated"]:
        _refuse_time_of_day(rows, index)
    # The largest value decides: early epoch times alone could be elapsed seconds.
    unit = next(unit for bound, unit in EPOCHS if facts["largest"] < bound)
    whole = text.cast(pl.Int64, strict=False)
    exact = whole * round(unit * 1e6) if unit >= 1e-6 else whole // 1_000
    rounded = (value * unit * 1e6).round().cast(pl.Int64)
    return Clock(pl.coalesce(exact, rounded).cast(pl.Datetime("us")), local=False)


def _offset(rows: Rows, index: int) -> Clock | None:
    """Parse ISO times with offset; None if the first one has no offset."""
    text = rows.text(index)
    sample = rows.frame.select(text.drop_nulls().head(1)).collect()
    if not sample.height or not re.search(r"\d:\d\d\S*?(Z|[-+]\d\d:?\d\d|\s?UTC)$", sample.item()):
        return None
    plain = text.str.replace(r"^(\d{4}-\d\d-\d\d)T", "$1 ").str.replace(r"\s?(Z|UTC)$", "+00:00")
    seconds = plain.str.replace(r"^(\S+ \d\d:\d\d)([-+])", "$1:00$2")
    parsed = seconds.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", strict=False)
    return Clock(_in_utc(parsed), local=False)


def _written(rows: Rows, index: int) -> Clock:
    """Parse dates, with or without time of day, in the format that fits all of them."""
    name, plain = rows.names[index], rows.text(index)
    plain = plain.str.replace(r"^(\d{4}-\d{1,2}-\d{1,2})T", "$1 ")
    distinct = rows.frame.select(text=plain).drop_nulls().unique(maintain_order=True)
    sample = distinct.head(SAMPLE).collect()
    if not sample.height:
        raise DataError(f"{rows.path}: time column {name!r} is empty")
    if sample["text"].str.contains(r"^\d{1,2}(:\d{2}){1,2}(\.\d+)?$").any():
        _refuse_time_of_day(rows, index)
    fits = {form: sample.select(_parse(pl.col("text"), form).count()).item() for form in FORMATS}
    best, text = max(fits.values()), sample["text"][0]
    candidates = [form for form in FORMATS if best and fits[form] == best]
    if len(candidates) > 1:
        parsed = rows.frame.select(_parse(plain, form).count().alias(form) for form in candidates)
        counts = parsed.collect(engine="streaming").row(0, named=True)
        candidates = [form for form in candidates if counts[form] == max(counts.values())]
    if not candidates:
        row = rows.first(plain == text)
        assert row is not None
        advice = "write times as YYYY-MM-DD HH:MM:SS, or in seconds"
        raise _unreadable(rows, index, row, text, advice)
    if len(candidates) > 1:
        raise DataError(
            f"{rows.path}: time column {name!r}: day and month are ambiguous in all dates, such as "
            f"{text!r}",
            "write dates as YYYY-MM-DD",
        )
    return Clock(_parse(plain, candidates[0]), local=True)


def _parse(text: pl.Expr, form: str) -> pl.Expr:
    parsed = text.str.to_datetime(form, time_unit="us", strict=False)
    return pl.when(parsed.dt.year().is_between(*YEARS)).then(parsed)


def _refuse_time_of_day(rows: Rows, index: int) -> None:
    name = rows.names[index]
    raise DataError(
        f"{rows.path}: time column {name!r} has times of day without a date",
        f"put date and time into one column; or use --ignore {name} and give the step in seconds, "
        "such as --period 60",
    )


def check_zone(name: str) -> None:
    """Raises DataError: unknown time zone."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"unknown time zone {name!r}", "use an IANA name, such as Europe/Berlin"
        ) from error


def to_utc(rows: Rows, keys: pl.DataFrame, zone: str) -> tuple[pl.DataFrame, int]:
    """Convert local `time` to UTC. Readings in the repeated hour of autumn are distinguished by
    their order in the file. `keys`: row, series, time in file order; `zone`: IANA name.

    Returns: the keys in UTC, and the number of readings in a repeated hour.

    Raises DataError: a time does not exist in the zone (the hour skipped in spring).
    """

    def utc(ambiguous: Literal["earliest", "latest"]) -> pl.Expr:
        local = pl.col("time")
        return _in_utc(local.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null"))

    both = keys.with_columns(early=utc("earliest"), late=utc("latest"))
    skipped = both.filter(pl.col("early").is_null())
    if skipped.height:
        row, time = skipped.select(ROW, "time").row(0)
        what = f"{rows.where(row)}: {time} does not exist in {zone}, clocks skipped it"
        raise DataError(what, "remove --timezone if times are in UTC")
    both = both.with_columns(ambiguous=pl.col("early") != pl.col("late"))
    ambiguous, step = pl.col("ambiguous"), pl.col("time").diff().over("series")
    begins = ambiguous & ~ambiguous.shift(1, fill_value=False)
    both = both.with_columns(
        night=begins.cum_sum().over("series"),
        back=(ambiguous & (step < pl.duration())).fill_null(False),
        still=(ambiguous & (step == pl.duration())).fill_null(False),
    )
    # Clocks were set back where time goes back, or else where a timestamp repeats.
    turned = pl.when(pl.col("back").any().over("series", "night")).then("back").otherwise("still")
    both = both.with_columns(turned=turned.cast(pl.Int32).cum_sum().over("series", "night") > 0)
    late = ambiguous & pl.col("turned")
    both = both.with_columns(time=pl.when(late).then("late").otherwise("early"))
    return both.select(keys.columns), int(both["ambiguous"].sum())
