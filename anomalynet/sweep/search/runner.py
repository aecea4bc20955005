"""Carries out a search: from its file to its trials, its report and its best configurations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.reporting.formats import wanted
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun
from anomalynet.sweep import report
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Again, Job, PlannedSweep
from anomalynet.sweep.progress import SearchProgress, say, say_nothing
from anomalynet.sweep.runner import SweepOutcome, launcher, validate_splits
from anomalynet.sweep.search import study
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.search.space import distributions
from anomalynet.sweep.search.trial_store import TrialStore, empty_storage, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

    from anomalynet.reporting.formats import Form


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """A search with its trials so far. The `jobs` of its plan are the runs of the unchanged
    experiment; each trial has as many runs, on the same data."""

    planned: PlannedSweep
    search: Search

    @property
    def runs_at_a_time(self) -> int:
        """The number of runs that are trained at a time: at most those of one batch."""
        batch = self.search.sweep.search.batch
        return min(len(self.planned.slots), len(self.planned.jobs) * batch)

    def rows(self, stored: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
        """A row per trial: its number, state, values and parameters."""
        found, objectives = [], self.search.sweep.search.objectives
        for number, trial in enumerate(stored):
            values = dict(zip(objectives, trial.values or [None] * len(objectives), strict=True))
            state = trial.state.name.lower()
            found.append({"trial": number, "state": state, **values, **trial.params})
        return found

    def best(self, stored: Sequence[FrozenTrial]) -> list[int]:
        """The numbers of the best trial, or of the Pareto front."""
        return study.best(stored, self.search.sweep.search.directions)

    def folders(self, trial: FrozenTrial) -> list[RunFolder]:
        """The folders of a trial's runs; they may not exist yet."""
        return [RunFolder(self.planned.runs / name) for name in trial.user_attrs.get("runs", [])]

    def outcome(self, stored: Sequence[FrozenTrial], path: Path | None = None) -> SweepOutcome:
        """The trials so far, with the path of the report."""
        return SweepOutcome(
            label=self.planned.label,
            slots=self.runs_at_a_time,
            jobs=tuple(self.planned.jobs),
            report=path,
            wanted=self.search.total,
            trials=tuple(self.rows(stored)),
            best=tuple(self.best(stored)),
        )

    def write_record(self, stored: Sequence[FrozenTrial]) -> SweepRecord:
        """Write the runs so far, for `status`."""
        return self.planned.write_record(self._runs(stored), self.search.total)

    def _runs(self, stored: Sequence[FrozenTrial]) -> Iterator[SweepRun]:
        base, number = self.planned.jobs, 0
        epochs = base[0].run.loaded.config.training.epochs
        for index, trial in enumerate(stored):
            own, ended = trial.params.get("training.epochs", epochs), trial.state.is_finished()
            for name, job in zip(trial.user_attrs.get("runs", []), base, strict=False):
                experiment, _, run_id = name.partition("/")
                number += 1
                arm, repetition = f"trial {index}", job.run.repetition
                yield SweepRun(number, experiment, run_id, arm, repetition, own, ended)


def open_search(
    planned: PlannedSweep,
    trials: int | None = None,
    storage: str | None = None,
    *,
    create: bool = True,
) -> OpenSearch:
    """The search of a plan with the trials in its journal, or in the database `storage`. Without
    `create` no journal is made. `trials`: the total number, instead of the file's."""
    if trials is not None and trials < 1:
        raise UsageError(f"--trials must be at least 1, not {trials}")
    sweep, runs = planned.sweep, planned.runs
    journal, lock = study.files_of(runs, planned.label)
    in_memory = not create and storage is None and not journal.is_file()
    trial_storage = empty_storage() if in_memory else open_storage(storage, journal)
    name = study.study_name(sweep, planned.jobs)
    store = TrialStore(trial_storage, name, sweep.search, lock)
    total = trials or sweep.search.trials
    return OpenSearch(planned, Search(sweep, list(planned.overrides), runs, store, total))


def run_search(
    planned: PlannedSweep,
    forms: Sequence[Form],
    trials: int | None = None,
    storage: str | None = None,
    rerun: Sequence[Again] = (),
    plan_only: bool = False,
    progress: bool = False,
) -> SweepOutcome:
    """Carry out the missing trials, and write the report; `run_sweep` calls it."""
    opened = open_search(planned, trials, storage, create=not plan_only)
    notify, search = say if progress else say_nothing, opened.search
    if plan_only:
        return opened.outcome(search.store.trials())
    if rerun:
        search.renew(rerun)
    stored = search.store.trials()
    ended = sum(trial.state.is_finished() for trial in stored[: search.total])
    size = f"{len(planned.jobs)} run{'s' if len(planned.jobs) > 1 else ''}"
    notify(
        f"{search.total} trials of {size} on {planned.data}, {ended} done, "
        f"{opened.runs_at_a_time} at a time, in {planned.runs}"
    )
    record = opened.write_record(stored)
    if ended < search.total:
        _work(opened, progress)
        stored = search.store.trials()
        record = opened.write_record(stored)
    _notify_of_trials(opened, stored, notify)
    chosen = opened.best(stored)
    source = partial(_source_of, opened, stored, chosen)
    write = partial(_report, opened, stored, chosen, forms, notify)
    path = report.renew_report(record, planned.runs, forms, source, write)
    outcome = opened.outcome(stored, path)
    if planned.jobs[0].run.loaded.config.tracking == "wandb":
        folders = [folder.path for trial in stored for folder in opened.folders(trial)]
        report.track_rows(planned, outcome.trials, folders, notify)
    return outcome


def _work(opened: OpenSearch, progress: bool) -> None:
    """Prepare the data, then carry out trials."""
    search, planned = opened.search, opened.planned
    tried: set[object] = set()

    def ready(jobs: Sequence[Job]) -> None:
        waiting = [job for job in jobs if job.state == "waiting"]
        new = [job for job in waiting if job.run.loaded.config.data not in tried]
        validate_splits(new, say if progress else say_nothing)
        tried.update(job.run.loaded.config.data for job in new)

    def changed() -> None:
        opened.write_record(search.store.trials())

    # Problems of the data are raised here, before any trial.
    ready([replace(job, state="waiting") for job in planned.jobs])
    search.ready = ready
    shown = SearchProgress(search, changed, progress)
    with shown, launcher(planned.slots, planned.label, planned.on, shown.say) as launch:
        search.run(launch, shown)


def _notify_of_trials(
    opened: OpenSearch, stored: Sequence[FrozenTrial], notify: Callable[[str], None]
) -> None:
    """Notify of trials that another process runs, failed ones, and runs of other code."""
    for trial in stored[: opened.search.total]:
        if not trial.state.is_finished():
            owner, number = trial.user_attrs.get("owner") or {}, trial.user_attrs["place"]
            where = f"process {owner.get('pid')} on {owner.get('host')}"
            notify(f"trial {number} is running in {where}")
    if opened.search.exhausted:
        notify(f"all {len(stored)} points of the space have been tried")
    failed = [number for number, trial in enumerate(stored) if trial.state.name == "FAIL"]
    for number in failed:
        reason = str(stored[number].user_attrs.get("reason", "")).strip()
        notify(f"failed: trial {number}: {reason.splitlines()[0]}")
    if failed:
        notify("`--rerun failed` tries them again, with the same values and numbers")
    stale = []
    for number, trial in enumerate(stored):
        folders = opened.folders(trial) if trial.state.name == "COMPLETE" else []
        stale += [number] if any(made_by_other_code(one.environment) for one in folders) else []
    if stale:
        notify(
            f"warning: other code made runs of {len(stale)} trials, such as trial {stale[0]}; "
            "`--rerun stale` repeats them"
        )


def _source_of(opened: OpenSearch, stored: Sequence[FrozenTrial], chosen: Sequence[int]) -> str:
    """A digest of what a report is made from: trials, results of the chosen ones, the code."""
    facts = f"{report.code_of_reports()} {opened.planned.out} {opened.search.total}"
    digest = hashlib.sha256(facts.encode())
    for trial in stored:
        own = (trial.state.name, trial.params, trial.values, trial.user_attrs.get("reason"))
        digest.update(repr(own).encode())
    for number in chosen:
        for folder in opened.folders(stored[number]):
            digest.update(report.content_of(folder) if folder.finished else b"elsewhere")
    return digest.hexdigest()


def _report(
    opened: OpenSearch,
    stored: Sequence[FrozenTrial],
    chosen: Sequence[int],
    forms: Sequence[Form],
    notify: Callable[[str], None],
) -> Path:
    """Write the report and the best configurations; returns the path of the report's first form."""
    from anomalynet.reporting.search import SearchOutcome, write_search_report
    from anomalynet.runs.collect import load_record

    search, out = opened.search, opened.planned.out
    sweep, settings, records = search.sweep, search.sweep.search, {}
    for number in chosen:
        folders = opened.folders(stored[number])
        if all(folder.finished for folder in folders):
            records[number] = [load_record(folder) for folder in folders]
        else:
            notify(
                f"trial {number} was run on another machine: its test metrics are not in the report"
            )
    params = {number: stored[number].params for number in chosen}
    outcome = SearchOutcome(
        name=sweep.name,
        question=sweep.question,
        settings=f"Sampler: {settings.sampler}, seed {settings.seed}; pruner: {settings.pruner}.",
        repetitions=_repetitions(opened.planned.jobs),
        objectives=settings.objectives,
        directions=settings.directions,
        wanted=search.total,
        trials=stored,
        space=distributions(sweep.axes),
        best=chosen,
        records=records,
        configurations=study.write_best(sweep, search.overrides, params, out),
        exhausted=search.exhausted,
    )
    with wanted(forms, out) as path:
        write_search_report(outcome, out, f"{sweep.name} on {opened.planned.data}")
    return path


def _repetitions(base: Sequence[Job]) -> str:
    """The seeds, folds and worlds of a trial's runs, such as `seed 0 × folds 0, 1 × world 0`."""
    parts = []
    for index, name in enumerate(("seed", "fold", "world"), 1):
        values = [job.run.expected[index] for job in base]
        numbers = sorted({value for value in values if isinstance(value, int)})
        if numbers:
            parts.append(f"{name}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}")
    return " × ".join(parts)


def report_search_again(
    record: SweepRecord,
    sweep: Sweep,
    runs: Path,
    out: Path,
    forms: Sequence[Form],
    storage: str | None = None,
) -> Path:
    """Write the report of a search that was started, from its journal or database and its runs.
    Raises NothingToCompareError: it has no trials there, or only those of another search."""
    label = record.label
    again = f"anomalynet sweep {record.sweep}"
    base = study.base_jobs(sweep, record.overrides, runs)
    journal, _ = study.files_of(runs, label)
    if storage is None and not journal.is_file():
        hint = "--storage names the database of the trials"
        raise NothingToCompareError(f"{label}: no trials in {journal}", hint)
    studies = open_storage(storage, journal).get_all_studies()
    if study.study_name(sweep, base) not in {one.study_name for one in studies}:
        raise NothingToCompareError(
            f"{label}: no trial of this search with the current file, data and code", again
        )
    planned = PlannedSweep(
        source=record.sweep,
        sweep=sweep,
        overrides=record.overrides,
        runs=runs,
        out=out,
        label=label,
        jobs=base,
    )
    opened = open_search(planned, record.trials, storage)
    stored = opened.search.store.trials()
    if not stored:
        raise NothingToCompareError(f"{label}: no trial yet", again)
    return _report(opened, stored, opened.best(stored), forms, say)
