"""The runs of a sweep as jobs, each with its folder and state, and the sweep's options."""

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
from anomalynet.errors import RunError
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
    number: int = 0  # position in the plan, from 1
    state: State = "waiting"
    reason: str = ""  # why it failed
    attempts: int = 0
    asked: bool = False  # whether this launch asked it to stop
    stops: int = 0  # how often it stopped because another command had asked
    losses: int = 0  # how often the machine that it ran on was lost
    was_done: bool = False  # whether it was done before this launch
    stale: bool = False  # whether the run is finished but was made by other code
    seconds: float | None = None  # duration in this launch

    def fail(self, reason: str) -> None:
        """Mark the job as failed, and store the reason in its folder for later commands."""
        self.state, self.reason = "failed", reason
        write_json(self.folder.failed, {"reason": reason, "attempts": self.attempts})

    def ask_to_stop(self) -> None:
        """Ask the process that trains it to stop after the current epoch."""
        self.asked = True
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.folder.stop.touch()

    def message(self, group: str | None) -> dict[str, Any]:
        """The job for a worker, as values that JSON can hold."""
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
    not parsed. `prints`: known fingerprints by data configuration; new ones are added. `again`:
    which runs are trained once more: `failed` ones, finished ones of other code (`stale`)."""
    prints = {} if prints is None else prints
    jobs = []
    for number, plan in enumerate(planned, 1):
        config = sources.completed(plan.loaded.config)
        run, data = replace(plan, loaded=replace(plan.loaded, config=config)), config.data
        unsplit = replace(data, split=SplitConfig())  # the fingerprint does not depend on the split
        if unsplit not in prints:
            prints[unsplit] = sources.fingerprint(data)
        name = run_id(run.loaded.config, prints[unsplit])
        jobs.append(_job(run, RunFolder(runs / run.loaded.name / name), number, again))
    return jobs


def _job(run: PlannedRun, folder: RunFolder, number: int, again: Sequence[Again]) -> Job:
    if folder.intact:  # a damaged run is repaired by its worker
        stale = made_by_other_code(folder.environment)
        if stale and "stale" in again:
            return Job(run, folder, number, stale=True)
        return Job(run, folder, number, "done", was_done=True, stale=stale)
    failure = read_json(folder.failed)
    if not failure or "failed" in again:
        return Job(run, folder, number)
    reason = str(failure.get("reason") or "no reason was given")
    return Job(run, folder, number, "failed", reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSweep:
    """A sweep and everything that decides how it is carried out, before anything is trained."""

    source: str  # name or path of its file
    sweep: Sweep
    overrides: tuple[str, ...]
    runs: Path
    out: Path  # folder of its report
    label: str  # the sweep with its data and preset; names its record and its group in W&B
    jobs: list[Job]  # in the plan's order; for a search, the runs of the unchanged experiment
    slots: list[Slot] = field(default_factory=list)
    on: Where = "local"

    @property
    def data(self) -> str:
        """The name of the data set."""
        return data_name(self.jobs)

    @property
    def command(self) -> str:
        """The command that makes its runs and report again; an absolute path is shortened to its
        last name, because only this machine has it."""

        def shown(path: str) -> str:
            return f"…/{Path(path).name}" if Path(path).is_absolute() else path

        sweep, words = self.sweep, [one.partition("=") for one in self.overrides]
        verb = ["reproduce"] if sweep.name == "paper_models" else ["sweep", shown(self.file)]
        preset = ["--preset", sweep.preset] if sweep.preset else []
        overrides = [f"{key}{equals}{shown(value)}" for key, equals, value in words]
        return shlex.join(["anomalynet", *verb, *preset, *overrides])

    @property
    def file(self) -> str:
        """The path of its file if the command gave one; else the sweep's name."""
        return self.source if self.source.endswith((".yaml", ".yml")) else self.sweep.name

    @property
    def reported(self) -> str:
        """`SweepRecord.reported` of the last command; empty without one."""
        try:
            last = read_sweep_record(self.runs, self.label)
        except RunError:
            last = None  # damaged: it is written again
        return last.reported if last else ""

    def write_record(
        self, runs: Iterable[SweepRun] | None = None, trials: int | None = None
    ) -> SweepRecord:
        """Write the record of the command, for `status` and `report`; `runs` are by default the
        planned ones. The digest of the last report is kept."""
        record = SweepRecord(
            label=self.label,
            sweep=self.file,
            preset=self.sweep.preset,
            overrides=self.overrides,
            slots=len(self.slots),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            report=str(self.out),
            runs=tuple(self._runs() if runs is None else runs),
            trials=trials,
            reported=self.reported,
            pid=os.getpid(),
            host=socket.gethostname(),
        )
        write_sweep(self.runs, record)
        return record

    def _runs(self) -> Iterator[SweepRun]:
        for job in self.jobs:
            run, name = job.run, job.folder.path.name
            epochs = run.loaded.config.training.epochs
            arm, repetition = run.arm.name, run.repetition
            yield SweepRun(job.number, run.loaded.name, name, arm, repetition, epochs)


PLAIN = ("data.name=", "data.root=", "data.subset=", "data.split.policy=", "hardware.", "tracking=")
"""Prefixes of overrides that a label names anyway, or that do not change a report."""


def label_of(
    sweep: Sweep, jobs: Sequence[Job], overrides: Sequence[str], extra: Sequence[str] = ()
) -> str:
    """The name of a report: the sweep unless it is the paper's, the data, the split's policy if an
    override names one, the preset unless it is `full`, and six digits of a hash of all other
    overrides and of a world folder's content. So reports of other settings are not overwritten."""
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
    """The name of the data set; for a world's folder or a scenario file, the name of that."""
    config = jobs[0].run.loaded.config.data
    if config.name == "simulated" and config.root is not None:
        return Path(config.root).resolve().name
    return Path(config.name).stem if config.name.endswith(".yaml") else config.title
