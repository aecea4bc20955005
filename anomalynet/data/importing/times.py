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

    time: pl.Expr  # Datetime("us"), null where a cell is invalid
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
    if isinstance(dtype, pl.Datetime):
        raw = pl.col(str(indices[0]))
        utc = raw if dtype.time_zone is None else _in_utc(raw)
        clock = Clock(utc.cast(MICROSECOND), local=dtype.time_zone is None, format=None)
    elif dtype == pl.Date:
        clock = Clock(pl.col(str(indices[0])).cast(MICROSECOND), local=True, format=None)
    elif form is not None and "%" in form:
        clock = _by_pattern(column, form)
    elif form in cells.MICROSECONDS or form == cells.EXCEL:
        clock = _number(column, form)
    elif form is None and column.is_numeric:
        clock = _number(column, _number_format(column, alone))
    else:
        clock = _written(column, form)
    bad = rows.first(clock.time.is_null())
    if bad is not None:
        raise column.invalid(bad, "correct or remove the line")
    return clock


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
        what = f"invalid time {self.cell(row)!r} in column {self.name!r}"
        return DataError(f"{self.rows.where(row)}: {what}", advice)

    def refuse(self, condition: pl.Expr | None, what: str, advice: str) -> DataError:
        """An error of the whole column, with the first row that shows it."""
        row = self.rows.first(self.text.is_not_null() if condition is None else condition)
        where, example = str(self.rows.path), self.head[0]
        if row is not None:
            where, example = self.rows.where(row), self.cell(row)
        return DataError(f"{where}: time column {self.name!r}: {example!r} {what}", advice)


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
        first = next(
            (unit for unit in cells.MICROSECONDS if _in_unit(float(column.head[0]), unit)), None
        )
        other = None if first is None else ~value.is_between(*_range(first))
        raise column.refuse(
            other,
            "does not fit the other times, or its year is outside 1900 to 2199",
            f"correct the line, or give {CHANGE} (seconds, milliseconds, excel, '%Y%m%d' …)",
        )
    if len(fits) > 1:
        forms = " or ".join(map(repr, fits))
        raise column.refuse(None, f"could be {forms}", f"give {CHANGE} with one of them")
    return fits[0]


def _range(unit: str) -> tuple[float, float]:
    """Numbers that are times of this unit: from a thousandth of it on, a smaller unit is meant."""
    per = cells.MICROSECONDS[unit]
    latest = cells.LATEST / per
    return (cells.EARLIEST / per if unit == "seconds" else 1e8 * 1e6 / per, latest)


def _in_unit(value: float, unit: str) -> bool:
    low, high = _range(unit)
    return low <= value < high


def _number(column: _Column, form: str) -> Clock:
    if "%" in form:
        return _by_pattern(column, form)
    value = column.text.cast(pl.Float64, strict=False)
    if form == cells.EXCEL:
        time = ((value - cells.EXCEL_EPOCH) * 86_400e6).round()
        return Clock(_bounded(time), local=True, format=form)
    per = cells.MICROSECONDS[form]
    whole = column.text.cast(pl.Int64, strict=False)  # exact where a float is not
    exact = whole // 1_000 if per < 1 else whole * round(per)
    time = pl.coalesce(exact, (value * per).round().cast(pl.Int64, strict=False))
    return Clock(_bounded(time), local=False, format=form)


def _bounded(time: pl.Expr) -> pl.Expr:
    inside = time.is_between(cells.EARLIEST, cells.LATEST, closed="left")
    return pl.when(inside).then(time).cast(pl.Int64).cast(MICROSECOND)


def _by_pattern(column: _Column, pattern: str) -> Clock:
    aware = "%z" in pattern
    time = _parse(column.text, pattern)
    return Clock(_in_utc(time) if aware else time, local=not aware, format=pattern)


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


def _written(column: _Column, form: str | None) -> Clock:
    """Dates with or without time of day, in the order of day and month that fits all of them."""
    written = column.text.str.extract_groups(cells.WRITTEN).struct.rename_fields(list(GROUPS))
    compact = column.text.str.extract_groups(cells.COMPACT).struct.rename_fields(list(GROUPS))
    parts = compact if _matches(column.head, cells.COMPACT) else written
    first, second, third = (parts.struct.field(name) for name in GROUPS[:3])
    offset = parts.struct.field("offset")
    day, month = first.cast(pl.Int64, strict=False), second.cast(pl.Int64, strict=False)
    dotted = column.text.str.contains(r"^\d+\.\d+\.")
    named = second.str.contains("[A-Za-z]")
    short = (third.str.len_chars() < 3) & (first.str.len_chars() < 4) & ~named
    facts = column.facts(
        read=first.count(),
        year_first=(first.str.len_chars() == 4).sum(),
        names=named.sum(),
        day_first=((day > 12) & (day < 32)).sum(),
        month_second=(month > 12).sum(),
        dotted=dotted.sum(),
        short=short.sum(),
        offset=offset.count(),
    )
    if not facts["read"]:
        if column.head.str.contains(r"^\d{1,2}(:\d{2}){1,2}([.,]\d+)?$").all():
            _refuse_time_of_day(column)
        advice = f"write times as YYYY-MM-DD HH:MM:SS, or give {CHANGE} '%d.%m.%y %H:%M'"
        raise column.invalid(_first(column), advice)
    if facts["short"]:
        raise column.refuse(
            short, "has a year of two digits", f"give {CHANGE}, such as '%d.%m.%y %H:%M'"
        )
    if 0 < facts["offset"] < facts["read"]:
        raise column.refuse(
            first.is_not_null() & offset.is_null(),
            "has no offset from UTC, other times have one",
            "write all times alike",
        )
    order = form or _order(column, facts, first, second, day, month)
    return Clock(_in_utc(_moment(parts, order), offset), facts["offset"] == 0, order)


def _order(
    column: _Column,
    facts: dict[str, Any],
    first: pl.Expr,
    second: pl.Expr,
    day: pl.Expr,
    month: pl.Expr,
) -> str:
    """Which of `cells.DATES` all dates of a column are in."""
    if facts["year_first"]:
        return "iso"
    if facts["names"]:
        return "month-name"
    if facts["day_first"] and facts["month_second"]:
        raise column.refuse(
            (month > 12) if column.facts(first=day.first())["first"] > 12 else (day > 12),
            "has day and month in another order than other dates",
            "write dates as YYYY-MM-DD",
        )
    if facts["day_first"] or facts["dotted"] == facts["read"]:
        return "day-first"
    if facts["month_second"]:
        return "month-first"
    raise column.refuse(
        None,
        "is ambiguous, like all other dates: day and month",
        f"give {CHANGE} day-first or month-first",
    )


def _moment(parts: pl.Expr, order: str) -> pl.Expr:
    """Local time of the groups of a written time."""
    group = {name: parts.struct.field(name) for name in GROUPS}
    places = {
        "iso": ("first", "second", "third"),
        "month-first": ("third", "first", "second"),
    }.get(order, ("third", "second", "first"))
    year, month, day = (group[place] for place in places)
    if order == "month-name":
        numbers = {name: f"{number:02}" for number, name in enumerate(cells.MONTHS, 1)}
        month = month.str.to_lowercase().str.head(3).replace_strict(numbers, default=None)
        century = pl.when(year >= "69").then(pl.lit("19")).otherwise(pl.lit("20"))
        year = pl.when(year.str.len_chars() == 2).then(century + year).otherwise(year)
    hour = group["hour"].fill_null("0").cast(pl.Int64)
    half = group["half"].str.to_lowercase()
    twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + 12 * (half == "p").cast(pl.Int64))
    hour = pl.when(half.is_in(["a", "p"])).then(twelve).otherwise(hour)
    leap = group["seconds"] == "60"  # kept apart from the next second
    seconds = pl.when(leap).then(pl.lit("59")).otherwise(group["seconds"].fill_null("00"))
    fraction = group["fraction"].fill_null("0").str.head(6).str.pad_end(6, "0")
    fraction = pl.when(leap).then(pl.lit("999999")).otherwise(fraction)
    date = pl.concat_str([year, month, day], separator="-")
    clock = pl.concat_str(
        [hour.cast(pl.String), group["minute"].fill_null("00"), seconds], separator=":"
    )
    text = pl.concat_str([date, pl.lit(" "), clock, pl.lit("."), fraction])
    time = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return pl.when(time.dt.year().is_between(*cells.YEARS, closed="left")).then(time)


def _in_utc(time: pl.Expr, offset: pl.Expr | None = None) -> pl.Expr:
    if offset is None:
        return time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    digits = offset.str.replace_all(r"[^\d]", "").str.pad_end(4, "0")
    minutes = digits.str.head(2).cast(pl.Int64) * 60 + digits.str.tail(2).cast(pl.Int64)
    minutes = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    return time - pl.duration(minutes=minutes.fill_null(0))


def _matches(head: pl.Series, pattern: str) -> bool:
    return bool(head.str.contains(pattern).all())


def _first(column: _Column) -> int:
    row = column.rows.first(column.text.is_not_null())
    assert row is not None
    return row


def _refuse_time_of_day(column: _Column) -> None:
    raise column.refuse(
        None,
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
