"""A planned run on its way: which folder it has, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from anomalynet.config.identity import run_id
from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.plan import PlannedRun

State = Literal["waiting", "running", "done", "failed", "stopped"]
Again = Literal["failed", "stale"]


@dataclass(slots=True)
class Job:
    """One run of a launch."""

    run: PlannedRun
    folder: RunFolder
    state: State = "waiting"
    reason: str = ""  # why it failed
    attempts: int = 0
    asked: bool = False  # whether this launch asked it to stop
    stops: int = 0  # how often it stopped because another command had asked
    losses: int = 0  # how often the machine was lost that it ran on
    was_done: bool = False  # before this launch
    stale: bool = False  # whether a finished run was made by other code
    seconds: float | None = None  # how long it took in this launch

    def fail(self, reason: str) -> None:
        """Give it up, and leave the reason in its folder for `status` and later commands."""
        self.state, self.reason = "failed", reason
        self.folder.path.mkdir(parents=True, exist_ok=True)
        write_json(self.folder.failed, {"reason": reason, "attempts": self.attempts})

    def ask_to_stop(self) -> None:
        """Ask whoever trains it to stop after the epoch under way."""
        self.asked = True
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.folder.stop.touch()

    def message(self, group: str | None) -> dict[str, Any]:
        """What a worker is told: plain values."""
        return {
            "experiment": self.run.arm.experiment,
            "overrides": list(self.run.overrides),
            "axis": self.run.axis,
            "runs": str(self.folder.path.parents[1]),
            "folder": str(self.folder.path),
            "devices": self.run.loaded.config.hardware.devices,
            "renew": self.stale,
            "group": group,
        }


def jobs_of(
    planned: Sequence[PlannedRun],
    runs: Any,
    again: Sequence[Again] = (),
    prints: dict[DataConfig, str] | None = None,
) -> list[Job]:
    """The planned runs with the folders that their identities give them; the data is fingerprinted,
    not parsed, and what `prints` knows already is not; it is added to.

    `again`: which are wanted once more: `failed` ones, finished ones of other code (`stale`)."""
    prints = {} if prints is None else prints
    jobs = []
    for run in planned:
        data = run.loaded.config.data
        whole = replace(data, split=SplitConfig())
        if whole not in prints:
            prints[whole] = sources.fingerprint(data)
        name = run_id(run.loaded.config, prints[whole])
        jobs.append(_job(run, RunFolder(runs / run.loaded.name / name), again))
    return jobs


def _job(run: PlannedRun, folder: RunFolder, again: Sequence[Again]) -> Job:
    if folder.finished:
        stale = made_by_other_code(folder.environment)
        if stale and "stale" in again:
            return Job(run, folder, stale=True)
        return Job(run, folder, state="done", was_done=True, stale=stale)
    failure = read_json(folder.failed)
    if not failure or "failed" in again:
        return Job(run, folder)
    reason, attempts = str(failure.get("reason", "")), int(failure.get("attempts", 0))
    return Job(run, folder, "failed", reason, attempts)
