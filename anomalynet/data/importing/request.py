"""The options of an import, the roles of columns, and the report of an import."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

from anomalynet.data.importing.cells import check_name
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.rows import Rows
from anomalynet.data.telemetry import MASK, RESERVED, Channel
from anomalynet.errors import DataError

ROLES = ("time", "label", "series", "kind", "split")
LABEL_NAMES = (
    *("label", "labels", "anomaly", "anomalies", "is_anomaly", "attack", "is_attack", "class"),
    *("target", "outlier", "changepoint", "ground_truth"),
)
"""Column names that are never sensors: used as a sensor, they would leak the label."""


@dataclass(kw_only=True, slots=True, frozen=True)
class ImportRequest(TableFormat):
    """The options of an import, whose names are those of the command line. Columns that are neither
    named nor ignored are sensors."""

    file: Path | tuple[Path, ...]  # one table, or several of the same columns
    name: str  # the new `data.name`: [a-z0-9_-]+
    incidents: Path | None = None  # intervals: CSV, or JSON windows
    labels: Path | None = None  # labels in a file of their own
    units: tuple[tuple[str, str], ...] = ()
    replace: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """All tables."""
        return (self.file,) if isinstance(self.file, Path) else self.file

    @property
    def form(self) -> TableFormat:
        """The format of the tables alone."""
        return TableFormat(**{one.name: getattr(self, one.name) for one in fields(TableFormat)})


@dataclass(kw_only=True, slots=True, frozen=True)
class ImportReport:
    """The imported set in the data folder."""

    name: str
    folder: Path
    series: int
    rows: int
    channels: tuple[str, ...]
    begins: str | None  # in UTC, ISO 8601; None without a column of times
    ends: str | None
    time_format: str | None  # as `TableFormat.time_format`; None for a column of dates too
    timezone: str | None  # in which times were read; None if they have an offset or are numbers
    period: float | None
    prevalence: float | None  # share of attack among labelled rows; None without labels
    incidents: int
    counts: dict[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Indices of the columns by role."""

    channels: dict[int, Channel]
    time: tuple[int, ...] = ()
    label: int | None = None
    series: int | None = None
    kind: int | None = None
    split: int | None = None


def assign(
    rows: Rows,
    form: TableFormat,
    units: Mapping[str, str] = MappingProxyType({}),
    has_sensors: bool = True,
) -> Roles:
    """Find the named columns; if the table has sensors, these are all others. Raises DataError: a
    named column is missing or has two roles, or the name of another shows that it is no sensor."""
    positions = {name: index for index, name in enumerate(rows.names)}
    named = {role: name for role in ROLES[1:] if (name := getattr(form, role)) is not None}
    if form.series_from_name:
        if form.series is not None:
            raise DataError("--series and --series-from-name name the series both", "give one")
        named["series"] = rows.names[-1]
    times: tuple[str, ...] = ()
    if form.time is not None:
        times = (form.time,) if form.time in positions else tuple(form.time.split(","))
    declared = [*(("time", name) for name in times), *named.items()]
    declared += [(each, name) for each in ("channels", "ignore") for name in getattr(form, each)]
    taken: dict[str, str] = {}
    for option, name in [*declared, *(("units", name) for name in units)]:
        if name not in positions:
            close = difflib.get_close_matches(name, rows.names, n=1, cutoff=0.5)
            listed = f"the columns are {', '.join(map(repr, rows.names))}"
            hint = f"did you mean {close[0]!r}? {listed}" if close else listed
            raise DataError(f"{rows.path}: missing column {name!r} (--{option})", hint)
        if option != "units" and name in taken:
            what = f"column {name!r} is given for --{taken[name]} and --{option}"
            raise DataError(what, "give it once")
        taken.setdefault(name, option)
    for unit in filter(None, units.values()):
        check_name(unit, "--units: unit")
    free = tuple(name for name in rows.names if taken.get(name, "units") == "units")
    sensors = (form.channels or free) if has_sensors else ()
    for name in sensors:
        _check_sensor(rows, name, chosen=name in form.channels)
    if has_sensors and not sensors:
        raise DataError(
            f"{rows.path}: no sensors among the columns {', '.join(map(repr, rows.names))}",
            "name them with --channels",
        )
    channels = {positions[name]: Channel(name, units.get(name, "")) for name in sensors}
    found = {role: positions[name] for role, name in named.items()}
    return Roles(channels, tuple(positions[name] for name in times), **found)


def _check_sensor(rows: Rows, name: str, chosen: bool) -> None:
    lower = name.lower()
    if name in (*RESERVED, MASK) or (not chosen and lower in RESERVED):
        what = f"use --ignore {name}, or rename it"
        if lower in ROLES:
            what = f"use --{lower} {name}, or --ignore {name}"
        raise DataError(
            f"{rows.path}: column {name!r} has a reserved name and cannot be a sensor", what
        )
    if not chosen and lower in LABEL_NAMES:
        raise DataError(
            f"{rows.path}: column {name!r} looks like a label, not a sensor",
            f"use --label {name} or --ignore {name}; --channels makes it a sensor",
        )
