"""How the runs of a sweep stand, told from their folders alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun

State = Literal["done", "stale", "failed", "running", "waiting"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One run: `epoch` have ended, `best` is its monitored metric's best value so far, `reason` the last line of why it failed."""

    run: SweepRun
    state: State
    epoch: int
    best: float | None
    reason: str
    seconds: float | None
    """What a finished run took."""


@dataclass(frozen=True, slots=True)
class SweepStanding:
    """All runs of a sweep; `seconds_left` is None as long as none was measured, or where nothing is left."""

    record: SweepRecord
    runs: tuple[Standing, ...]

    @property
    def seconds_left(self) -> float | None:
        """What the unfinished runs take if each takes what its arm's finished runs took, or else all."""
        by_arm: dict[str, list[float]] = defaultdict(list)
        for one in self.runs:
            if one.seconds is not None:
                by_arm[one.run.arm].append(one.seconds)
        every = [seconds for own in by_arm.values() for seconds in own]
        left = [one for one in self.runs if one.state in ("running", "waiting")]
        if not every or not left:
            return None
        total = 0.0
        for one in left:
            own = by_arm.get(one.run.arm) or every
            share = 1 - one.epoch / one.run.epochs if one.state == "running" else 1.0
            total += share * sum(own) / len(own)
        return total / self.record.slots


def standing(record: SweepRecord, runs: Path) -> SweepStanding:
    """Read the folders of a sweep's runs."""
    return SweepStanding(record, tuple(_of(run, run.folder(runs)) for run in record.runs))


def _of(run: SweepRun, folder: RunFolder) -> Standing:
    if folder.finished:
        timings = read_json(folder.timings)
        seconds = timings["train_seconds"] + timings.get("score_seconds", 0.0) if "train_seconds" in timings else None
        state: State = "stale" if made_by_other_code(folder.environment) else "done"
        return Standing(run, state, run.epochs, None, "", seconds)
    lines = folder.read_progress()
    if folder.running:
        return Standing(run, "running", len(lines), _best(lines), "", None)
    failure = read_json(folder.failed)
    reason = (str(failure.get("reason", "")).strip().splitlines() or ["no reason was given"])[-1].strip() if failure else ""
    return Standing(run, "failed" if failure else "waiting", len(lines), _best(lines), reason, None)


def _best(lines: list[dict[str, Any]]) -> float | None:
    """The average precision on validation, or where there is none the loss, of the epoch that is kept."""
    kept: dict[str, Any] = next((line for line in reversed(lines) if line.get("best")), {})
    value = kept.get("validation/average_precision", kept.get("validation/loss"))
    return None if value is None else float(value)
