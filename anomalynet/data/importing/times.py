"""Converts a column of text or numbers to UTC times, by the rules of `cells.read_time`. The format
is decided once, over the whole column; formats that fit equally well are refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import polars as pl

from anomalynet.data.importing import cells
from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.errors import DataError

CHANGE = "--time-format"
SHORT = "'%d.%m.%y %H:%M'"
DETECTED = (662_688_000_000_000, 2_524_608_000_000_000)
"""Years 1991 to 2049 in microseconds: ticks of .NET would be nanoseconds of 1990."""
ELAPSED = 1e8  # seconds; smaller numbers are seconds since the start of a recording
MICROSECOND = pl.Datetime("us")
MINUTES = r"^([^:]*[T ][0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9])(?:[.,]([0-9]{1,6})[0-9]*)?)?(.*)$"
OFFSET = r".*?((?<!%)Z|UTC|GMT|[-+]\d\d:?\d\d)$"  # at the end of a pattern, not as %z
SHORT_DATES = {4: ("%Y",), 6: ("%Y%m", "%y%m%d", "%d%m%y", "%m%d%y"), 7: ("%Y%j",)}
"""As `cells.DIGITS`, where only times of readings are judged."""
DAYS = {"Julian days": 2_440_587.5, "days of MATLAB": 719_529, "modified Julian days": 40_587}
"""Clocks that count days, and 1970-01-01 00:00 in them."""
HEADINGS = {"ms": "milliseconds", "mil": "milliseconds", "us": "microseconds", "µs": "microseconds"}
HEADINGS |= {"mic": "microseconds", "ns": "nanoseconds", "nan": "nanoseconds", "min": "minutes"}
HEADINGS |= {**dict.fromkeys(("h", "hr", "hrs", "hou"), "hours"), "d": "days", "day": "days"}
"""First letters of a word in a heading that names the unit of its times."""
SECONDS = {"s", "sec", "secs", "second", "seconds"}
COMPACT_MINUTES = MINUTES.replace(":(", ":?(")
"""What is before the minutes, then minutes, seconds and their fraction if valid, and the rest."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A parsed time column."""

    time: pl.DataFrame  # columns row and time, Datetime("us"), in the order of the rows
    local: bool  # wall-clock time without an offset
    format: str | None  # for `TableFormat.time_format`; None for a column of dates


def read_clock(
    rows: Rows, indices: Sequence[int], form: str | None, alone: bool, sampled: bool = True
) -> Clock:
    """Find the format of a time column.

    Args:
        indices: of the column, or of several that are joined by a space.
        form: the format, if it is known.
        alone: the table is one recording, without duplicate timestamps.
        sampled: times are of readings, enough to tell seconds from other clocks and short dates.

    Raises DataError: an unknown format, missing or invalid times, times without a date, or several
        formats that fit.
    """
    if form is not None and form not in cells.TIME_FORMATS and "%" not in form:
        raise DataError(
            f"unknown time format {form!r}",
            f"give {', '.join(cells.TIME_FORMATS)}, or a pattern such as {SHORT}",
        )
    given, column = form, _Column(rows, indices)
    dtype = rows.dtype(indices[0]) if len(indices) == 1 else pl.String()
    frame, raw = rows.frame, pl.col(str(indices[0]))
    if isinstance(dtype, pl.Datetime):
        time, local = raw if dtype.time_zone is None else _in_utc(raw), dtype.time_zone is None
        time = _bounded(time.cast(MICROSECOND).to_physical())
    elif dtype == pl.Date:
        time, local = _bounded(raw.cast(MICROSECOND).to_physical()), True
    elif form in cells.DATES or (form is None and not cells.NUMBER.match(column.head)):
        frame, time, local, form = _written(column, form)
    else:
        time, local, form = _counted(column, form or _number_format(column, alone, sampled))
    found = frame.select(ROW, time=time.cast(MICROSECOND)).collect(engine="streaming").sort(ROW)
    for row in found.filter(pl.col("time").is_null())[ROW].head(1):
        if given is not None and row == column.first:
            raise column.refuse(row, f"does not fit {given!r}", f"correct or leave out {CHANGE}")
        years = f"years {cells.YEARS[0]} to {cells.YEARS[1] - 1}"
        raise column.invalid(row, f"correct or remove the line; times are of the {years}")
    return Clock(found, local, form)


class _Column:
    """The text of a time column, for detection and messages."""

    def __init__(self, rows: Rows, indices: Sequence[int]) -> None:
        self.rows = rows
        self.name = ",".join(rows.names[index] for index in indices)
        texts = [rows.text(index) for index in indices]
        text = texts[0] if len(texts) == 1 else pl.concat_str(texts, separator=" ")
        self.text = text.str.replace(r"^([0-9]{4,})\.0+$", "$1")  # digits that became decimals
        decimal = self.text.str.replace(r"^([-+]?[0-9]*),([0-9]*)$", "$1.$2")
        self.number = decimal.cast(pl.Float64, strict=False)
        head = rows.frame.select(ROW, text=self.text).drop_nulls().head(1).collect()
        if not head.height:
            raise DataError(f"{rows.path}: time column {self.name!r} is empty")
        self.first: int = head[ROW][0]
        self.head: str = head["text"][0]

    def select(self, **query: pl.Expr) -> pl.DataFrame:
        """Expressions over the rows, in their order."""
        return self.rows.frame.select(ROW, **query).collect(engine="streaming").sort(ROW)

    def invalid(self, row: int, advice: str) -> DataError:
        """The error that a time is invalid."""
        what = f"invalid time {self._cell(row)} in column {self.name!r}"
        return DataError(f"{self.rows.where(row)}: {what}", advice)

    def refuse(self, row: int, what: str, advice: str) -> DataError:
        """An error of the whole column, with a row that shows it."""
        where = self.rows.where(row)
        return DataError(f"{where}: time column {self.name!r}: {self._cell(row)} {what}", advice)

    def refuse_time_of_day(self) -> DataError:
        """The error that a column has no dates."""
        return self.refuse(
            self.first,
            "is a time of day without a date",
            "give both columns, such as --time Date,Time; or --ignore it and give the step in "
            "seconds, such as --period 60",
        )

    def _cell(self, row: int) -> str:
        found = self.rows.frame.filter(pl.col(ROW) == row).select(self.text.fill_null(""))
        return cells.quote(found.collect().item())


def _number_format(column: _Column, alone: bool, sampled: bool) -> str:
    """The only format that fits all numbers of a column, with times in `DETECTED`."""
    value, length = column.number, column.text.str.len_chars()
    facts = column.rows.frame.select(
        low=value.min(),
        high=value.max(),
        whole=(value == value.floor()).all(),
        repeats=value.n_unique() < pl.len(),
        digits=(column.text.str.contains("^[0-9]+$") & (length == length.first())).all(),
    )
    low, high, whole, repeats, digits = facts.collect(engine="streaming").row(0)
    if alone and whole and repeats and low >= 0 and high in (23, 24):
        raise column.refuse_time_of_day()
    fits = [unit for unit in cells.MICROSECONDS if _in_unit(low, high, unit)]
    patterns = cells.DIGITS.get(len(column.head), ()) if digits else ()
    if digits and sampled:
        patterns += SHORT_DATES.get(len(column.head), ())
    for pattern in patterns if sampled else patterns[:1]:
        dated = column.select(time=_parse(column.text, pattern))["time"].to_physical()
        first = cells.EARLIEST if pattern in ("%Y", "%Y%m", "%Y%j") else DETECTED[0]
        if dated.is_between(first, DETECTED[1], closed="left").fill_null(False).all():
            fits.append(pattern)
    if low >= 20_000 and high < 80_000:  # the years 1954 to 2119 as days of a spreadsheet
        fits.append(cells.EXCEL)
    head = float(column.head.replace(",", "."))
    days = _days(head, low, high) if sampled and "seconds" in fits else ""
    if len(fits) > 1 or days:
        meant = " or ".join(f"{form!r} ({_date(column.head, form)})" for form in fits)
        also = days and "; or write days as YYYY-MM-DD HH:MM:SS"
        what, advice = f"could be {meant}{days}", f"give {CHANGE} with one{also}"
        raise column.refuse(column.first, what, advice)
    words = re.findall("[a-zµ]+", re.sub("([a-z])([A-Z])", r"\1 \2", column.name).lower())
    units = [HEADINGS[word[:3]] for word in words if word[:3] in HEADINGS]
    if fits == ["seconds"] and sampled and units and not SECONDS & {*words}:
        unit = units[-1]
        what = f"would be in seconds, but the heading names {unit}"
        raise column.refuse(column.first, what, f"give {CHANGE} {unit}, or {CHANGE} seconds")
    advice = (
        f"correct the line, or give {CHANGE} ({', '.join(cells.MICROSECONDS)}, excel, '%Y%m%d' …); "
        "write other clocks, such as Julian days, as YYYY-MM-DD HH:MM:SS"
    )
    if not fits:
        unit = next((unit for unit in cells.MICROSECONDS if _in_unit(head, head, unit)), "seconds")
        times = column.select(text=column.text, value=value).drop_nulls().iter_rows()
        row, text = next(time[:2] for time in times if not _in_unit(time[2], time[2], unit))
        dates = {unit: _date(text, unit) for unit in cells.MICROSECONDS}
        date = next((f"{date} in {unit}" for unit, date in dates.items() if date), "no date")
        what = f"would be {date}: outside the years 1991 to 2049, or unlike the other times"
        raise column.refuse(row, what, advice)
    if fits == ["seconds"] and high < ELAPSED and sampled:
        steps = column.select(value=value)["value"].diff().abs()
        step = steps.filter(steps > 0).quantile(0.5) or 0.0
        if 0 < step < 1e-3 or (not whole and low > 1000 and high - low < 1000):  # days or years
            what = f"would be {_date(column.head, fits[0])} in seconds, in steps of {step:.3g} s"
            raise column.refuse(column.first, what, advice)
    return fits[0]


def _days(head: float, low: float, high: float) -> str:
    """The day that a number is by the clocks of `DAYS` that fit."""
    first, end = (moment / 86_400e6 for moment in DETECTED)
    fits = [name for name, zero in DAYS.items() if first <= low - zero <= high - zero < end]
    dates = [_date(str(86_400 * (head - DAYS[name])), "seconds") for name in fits]
    return "".join(f" or {name} ({date})" for name, date in zip(fits, dates, strict=True))


def _in_unit(low: float, high: float, unit: str) -> bool:
    """Whether numbers from `low` to `high` can be times of this unit; elapsed times are seconds."""
    first, end = (moment / cells.MICROSECONDS[unit] for moment in DETECTED)
    elapsed = unit == "seconds" and abs(low) < ELAPSED
    return (elapsed or low >= first) and high < end


def _date(text: str, form: str) -> str:
    """The day that a number is in a format; empty if it is invalid."""
    time = cells.read_time(text, form)
    return "" if time is None else f"{cells.EPOCH + timedelta(microseconds=time):%Y-%m-%d}"


def _counted(column: _Column, form: str) -> tuple[pl.Expr, bool, str]:
    """Time, whether it is local, and the format: a pattern, a unit or days of a spreadsheet."""
    if "%" in form:
        time, aware = _parse(column.text, form), "%z" in form
        literal = re.match(OFFSET, form)
        if literal and literal[1].strip("-+0:").isdigit():
            what = f"has the offset {literal[1]}, which a format cannot name"
            raise column.refuse(column.first, what, f"write %z for it in {CHANGE}")
        return _in_utc(time) if aware else time, not (aware or literal), form
    if form == cells.EXCEL:
        return _bounded(_spreadsheet_time(column)), True, form
    per = cells.UNITS[form]
    whole = column.text.cast(pl.Int64, strict=False)  # exact where a float is not
    exact = whole // 1_000 if per < 1 else whole * round(per)
    time = pl.coalesce(exact, (column.number * per).round().cast(pl.Int64, strict=False))
    return _bounded(time), False, form


def _spreadsheet_time(column: _Column) -> pl.Expr:
    """Microseconds of spreadsheet days; whole seconds if all are within the column's rounding."""
    time = ((column.number - cells.EXCEL_EPOCH) * 86_400e6).round()
    seconds = (time / 1e6).round() * 1e6
    decimals = column.text.str.extract("[.,]([0-9]+)$").str.len_chars().max().fill_null(0)
    few = (time - seconds).abs().max() <= 86_400e6 / 2 / 10.0**decimals + 10  # 10: of a float
    return pl.when(few).then(seconds).otherwise(time)


def _bounded(time: pl.Expr) -> pl.Expr:
    inside = time.is_between(cells.EARLIEST, cells.LATEST, closed="left")
    return pl.when(inside).then(time).cast(pl.Int64)


def _parse(text: pl.Expr, pattern: str) -> pl.Expr:
    """Text by a pattern of Python's strptime, in which %f is a fraction of any length."""
    if found := re.match(r"(.*)([^.\w])%f", pattern):  # Polars needs a point before a fraction
        count, sign = found[1].count(found[2]), re.escape(found[2])
        start = f"^((?:[^{sign}]*{sign}){{{count}}}[^{sign}]*){sign}"
        text, pattern = text.str.replace(start, "${1}."), pattern.replace(f"{found[2]}%f", ".%f")
    for code in ("%m", "%d") if "%Y" in pattern else ():  # without one: the first, as in Python
        if not re.search("%[jcDFx]" + {"%m": "|%[mbBh]", "%d": "|%[de]"}[code], pattern):
            text, pattern = text + " 01", f"{pattern} {code}"
    chrono = pattern.replace(".%f", "%.f").replace("%f", "%6f")
    if not any(code in pattern for code in ("%H", "%I", "%T", "%X", "%c", "%R")):
        text, chrono = text + " 00:00", f"{chrono} %H:%M"
    elif "%H" in pattern and not any(code in pattern for code in ("%M", "%T", "%R")):
        text, chrono = text + " 00", f"{chrono} %M"
    time = text.str.to_datetime(chrono, time_unit="us", strict=False)
    year = time.dt.year()
    return pl.when(year.is_between(*cells.YEARS, closed="left")).then(time)


def _written(column: _Column, form: str | None) -> tuple[pl.LazyFrame, pl.Expr, bool, str]:
    """The parts of written dates, then as `_counted`. `cells` reads each distinct hour, whose
    minutes and seconds are added."""
    pattern = COMPACT_MINUTES if cells.COMPACT.match(column.head) else MINUTES
    names = ("before", "minute", "second", "fraction", "rest")
    groups = column.text.str.extract_groups(pattern).struct.rename_fields(names)
    parts = column.select(text=column.text, groups=groups).unnest("groups")
    hour = pl.coalesce(pl.col("before") + ":00" + pl.col("rest"), "text")
    parts = parts.select(ROW, *names[1:4], hour=hour)
    hours = parts.group_by("hour").agg(pl.col(ROW).min()).drop_nulls().sort(ROW)
    dates = [(row, found) for text, row in hours.rows() if (found := cells.written(text))]
    if not dates:
        if re.match(r"\d{1,2}(:\d{2}){1,2}([.,]\d+)?$", column.head):
            raise column.refuse_time_of_day()
        advice = f"write times as YYYY-MM-DD HH:MM:SS, or give {CHANGE} {SHORT}"
        raise column.invalid(column.first, advice)
    for row, (one, two, three, *_) in dates if form in (None, "iso") else ():
        if len(one) < 4 and len(three) < 3 and not two.isalpha():
            advice = f"give {CHANGE} day-first, month-first or {SHORT}"
            raise column.refuse(row, "has a year of two digits", advice)
    local = [row for row, parts in dates if not parts[-1]]
    if local and len(local) < len(dates):
        what = "has no offset from UTC, other times have one"
        raise column.refuse(local[0], what, "write all times alike")
    form = form or _order(column, dates, hours["hour"])
    known = {text: cells.read_time(text, form) for text in hours["hour"]}
    time = pl.col("hour").replace_strict(known, default=None, return_dtype=pl.Int64)
    fraction = pl.col("fraction").str.pad_end(6, "0")
    for digits, unit in ((pl.col("minute"), 60), (pl.col("second"), 1), (fraction, 1e-6)):
        time += digits.cast(pl.Int64).fill_null(0) * round(unit * 1e6)
    return parts.lazy(), time, bool(local), form


def _order(column: _Column, dates: list[tuple[int, tuple[str, ...]]], texts: pl.Series) -> str:
    """Which of `cells.DATES` all dates of a column are in."""
    if any(len(parts[0]) == 4 for _, parts in dates):
        return "iso"
    if any(parts[1].isalpha() for _, parts in dates):
        return "month-name"
    days = [row for row, parts in dates if 12 < int(parts[0]) <= 31]
    months = [row for row, parts in dates if int(parts[1]) > 12]
    if days and months:
        what = "has day and month in another order than other dates"
        raise column.refuse(max(days[0], months[0]), what, "write dates as YYYY-MM-DD")
    if months:
        return "month-first"
    if days or texts.str.contains(r"^[0-9]+\.[0-9]+\.").all():
        return "day-first"
    what = "is ambiguous, like all other dates: day and month"
    raise column.refuse(column.first, what, f"give {CHANGE} day-first or month-first")


def _in_utc(time: pl.Expr) -> pl.Expr:
    return time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def check_local(rows: Rows, clock: Clock | None, zone: str | None, local: bool | None) -> None:
    """Raises DataError: times of labels or incidents have no offset and no zone, those of the
    readings (`local`; None: they have no times) are in UTC."""
    if clock and clock.local and not zone and local is False:
        raise DataError(
            f"{rows.where(clock.time[ROW][0])}: {clock.time['time'][0]} has no offset from UTC, "
            "the times of the readings have one or are counted from 1970",
            "give --timezone ZONE (or UTC), which is for these times: the readings keep theirs",
        )


def check_zone(name: str) -> None:
    """Raises DataError: unknown time zone."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"unknown time zone {name!r}", "use an IANA name, such as Europe/Berlin"
        ) from error


def to_utc(rows: Rows, keys: pl.DataFrame, zone: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Convert local `time` to UTC. In the hour that autumn repeats, a reading belongs to the second
    pass from where the clock was set back, in the order of the file. Where it was not, all readings
    of the hour are of the pass that keeps the usual step before and after them.

    Args:
        keys: row, series, time; the rows of a series from the oldest to the newest.
        zone: IANA name.

    Returns:
        The keys in UTC, and counts of readings in a repeated hour.

    Raises DataError: a time does not exist in the zone (the hour skipped in spring), or rows leave
        open in which pass they are: rows out of order, or an hour that no usual step decides.
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
    both = both.with_columns(
        disorder=(count > 1) | ((count == 0) & back),
        turned=turns.cast(pl.Int32).cum_sum().over(night) > 0,
        before=pl.col("early").diff().over("series", order_by="time"),
        after=pl.col("early").diff().shift(-1).over("series", order_by="time"),
    )
    usual = step.filter(step > pl.duration()).median().over("series")
    into = pl.col("before").filter(ambiguous).first().over(night, order_by="time")
    out = pl.col("after").filter(ambiguous).last().over(night, order_by="time")

    def keeps(*sides: pl.Expr) -> pl.Expr:
        """Whether the steps into and out of the hour are the usual one, where there are any."""
        near = [((one - usual).abs() < half / 2).fill_null(one.is_null()) for one in sides]
        return near[0] & near[1]

    both = both.with_columns(
        once=ambiguous & ~pl.col("turned").any().over(night),
        first=keeps(into, out),
        second=keeps(into + 2 * half, out - 2 * half),
    )
    undecided = pl.col("once") & (pl.col("first") == pl.col("second"))
    unclear = both.filter(ambiguous & (pl.col("disorder") | undecided))
    if unclear.height:
        shown = unclear.sort("back", descending=True, maintain_order=True)
        row, time = shown.select(ROW, "time").row(0)
        raise DataError(
            f"{rows.where(row)}: {time} is in the hour that {zone} has twice, where rows are out "
            f"of order or show it once: {unclear.height:,} rows could be in either pass",
            "correct their order, remove them, or write all times with an offset from UTC; if the "
            "clock is never changed, give its offset, such as --timezone +01:00",
        )
    late = ambiguous & (pl.col("turned") | (pl.col("once") & pl.col("second")))
    both = both.with_columns(time=pl.when(late).then("late").otherwise("early"))
    counts = {
        "readings in a repeated hour": int(both["ambiguous"].sum()),
        "readings in a repeated hour placed by the usual step": int(both["once"].sum()),
    }
    return both.select(keys.columns), {what: count for what, count in counts.items() if count}
