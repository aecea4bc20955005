"""The rules of one cell: what a time, a number, a label and a name look like, in tables and in
messages. Without Polars, so that a gateway reads messages by the rules of an import."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from math import isfinite, isnan
from unicodedata import category
from zoneinfo import ZoneInfo

from anomalynet.data.importing.format import TableFormat
from anomalynet.errors import DataError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = (1900, 2200)  # a time outside is invalid
MICROSECONDS = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0, "nanoseconds": 1e-3}
"""Units of a time that is a number since 1970 UTC, and their microseconds."""
UNITS = MICROSECONDS | {"minutes": 6e7, "hours": 3.6e9, "days": 86_400e6}
"""The same with those that are never detected, only given: mostly since a recording began."""
EXCEL = "excel"  # days since 1899-12-30, with the time of day as a fraction; local time
EXCEL_EPOCH = 25_569  # days from 1899-12-30 to 1970-01-01
DIGITS = {
    8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    10: ("%Y%m%d%H", "%y%m%d%H%M"),
    12: ("%Y%m%d%H%M", "%y%m%d%H%M%S", "%d%m%Y%H%M", "%m%d%Y%H%M"),
    14: ("%Y%m%d%H%M%S", "%d%m%Y%H%M%S", "%m%d%Y%H%M%S"),
}
"""Dates written as digits alone: number of digits and patterns, the year first in the usual one."""
DATES = ("iso", "day-first", "month-first", "month-name")
"""Orders of a written date: 2024-01-31, 31.01.2024, 01/31/2024, 31-Jan-2024."""
TIME_FORMATS = (*DATES, *UNITS, EXCEL)

WRITTEN = re.compile(
    r"(\d{1,4})[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ](\d{1,4})"  # 1 to 3: the date
    r"(?:(?:T|,? +)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"  # 4 to 7: hour to fraction
    r"(?: ?([AaPp])\.?[Mm]\.?)?)?"  # 8: half of the day
    r" ?(Z|UTC|[-+]\d\d(?::?\d\d)?)?$",  # 9: offset
    re.ASCII,
)
COMPACT = re.compile(
    r"(\d{4})(\d\d)(\d\d)T(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?()"
    r"(Z|[-+]\d\d(?::?\d\d)?)?$",
    re.ASCII,
)
"""20240131T235800Z, in the groups of `WRITTEN`."""
NUMBER = re.compile(r"[-+]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][-+]?[0-9]+)?$")
"""A time that is a number. A comma in it is a decimal comma."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def read_time(value: object, form: str | None = None, zone: str | None = None) -> int | None:
    """Microseconds since 1970 UTC of a time in a message or a cell; None if it is invalid.

        read_time("2024-01-31T23:58:00+01:00")            # 1706741880000000
        read_time(1706741880)                             # the same: seconds
        read_time("31.01.24 23:58", "%d.%m.%y %H:%M", "Europe/Berlin")

    Args:
        value: text or a number.
        form: one of `TIME_FORMATS`, or a pattern of strptime. Without it: ISO 8601, or seconds.
            Eight digits that could be a date or seconds are invalid then.
        zone: of times without an offset; UTC without it. A local time that the zone has twice or
            never is invalid.
    """
    quick = form is None or form == "iso"
    if quick and isinstance(value, str) and value[4:8:3] == "--" and value[13:17:3] == "::":
        try:  # what most messages have
            return _in_utc(datetime.fromisoformat(value), zone)
        except ValueError:
            return _by_parts(value.strip(), form, zone)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _by_number(value, form, zone)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if form is not None and "%" in form:
        return _by_pattern(text, form, zone)
    if NUMBER.match(text):
        ambiguous = form is None and _is_date(text)
        if ambiguous or form in DATES:
            return None
        return read_time(float(text.replace(",", ".")), form, zone)
    return _by_parts(text, form, zone) if form in (None, *DATES) else None


def _by_number(value: float, form: str | None, zone: str | None) -> int | None:
    if not abs(value) < 1e300:  # infinite, NaN, or too long for a float
        return None
    if form is not None and "%" in form:
        return _by_pattern(str(int(value)) if value == int(value) else str(value), form, zone)
    if form == EXCEL:
        return _local(_bounded((value - EXCEL_EPOCH) * 86_400e6), zone)
    if form == "nanoseconds" and isinstance(value, int):
        return _bounded(value // 1_000)
    return _bounded(value * UNITS.get(form or "", 1e6))


def _is_date(digits: str) -> bool:
    """Whether digits alone are a date, in the usual form of `DIGITS`: others can be seconds."""
    try:
        year = datetime.strptime(digits, DIGITS[len(digits)][0]).year
    except (KeyError, ValueError):
        return False
    return YEARS[0] <= year < YEARS[1]


def written(text: str) -> tuple[str, ...] | None:
    """The parts of a written time, empty where it has none: three of the date, hour, minute,
    second, fraction, half of the day, and offset. None: it is not one."""
    found = WRITTEN.match(text) or COMPACT.match(text)
    return found.groups("") if found else None


def _by_parts(text: str, form: str | None, zone: str | None) -> int | None:
    if (parts := written(text)) is None:
        return None
    year, month, day, hour, minute, second, fraction, half, offset = parts
    if form == "month-first":
        month, day, year = parts[:3]
    elif form in ("day-first", "month-name"):
        day, month, year = parts[:3]
    if form == "month-name":
        month = str(MONTHS.index(month[:3].lower()) + 1) if month[:3].lower() in MONTHS else ""
    if form in DATES[1:] and len(year) == 2:  # as in 25-Apr-19; without an order it could be a day
        year = ("19" if year >= "69" else "20") + year
    micro = fraction[:6].ljust(6, "0")
    if second == "60":  # a leap second: kept apart from the next second
        second, micro = "59", "999999"
    try:
        if len(year) != 4 or len(day) > 2 or (half and not 1 <= int(hour) <= 12):
            return None
        hours = int(hour) % 12 + 12 * (half in "Pp") if half else int(hour or 0)
        clock = hours, int(minute or 0), int(second or 0), int(micro)
        moment = _microseconds(datetime(int(year), int(month), int(day), *clock, tzinfo=UTC))
    except ValueError:
        return None
    return _bounded(moment - _offset(offset)) if offset else _local(moment, zone)


def _offset(text: str) -> int:
    """An offset from UTC, such as Z, +01, +0100 or -03:30, in microseconds."""
    digits = text[1:].replace(":", "").ljust(4, "0") if text[0] in "+-" else "0000"
    size = (int(digits[:2]) * 60 + int(digits[2:])) * 60_000_000
    return -size if text[0] == "-" else size


def _by_pattern(text: str, pattern: str, zone: str | None) -> int | None:
    try:
        return _in_utc(datetime.strptime(text, pattern), zone)
    except ValueError:
        return None


def _in_utc(moment: datetime, zone: str | None) -> int | None:
    if moment.tzinfo is not None:
        return _bounded(_microseconds(moment))
    return _local(_microseconds(moment.replace(tzinfo=UTC)), zone)


def _microseconds(moment: datetime) -> int:
    gone = moment - EPOCH
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


EARLIEST, LATEST = (_microseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in YEARS)
"""Bounds of a valid time, in microseconds; the second is outside."""


def _bounded(time: float) -> int | None:
    return round(time) if EARLIEST <= time < LATEST else None


def _local(time: int | None, name: str | None) -> int | None:
    """A local time in UTC; None if the zone has it twice or never."""
    if time is None or _bounded(time) is None or not name:
        return None if time is None else _bounded(time)
    moment = EPOCH.replace(tzinfo=_zone(name)) + timedelta(microseconds=time)
    offset = moment.utcoffset()
    if offset is None or offset != moment.replace(fold=1).utcoffset():
        return None
    return time - offset // timedelta(microseconds=1)


@cache
def _zone(name: str) -> tzinfo:
    fixed = name[0] in "+-"
    return timezone(timedelta(microseconds=_offset(name))) if fixed else ZoneInfo(name)


LARGEST = 1e18
"""Readings from here on are missing: the squares of larger ones overflow 32-bit floats."""
LONGEST_NAME = 128  # characters
SHOWN = 60  # characters of a cell in a message
NULLS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
THOUSANDS = {"": "", ".": r"\.", ",": ",", "'": "['\u2019]", " ": "[ \u00a0\u2009\u202f]"}
"""Signs between groups of three digits, and the characters that stand for them as a pattern."""
MINUS = "\u2212"  # typographic, as some spreadsheets write it
SWITCH = {"true": "1", "false": "0"}
"""Words of a sensor, whatever their case, and the digits that they stand for."""

UNLABELLED = ("-999",)
NORMAL = ("0", "false", "normal", "benign", "no", "ok")
ATTACK = ("1", "true", "attack", "anomaly", "anomalous", "abnormal", "malicious", "yes", "fault")
NO_KIND = ("none", "-")  # normal in a column of kinds


@cache
def number_pattern(decimal: str, thousands: str) -> str:
    """Numbers with these signs. The groups are of three digits, after the first, which begins with
    no zero."""
    point, sign = re.escape(decimal), THOUSANDS[thousands]
    whole = f"[0-9]+|[1-9][0-9]{{0,2}}(?:{sign}[0-9]{{3}})+" if thousands else "[0-9]+"
    if thousands == ",":
        whole += "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"  # Indian groups: 1,23,456
    return f"^[-+]?((?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+)([eE][-+]?[0-9]+)?$"


def read_number(text: str, decimal: str = ".", thousands: str = "") -> float | None:
    """A number as it is written in a cell; None if it is invalid, such as 1_0, 0x10, inf or 1e400.

        read_number("1.234,5", ",", ".")                  # 1234.5

    Args:
        decimal: the decimal sign.
        thousands: the sign between groups of three digits, a key of `THOUSANDS`.
    """
    text = text.strip().replace(MINUS, "-")
    if not re.match(number_pattern(decimal, thousands), text):
        return None
    if thousands:
        text = re.sub(THOUSANDS[thousands], "", text)
    value = float(text.replace(decimal, "."))
    return value if isfinite(value) else None


@cache
def null_numbers(form: TableFormat) -> tuple[float, ...]:
    """The words for a missing reading that are numbers, which count by value."""
    return tuple(value for word in form.null if (value := _as_number(word, form)) is not None)


def is_missing(value: object, form: TableFormat) -> bool:
    """Whether a reading in a message or a cell is missing: an empty cell, a word for it or NaN."""
    if isinstance(value, float | int):
        return isnan(value) or value in null_numbers(form)
    text = "" if value is None else str(value).strip()
    missing = text in NULLS or text in form.null or text.lstrip("+-").lower() == "nan"
    return missing or _as_number(text, form) in null_numbers(form)


def read_label(value: object, form: TableFormat, kind: bool = False) -> int | None:
    """1 for attack, 0 for normal; None for a missing or unknown label (see `is_label`).

        read_label(" TRUE", TableFormat())                # 1
        read_label(-1, TableFormat(attack=("-1",)))       # 1

    Args:
        value: of a message or a cell; numbers count by value, words without case and spaces.
        form: with further words.
        kind: it is a type of attack: every unknown word is one.

    Raises DataError: a word is given for two meanings.
    """
    key = _label_key(value, form)
    words = label_words(form)
    if kind and key in NO_KIND and key not in words:
        return 0
    if _is_unlabelled(value):
        return None
    return words.get(key, 1 if kind else None)


def is_label(value: object, form: TableFormat) -> bool:
    """Whether a label is missing or known."""
    return _is_unlabelled(value) or _label_key(value, form) in label_words(form)


@cache
def label_words(form: TableFormat) -> dict[float | str, int | None]:
    """Word (folded) or number → label. Raises DataError: a word is given for two meanings."""
    usual = {None: (*form.null, *UNLABELLED), 1: ATTACK, 0: NORMAL}  # --null 0: of readings
    given = {1: form.attack, 0: form.normal, None: form.unlabelled}
    known = {_label_key(word, form): label for label, words in usual.items() for word in words}
    own: dict[float | str, int | None] = {}
    for label, words in given.items():
        for word in words:
            key = _label_key(word, form)
            if own.setdefault(key, label) != label:
                raise DataError(
                    f"label {quote(word)} is given for two of --attack, --normal and --unlabelled",
                    "give it once",
                )
    return known | own


def _label_key(value: object, form: TableFormat) -> float | str:
    if isinstance(value, float | int):  # also True and False
        return float(value)
    for number in (read_number(str(value)), _as_number(str(value), form)):
        if number is not None:
            return number
    return " ".join(str(value).split()).casefold()


def _is_unlabelled(value: object) -> bool:
    return value is None or str(value).strip() in NULLS


def _as_number(text: str, form: TableFormat) -> float | None:
    return read_number(text, form.decimal or ".", form.thousands or "")


def quote(cell: object) -> str:
    """A cell or a name for a message, at most `SHOWN` of its characters."""
    text = str(cell)
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def is_name(text: str) -> bool:
    """Whether a name is not empty, and shown on one line as it is: without control characters,
    escape sequences, line ends and marks that turn the direction of writing.

        is_name("Temp. (°C)")                             # True
        is_name("a\\x1b[2J")                              # False: it would clear the screen
    """
    return bool(text) and all(one.isprintable() or category(one) == "Zs" for one in text)


def check_name(name: str, what: str) -> None:
    """Raises DataError: the name of a column, series or kind is blank, longer than `LONGEST_NAME`,
    or has characters that cannot be printed. `what` it names, and where."""
    problems = {
        "is blank": not name.strip(),
        "has characters that cannot be printed": not is_name(name),
        f"is longer than {LONGEST_NAME} characters": len(name) > LONGEST_NAME,
    }
    for problem in (text for text, has_it in problems.items() if has_it):
        raise DataError(f"{what} {quote(name)} {problem}", "rename it")
