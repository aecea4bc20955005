"""A search: Optuna proposes trials, the launcher carries out their runs, and their mean on
validation is told back. Only this process asks and tells: a run on several devices cannot draw a
trial a rank. What is proposed depends on the trials before alone, and a trial is written before it
is run, so that the same command continues a search that was killed, to the same end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from anomalynet.config.schema import DataConfig
from anomalynet.errors import AnomalynetError, StoppedError
from anomalynet.runs.code import made_by_other_code
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Again, Job, jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import Arm, plan
from anomalynet.sweep.search import space
from anomalynet.sweep.search.ledger import Judged, Ledger
from anomalynet.sweep.search.pruning import Judge, run_value

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Watcher(Protocol):
    """Who wants to know how a search goes."""

    def began(self, trials: Sequence[Trial]) -> None:
        """Trials are about to be run."""

    def look(self) -> None:
        """Half a second has passed."""

    def ended(self, trial: Trial) -> None:
        """A trial has been told."""


@dataclass(slots=True)
class Trial:
    """A trial that this command carries out."""

    frozen: FrozenTrial
    place: int  # from 0; the name of the trial
    params: space.Params
    jobs: list[Job] = field(default_factory=list)
    judge: Judge | None = None
    pruned: bool = False
    reason: str = ""  # why it failed
    values: list[float] | None = None

    @property
    def judged(self) -> Judged:
        """What a pruner saw and noted."""
        return (self.judge.seen, self.judge.marks) if self.judge else ({}, {})

    def cancel(self) -> None:
        """Let no further run begin, and ask those under way to end after their epoch."""
        for job in self.jobs:
            if job.state == "waiting":
                job.state = "stopped"
            elif job.state == "running":  # at each look: one that just begins clears old requests
                job.ask_to_stop()


@dataclass(slots=True)
class Search:
    """What a search needs to go on."""

    sweep: Sweep  # with `design: search`, checked by `check`
    overrides: Sequence[str]
    runs: Path
    ledger: Ledger
    total: int  # how many trials there should be, those of earlier commands included
    ready: Callable[[Sequence[Job]], None] = lambda jobs: None
    """Told the runs of a trial before they begin; what it refuses fails the trial."""
    exhausted: bool = False  # every point was tried, so that there are fewer trials than wanted
    _prints: dict[DataConfig, str] = field(default_factory=dict)

    def run(self, launch: Launch, watcher: Watcher) -> None:
        """Carry out trials until there are as many as wanted; those that other commands work on are
        left to them. Raises StoppedError: somebody asked a run to stop."""
        while batch := self._claim():
            watcher.began(batch)

            def look(under_way: Sequence[Trial] = batch) -> None:
                for trial in under_way:
                    self._judge(trial)
                self.ledger.beat([trial.frozen for trial in under_way])
                watcher.look()

            look()
            launch.run([job for trial in batch for job in trial.jobs], look)
            for trial in batch:
                self._tell(trial)
                watcher.ended(trial)

    def renew(self, again: Sequence[Again]) -> None:
        """Put new trials with the same values in the place of those that failed, or of finished
        ones whose runs other code made."""
        with self.ledger.alone():
            for trial in self.ledger.trials()[: self.total]:
                if trial.state.is_finished() and self._wanted_again(trial, again):
                    runs = trial.user_attrs.get("runs", [])
                    own = {"runs": runs, "again": list(again), "replaces": trial.number}
                    own |= {"owner": None, "beat": 0.0}
                    params = dict(trial.params)
                    self.ledger.add(_place(trial), params, trial.distributions, own)

    def _wanted_again(self, trial: FrozenTrial, again: Sequence[Again]) -> bool:
        if trial.state.name == "FAIL":
            return "failed" in again
        return "stale" in again and any(job.stale for job in self.jobs(_place(trial), trial.params))

    def jobs(self, place: int, params: space.Params, again: Sequence[Again] = ()) -> list[Job]:
        """The runs of a trial. Raises ConfigError: values that make no configuration."""
        arm = Arm(f"trial {place}", self.sweep.experiments[0], dict(params), dict(params))
        planned = plan(self.sweep, self.overrides, wanted=[arm])
        return jobs_of(planned, self.runs, again, self._prints)

    def _claim(self) -> list[Trial]:
        """The trials of one batch to be run: those that were left behind, then new ones."""
        size = self.sweep.search.batch
        claimed: list[FrozenTrial] = []
        with self.ledger.alone():
            known = self.ledger.trials()
            lost = [trial for trial in known[: self.total] if self.ledger.orphaned(trial)]
            batch = (_place(lost[0]) if lost else len(known)) // size
            claimed = [self.ledger.adopt(trial) for trial in lost if _place(trial) // size == batch]
            while len(known) < min((batch + 1) * size, self.total):
                new = self._proposed(known)
                if new is None and self.exhausted:
                    break
                claimed += [new] if new else []
                known = self.ledger.trials()
                batch = batch if claimed else len(known) // size
        return [self._prepared(trial, known) for trial in claimed]

    def _proposed(self, known: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """The next trial, written; None where there is none, or another machine was first."""
        place = len(known)
        params = space.propose(self.sweep, self._before(known, place), place)
        if params is None:
            self.exhausted = True
            return None
        try:
            paths = [job.folder.path for job in self.jobs(place, params)]
            runs = [f"{path.parent.name}/{path.name}" for path in paths]
        except AnomalynetError:
            runs = []  # said when the trial is carried out
        return self.ledger.add(place, params, space.distributions(self.sweep.axes), {"runs": runs})

    def _before(self, known: Sequence[FrozenTrial], place: int) -> list[FrozenTrial]:
        """What a trial may know: those before its batch; of those in it, what they try."""
        from optuna.trial import TrialState, create_trial

        batch = place // self.sweep.search.batch * self.sweep.search.batch
        found, state = list(known[:place]), TrialState.RUNNING
        for number, trial in enumerate(found):
            if number >= batch or not trial.state.is_finished():
                params, own = dict(trial.params), trial.distributions
                found[number] = create_trial(state=state, params=params, distributions=own)
        return found

    def _prepared(self, frozen: FrozenTrial, known: Sequence[FrozenTrial]) -> Trial:
        settings = self.sweep.search
        trial = Trial(frozen, _place(frozen), dict(frozen.params))
        try:
            trial.jobs = self.jobs(trial.place, trial.params, frozen.user_attrs.get("again", ()))
            self.ready(trial.jobs)
        except AnomalynetError as error:
            trial.jobs, trial.reason = [], str(error)
            return trial
        if settings.pruner != "none":
            before, own = self._before(known, trial.place), frozen.distributions
            epochs, name = trial.jobs[0].run.loaded.config.training.epochs, self.ledger.name
            trial.judge = Judge(settings, before, trial.params, own, epochs, name)
        return trial

    def _judge(self, trial: Trial) -> None:
        """Show the pruner whatever is new, in order; then end what need not go on."""
        if trial.judge and not trial.pruned:
            seen = trial.judge.seen
            new = [(step, value) for step, value in self._steps(trial) if step not in seen]
            trial.pruned = any(trial.judge.prune(step, value) for step, value in new)
        if trial.pruned or any(job.state == "failed" for job in trial.jobs):
            trial.cancel()

    def _steps(self, trial: Trial) -> list[tuple[int, float]]:
        """The values so far: each epoch of the first run; for Wilcoxon's test each finished run."""
        objective, first = self.sweep.search.objectives[0], trial.jobs[0]
        if self.sweep.search.pruner == "wilcoxon":
            finished = itertools.takewhile(lambda job: job.state == "done", trial.jobs)
            return [
                (number, value)
                for number, job in enumerate(finished)
                if (value := _known(job, objective)) is not None
            ]
        lines = [] if made_by_other_code(first.folder.environment) else first.folder.read_progress()
        return [(int(line["epoch"]), float(line[objective])) for line in lines if objective in line]

    def _tell(self, trial: Trial) -> None:
        self._judge(trial)
        failed = next((job for job in trial.jobs if job.state == "failed"), None)
        if trial.pruned:
            for job in trial.jobs:
                job.folder.stop.unlink(missing_ok=True)
            self.ledger.prune(trial.frozen, trial.judged)
            return
        if failed:
            trial.reason = f"{failed.run.place}: {failed.reason}"
        elif any(job.state != "done" for job in trial.jobs):
            what = f"trial {trial.place}: a run was asked to stop"
            raise StoppedError(what, "the same command continues it")
        if not trial.reason:
            try:
                trial.values = [
                    sum(run_value(job.folder, one) for job in trial.jobs) / len(trial.jobs)
                    for one in self.sweep.search.objectives
                ]
            except AnomalynetError as error:
                trial.reason = str(error)
        if trial.values is None:
            self.ledger.fail(trial.frozen, reason=trial.reason)
        else:
            self.ledger.complete(trial.frozen, trial.values, trial.judged)


def _place(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["place"])


def _known(job: Job, objective: str) -> float | None:
    try:
        return run_value(job.folder, objective)
    except AnomalynetError:
        return None
