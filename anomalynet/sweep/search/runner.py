"""Carries out a search: from its file to its trials, its report and its best configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.errors import NothingToCompareError, UsageError, counted, say
from anomalynet.reporting.formats.files import wanted
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.sweeps import SweepRecord, SweepRun
from anomalynet.sweep import report
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import Again, Job, PlannedSweep
from anomalynet.sweep.progress import SearchProgress, say_nothing
from anomalynet.sweep.runner import SweepOutcome, carry_out, launcher, validate_splits
from anomalynet.sweep.search import study
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.search.settings import MOST
from anomalynet.sweep.search.space import distributions
from anomalynet.sweep.search.trial_store import TrialStore, open_storage

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from anomalynet.reporting.formats.files import Form


def open_search(
    planned: PlannedSweep,
    trials: int | None = None,
    storage: str | None = None,
    *,
    create: bool = True,
) -> Search:
    """The search of a plan with the trials in its journal, or in the database `storage`. Without
    `create` no journal is made. `trials`: the total number, instead of the file's."""
    if trials is not None and not 1 <= trials <= MOST:
        raise UsageError(f"--trials must be at least 1, at most {MOST:,}, not {trials:,}")
    settings = planned.sweep.search
    journal, lock = study.files_of(planned.runs, planned.label)
    name = study.study_name(planned.sweep, planned.jobs)
    store = TrialStore(open_storage(storage, journal, create=create), name, settings, lock)
    return Search(planned, store, trials or settings.trials)


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
    search = open_search(planned, trials, storage, create=not plan_only)
    notify = say if progress else say_nothing
    if plan_only:
        return _outcome(search, search.store.trials())
    report.refuse_other(planned, [], max(search.total, len(search.store.trials())))
    if rerun:
        search.renew(rerun)
    stored = search.store.trials()
    ended = sum(trial.state.is_finished() for trial in stored[: search.total])
    size = counted(len(planned.jobs), "run")
    notify(
        f"{search.total} trials of {size} on {planned.data}, {ended} done, "
        f"{search.runs_at_a_time} at a time, in {planned.runs}"
    )
    record = _write_record(search, stored)
    if ended < search.total:
        _work(search, progress)
        waiting = [job for job in planned.jobs if job.state == "waiting"]
        carry_out(waiting, planned.slots, planned.label, planned.on, progress=progress)
        stored = search.store.trials()
        record = _write_record(search, stored)
    _notify_of_trials(search, stored, notify)
    facts = f"{search.total} " + str(
        [(one.state.name, one.params, one.values, one.user_attrs.get("reason")) for one in stored]
    )
    chosen = [folder for number in search.best(stored) for folder in search.folders(stored[number])]
    done = [folder for folder in chosen if folder.intact]
    write = partial(_report, search, stored, forms, notify)
    path = report.renew_report(planned, record, forms, facts, done, write, len(stored))
    outcome = _outcome(search, stored, path)
    every = [folder for trial in stored for folder in search.folders(trial)]
    report.track(planned, every, notify, list(_tracked(search, stored, outcome)))
    return outcome


def _outcome(
    search: Search, stored: Sequence[FrozenTrial], path: Path | None = None
) -> SweepOutcome:
    """The trials so far, with the path of the report."""
    rows, objectives = [], search.sweep.search.objectives
    for number, trial in enumerate(stored):
        values = dict(zip(objectives, trial.values or [None] * len(objectives), strict=True))
        state = trial.state.name.lower()
        rows.append({"trial": number, "state": state, **values, **trial.params})
    return SweepOutcome(
        label=search.planned.label,
        slots=search.runs_at_a_time,
        jobs=tuple(search.planned.jobs),
        report=path,
        wanted=search.total,
        trials=tuple(rows),
        best=tuple(search.best(stored)),
    )


def _tracked(
    search: Search, stored: Sequence[FrozenTrial], outcome: SweepOutcome
) -> Iterator[dict[str, object]]:
    """Each trial with a result as one run in W&B, with a step for each of its runs."""
    label = search.planned.label
    for number, (trial, row) in enumerate(zip(stored, outcome.trials, strict=True)):
        if trial.state.name in ("COMPLETE", "PRUNED"):
            done = (folder for folder in search.folders(trial) if folder.finished)
            yield {
                "job_type": "trial",
                "id": f"{label}-trial-{number}",
                "name": f"{label} trial {number}",
                "config": {"sweep": label, "trial": number, **trial.params},
                "summary": {name: row[name] for name in ("state", *search.sweep.search.objectives)},
                "steps": [folder.read_result().metrics for folder in done],
            }


def _write_record(search: Search, stored: Sequence[FrozenTrial]) -> SweepRecord:
    """Write the runs so far, for `status`."""
    runs: list[SweepRun] = []
    base = search.planned.jobs
    epochs = base[0].run.loaded.config.training.epochs
    for index, trial in enumerate(stored):
        own, ended = trial.params.get("training.epochs", epochs), trial.state.is_finished()
        for folder, job in zip(search.folders(trial), base, strict=False):
            number, place, arm = len(runs) + 1, job.run.repetition, f"trial {index}"
            name, run_id = folder.path.parent.name, folder.path.name
            runs.append(SweepRun(number, name, run_id, arm, place, own, ended))
    return search.planned.write_record(runs, search.total)


def _work(search: Search, progress: bool) -> None:
    """Prepare the data, then carry out trials."""
    planned = search.planned
    tried: set[object] = set()

    def ready(jobs: Sequence[Job]) -> None:
        waiting = [job for job in jobs if job.state == "waiting"]
        new = [job for job in waiting if job.run.loaded.config.data not in tried]
        validate_splits(new, say if progress else say_nothing)
        tried.update(job.run.loaded.config.data for job in new)

    def changed() -> None:
        _write_record(search, search.store.trials())

    # Problems of the data are raised here, before any trial.
    ready([replace(job, state="waiting") for job in planned.jobs])
    search.ready = ready
    shown = SearchProgress(search, changed, progress)
    with shown, launcher(planned.slots, planned.label, planned.on, shown.say) as launch:
        search.run(launch, shown)


def _notify_of_trials(
    search: Search, stored: Sequence[FrozenTrial], notify: Callable[[str], None]
) -> None:
    """Notify of trials that another process runs, failed ones, and runs of other code."""
    for trial in stored[: search.total]:
        if not trial.state.is_finished():
            owner, number = trial.user_attrs.get("owner") or {}, trial.user_attrs["place"]
            where = f"process {owner.get('pid')} on {owner.get('host')}"
            notify(f"trial {number} is running in {where}")
    if search.exhausted:
        notify(f"all {len(stored)} points of the space have been tried")
    failed = [number for number, trial in enumerate(stored) if trial.state.name == "FAIL"]
    for number in failed:
        reason = str(stored[number].user_attrs.get("reason") or "no reason was given")
        notify(f"failed: trial {number}: {reason.strip().splitlines()[0]}")
    if failed:
        notify("`--rerun failed` tries them again, with the same values and numbers")
    stale = []
    for number, trial in enumerate(stored):
        folders = search.folders(trial) if trial.state.name == "COMPLETE" else []
        stale += [number] if any(made_by_other_code(one.environment) for one in folders) else []
    if stale:
        notify(
            f"warning: another version of the code made runs of {len(stale)} trials, such as "
            f"trial {stale[0]}; `--rerun stale` repeats them"
        )


def _report(
    search: Search,
    stored: Sequence[FrozenTrial],
    forms: Sequence[Form],
    notify: Callable[[str], None],
) -> Path:
    """Write the report and the best configurations; returns the path of the report's first form."""
    from anomalynet.reporting.search import SearchOutcome, write_search_report
    from anomalynet.runs.collect import load_record

    out, chosen = search.planned.out, search.best(stored)
    sweep, settings, records = search.sweep, search.sweep.search, {}
    for number in chosen:
        folders = search.folders(stored[number])
        if all(folder.intact for folder in folders):
            records[number] = [load_record(folder) for folder in folders]
        else:
            why = "was run on another machine, or its files are damaged"
            notify(f"trial {number} {why}: its test metrics are not in the report")
    params = {number: stored[number].params for number in chosen}
    full = full_preset(sweep, search.planned.source)
    untuned = [job.folder for job in search.planned.jobs if job.folder.finished]
    outcome = SearchOutcome(
        question=sweep.question,
        settings=f"Sampler: {settings.sampler}, seed {settings.seed}; pruner: {settings.pruner}.",
        repetitions=_repetitions(search.planned.jobs),
        objectives=settings.objectives,
        directions=settings.directions,
        wanted=search.total,
        trials=stored,
        space=distributions(sweep.axes),
        best=chosen,
        records=records,
        configurations=study.write_best(full or sweep, search.planned.overrides, params, out),
        exhausted=search.exhausted,
        reference=[load_record(folder) for folder in untuned],
        command=search.planned.command,
        preset="full" if full else "",
    )
    with wanted(forms, out) as path:
        write_search_report(outcome, out, f"{sweep.name} on {search.planned.data}")
    return path


def full_preset(sweep: Sweep, source: str) -> Sweep | None:
    """The search with the settings of its preset `full`; None if it has none, or was read so."""
    try:
        return None if sweep.preset in ("", "full") else read_sweep(source, "full")
    except UsageError:
        return None


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
    planned: PlannedSweep, trials: int, forms: Sequence[Form], storage: str | None = None
) -> Path:
    """Write the report of a search that was started, from its journal or database and its runs.
    Raises NothingToCompareError: it has no trials there, or only those of another search."""
    label, again = planned.label, f"anomalynet sweep {planned.source}"
    journal, _ = study.files_of(planned.runs, label)
    if storage is None and not journal.is_file():
        hint = "--storage names the database of the trials"
        raise NothingToCompareError(f"{label}: no trials in {journal}", hint)
    studies = open_storage(storage, journal).get_all_studies()
    if study.study_name(planned.sweep, planned.jobs) not in {one.study_name for one in studies}:
        what = "no trial of this search with the current file, data and code"
        raise NothingToCompareError(f"{label}: {what}", again)
    search = open_search(planned, trials, storage)
    stored = search.store.trials()
    if not stored:
        raise NothingToCompareError(f"{label}: no trial yet", again)
    return _report(search, stored, forms, say)
