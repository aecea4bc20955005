"""The options of an import, the roles of columns, and the report of an import."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
class ImportRequest:
    """The options of an import. Columns that are neither named nor ignored are sensors."""

    file: Path
    name: str  # the new `data.name`: [a-z0-9_-]+
    time: str | None = None
    """Empty: rows are `period` seconds apart (default 1), in file order."""
    label: str | None = None
    series: str | None = None  # empty: the table is one recording
    split: str | None = None
    kind: str | None = None
    """Type of attack. Without `label`, a row is an attack unless this column says normal."""
    incidents: Path | None = None
    channels: tuple[str, ...] = ()  # empty: all columns without another role
    ignore: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    separator: str | None = None  # empty: detected
    period: float | None = None  # seconds. Empty: the median step if steps are regular.
    timezone: str | None = None  # IANA name. Empty: times without an offset are UTC.
    null: tuple[str, ...] = ()  # additional words for a missing reading
    unlabelled: tuple[str, ...] = ()  # additional words for a missing label
    unsorted: Literal["refuse", "sort"] = "refuse"
    duplicates: Literal["refuse", "first", "last", "mean", "keep"] = "refuse"
    replace: bool = False


@dataclass(kw_only=True, slots=True, frozen=True)
class ImportReport:
    """The imported set in the data folder."""

    name: str
    folder: Path
    series: int
    rows: int
    channels: tuple[str, ...]
    period: float | None
    prevalence: float | None  # share of attack among labelled rows; None without labels
    incidents: int
    counts: dict[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Indices of the columns by role."""

    channels: dict[int, Channel]
    time: int | None = None
    label: int | None = None
    series: int | None = None
    kind: int | None = None
    split: int | None = None


def assign(rows: Rows, request: ImportRequest) -> Roles:
    """Find the named columns; all others are sensors. Raises DataError: a named column is missing
    or has two roles, or the name of another column shows that it is not a sensor."""
    positions = {name: index for index, name in enumerate(rows.names)}
    named = {role: name for role in ROLES if (name := getattr(request, role)) is not None}
    declared = [
        *named.items(),
        *(("channels", name) for name in request.channels),
        *(("ignore", name) for name in request.ignore),
    ]
    units = dict(request.units)
    for option, name in [*declared, *(("units", name) for name in units)]:
        if name not in positions:
            raise _missing(rows, f"--{option}", name)
    taken: dict[str, str] = {}
    for option, name in declared:
        if name in taken:
            raise DataError(
                f"column {name!r} is given for --{taken[name]} and --{option}", "give it once"
            )
        taken[name] = option
    sensors = request.channels or tuple(name for name in rows.names if name not in taken)
    for name in sensors:
        _check_sensor(rows, name, chosen=name in request.channels)
    if not sensors:
        what = f"{rows.path}: no sensors among the columns {', '.join(map(repr, rows.names))}"
        raise DataError(what, "name them with --channels")
    channels = {positions[name]: Channel(name, units.get(name, "")) for name in sensors}
    return Roles(channels, **{role: positions[name] for role, name in named.items()})


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


def _missing(rows: Rows, option: str, name: str) -> DataError:
    close = difflib.get_close_matches(name, rows.names, n=1, cutoff=0.5)
    listed = f"the columns are {', '.join(map(repr, rows.names))}"
    hint = f"did you mean {close[0]!r}?" if close else listed
    return DataError(f"{rows.path}: missing column {name!r} ({option})", hint)
