"""What a sweep command asked for, kept beside the runs, so that `status` and `report` know it from
any terminal."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import RunFolder, is_alive

FOLDER = ".sweeps"


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run that a sweep wants."""

    number: int
    experiment: str
    id: str
    arm: str
    place: str
    """Seed, fold and world as text."""
    epochs: int
    closed: bool = False
    """Whether it will not be finished: its trial was pruned, or failed."""

    def folder(self, runs: Path) -> RunFolder:
        """Where it lives."""
        return RunFolder(runs / self.experiment / self.id)


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """The last command of a sweep."""

    label: str
    """The sweep with its data and preset; the name of its report's folder."""
    sweep: str
    preset: str
    overrides: tuple[str, ...]
    slots: int
    started: str
    """UTC, ISO 8601."""
    report: str
    """Folder of the report."""
    runs: tuple[SweepRun, ...]
    """In the order of the plan; of a search, those of the trials so far."""
    trials: int | None = None
    """Trials that a search wants; None for other designs."""
    reported: str = ""
    """Digest of what the report was made from; empty where it has not been made."""
    pid: int = 0
    host: str = ""
    """The process that carries it out, or did."""

    @property
    def active(self) -> bool:
        """Whether that process is there; of another host it cannot be told."""
        return self.host == socket.gethostname() and is_alive(self.pid)


def write_sweep(runs: Path, record: SweepRecord) -> None:
    """Keep a record in place of the sweep's last one."""
    write_json(_path(runs, record.label), asdict(record))


def read_sweeps(runs: Path) -> list[SweepRecord]:
    """Every record, the latest command first; what cannot be read is left out."""
    found = [read_sweep_record(runs, path.stem) for path in sorted((runs / FOLDER).glob("*.json"))]
    return sorted(
        (record for record in found if record), key=lambda record: record.started, reverse=True
    )


def read_sweep_record(runs: Path, label: str) -> SweepRecord | None:
    """The record of one sweep; None where there is none that can be read."""
    raw: dict[str, Any] = read_json(_path(runs, label))
    try:
        own = tuple(SweepRun(**run) for run in raw.pop("runs"))
        known = {field.name for field in fields(SweepRecord)}
        values = {key: value for key, value in raw.items() if key in known}
        return SweepRecord(**{**values, "overrides": tuple(raw["overrides"]), "runs": own})
    except (KeyError, TypeError):
        return None


def _path(runs: Path, label: str) -> Path:
    return runs / FOLDER / f"{label}.json"
