"""The record of a sweep command, stored beside the runs, and the status of its runs, read from
their folders. These let `status` and `report` work from any terminal."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from anomalynet.errors import RunError, UsageError
from anomalynet.runs import codec
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.files import is_alive, read_json, write_json
from anomalynet.runs.folder import RunFolder

FOLDER = ".sweeps"


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run of a sweep."""

    number: int
    experiment: str
    id: str
    arm: str
    place: str  # seed, fold and world as text (`PlannedRun.repetition`)
    epochs: int
    closed: bool = False  # whether its trial has ended: then an unfinished run stays unfinished

    def folder(self, runs: Path) -> RunFolder:
        """The run's folder."""
        return RunFolder(runs / self.experiment / self.id)


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """The most recent command of a sweep."""

    label: str  # the sweep with its data and preset; the name of its report's folder
    sweep: str
    preset: str
    overrides: tuple[str, ...]
    slots: int
    started: str  # UTC, ISO 8601
    report: str  # folder of the report
    runs: tuple[SweepRun, ...]  # in the order of the plan; for a search, of the trials so far
    trials: int | None = None  # number of trials of a search; None for other designs
    reported: str = ""  # digest of the report's inputs; empty: no report yet
    # The process that runs or ran the command.
    pid: int = 0
    host: str = ""

    @property
    def active(self) -> bool:
        """Whether that process still runs; False for a process on another host."""
        return self.host == socket.gethostname() and is_alive(self.pid)


def write_sweep(runs: Path, record: SweepRecord) -> None:
    """Store a record; it replaces the sweep's last one."""
    write_json(_path(runs, record.label), asdict(record))


def read_sweeps(runs: Path, warn: Callable[[str], object] | None = None) -> list[SweepRecord]:
    """All records, latest command first. Damaged ones are skipped; `warn` is called with a message
    about each. Raises RunError if there is a `warn`: all of them are damaged."""
    found: list[SweepRecord] = []
    damaged: list[RunError] = []
    for path in sorted((runs / FOLDER).glob("*.json")):
        try:
            found += filter(None, [read_sweep_record(runs, path.stem)])
        except RunError as error:
            damaged.append(error)
    if warn and damaged and not found:
        raise damaged[0]
    if warn and damaged:
        warn("\n".join(f"warning: {one}" for one in damaged))
    return sorted(found, key=lambda record: record.started, reverse=True)


def read_sweep_record(runs: Path, label: str) -> SweepRecord | None:
    """The record of one sweep; None if it is missing. Raises RunError: it is damaged."""
    path = _path(runs, label)
    if not path.exists():
        return None
    try:
        record = codec.read(SweepRecord, read_json(path), "record")
        names = {name for run in record.runs for name in (run.experiment, run.id)}
        if outside := [name for name in names if not name or name[0] == "." or "/" in name]:
            raise UsageError(f"{outside[0]!r} is not the name of an experiment or a run")
        if record.label != label or record.slots < 1 or any(run.epochs < 1 for run in record.runs):
            raise UsageError("label, slots or epochs are not those of a sweep")
    except UsageError as error:
        what = f"{path}: not the record of a sweep: {error.message}"
        raise RunError(
            what, "repeat the sweep's command, which writes it again, or delete it"
        ) from None
    return record


def _path(runs: Path, label: str) -> Path:
    return runs / FOLDER / f"{label}.json"


State = Literal["done", "stale", "failed", "running", "waiting", "pruned"]
"""`stale`: finished, but made by another version of the code. `failed`: the last attempt failed.
`running`: a process works on it. `waiting`: unfinished, also if it was interrupted. `pruned`: its
trial ended before the run did."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of one run."""

    run: SweepRun
    state: State
    epoch: int  # number of finished epochs
    best: float | None  # value in the best epoch so far (`_best`); None once finished
    reason: str  # last line of the error if the run failed
    seconds: float | None  # duration of a finished run


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """The status of all runs of a sweep."""

    record: SweepRecord
    runs: tuple[RunStatus, ...]

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds for the unfinished runs, from the mean duration of the finished runs of
        the same arm, or else of all. None: no run has finished, or none is unfinished."""
        by_arm: dict[str, list[float]] = defaultdict(list)
        for one in self.runs:
            if one.seconds is not None:
                by_arm[one.run.arm].append(one.seconds)
        every = [seconds for own in by_arm.values() for seconds in own]
        if not every or not self.unfinished:
            return None
        proposed = self._proposed_trials()
        total = 0.0
        if self.record.trials is not None and proposed:  # the runs of trials not proposed yet
            missing = max(self.record.trials - proposed, 0) * len(self.runs) / proposed
            total = missing * sum(every) / len(every)
        for one in (one for one in self.runs if one.state in ("running", "waiting")):
            own = by_arm.get(one.run.arm) or every
            share = 1 - one.epoch / one.run.epochs if one.state == "running" else 1.0
            total += share * sum(own) / len(own)
        return total / self.record.slots

    @property
    def unfinished(self) -> bool:
        """Whether runs are unfinished, or trials have not been proposed yet."""
        open_runs = any(one.state in ("running", "waiting") for one in self.runs)
        return open_runs or (self.record.trials or 0) > self._proposed_trials()

    def _proposed_trials(self) -> int:
        return len({one.run.arm for one in self.runs})  # in a search, each trial is an arm


def sweep_status(record: SweepRecord, runs: Path) -> SweepStatus:
    """The status of a sweep, read from the folders of its runs."""
    return SweepStatus(record, tuple(run_status(run, run.folder(runs)) for run in record.runs))


def run_status(run: SweepRun, folder: RunFolder) -> RunStatus:
    """The status of one run, read from its folder."""
    state: State
    if folder.finished and _is_intact(folder.path, _times(folder.path)):
        state = "stale" if made_by_other_code(folder.environment) else "done"
        return RunStatus(run, state, run.epochs, None, "", seconds_of(folder))
    lines = folder.read_progress()
    failure, state = read_json(folder.failed), "waiting"
    if folder.running:
        state = "running"
    elif failure or run.closed:
        state = "failed" if failure else "pruned"
    reason = brief(str(failure.get("reason", ""))) if state == "failed" else ""
    return RunStatus(run, state, len(lines), _best(lines), reason, None)


@lru_cache(maxsize=10_000)
def _is_intact(path: Path, _: tuple[int, ...]) -> bool:
    """`RunFolder.intact`, computed once while no file changes, because `status --watch` asks
    often."""
    return RunFolder(path).intact


def _times(folder: Path) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns for path in sorted(folder.rglob("*")))


def seconds_of(folder: RunFolder) -> float | None:
    """Duration of a finished run, including evaluation."""
    timings = read_json(folder.timings)
    parts = [timings.get(name, 0.0) for name in ("train_seconds", "score_seconds")]
    known = "train_seconds" in timings and all(isinstance(part, int | float) for part in parts)
    return float(sum(parts)) if known else None


def brief(reason: str) -> str:
    """The last line of an error, without the hints after it."""
    lines = [line.strip() for line in reason.splitlines()]
    kept = [line for line in lines if line and not line.startswith("→")]
    return kept[-1] if kept else "no reason was given"


def _best(lines: list[dict[str, Any]]) -> float | None:
    """Average precision on the validation part in the best epoch; its loss if there is none."""
    epoch: dict[str, Any] = next((line for line in reversed(lines) if line.get("best")), {})
    value = epoch.get("validation/average_precision", epoch.get("validation/loss"))
    return float(value) if isinstance(value, int | float) else None
