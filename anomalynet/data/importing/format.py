"""How a table of readings is read: the options of an import, and what it decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True, slots=True, frozen=True)
class TableFormat:
    """How a table becomes readings. What is empty is detected from the file.

    An import stores the format that it found with the data set, and an exported model carries it,
    so that `anomalynet detect` reads the file that was imported without another word. Columns are
    named as in the file.
    """

    separator: str | None = None  # between fields; " " is any run of spaces and tabs
    decimal: Literal[".", ","] | None = None
    thousands: str | None = None  # "" for none; one of . , ' and a space
    header: bool = True  # whether the first line has the names of the columns
    columns: tuple[str, ...] = ()  # their names in a file without a header
    time: str | None = None
    """Column of the time, or several, separated by commas, which are joined by a space. Empty: rows
    are `period` seconds apart (default 1), in file order."""
    time_format: str | None = None
    """One of `cells.TIME_FORMATS`, or a pattern of strptime with a `%`."""
    timezone: str | None = None  # IANA name. Empty: times without an offset are UTC.
    series: str | None = None
    """Empty: the table is one recording, which an import names after the set, and `detect` after
    the file."""
    series_from_name: bool = False  # each file is a recording, named by the file
    label: str | None = None
    kind: str | None = None
    """Type of attack. Without `label`, a row is an attack unless this column says normal."""
    split: str | None = None
    attack: tuple[str, ...] = ()  # words of the label, beside the usual ones
    normal: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    null: tuple[str, ...] = ()  # additional words for a missing reading
    switches: tuple[str, ...] = ()  # sensors of TRUE and FALSE alone, which are 1 and 0; found
    channels: tuple[str, ...] = ()  # the sensors; empty: all columns without another role
    ignore: tuple[str, ...] = ()
    period: float | None = None  # seconds. Empty: the median step if steps are regular.
    unsorted: Literal["refuse", "sort"] = "refuse"
    duplicates: Literal["refuse", "first", "last", "mean", "keep"] = "refuse"
