"""What a sweep command asked for, kept beside the runs, and how its runs stand, told from their
folders alone: `status` and `report` know it from any terminal."""

from __future__ import annotations

import socket
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from anomalynet.errors import UsageError
from anomalynet.runs import codec
from anomalynet.runs.code import made_by_other_code
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
    place: str  # seed, fold and world as text
    epochs: int
    closed: bool = False  # whether it will not be finished: its trial was pruned, or failed

    def folder(self, runs: Path) -> RunFolder:
        """Where it lives."""
        return RunFolder(runs / self.experiment / self.id)


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """The last command of a sweep."""

    label: str  # the sweep with its data and preset; the name of its report's folder
    sweep: str
    preset: str
    overrides: tuple[str, ...]
    slots: int
    started: str  # UTC, ISO 8601
    report: str  # folder of the report
    runs: tuple[SweepRun, ...]  # in the order of the plan; of a search, those of the trials so far
    trials: int | None = None  # trials that a search wants; None for other designs
    reported: str = ""  # digest of what the report was made from; empty where it has not been made
    pid: int = 0
    host: str = ""  # the process that carries it out, or did

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
    known = [record for record in found if record]
    return sorted(known, key=lambda record: record.started, reverse=True)


def read_sweep_record(runs: Path, label: str) -> SweepRecord | None:
    """The record of one sweep; None where there is none that can be read."""
    try:
        return codec.read(SweepRecord, read_json(_path(runs, label)), label)
    except UsageError:
        return None


def _path(runs: Path, label: str) -> Path:
    return runs / FOLDER / f"{label}.json"


State = Literal["done", "stale", "failed", "running", "waiting", "pruned"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One run: `epoch` have ended, `best` is its monitored metric's best value so far, `reason` the
    last line of why it failed."""

    run: SweepRun
    state: State
    epoch: int
    best: float | None
    reason: str
    seconds: float | None  # what a finished run took


@dataclass(frozen=True, slots=True)
class SweepStanding:
    """All runs of a sweep; `seconds_left` is None as long as none was measured, or where nothing is
    left."""

    record: SweepRecord
    runs: tuple[Standing, ...]

    @property
    def seconds_left(self) -> float | None:
        """What the unfinished runs take if each takes what its arm's finished runs took, or else
        all."""
        by_arm: dict[str, list[float]] = defaultdict(list)
        for one in self.runs:
            if one.seconds is not None:
                by_arm[one.run.arm].append(one.seconds)
        every = [seconds for own in by_arm.values() for seconds in own]
        left = [one for one in self.runs if one.state in ("running", "waiting")]
        if not every or not self.busy:
            return None
        known = len({one.run.arm for one in self.runs})
        total = 0.0
        if self.record.trials is not None and known:  # trials that have not been proposed yet
            missing = max(self.record.trials - known, 0) * len(self.runs) / known
            total = missing * sum(every) / len(every)
        for one in left:
            own = by_arm.get(one.run.arm) or every
            share = 1 - one.epoch / one.run.epochs if one.state == "running" else 1.0
            total += share * sum(own) / len(own)
        return total / self.record.slots

    @property
    def busy(self) -> bool:
        """Whether something is left to do: a run, or a trial that has not been proposed yet."""
        trials = len({one.run.arm for one in self.runs})
        under_way = any(one.state in ("running", "waiting") for one in self.runs)
        return under_way or (self.record.trials or 0) > trials


def standing(record: SweepRecord, runs: Path) -> SweepStanding:
    """Read the folders of a sweep's runs."""
    return SweepStanding(record, tuple(_of(run, run.folder(runs)) for run in record.runs))


def _of(run: SweepRun, folder: RunFolder) -> Standing:
    if folder.finished:
        state: State = "stale" if made_by_other_code(folder.environment) else "done"
        return Standing(run, state, run.epochs, None, "", seconds_of(folder))
    lines = folder.read_progress()
    if folder.running:
        return Standing(run, "running", len(lines), _best(lines), "", None)
    failure = read_json(folder.failed)
    if run.closed and not failure:
        return Standing(run, "pruned", len(lines), _best(lines), "", None)
    reason = brief(str(failure.get("reason", ""))) if failure else ""
    return Standing(run, "failed" if failure else "waiting", len(lines), _best(lines), reason, None)


def seconds_of(folder: RunFolder) -> float | None:
    """What a finished run took, evaluation included."""
    timings = read_json(folder.timings)
    trained = timings.get("train_seconds")
    return None if trained is None else float(trained + timings.get("score_seconds", 0.0))


def brief(reason: str) -> str:
    """The last line of why a run failed; what the user can do about it, which may follow, is in its
    folder."""
    lines = [line.strip() for line in reason.splitlines()]
    said = [line for line in lines if line and not line.startswith("→")]
    return said[-1] if said else "no reason was given"


def _best(lines: list[dict[str, Any]]) -> float | None:
    """The average precision on validation, or where there is none the loss, of the epoch that is
    kept."""
    kept: dict[str, Any] = next((line for line in reversed(lines) if line.get("best")), {})
    value = kept.get("validation/average_precision", kept.get("validation/loss"))
    return None if value is None else float(value)
