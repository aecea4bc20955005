"""`incidents.json` of a run: the incidents of its test part, for reports without the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from anomalynet.documents import read_json_value
from anomalynet.errors import RunError, UsageError
from anomalynet.runs import codec
from anomalynet.runs.collect import MOVE_AWAY
from anomalynet.runs.files import write_json

SEVERITIES = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class IncidentNote:
    """One incident as described by annotators or the simulator; None if unknown (§3.1.6)."""

    type: str | None = None
    cause: str | None = None
    layer: str | None = None
    impact: str | None = None
    severity: Literal[1, 2, 3, 4] | None = None


def write_incidents(path: Path, incidents: Mapping[int, IncidentNote]) -> None:
    """Write incidents, by number."""
    write_json(path, {str(number): asdict(note) for number, note in sorted(incidents.items())})


def read_incidents(path: Path) -> dict[int, IncidentNote]:
    """Read incidents by number; empty without the file, as in runs of earlier versions. Raises
    RunError: the file is damaged or holds an invalid value; names it."""
    try:
        found = read_json_value(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(found, dict):
        raise _damaged(path, "not an object")
    for number in found:
        if not (number.isascii() and number.isdigit() and int(number) < 2**31):
            raise _damaged(path, f"{number!r} is not an incident number")
    try:
        notes = codec.build(dict[str, IncidentNote], found, "incident", strict=False)
    except UsageError as error:
        raise _damaged(path, error.message) from None
    return {int(number): note for number, note in notes.items()}


def _damaged(path: Path, what: str) -> RunError:
    return RunError(f"{path}: cannot be read: {what}", MOVE_AWAY)
