"""`anomalynet sweep` of a search: from its file to its trials, its report and its best
configurations."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli import sweep_report
from anomalynet.cli.arguments import forms_of
from anomalynet.cli.launching import data_name, label_of, launcher, slots_of, try_splits
from anomalynet.cli.output import duration, print_json, print_table, say
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.reporting.formats import FILE_OF_FORM, wanted
from anomalynet.runs.code import code_hash, made_by_other_code
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun
from anomalynet.sweep import estimate
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.search import study
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.search.space import distributions
from anomalynet.sweep.search.trial_store import TrialStore, empty_storage, open_storage
from anomalynet.sweep.slots import Slot

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from anomalynet.reporting.formats import Form


@dataclass(frozen=True, slots=True)
class _Command:
    """One command of a search."""

    args: argparse.Namespace
    search: Search
    base: list[Job]  # the runs of the experiment as it is: a trial has as many, on the same data
    slots: list[Slot]
    label: str
    out: Path

    @property
    def together(self) -> int:
        """How many runs go on at a time: those of one batch at most."""
        return min(len(self.slots), len(self.base) * self.search.sweep.search.batch)

    def keep_record(self, known: Sequence[FrozenTrial]) -> SweepRecord:
        """Note the runs so far, for `status`."""
        search, runs = self.search, self._runs(known)
        sweep, given = search.sweep, search.overrides
        place = (self.slots, self.out, runs, search.total)
        return sweep_report.keep_record(self.args, sweep, self.label, given, *place)

    def _runs(self, known: Sequence[FrozenTrial]) -> Iterator[SweepRun]:
        epochs, number = self.base[0].run.loaded.config.training.epochs, 0
        for place, trial in enumerate(known):
            own, closed = trial.params.get("training.epochs", epochs), trial.state.is_finished()
            for name, job in zip(trial.user_attrs.get("runs", []), self.base, strict=False):
                experiment, _, run_id = name.partition("/")
                number += 1
                arm = f"trial {place}"
                yield SweepRun(number, experiment, run_id, arm, job.run.place, own, closed)


def run(args: argparse.Namespace, sweep: Sweep, overrides: list[str]) -> int:
    """Search, and write the report."""
    if args.print or args.only:
        what = f"{sweep.name} is a search: its runs are not known before"
        raise UsageError(what, "--plan says how far it is")
    if args.trials is not None and args.trials < 1:
        raise UsageError(f"--trials must be at least 1, not {args.trials}")
    study.check(sweep, overrides)
    base = study.base_jobs(sweep, overrides, args.runs)
    slots, label = slots_of(args, base), label_of(sweep, base, overrides)
    journal, lock = study.files_of(args.runs, label)
    new = args.plan and args.storage is None and not journal.is_file()
    storage = empty_storage() if new else open_storage(args.storage, journal)
    store = TrialStore(storage, study.study_name(sweep, base), sweep.search, lock)
    search = Search(sweep, overrides, args.runs, store, args.trials or sweep.search.trials)
    out = args.out or Path("reports") / label
    command = _Command(args, search, base, slots, label, out)
    if args.plan:
        _show(command)
        return 0
    return _carry_out(command)


def _show(command: _Command) -> None:
    """Every trial with its state, value and params; then how many are left, and for how long."""
    search, base = command.search, command.base
    known, total, together = search.store.trials(), search.total, command.together
    left = max(total - sum(trial.state.is_finished() for trial in known), 0)
    runs = [replace(job, state="waiting") for job in base]
    costs = estimate.measured(command.args.runs, runs)
    seconds = None
    if not estimate.unmeasured(runs, costs):
        seconds = left * estimate.at_most(runs, costs, together)
    rows = [_row(place, trial, search.sweep) for place, trial in enumerate(known)]
    chosen = study.best(known, search.sweep.search.directions)
    if command.args.json:
        facts = {"trials": rows, "wanted": total, "left": left}
        print_json({**facts, "best": chosen, "seconds_left": seconds})
        return
    print_table(rows)
    size = f"{len(base)} run{'s' if len(base) > 1 else ''}"
    told = f"{total} trials of {size}, {total - left} done, {left} left"
    if chosen:
        told += f", best: trial {', '.join(map(str, chosen))}"
    if left and seconds is None:
        told += f"; time left unknown: no run of {base[0].run.loaded.name} has been measured"
    elif left and seconds is not None:
        told += f"; at most {duration(seconds)} with {together} at a time"
    print(told)


def _row(place: int, trial: FrozenTrial, sweep: Sweep) -> dict[str, Any]:
    """A trial in a table: its place, state, values and params."""
    values = trial.values or [None] * len(sweep.search.objectives)
    judged = dict(zip(sweep.search.objectives, values, strict=True))
    return {"trial": place, "state": trial.state.name.lower(), **judged, **trial.params}


def _carry_out(command: _Command) -> int:
    search, args, out = command.search, command.args, command.out
    sweep, forms = search.sweep, forms_of(args)
    if args.rerun:
        search.renew(args.rerun)
    known = search.store.trials()
    ended = sum(trial.state.is_finished() for trial in known[: search.total])
    size = f"{len(command.base)} run{'s' if len(command.base) > 1 else ''}"
    told = f"{search.total} trials of {size} on {data_name(command.base)}, {ended} done"
    say(f"{told}, {command.together} at a time, in {args.runs}")
    record = command.keep_record(known)
    if ended < search.total:
        _work(command)
        known = search.store.trials()
        record = command.keep_record(known)
    for trial in known[: search.total]:
        if not trial.state.is_finished():
            owner, place = trial.user_attrs.get("owner") or {}, trial.user_attrs["place"]
            where = f"process {owner.get('pid')} on {owner.get('host')}"
            say(f"trial {place} is under way in {where}")
    if search.exhausted:
        say(f"all {len(known)} points of the space have been tried")
    failed = [place for place, trial in enumerate(known) if trial.state.name == "FAIL"]
    for place in failed:
        reason = str(known[place].user_attrs.get("reason", "")).strip()
        say(f"failed: trial {place}: {reason.splitlines()[0]}")
    if failed:
        say("`--rerun failed` tries them again, with the same values and in the same places")
    _warn_of_other_code(search, known)
    chosen = study.best(known, sweep.search.directions)
    source = _source_of(search, out, known, chosen)
    if not sweep_report.is_current(record, source, forms):
        _report(search, command.base, out, known, chosen, forms)
        sweep_report.mark_reported(record, source, args.runs)
    if command.base[0].run.loaded.config.tracking == "wandb":
        folders = [folder.path for trial in known for folder in _folders(search, trial)]
        rows = [_row(place, trial, sweep) for place, trial in enumerate(known)]
        sweep_report.track_rows(command.label, rows, folders, args.runs, out)
    path = str(out / FILE_OF_FORM[forms[0]])
    if args.json:
        names = [trial.state.name.lower() for trial in known]
        states = {name: names.count(name) for name in ("complete", "pruned", "fail", "running")}
        found = [_row(place, known[place], sweep) for place in chosen]
        print_json({"report": path, "trials": len(known), **states, "best": found})
    else:
        print(path)
    return int(bool(failed))


def _work(command: _Command) -> None:
    """Prepare the data, then carry out trials."""
    from anomalynet.cli.progress import SearchProgress

    search = command.search
    tried: set[object] = set()

    def ready(jobs: Sequence[Job]) -> None:
        waiting = [job for job in jobs if job.state == "waiting"]
        new = [job for job in waiting if job.run.loaded.config.data not in tried]
        try_splits(new)
        tried.update(job.run.loaded.config.data for job in new)

    def changed() -> None:
        command.keep_record(search.store.trials())

    ready([replace(job, state="waiting") for job in command.base])  # refused before any trial
    search.ready = ready
    workers = launcher(command.args, command.slots, command.label)
    with SearchProgress(search, changed) as progress, workers as launch:
        search.run(launch, progress)


def _folders(search: Search, trial: FrozenTrial) -> list[RunFolder]:
    """The folders of a trial's runs, there or not."""
    return [RunFolder(search.runs / name) for name in trial.user_attrs.get("runs", [])]


def _warn_of_other_code(search: Search, known: Sequence[FrozenTrial]) -> None:
    stale = []
    for place, trial in enumerate(known):
        folders = _folders(search, trial) if trial.state.name == "COMPLETE" else []
        stale += [place] if any(made_by_other_code(one.environment) for one in folders) else []
    if stale:
        what = f"other code made runs of {len(stale)} trials, such as trial {stale[0]}"
        say(f"warning: {what}; `--rerun stale` repeats them")


def _source_of(
    search: Search, out: Path, known: Sequence[FrozenTrial], chosen: Sequence[int]
) -> str:
    """A digest of what a report is made from: trials, results of the chosen ones, the code."""
    code = f"{code_hash(('reporting', 'cli'), sweep_report.SOURCES)} {code_hash()}"
    digest = hashlib.sha256(f"{code} {out} {search.total}".encode())
    for trial in known:
        own = (trial.state.name, trial.params, trial.values, trial.user_attrs.get("reason"))
        digest.update(repr(own).encode())
    for place in chosen:
        for folder in _folders(search, known[place]):
            digest.update(sweep_report.made(folder) if folder.finished else b"elsewhere")
    return digest.hexdigest()


def _report(
    search: Search,
    base: Sequence[Job],
    out: Path,
    known: Sequence[FrozenTrial],
    chosen: Sequence[int],
    forms: Sequence[Form],
) -> Path:
    """Write the report and the best configurations; returns the path of the report's first form."""
    from anomalynet.reporting.search import SearchOutcome, write_search_report
    from anomalynet.runs.collect import load_record

    sweep, settings, records = search.sweep, search.sweep.search, {}
    for place in chosen:
        folders = _folders(search, known[place])
        if all(folder.finished for folder in folders):
            records[place] = [load_record(folder) for folder in folders]
        else:
            say(f"trial {place} was run on another machine: its test metrics are not in the report")
    params = {place: known[place].params for place in chosen}
    outcome = SearchOutcome(
        name=sweep.name,
        question=sweep.question,
        settings=f"Sampler: {settings.sampler}, seed {settings.seed}; pruner: {settings.pruner}.",
        repetitions=_repetitions(base),
        objectives=settings.objectives,
        directions=settings.directions,
        wanted=search.total,
        trials=known,
        space=distributions(sweep.axes),
        best=chosen,
        records=records,
        configurations=study.write_best(sweep, search.overrides, params, out),
        exhausted=search.exhausted,
    )
    with wanted(forms, out) as path:
        write_search_report(outcome, out, f"{sweep.name} on {data_name(base)}")
    return path


def _repetitions(base: Sequence[Job]) -> str:
    """`seed 0 × folds 0, 1 × world 0`"""
    parts = []
    for index, name in enumerate(("seed", "fold", "world"), 1):
        values = [job.run.expected[index] for job in base]
        known = sorted({value for value in values if isinstance(value, int)})
        if known:
            parts.append(f"{name}{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}")
    return " × ".join(parts)


def report_again(
    record: SweepRecord, runs: Path, out: Path, url: str | None, forms: Sequence[Form]
) -> Path:
    """Write the report of a search that was started, from its journal or database and its runs.
    Raises NothingToCompareError: it has no trials there, or those are another search's."""
    sweep, overrides = read_sweep(record.sweep, record.preset), list(record.overrides)
    base = study.base_jobs(sweep, overrides, runs)
    journal, lock = study.files_of(runs, record.label)
    again, name = f"anomalynet sweep {record.sweep}", study.study_name(sweep, base)
    if url is None and not journal.is_file():
        hint = "--storage names the database that they are in"
        raise NothingToCompareError(f"{record.label}: no trials in {journal}", hint)
    storage = open_storage(url, journal)
    if name not in {one.study_name for one in storage.get_all_studies()}:
        what = "no trial of this search as its file, its data and this program are now"
        raise NothingToCompareError(f"{record.label}: {what}", again)
    store = TrialStore(storage, name, sweep.search, lock)
    search = Search(sweep, overrides, runs, store, record.trials or sweep.search.trials)
    known = store.trials()
    if not known:
        raise NothingToCompareError(f"{record.label}: no trial yet", again)
    return _report(search, base, out, known, study.best(known, sweep.search.directions), forms)
