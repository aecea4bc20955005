"""What an import is asked to do, which column is what, and what it did."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomalynet.data.importing.rows import Rows
from anomalynet.data.telemetry import MASK, RESERVED, Channel
from anomalynet.errors import DataError

ROLES = ("time", "label", "series", "kind", "split")
TELLING = (
    *("label", "labels", "anomaly", "anomalies", "is_anomaly", "attack", "is_attack", "class"),
    *("target", "outlier", "changepoint", "ground_truth"),
)
"""Names of columns that are never sensors: taken as one, they give the label away."""


@dataclass(kw_only=True, slots=True, frozen=True)
class ImportRequest:
    """One table, and what its columns mean. Columns that are not named and not ignored are
    sensors."""

    file: Path
    name: str  # the name that `data.name` will take: [a-z0-9_-]+
    time: str | None = None
    """Empty: rows are `period` seconds apart (1 where that is not given either), in file order."""
    label: str | None = None
    series: str | None = None  # empty: the table is one recording
    split: str | None = None
    kind: str | None = None
    """Type of attack. Without `label`, a row is normal where this says so, else attack."""
    incidents: Path | None = None
    channels: tuple[str, ...] = ()  # empty: every column that is not named otherwise
    ignore: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    separator: str | None = None  # empty: found out
    period: float | None = None  # seconds. Empty: the median step, where steps are regular.
    timezone: str | None = None  # IANA name. Empty: times without an offset are UTC.
    null: tuple[str, ...] = ()  # more words for a missing reading
    unlabelled: tuple[str, ...] = ()  # more words for a missing label
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
    prevalence: float | None  # share of attack among labelled rows; None without labels
    incidents: int
    counts: dict[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Positions of the columns."""

    channels: dict[int, Channel]
    time: int | None = None
    label: int | None = None
    series: int | None = None
    kind: int | None = None
    split: int | None = None


def assign(rows: Rows, request: ImportRequest) -> Roles:
    """Find every named column; what is left over is a sensor. Raises DataError: a named column
    is not there, is named twice, or a left-over one is no sensor by its name."""
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
                f"column {name!r} is both --{taken[name]} and --{option}", "name it once"
            )
        taken[name] = option
    sensors = request.channels or tuple(name for name in rows.names if name not in taken)
    for name in sensors:
        _check_sensor(rows, name, chosen=name in request.channels)
    if not sensors:
        what = f"{rows.path}: no sensor is left among {', '.join(map(repr, rows.names))}"
        raise DataError(what, "--channels names them")
    channels = {positions[name]: Channel(name, units.get(name, "")) for name in sensors}
    return Roles(channels, **{role: positions[name] for role, name in named.items()})


def _check_sensor(rows: Rows, name: str, chosen: bool) -> None:
    lower = name.lower()
    if name in (*RESERVED, MASK) or (not chosen and lower in RESERVED):
        what = f"--ignore {name}, or rename it"
        if lower in ROLES:
            what = f"name it with --{lower} {name}, or leave it out with --ignore {name}"
        raise DataError(
            f"{rows.path}: column {name!r} has a reserved name and cannot be a sensor", what
        )
    if not chosen and lower in TELLING:
        raise DataError(
            f"{rows.path}: column {name!r} looks like a label, not a sensor",
            f"--label {name}, or --ignore {name}; --channels takes it as a sensor",
        )


def _missing(rows: Rows, option: str, name: str) -> DataError:
    close = difflib.get_close_matches(name, rows.names, n=1, cutoff=0.5)
    listed = f"the columns are {', '.join(map(repr, rows.names))}"
    hint = f"did you mean {close[0]!r}?" if close else listed
    return DataError(f"{rows.path}: no column {name!r} ({option})", hint)
