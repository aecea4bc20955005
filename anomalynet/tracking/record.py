"""`tracking.json` in a run's folder: what was logged to W&B, its files, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from anomalynet.errors import UsageError
from anomalynet.runs import codec
from anomalynet.runs.files import read_json, write_json

FILE = "tracking.json"


@dataclass(slots=True)
class Part:
    """One W&B session of the run; a run that was interrupted and continued has several."""

    folder: str  # W&B's folder, inside the run's folder
    mode: str  # `online` or `offline`
    reason: str = ""  # why it is offline
    finished: bool = False  # whether W&B has written everything (online: has sent it)


@dataclass(slots=True)
class Record:
    """The content of `tracking.json`."""

    id: str  # W&B's id of the run: our run id, except under a W&B agent
    next_epoch: int = 0  # the first epoch that is not logged to W&B
    warning: str = ""
    parts: list[Part] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Store it in a run's folder."""
        write_json(folder / FILE, asdict(self))


def read_record(folder: Path) -> Record | None:
    """A folder's record; None if it was never tracked or the file is unreadable."""
    try:
        return codec.read(Record, read_json(folder / FILE), FILE)
    except UsageError:
        return None


def pending(folder: Path) -> list[Path]:
    """The parts of a run that are not on W&B's server, oldest first."""
    record, found = read_record(folder), []
    for part in record.parts if record else ():
        own = folder / part.folder
        if part.mode == "offline" or not part.finished:
            synced = any(own.glob("*.wandb.synced"))
            found += [own] if any(own.glob("*.wandb")) and not synced else []
    return found


def notes(folders: Iterable[Path]) -> list[str]:
    """Messages about the tracking of many runs: each problem once, with its number of runs."""
    problems: Counter[str] = Counter()
    for folder in folders:
        if record := read_record(folder):
            offline = {part.reason for part in record.parts if part.mode == "offline"}
            problems.update(f"offline ({why})" for why in offline if pending(folder))
            problems.update([record.warning] if record.warning else [])
    counts = {
        what: f"{count} {'run' if count == 1 else 'runs'}" for what, count in problems.items()
    }
    return [f"W&B: {count}: {what}" for what, count in counts.items()]
