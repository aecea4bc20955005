"""The runs of a sweep on their way: which folder each has and how it stands; and all that decides
how the sweep is carried out."""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from anomalynet.config.identity import run_id
from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.runs.audits import slug
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun, read_sweep_record, write_sweep
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.plan import PlannedRun
from anomalynet.sweep.slots import Slot, Where

State = Literal["waiting", "running", "done", "failed", "stopped"]
Again = Literal["failed", "stale"]


@dataclass(slots=True)
class Job:
    """One run of a launch."""

    run: PlannedRun
    folder: RunFolder
    number: int = 0  # in its plan, from 1
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
    for number, run in enumerate(planned, 1):
        data = run.loaded.config.data
        whole = replace(data, split=SplitConfig())
        if whole not in prints:
            prints[whole] = sources.fingerprint(data)
        name = run_id(run.loaded.config, prints[whole])
        jobs.append(_job(run, RunFolder(runs / run.loaded.name / name), number, again))
    return jobs


def _job(run: PlannedRun, folder: RunFolder, number: int, again: Sequence[Again]) -> Job:
    if folder.finished:
        stale = made_by_other_code(folder.environment)
        if stale and "stale" in again:
            return Job(run, folder, number, stale=True)
        return Job(run, folder, number, "done", was_done=True, stale=stale)
    failure = read_json(folder.failed)
    if not failure or "failed" in again:
        return Job(run, folder, number)
    reason, attempts = str(failure.get("reason", "")), int(failure.get("attempts", 0))
    return Job(run, folder, number, "failed", reason, attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSweep:
    """A sweep and all that decides how it is carried out; nothing is trained or written yet."""

    source: str  # name or path of its file
    sweep: Sweep
    overrides: tuple[str, ...]
    runs: Path
    out: Path  # folder of its report
    label: str  # the sweep with its data and preset: its record, its group in W&B
    jobs: list[Job]  # in the plan's order; of a search, those of its experiment unchanged
    slots: list[Slot] = field(default_factory=list)
    on: Where = "local"

    @property
    def data(self) -> str:
        """The data set; of a world's folder or a scenario file, what that is called."""
        return data_name(self.jobs)

    @property
    def command(self) -> str:
        """The command that makes its runs and report again; of a path that only this machine has,
        the name."""

        def shown(override: str) -> str:
            key, _, value = override.partition("=")
            return f"{key}=…/{Path(value).name}" if Path(value).is_absolute() else override

        sweep = self.sweep
        verb = ["reproduce"] if sweep.name == "paper_models" else ["sweep", sweep.name]
        preset = ["--preset", sweep.preset] if sweep.preset else []
        return shlex.join(["anomalynet", *verb, *preset, *map(shown, self.overrides)])

    def write_record(
        self, runs: Iterable[SweepRun] | None = None, trials: int | None = None
    ) -> SweepRecord:
        """Write what is wanted, for `status` and `report`: by default the planned runs. What the
        last command has reported is kept."""
        last = read_sweep_record(self.runs, self.label)
        own = self.source.endswith((".yaml", ".yml"))
        record = SweepRecord(
            label=self.label,
            sweep=self.source if own else self.sweep.name,
            preset=self.sweep.preset,
            overrides=self.overrides,
            slots=len(self.slots),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            report=str(self.out),
            runs=tuple(self._runs() if runs is None else runs),
            trials=trials,
            reported=last.reported if last else "",
            pid=os.getpid(),
            host=socket.gethostname(),
        )
        write_sweep(self.runs, record)
        return record

    def _runs(self) -> Iterator[SweepRun]:
        for job in self.jobs:
            run, name = job.run, job.folder.path.name
            epochs = run.loaded.config.training.epochs
            yield SweepRun(job.number, run.loaded.name, name, run.arm.name, run.place, epochs)


PLAIN = ("data.name=", "data.root=", "data.subset=", "data.split.policy=", "hardware.", "tracking=")
"""Overrides that a label names already, or that change nothing in a report."""


def label_of(
    sweep: Sweep, jobs: Sequence[Job], overrides: Sequence[str], extra: Sequence[str] = ()
) -> str:
    """What a report is called: the sweep unless it is the paper's, the data, the split's policy if
    an override names one, the preset, and six digits of whatever else is asked or, of a world's
    folder, of its content: other settings overwrite no report."""
    config = jobs[0].run.loaded.config.data
    named = any(text.startswith("data.split.policy=") for text in overrides)
    policy = [config.split.policy] if named else []
    other = [*(text for text in overrides if not text.startswith(PLAIN)), *extra]
    other += [sources.fingerprint(config)] if config.name == "simulated" else []
    digits = [hashlib.sha256(" ".join(sorted(other)).encode()).hexdigest()[:6]] if other else []
    own = [] if sweep.name == "paper_models" else [slug(sweep.name)]
    preset = [sweep.preset] if sweep.preset and sweep.preset != "full" else []
    return "-".join([*own, slug(data_name(jobs)), *policy, *preset, *digits])


def data_name(jobs: Sequence[Job]) -> str:
    """The data set; of a world's folder or a scenario file, what that is called."""
    config = jobs[0].run.loaded.config.data
    if config.name == "simulated" and config.root is not None:
        return Path(config.root).resolve().name
    return Path(config.name).stem if config.name.endswith(".yaml") else config.title
