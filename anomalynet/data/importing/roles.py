"""Which column is what: names from the command line against the names in the file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.importing.rows import Rows
from anomalynet.data.telemetry import MASK, RESERVED, Channel
from anomalynet.errors import DataError

TELLING = (
    "label",
    "labels",
    "anomaly",
    "anomalies",
    "is_anomaly",
    "attack",
    "is_attack",
    "class",
    "target",
    "outlier",
    "changepoint",
    "ground_truth",
)
"""Names of columns that are never sensors: taken as one, they give the label away."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Positions of the columns."""

    time: int | None
    label: int | None
    series: int | None
    kind: int | None
    split: int | None
    channels: dict[int, Channel]


def assign(rows: Rows, request: ImportRequest) -> Roles:
    """Find every named column; what is left over is a sensor.

    Raises:
        DataError: a named column is not there, is named twice, or a left-over one is no sensor by
        its name.
    """
    positions = {name: index for index, name in enumerate(rows.names)}
    special = {
        "time": request.time,
        "label": request.label,
        "series": request.series,
        "kind": request.kind,
        "split": request.split,
    }
    named = {role: name for role, name in special.items() if name is not None}
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
        raise DataError(
            f"{rows.path}: no sensor is left among {', '.join(map(repr, rows.names))}",
            "--channels names them",
        )
    index = {role: positions[name] for role, name in named.items()}
    return Roles(
        time=index.get("time"),
        label=index.get("label"),
        series=index.get("series"),
        kind=index.get("kind"),
        split=index.get("split"),
        channels={positions[name]: Channel(name, units.get(name, "")) for name in sensors},
    )


def _check_sensor(rows: Rows, name: str, chosen: bool) -> None:
    option = next(
        (word for word in ("time", "label", "series", "kind", "split") if word == name.lower()),
        None,
    )
    if name in (*RESERVED, MASK) or (not chosen and name.lower() in RESERVED):
        what = (
            f"name it with --{option} {name}, or leave it out with --ignore {name}"
            if option
            else f"--ignore {name}, or rename it"
        )
        raise DataError(
            f"{rows.path}: column {name!r} has a reserved name and cannot be a sensor", what
        )
    if not chosen and name.lower() in TELLING:
        raise DataError(
            f"{rows.path}: column {name!r} looks like a label, not a sensor",
            f"--label {name}, or --ignore {name}; --channels takes it as a sensor",
        )


def _missing(rows: Rows, option: str, name: str) -> DataError:
    close = difflib.get_close_matches(name, rows.names, n=1, cutoff=0.5)
    hint = (
        f"did you mean {close[0]!r}?"
        if close
        else f"the columns are {', '.join(map(repr, rows.names))}"
    )
    return DataError(f"{rows.path}: no column {name!r} ({option})", hint)
