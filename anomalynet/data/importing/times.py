"""Written times into UTC: formats are found out over the whole file, doubtful ones refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl

from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.data.importing.values import text, value_at
from anomalynet.errors import DataError

DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
)
CLOCKS = (" %H:%M:%S%.f", " %H:%M", "", " %I:%M:%S %p", " %I:%M %p")
FORMATS = tuple(date + clock for date in DATES for clock in CLOCKS)
YEARS = (1900, 2200)
SAMPLE = 1_000
EPOCHS = ((1e8, 1.0), (1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (float("inf"), 1e-9))
"""Largest value of a numeric time and its unit in seconds: below 1e8 elapsed seconds, then epoch s,
ms, µs, ns."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time column, read: Datetime("us"); `local` if it is wall-clock time without an offset."""

    time: pl.Expr
    local: bool


def read_clock(rows: Rows, index: int, alone: bool) -> Clock:
    """Find out how a column writes time. `alone` says that the table is one recording, in which no
    time should stand twice.

    Raises:
        DataError: missing or unreadable times, times of day without a date, day and month in doubt.
    """
    name = rows.names[index]
    dtype = rows.frame.collect_schema()[str(index)]
    raw = pl.col(str(index))
    if isinstance(dtype, pl.Datetime):
        utc = (
            raw
            if dtype.time_zone is None
            else raw.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        )
        clock = Clock(utc.cast(pl.Datetime("us")), local=dtype.time_zone is None)
    elif dtype == pl.Date:
        clock = Clock(raw.cast(pl.Datetime("us")), local=True)
    else:
        clock = _numeric(rows, index, alone) or _offset(rows, index) or _written(rows, index)
    bad = (
        rows.frame.filter(clock.time.is_null())
        .select(pl.col(ROW).min())
        .collect(engine="streaming")
        .item()
    )
    if bad is not None:
        value = value_at(rows, index, bad)
        raise DataError(
            f"{rows.where(bad)}: time {name!r} is {value!r}, which cannot be read",
            "mend or remove the line",
        )
    return clock


def _numeric(rows: Rows, index: int, alone: bool) -> Clock | None:
    """Read epoch or elapsed seconds, None if some time is no number."""
    first = rows.frame.select(
        text(rows, index).drop_nulls().head(1).cast(pl.Float64, strict=False)
    ).collect()
    if first.to_series().null_count():
        return None
    value = text(rows, index).cast(pl.Float64, strict=False)
    said = text(rows, index)
    facts = (
        rows.frame.select(
            said.count().alias("said"),
            value.count().alias("read"),
            value.abs().max().alias("largest"),
            value.n_unique().alias("distinct"),
            (value != value.floor()).any().alias("broken"),
            (value < 0).any().alias("negative"),
            pl.len().alias("rows"),
        )
        .collect()
        .row(0, named=True)
    )
    if facts["read"] < max(facts["said"], 1):
        return None
    if (
        alone
        and facts["largest"] in (23, 24)
        and not facts["broken"]
        and not facts["negative"]
        and facts["distinct"] < facts["rows"]
    ):
        _refuse_time_of_day(rows, index)
    unit = next(unit for bound, unit in EPOCHS if facts["largest"] < bound)
    whole = text(rows, index).cast(pl.Int64, strict=False)
    exact = whole * round(unit * 1e6) if unit >= 1e-6 else whole // 1_000
    return Clock(
        pl.coalesce(exact, (value * unit * 1e6).round().cast(pl.Int64)).cast(pl.Datetime("us")),
        local=False,
    )


def _offset(rows: Rows, index: int) -> Clock | None:
    """Read ISO times that bring their offset, None if the first does not."""
    said = text(rows, index)
    sample = rows.frame.select(said.drop_nulls().head(1)).collect()
    if not sample.height or not re.search(r"\d:\d\d\S*?(Z|[-+]\d\d:?\d\d|\s?UTC)$", sample.item()):
        return None
    plain = said.str.replace(r"^(\d{4}-\d\d-\d\d)T", "$1 ").str.replace(r"\s?(Z|UTC)$", "+00:00")
    seconds = plain.str.replace(r"^(\S+ \d\d:\d\d)([-+])", "$1:00$2")
    parsed = seconds.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", strict=False)
    return Clock(parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None), local=False)


def _written(rows: Rows, index: int) -> Clock:
    """Read dates with or without a clock, in the one format that fits all of them."""
    name = rows.names[index]
    sample = (
        rows.frame.select(_plain(rows, index).alias("said"))
        .drop_nulls()
        .unique(maintain_order=True)
        .head(SAMPLE)
        .collect()
    )
    if not sample.height:
        raise DataError(f"{rows.path}: time column {name!r} is empty")
    if sample["said"].str.contains(r"^\d{1,2}(:\d{2}){1,2}(\.\d+)?$").any():
        _refuse_time_of_day(rows, index)
    fits = {form: sample.select(_parse(pl.col("said"), form).count()).item() for form in FORMATS}
    best = max(fits.values())
    candidates = [form for form in FORMATS if fits[form] == best] if best else []
    if len(candidates) > 1:
        counts = rows.frame.select(
            _parse(_plain(rows, index), form).count().alias(form) for form in candidates
        ).collect(engine="streaming")
        most = max(counts.row(0))
        candidates = [form for form in candidates if counts[form][0] == most]
    if not candidates:
        said = sample["said"][0]
        row = (
            rows.frame.filter(_plain(rows, index) == said)
            .select(pl.col(ROW).min())
            .collect()
            .item()
        )
        raise DataError(
            f"{rows.where(row)}: time {name!r} is {said!r}, which cannot be read",
            "write times as YYYY-MM-DD HH:MM:SS, or in seconds",
        )
    if len(candidates) > 1:
        raise DataError(
            f"{rows.path}: time {name!r}: every date reads day first and month first, such as "
            f"{sample['said'][0]!r}",
            "write dates as YYYY-MM-DD",
        )
    return Clock(_parse(_plain(rows, index), candidates[0]), local=True)


def _plain(rows: Rows, index: int) -> pl.Expr:
    return text(rows, index).str.replace(r"^(\d{4}-\d{1,2}-\d{1,2})T", "$1 ")


def _parse(said: pl.Expr, form: str) -> pl.Expr:
    parsed = said.str.to_datetime(form, time_unit="us", strict=False)
    return pl.when(parsed.dt.year().is_between(*YEARS)).then(parsed)


def _refuse_time_of_day(rows: Rows, index: int) -> None:
    raise DataError(
        f"{rows.path}: time {rows.names[index]!r} has a time of day without a date",
        f"write date and time into one column, or --ignore {rows.names[index]} and give the step "
        "in seconds: --period 60",
    )


def check_zone(name: str) -> None:
    """Raise DataError unless `name` is a time zone."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"no time zone {name!r}", "an IANA name, such as Europe/Berlin") from error


def to_utc(rows: Rows, keys: pl.DataFrame, zone: str) -> tuple[pl.DataFrame, int]:
    """Turn local `time` into UTC; readings in the repeated hour of autumn are told apart by their
    order in the file.

    Args:
        rows: for the place of a reading that cannot be.
        keys: row, series, time in file order.
        zone: IANA name.

    Returns:
        the keys in UTC, and how many readings stood in a repeated hour.

    Raises:
        DataError: a time that the zone never had (the hour skipped in spring).
    """

    def utc(ambiguous: Literal["earliest", "latest"]) -> pl.Expr:
        aware = pl.col("time").dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")
        return aware.dt.convert_time_zone("UTC").dt.replace_time_zone(None)

    both = keys.with_columns(
        early=utc("earliest"), late=utc("latest"), step=pl.col("time").diff().over("series")
    )
    skipped = both.filter(pl.col("early").is_null())
    if skipped.height:
        row, time = skipped.select(ROW, "time").row(0)
        raise DataError(
            f"{rows.where(row)}: {time} did not exist in {zone}: clocks skipped it",
            "leave --timezone out if times are UTC",
        )
    doubtful = pl.col("early") != pl.col("late")
    zero = pl.duration()
    both = both.with_columns(doubtful=doubtful)
    both = both.with_columns(
        night=(pl.col("doubtful") & ~pl.col("doubtful").shift(1, fill_value=False))
        .cum_sum()
        .over("series"),
        back=(pl.col("doubtful") & (pl.col("step") < zero)).fill_null(False),
        still=(pl.col("doubtful") & (pl.col("step") == zero)).fill_null(False),
    )
    turned = pl.when(pl.col("back").any().over("series", "night")).then("back").otherwise("still")
    both = both.with_columns(turned=turned.cast(pl.Int32).cum_sum().over("series", "night") > 0)
    time = (
        pl.when(pl.col("doubtful") & pl.col("turned")).then("late").otherwise("early").alias("time")
    )
    return both.with_columns(time).select(keys.columns), int(both["doubtful"].sum())
