"""Converts a column of text or numbers to UTC times, by the rules of `cells.read_time`. The format
is decided once, over the whole column; formats that fit equally well are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from anomalynet.data.importing import cells
from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.errors import DataError

CHANGE = "--time-format"
GROUPS = ("first", "second", "third", "hour", "minute", "seconds", "fraction", "half", "offset")
"""Names of the groups of `cells.WRITTEN`."""
MICROSECOND = pl.Datetime("us")


@dataclass(frozen=True, slots=True)
class Clock:
    """A parsed time column."""

    time: pl.DataFrame  # columns row and time, Datetime("us"), in the order of the rows
    local: bool  # wall-clock time without an offset
    format: str | None  # for `TableFormat.time_format`; None for a column of dates


def read_clock(rows: Rows, indices: Sequence[int], form: str | None, alone: bool) -> Clock:
    """Find the format of a time column.

    Args:
        indices: of the column, or of several that are joined by a space.
        form: the format, if it is known.
        alone: the table is one recording, without duplicate timestamps.

    Raises DataError: an unknown format, missing or invalid times, times without a date, or several
        formats that fit.
    """
    column = _Column(rows, indices)
    if form is not None and form not in cells.TIME_FORMATS and "%" not in form:
        raise DataError(
            f"unknown time format {form!r}",
            f"give {', '.join(cells.TIME_FORMATS)}, or a pattern such as '%d.%m.%y %H:%M'",
        )
    dtype = rows.dtype(indices[0]) if len(indices) == 1 else pl.String()
    frame, raw = rows.frame, pl.col(str(indices[0]))
    if isinstance(dtype, pl.Datetime):
        time, local = raw if dtype.time_zone is None else _in_utc(raw), dtype.time_zone is None
        time = time.cast(MICROSECOND)
    elif dtype == pl.Date:
        time, local = raw.cast(MICROSECOND), True
    elif form in cells.DATES or (form is None and not column.is_numeric):
        frame, time, local, form = _written(column, form)
    else:
        time, local, form = _counted(column, form or _number_format(column, alone))
    found = frame.select(ROW, time=time).collect(engine="streaming").sort(ROW)
    bad = found.filter(pl.col("time").is_null())
    if bad.height:
        raise column.invalid(bad[ROW][0], "correct or remove the line")
    return Clock(found, local, form)


class _Column:
    """The text of a time column, for detection and messages."""

    def __init__(self, rows: Rows, indices: Sequence[int]) -> None:
        self.rows = rows
        self.name = ",".join(rows.names[index] for index in indices)
        texts = [rows.text(index) for index in indices]
        self.text = texts[0] if len(texts) == 1 else pl.concat_str(texts, separator=" ")
        self.head = rows.frame.select(text=self.text).drop_nulls().head(1).collect()["text"]
        if not len(self.head):
            raise DataError(f"{rows.path}: time column {self.name!r} is empty")

    @property
    def is_numeric(self) -> bool:
        """Whether all cells are numbers; the first alone decides for most columns."""
        if not self.head.str.contains(cells.NUMBER).all():
            return False
        numeric = self.text.str.contains(cells.NUMBER).all()
        return bool(self.rows.frame.select(numeric).collect(engine="streaming").item())

    def facts(self, **query: pl.Expr) -> dict[str, Any]:
        """Values of aggregating expressions over the whole column, in one pass."""
        return self.rows.frame.select(**query).collect(engine="streaming").row(0, named=True)

    def cell(self, row: int) -> str:
        """The text in a row."""
        found = self.rows.frame.filter(pl.col(ROW) == row).select(text=self.text.fill_null(""))
        return str(found.collect().item())

    def invalid(self, row: int, advice: str) -> DataError:
        """The error that a time is invalid."""
        return DataError(
            f"{self.rows.where(row)}: invalid time {self.cell(row)!r} in column {self.name!r}",
            advice,
        )

    def refuse(self, row: int, what: str, advice: str) -> DataError:
        """An error of the whole column, with a row that shows it."""
        where = self.rows.where(row)
        return DataError(f"{where}: time column {self.name!r}: {self.cell(row)!r} {what}", advice)


def _number_format(column: _Column, alone: bool) -> str:
    """The only format that fits all numbers of a column."""
    value = column.text.cast(pl.Float64, strict=False)
    length = column.text.str.len_chars()
    facts = column.facts(
        low=value.min(),
        high=value.max(),
        whole=(value == value.floor()).all(),
        digits=(column.text.str.contains(r"^\d+$") & (length == length.first())).all(),
        length=length.first(),
        repeated=value.n_unique() < pl.len(),
    )
    low, high = facts["low"], facts["high"]
    if alone and facts["whole"] and low >= 0 and high in (23, 24) and facts["repeated"]:
        _refuse_time_of_day(column)
    fits = [unit for unit in cells.MICROSECONDS if _in_unit(low, unit) and _in_unit(high, unit)]
    pattern = cells.DIGITS.get(facts["length"]) if facts["digits"] else None
    if pattern and column.facts(bad=_parse(column.text, pattern).null_count())["bad"] == 0:
        fits.append(pattern)
    if low >= 20_000 and high < 80_000:  # the years 1954 to 2119 as days of a spreadsheet
        fits.append(cells.EXCEL)
    if not fits:
        head = float(column.head[0])
        unit = next((unit for unit in cells.MICROSECONDS if _in_unit(head, unit)), "seconds")
        other = column.rows.first(~value.is_between(*_range(unit)))
        raise column.refuse(
            other if other is not None else _first(column),
            "does not fit the other times, or its year is outside 1900 to 2199",
            f"correct the line, or give {CHANGE} (seconds, milliseconds, excel, '%Y%m%d' …)",
        )
    if len(fits) > 1:
        forms = " or ".join(map(repr, fits))
        advice = f"give {CHANGE} with one of them"
        raise column.refuse(_first(column), f"could be {forms}", advice)
    return fits[0]


def _range(unit: str) -> tuple[float, float]:
    """Numbers that are times of this unit: from a thousandth of it on, a smaller unit is meant."""
    per = cells.MICROSECONDS[unit]
    latest = cells.LATEST / per
    return (cells.EARLIEST / per if unit == "seconds" else 1e8 * 1e6 / per, latest)


def _in_unit(value: float, unit: str) -> bool:
    low, high = _range(unit)
    return low <= value < high


def _counted(column: _Column, form: str) -> tuple[pl.Expr, bool, str]:
    """Time, whether it is local, and the format, of a pattern, a unit or days of a spreadsheet."""
    if "%" in form:
        time, aware = _parse(column.text, form), "%z" in form
        return _in_utc(time) if aware else time, not aware, form
    value = column.text.cast(pl.Float64, strict=False)
    if form == cells.EXCEL:
        return _bounded(((value - cells.EXCEL_EPOCH) * 86_400e6).round()), True, form
    per = cells.MICROSECONDS[form]
    whole = column.text.cast(pl.Int64, strict=False)  # exact where a float is not
    exact = whole // 1_000 if per < 1 else whole * round(per)
    time = pl.coalesce(exact, (value * per).round().cast(pl.Int64, strict=False))
    return _bounded(time), False, form


def _bounded(time: pl.Expr) -> pl.Expr:
    inside = time.is_between(cells.EARLIEST, cells.LATEST, closed="left")
    return pl.when(inside).then(time).cast(pl.Int64).cast(MICROSECOND)


def _parse(text: pl.Expr, pattern: str) -> pl.Expr:
    """Text by a pattern of Python's strptime, in which %f is a fraction of any length."""
    chrono = pattern.replace(".%f", "%.f").replace("%f", "%6f")
    if not any(code in pattern for code in ("%H", "%I", "%T", "%X", "%c", "%R")):
        text, chrono = text + " 00:00", f"{chrono} %H:%M"
    elif "%H" in pattern and not any(code in pattern for code in ("%M", "%T", "%R")):
        text, chrono = text + " 00", f"{chrono} %M"
    time = text.str.to_datetime(chrono, time_unit="us", strict=False)
    year = time.dt.year()
    return pl.when(year.is_between(*cells.YEARS, closed="left")).then(time)


def _written(column: _Column, form: str | None) -> tuple[pl.LazyFrame, pl.Expr, bool, str]:
    """The parts of written dates, with or without time of day, then as `_counted`. The order of day
    and month is that which fits all of them."""
    compact = column.head.str.contains(cells.COMPACT).all()
    groups = column.text.str.extract_groups(cells.COMPACT if compact else cells.WRITTEN)
    parts = column.rows.frame.select(
        ROW, text=column.text, parts=groups.struct.rename_fields(list(GROUPS))
    ).unnest("parts")
    first, second, third, offset = (pl.col(name) for name in (*GROUPS[:3], "offset"))
    named = second.str.contains("[A-Za-z]")
    short = (third.str.len_chars() < 3) & (first.str.len_chars() < 4) & ~named
    day, month = (part.cast(pl.Int64, strict=False) for part in (first, second))
    facts = (
        parts.select(
            read=first.count(),
            iso=(first.str.len_chars() == 4).any(),
            names=named.any(),
            short=pl.col(ROW).filter(short).min(),
            dotted=pl.col("text").str.contains(r"^\d+\.\d+\.").all(),
            day_first=pl.col(ROW).filter(day.is_between(13, 31)).min(),
            month_first=pl.col(ROW).filter(month > 12).min(),
            offset=offset.count(),
            no_offset=pl.col(ROW).filter(first.is_not_null() & offset.is_null()).min(),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    if not facts["read"]:
        if column.head.str.contains(r"^\d{1,2}(:\d{2}){1,2}([.,]\d+)?$").all():
            _refuse_time_of_day(column)
        advice = f"write times as YYYY-MM-DD HH:MM:SS, or give {CHANGE} '%d.%m.%y %H:%M'"
        raise column.invalid(_first(column), advice)
    if facts["short"] is not None:
        advice = f"give {CHANGE}, such as '%d.%m.%y %H:%M'"
        raise column.refuse(facts["short"], "has a year of two digits", advice)
    if facts["offset"] and facts["no_offset"] is not None:
        what = "has no offset from UTC, other times have one"
        raise column.refuse(facts["no_offset"], what, "write all times alike")
    order = form or _order(column, facts)
    return parts, _in_utc(_moment(order), offset), not facts["offset"], order


def _order(column: _Column, facts: dict[str, Any]) -> str:
    """Which of `cells.DATES` all dates of a column are in."""
    days, months = facts["day_first"], facts["month_first"]
    if facts["iso"] or facts["names"]:
        return "iso" if facts["iso"] else "month-name"
    if days is not None and months is not None:
        what = "has day and month in another order than other dates"
        raise column.refuse(max(days, months), what, "write dates as YYYY-MM-DD")
    if days is None and months is None and not facts["dotted"]:
        what = "is ambiguous, like all other dates: day and month"
        raise column.refuse(_first(column), what, f"give {CHANGE} day-first or month-first")
    return "month-first" if months is not None else "day-first"


def _moment(order: str) -> pl.Expr:
    """Local time of the columns `GROUPS`."""
    places = {"iso": (0, 1, 2), "month-first": (2, 0, 1)}.get(order, (2, 1, 0))
    year, month, day = (pl.col(GROUPS[place]) for place in places)
    if order == "month-name":
        numbers = {name: f"{number:02}" for number, name in enumerate(cells.MONTHS, 1)}
        month = month.str.to_lowercase().str.head(3).replace_strict(numbers, default=None)
        century = pl.when(year >= "69").then(pl.lit("19")).otherwise(pl.lit("20"))
        year = pl.when(year.str.len_chars() == 2).then(century + year).otherwise(year)
    hour, half = pl.col("hour").cast(pl.Int64), pl.col("half").str.to_lowercase()
    twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + 12 * (half == "p").cast(pl.Int64))
    hour = pl.when(half.is_in(["a", "p"])).then(twelve).otherwise(hour.fill_null(0))
    leap = pl.col("seconds") == "60"  # kept apart from the next second
    fraction = pl.col("fraction").fill_null("0").str.head(6)
    usual = pl.concat_str(pl.col("seconds").fill_null("0"), fraction, separator=".")
    seconds = pl.when(leap).then(pl.lit("59.999999")).otherwise(usual)
    text = pl.format(
        "{}-{}-{} {}:{}:{}", year, month, day, hour, pl.col("minute").fill_null("0"), seconds
    )
    time = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return pl.when(time.dt.year().is_between(*cells.YEARS, closed="left")).then(time)


def _in_utc(time: pl.Expr, offset: pl.Expr | None = None) -> pl.Expr:
    if offset is None:
        return time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    digits = offset.str.replace_all(r"[^\d]", "").str.pad_end(4, "0")
    minutes = digits.str.head(2).cast(pl.Int64) * 60 + digits.str.tail(2).cast(pl.Int64)
    minutes = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    return time - pl.duration(minutes=minutes.fill_null(0))


def _first(column: _Column) -> int:
    row = column.rows.first(column.text.is_not_null())
    assert row is not None
    return row


def _refuse_time_of_day(column: _Column) -> None:
    raise column.refuse(
        _first(column),
        "is a time of day without a date",
        "give both columns, such as --time Date,Time; or --ignore it and give the step in seconds, "
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
    """Convert local `time` to UTC. In the hour that autumn repeats, a reading belongs to the second
    pass from where the clock was set back, in the order of the file.

    Args:
        keys: row, series, time; the rows of a series from the oldest to the newest.
        zone: IANA name.

    Returns:
        The keys in UTC, and the number of readings in a repeated hour.

    Raises DataError: a time does not exist in the zone (the hour skipped in spring), or rows that
        are out of order leave open when the clock was set back.
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
    night = (pl.col("series"), pl.col("early").dt.date())
    # Setting back takes the length of the repeated hour; a row out of order goes back less.
    half = (pl.col("late") - pl.col("early")) / 2
    both = both.with_columns(
        back=(ambiguous & (step < pl.duration())).fill_null(False),
        far=(ambiguous & (step <= -half)).fill_null(False),
        still=(ambiguous & (step == pl.duration())).fill_null(False),
    )
    turns = pl.when(pl.col("far").any().over(night)).then("far").otherwise("still")
    count, back = pl.col("far").sum().over(night), pl.col("back").any().over(night)
    unclear = both.filter(ambiguous & ((count > 1) | ((count == 0) & back)))
    if unclear.height:
        row, time = unclear.filter("back").select(ROW, "time").row(0)
        raise DataError(
            f"{rows.where(row)}: {time} goes back within the hour that {zone} has twice: rows out "
            f"of order there, {unclear.height:,} rows could be in either pass",
            "correct the order of these rows, or write their times with an offset from UTC",
        )
    both = both.with_columns(turned=turns.cast(pl.Int32).cum_sum().over(night) > 0)
    late = ambiguous & pl.col("turned")
    both = both.with_columns(time=pl.when(late).then("late").otherwise("early"))
    return both.select(keys.columns), int(both["ambiguous"].sum())
