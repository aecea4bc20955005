"""`tracking.json` in a run's folder: what W&B was told so far, where its files lie, and what went
wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from anomalynet.runs.files import read_json, write_json

FILE = "tracking.json"


@dataclass(slots=True)
class Part:
    """One time that W&B was told of the run: a run that was interrupted and continued has
    several."""

    folder: str  # W&B's own, below the run's
    mode: str  # `online` or `offline`
    reason: str = ""  # why it is offline
    finished: bool = False  # whether W&B has written, or online sent, everything


@dataclass(slots=True)
class Record:
    """The content of `tracking.json`."""

    id: str  # W&B's of the run: ours, but for runs that a W&B agent started
    next_epoch: int = 0  # the first epoch that W&B was not told
    warning: str = ""
    parts: list[Part] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Store it in a run's folder."""
        write_json(folder / FILE, asdict(self))


def read_record(folder: Path) -> Record | None:
    """A folder's record; None where it was never tracked, or the file cannot be read."""
    raw = read_json(folder / FILE)
    try:
        return Record(**{**raw, "parts": [Part(**part) for part in raw["parts"]]})
    except (KeyError, TypeError):
        return None


def pending(folder: Path) -> list[Path]:
    """The parts of a run that W&B's server does not have, oldest first."""
    record, found = read_record(folder), []
    for part in record.parts if record else ():
        own = folder / part.folder
        if part.mode == "offline" or not part.finished:
            synced = any(own.glob("*.wandb.synced"))
            found += [own] if any(own.glob("*.wandb")) and not synced else []
    return found


def notes(folders: Iterable[Path]) -> list[str]:
    """What to tell of the tracking of many runs, each thing once, with the number of runs it holds
    for."""
    said: Counter[str] = Counter()
    for folder in folders:
        if record := read_record(folder):
            offline = {part.reason for part in record.parts if part.mode == "offline"}
            said.update(f"offline ({why})" for why in offline if pending(folder))
            said.update([record.warning] if record.warning else [])
    counts = {what: f"{count} {'run' if count == 1 else 'runs'}" for what, count in said.items()}
    return [f"W&B: {count}: {what}" for what, count in counts.items()]
