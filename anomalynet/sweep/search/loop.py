"""The loop of a search: Optuna proposes trials, the launcher trains their runs, and the mean over
the runs on the validation part is reported to Optuna.

Only this process talks to Optuna, so a run on several devices cannot draw different trials. A
proposal depends only on earlier trials, and a trial is stored before it is trained. Therefore the
same command continues a search that was killed, with the same result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anomalynet.config.schema import DataConfig
from anomalynet.errors import AnomalynetError, StoppedError
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Again, Job, PlannedSweep, jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import Arm, plan
from anomalynet.sweep.search import space
from anomalynet.sweep.search.pruning import Judge, run_value
from anomalynet.sweep.search.study import best
from anomalynet.sweep.search.trial_store import TrialStore

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from anomalynet.sweep.progress import SearchProgress


@dataclass(slots=True)
class Trial:
    """A trial of this command."""

    frozen: FrozenTrial
    index: int  # from 0; the trial's name
    params: space.Params
    jobs: list[Job] = field(default_factory=list)
    judge: Judge | None = None
    pruned: bool = False
    reason: str = ""  # why it failed
    values: list[float] | None = None

    def cancel(self) -> None:
        """Start no further run, and request running ones to stop after their epoch."""
        for job in self.jobs:
            if job.state == "waiting":
                job.state = "stopped"
            elif job.state == "running":  # repeated: a run that just starts clears old requests
                job.ask_to_stop()


@dataclass(slots=True)
class Search:
    """A search and its state."""

    planned: PlannedSweep
    """`jobs`: the runs of the unchanged experiment; each trial has as many, on the same data."""
    store: TrialStore
    total: int  # number of trials, including those of earlier commands
    ready: Callable[[Sequence[Job]], None] = lambda jobs: None
    """Called with the runs of a trial before they start; its errors fail the trial."""
    exhausted: bool = False  # every point was tried: there are fewer trials than `total`
    _prints: dict[DataConfig, str] = field(default_factory=dict)

    @property
    def sweep(self) -> Sweep:
        """Its sweep, with `design: search`."""
        return self.planned.sweep

    @property
    def runs_at_a_time(self) -> int:
        """The number of runs that are trained at a time: at most those of one batch."""
        return min(len(self.planned.slots), len(self.planned.jobs) * self.sweep.search.batch)

    def best(self, stored: Sequence[FrozenTrial]) -> list[int]:
        """The numbers of the best trial, or of the Pareto front."""
        return best(stored, self.sweep.search.directions)

    def folders(self, trial: FrozenTrial) -> list[RunFolder]:
        """The folders of a trial's runs; they may not exist yet."""
        return [RunFolder(self.planned.runs / name) for name in trial.user_attrs.get("runs", [])]

    def run(self, launch: Launch, watcher: SearchProgress) -> None:
        """Run trials until there are `total`; trials of other commands are not touched. Raises
        StoppedError: a run was requested to stop."""
        while batch := self._claim():
            watcher.began(batch)

            def look(under_way: Sequence[Trial] = batch) -> None:
                for trial in under_way:
                    self._judge(trial)
                self.store.heartbeat([trial.frozen for trial in under_way])
                watcher.look()

            look()
            launch.run([job for trial in batch for job in trial.jobs], look)
            for trial in batch:
                self._finish(trial)
                watcher.ended(trial)

    def renew(self, again: Sequence[Again]) -> None:
        """Replace failed trials, or finished ones whose runs were made by another version of the
        code, by new trials with the same values."""
        with self.store.lock():
            for trial in self.store.trials()[: self.total]:
                if trial.state.is_finished() and self._must_repeat(trial, again):
                    runs = trial.user_attrs.get("runs", [])
                    own = {"runs": runs, "again": list(again), "replaces": trial.number}
                    own |= {"owner": None, "beat": 0.0}  # no owner: `_claim` takes it over
                    self.store.add(_index(trial), dict(trial.params), trial.distributions, own)

    def _must_repeat(self, trial: FrozenTrial, again: Sequence[Again]) -> bool:
        if trial.state.name == "FAIL":
            return "failed" in again
        return "stale" in again and any(job.stale for job in self.jobs(_index(trial), trial.params))

    def jobs(self, index: int, params: space.Params, again: Sequence[Again] = ()) -> list[Job]:
        """The runs of a trial. Raises ConfigError: its values are not a valid configuration."""
        arm = Arm(f"trial {index}", self.sweep.experiments[0], dict(params), dict(params))
        planned = plan(self.sweep, self.planned.overrides, wanted=[arm])
        return jobs_of(planned, self.planned.runs, again, self._prints)

    def _claim(self) -> list[Trial]:
        """The trials of the next batch: first those whose owner died, then new ones."""
        size = self.sweep.search.batch
        with self.store.lock():
            stored = self.store.trials()
            lost = [trial for trial in stored[: self.total] if self.store.orphaned(trial)]
            batch = (_index(lost[0]) if lost else len(stored)) // size
            claimed = [self.store.adopt(trial) for trial in lost if _index(trial) // size == batch]
            while len(stored) < min((batch + 1) * size, self.total):
                new = self._propose(stored)
                if new is None and self.exhausted:
                    break
                claimed += [new] if new else []
                stored = self.store.trials()
                batch = batch if claimed else len(stored) // size
        return [self._prepare(trial, stored) for trial in claimed]

    def _propose(self, stored: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """Propose and store the next trial; None: exhausted, or another machine was first."""
        index = len(stored)
        params = space.propose(self.sweep, self._before(stored, index), index)
        if params is None:
            self.exhausted = True
            return None
        try:
            paths = [job.folder.path for job in self.jobs(index, params)]
            runs = [f"{path.parent.name}/{path.name}" for path in paths]
        except AnomalynetError:
            runs = []  # the problem is reported when the trial is prepared
        return self.store.add(index, params, space.distributions(self.sweep.axes), {"runs": runs})

    def _before(self, stored: Sequence[FrozenTrial], index: int) -> list[FrozenTrial]:
        """What a proposal may depend on: earlier batches with results, its own batch without."""
        from optuna.trial import TrialState, create_trial

        batch = index // self.sweep.search.batch * self.sweep.search.batch
        found = list(stored[:index])
        for number, trial in enumerate(found):
            if number >= batch or not trial.state.is_finished():
                found[number] = create_trial(
                    state=TrialState.RUNNING,
                    params=dict(trial.params),
                    distributions=trial.distributions,
                )
        return found

    def _prepare(self, frozen: FrozenTrial, stored: Sequence[FrozenTrial]) -> Trial:
        settings = self.sweep.search
        trial = Trial(frozen, _index(frozen), dict(frozen.params))
        try:
            trial.jobs = self.jobs(trial.index, trial.params, frozen.user_attrs.get("again", ()))
            self.ready(trial.jobs)
        except AnomalynetError as error:
            trial.jobs, trial.reason = [], str(error)
            return trial
        if settings.pruner != "none":
            before = self._before(stored, trial.index)
            epochs = trial.jobs[0].run.loaded.config.training.epochs
            trial.judge = Judge(settings, before, epochs, self.store.name)
        return trial

    def _judge(self, trial: Trial) -> None:
        """Give new values to the pruner, in order; then cancel a pruned or failed trial."""
        if trial.judge and not trial.pruned:
            seen = trial.judge.seen
            new = [(step, value) for step, value in self._steps(trial) if step not in seen]
            trial.pruned = any(trial.judge.prune(step, value) for step, value in new)
        if trial.pruned or any(job.state == "failed" for job in trial.jobs):
            trial.cancel()

    def _steps(self, trial: Trial) -> list[tuple[int, float]]:
        """(step, value) so far: epochs of the first run; for Wilcoxon's test the finished runs."""
        objective, first = self.sweep.search.objectives[0], trial.jobs[0]
        found: list[tuple[int, float]] = []
        if self.sweep.search.pruner == "wilcoxon":
            finished = itertools.takewhile(lambda job: job.state == "done", trial.jobs)
            for number, job in enumerate(finished):
                with suppress(AnomalynetError):  # undefined
                    found.append((number, run_value(job.folder, objective)))
            return found
        lines = [] if made_by_other_code(first.folder.environment) else first.folder.read_progress()
        pairs = [(line.get("epoch"), line.get(objective)) for line in lines]
        return [
            (epoch, float(value))
            for epoch, value in pairs
            if isinstance(epoch, int) and isinstance(value, int | float)
        ]

    def _finish(self, trial: Trial) -> None:
        self._judge(trial)
        failed = next((job for job in trial.jobs if job.state == "failed"), None)
        if trial.pruned:
            for job in trial.jobs:
                job.folder.stop.unlink(missing_ok=True)
            self.store.end(trial.frozen, "PRUNED", judge=trial.judge)
            return
        if failed:
            trial.reason = f"{failed.run.repetition}: {failed.reason}"
        elif any(job.state != "done" for job in trial.jobs):
            what = f"trial {trial.index}: a run was requested to stop"
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
            self.store.end(trial.frozen, "FAIL", reason=trial.reason)
        else:
            self.store.end(trial.frozen, "COMPLETE", trial.values, trial.judge)


def _index(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["place"])  # the key of the index in stored trials
