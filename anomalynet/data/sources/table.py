"""Imported sets: reads, lazily, the files that `anomalynet data import` wrote to the data
folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources._reading import SourceInfo
from anomalynet.data.telemetry import Channel, Incident, Telemetry
from anomalynet.documents import read_json_value
from anomalynet.errors import DataError
from anomalynet.runs import codec

DESCRIPTION = "dataset.json"
TELEMETRY = "telemetry.parquet"
VERSION = 1


@dataclass(slots=True)
class Imported:
    """One imported set, as a source."""

    INFO: SourceInfo
    form: TableFormat | None = None  # None in sets that an earlier version imported

    def files(self, root: Path, subset: str | None) -> list[Path]:
        """The table and its description, if they are in `root`. Raises DataError: only one of them
        is there."""
        description, telemetry = root / DESCRIPTION, root / TELEMETRY
        if not description.is_file():
            return []
        if not telemetry.is_file():
            raise _damaged(telemetry)
        return [description, telemetry]

    def load(self, root: Path, subset: str | None) -> Telemetry:
        """Open the table lazily. Raises DataError: damaged description."""
        read = _describe(root / DESCRIPTION)
        try:
            return Telemetry(
                frame=pl.scan_parquet(root / TELEMETRY),
                channels=tuple(Channel(one["name"], one["unit"]) for one in read["channels"]),
                period=read["period"],
                incidents={int(key): Incident(**one) for key, one in read["incidents"].items()},
                counts=read["counts"],
                warnings=tuple(read["warnings"]),
                imported=True,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _damaged(root / DESCRIPTION) from error


def names(folder: Path) -> list[str]:
    """The names of the imported sets in `folder`."""
    return sorted(path.parent.name for path in folder.glob(f"*/{DESCRIPTION}"))


def find(name: str, folder: Path) -> Imported | None:
    """The imported set of this name in `folder`, or in a folder below it; None if not found."""
    for path in (folder / name / DESCRIPTION, folder / DESCRIPTION):
        if path.is_file() and (read := _describe(path)).get("name") == name:
            period, warnings = read.get("period"), read.get("warnings", [])
            if not isinstance(period, int | float | None) or not isinstance(warnings, list):
                raise _damaged(path)
            title = f"imported from {read.get('file', 'a table')}"
            own = tuple(map(str, warnings))
            form = read.get("format")
            return Imported(
                SourceInfo(name, title, "your own", period=period, warnings=own),
                None if form is None else codec.read(TableFormat, form, str(path)),
            )
    return None


# The description is JSON written by this program; its values are checked where they are used.
def _describe(path: Path) -> dict[str, Any]:
    try:
        described = read_json_value(path)
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not isinstance(described, dict) or described.get("version") != VERSION:
        raise _damaged(path)
    return described


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path}: missing, damaged, or written by another version",
        "import the table again with --replace",
    )
