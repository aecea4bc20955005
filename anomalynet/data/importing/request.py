"""What an import is asked to do, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(kw_only=True, slots=True, frozen=True)
class ImportRequest:
    """One table, and what its columns mean. Columns that are not named and not ignored are
    sensors."""

    file: Path
    name: str
    """The name that `data.name` will take: [a-z0-9_-]+."""
    time: str | None = None
    """Empty: rows are `period` seconds apart (1 where that is not given either), in file order."""
    label: str | None = None
    series: str | None = None
    """Empty: the table is one recording."""
    split: str | None = None
    kind: str | None = None
    """Type of attack. Without `label`, a row is normal where this says so, else attack."""
    incidents: Path | None = None
    channels: tuple[str, ...] = ()
    """Empty: every column that is not named otherwise."""
    ignore: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    separator: str | None = None
    """Empty: found out."""
    period: float | None = None
    """Seconds. Empty: the median step, where steps are regular."""
    timezone: str | None = None
    """IANA name. Empty: times without an offset are UTC."""
    null: tuple[str, ...] = ()
    """More words for a missing reading."""
    unlabelled: tuple[str, ...] = ()
    """More words for a missing label."""
    unsorted: Literal["refuse", "sort"] = "refuse"
    duplicates: Literal["refuse", "first", "last", "mean", "keep"] = "refuse"
    replace: bool = False


@dataclass(kw_only=True, slots=True, frozen=True)
class ImportReport:
    """What stands in the data folder now."""

    name: str
    folder: Path
    series: int
    rows: int
    channels: tuple[str, ...]
    period: float | None
    prevalence: float | None
    """Share of attack among labelled rows; None without labels."""
    incidents: int
    counts: dict[str, int]
    warnings: tuple[str, ...]
