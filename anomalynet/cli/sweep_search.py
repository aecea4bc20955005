"""`anomalynet sweep` of a search: from its file to its trials, its report and the best configuration."""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli.launching import data_name, label_of, launcher, say, slots_of, try_splits
from anomalynet.cli.output import print_json, print_table
from anomalynet.cli.sweep_progress import duration
from anomalynet.cli.sweep_report import content_of, track_rows
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.runs.code import code_hash, made_by_other_code
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun, read_sweep_record, write_sweep
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.search import study
from anomalynet.sweep.search.best import write_best
from anomalynet.sweep.search.ledger import Ledger, open_storage
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.search.space import distributions
from anomalynet.sweep.slots import Slot

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a search."""

    args: argparse.Namespace
    search: Search
    base: list[Job]
    """The runs of the experiment as it is: a trial has as many, on the same data."""
    slots: list[Slot]
    label: str
    out: Path

    @property
    def sweep(self) -> Sweep:
        """The search's file."""
        return self.search.sweep


def run(args: argparse.Namespace, sweep: Sweep, overrides: list[str]) -> int:
    """Search, and write the report."""
    if args.print or args.only:
        raise UsageError(f"{sweep.name} is a search: its runs are not known before", "--plan says how far it is")
    if args.trials is not None and args.trials < 1:
        raise UsageError(f"--trials must be at least 1, not {args.trials}")
    study.check(sweep, overrides)
    base = study.base_jobs(sweep, overrides, args.runs)
    slots, label = slots_of(args, base), label_of(sweep, base, overrides)
    place = args.runs / study.FOLDER / label
    journal = place.with_name(f"{place.name}.journal")
    if args.plan and args.storage is None and not journal.is_file():
        _show(args, None, sweep, base, slots)
        return 0
    storage = open_storage(args.storage, journal)
    ledger = Ledger(storage, study.study_name(sweep, base), sweep.search, place.with_name(f"{place.name}.lock"))
    search = Search(sweep, overrides, args.runs, ledger, args.trials or sweep.search.trials)
    if args.plan:
        _show(args, search, sweep, base, slots)
        return 0
    return _carry_out(Command(args, search, base, slots, label, args.out or Path("reports") / label))


def report_again(record: SweepRecord, runs: Path, out: Path, url: str | None) -> Path:
    """Write the report of a search that was started, from its journal or database and its runs.

    Raises:
        NothingToCompareError: it has no trials there, or its file, data or program has changed so that they are another search's.
    """
    sweep, overrides = read_sweep(record.sweep, record.preset), list(record.overrides)
    base = study.base_jobs(sweep, overrides, runs)
    place = runs / study.FOLDER / record.label
    journal = place.with_name(f"{place.name}.journal")
    name = study.study_name(sweep, base)
    if url is None and not journal.is_file():
        raise NothingToCompareError(f"{record.label}: no trials in {journal}", "--storage names the database that they are in")
    storage = open_storage(url, journal)
    if name not in {one.study_name for one in storage.get_all_studies()}:
        what = f"{record.label}: no trial of this search as its file, its data and this program are now"
        raise NothingToCompareError(what, f"anomalynet sweep {record.sweep}")
    ledger = Ledger(storage, name, sweep.search, place.with_name(f"{place.name}.lock"))
    search = Search(sweep, overrides, runs, ledger, record.trials or sweep.search.trials)
    known = ledger.trials()
    if not known:
        raise NothingToCompareError(f"{record.label}: no trial yet", f"anomalynet sweep {record.sweep}")
    args = argparse.Namespace(name=record.sweep, runs=runs)
    command = Command(args, search, base, [Slot()] * record.slots, record.label, out)
    return _reported(command, known, study.best(known, sweep.search.directions))


def _carry_out(command: Command) -> int:
    search, args = command.search, command.args
    if args.rerun:
        search.renew(args.rerun)
    known = search.ledger.trials()
    ended = sum(trial.state.is_finished() for trial in known[: search.total])
    size = len(command.base)
    say(
        f"{search.total} trials of {size} run{'s' if size > 1 else ''} on {data_name(command.base)}, {ended} done, "
        f"{len(command.slots)} at a time, in {args.runs}"
    )
    _keep_record(command, known)
    if ended < search.total:
        _work(command)
        known = search.ledger.trials()
    elsewhere = [trial for trial in known[: search.total] if not trial.state.is_finished()]
    for trial in elsewhere:
        owner = trial.user_attrs.get("owner") or {}
        say(f"trial {trial.user_attrs['place']} is under way in process {owner.get('pid')} on {owner.get('host')}")
    if search.exhausted:
        say(f"all {len(known)} points of the space have been tried")
    failed = [place for place, trial in enumerate(known) if trial.state.name == "FAIL"]
    for place in failed:
        say(f"failed: trial {place}: {str(known[place].user_attrs.get('reason', '')).strip().splitlines()[0]}")
    if failed:
        say("`--rerun failed` tries them again, with the same values and in the same places")
    _warn_of_other_code(known, command)
    chosen = study.best(known, command.sweep.search.directions)
    path = _reported(command, known, chosen)
    if command.base[0].run.loaded.config.tracking == "wandb":
        folders = [folder.path for trial in known for folder in _folders(command, trial)]
        track_rows(
            command.label, [_plain(place, trial, command.sweep) for place, trial in enumerate(known)], folders, args.runs, command.out
        )
    if args.json:
        states = {name: sum(trial.state.name == name for trial in known) for name in ("COMPLETE", "PRUNED", "FAIL", "RUNNING")}
        found = [_plain(place, known[place], command.sweep) for place in chosen]
        print_json({"report": str(path), "trials": len(known), **{name.lower(): number for name, number in states.items()}, "best": found})
    else:
        print(path)
    return int(bool(failed))


def _work(command: Command) -> None:
    """Prepare the data, then carry out trials."""
    from anomalynet.cli.search_progress import SearchProgress
    from anomalynet.reporting.search import objective_text

    search = command.search
    tried: set[object] = set()

    def ready(jobs: Sequence[Job]) -> None:
        new = [job for job in jobs if job.state == "waiting" and job.run.loaded.config.data not in tried]
        try_splits(new)
        tried.update(job.run.loaded.config.data for job in new)

    waiting = [replace(job, state="waiting") for job in command.base]
    ready(waiting)  # what the data refuses, is refused before there is a trial
    search.ready = ready
    with (
        SearchProgress(search, lambda: _keep_record(command, search.ledger.trials()), objective_text) as progress,
        launcher(command.args, command.slots, command.label) as launch,
    ):
        search.run(launch, progress)


def _keep_record(command: Command, known: Sequence[FrozenTrial]) -> SweepRecord:
    """Note the runs so far, for `status`."""
    args, last = command.args, read_sweep_record(command.args.runs, command.label)
    places = [job.run.place for job in command.base]
    epochs = command.base[0].run.loaded.config.training.epochs
    runs: list[SweepRun] = []
    for place, trial in enumerate(known):
        for name, where in zip(trial.user_attrs.get("runs", []), places, strict=False):
            experiment, _, run_id = name.partition("/")
            own = trial.params.get("training.epochs", epochs)
            closed = trial.state.is_finished()
            runs.append(SweepRun(len(runs) + 1, experiment, run_id, f"trial {place}", where, own, closed))
    record = SweepRecord(
        label=command.label,
        sweep=args.name if args.name.endswith((".yaml", ".yml")) else command.sweep.name,
        preset=command.sweep.preset,
        overrides=tuple(command.search.overrides),
        slots=len(command.slots),
        started=last.started if last and last.runs[: len(runs)] == tuple(runs) else datetime.now(UTC).isoformat(timespec="seconds"),
        report=str(command.out),
        runs=tuple(runs),
        trials=command.search.total,
        reported=last.reported if last else "",
        pid=os.getpid(),
        host=socket.gethostname(),
    )
    write_sweep(args.runs, record)
    return record


def _folders(command: Command, trial: FrozenTrial) -> list[RunFolder]:
    return [RunFolder(command.args.runs / name) for name in trial.user_attrs.get("runs", [])]


def _warn_of_other_code(known: Sequence[FrozenTrial], command: Command) -> None:
    stale = [
        place
        for place, trial in enumerate(known)
        if trial.state.name == "COMPLETE" and any(made_by_other_code(folder.environment) for folder in _folders(command, trial))
    ]
    if stale:
        say(f"warning: other code made runs of {len(stale)} trials, such as trial {stale[0]}; `--rerun stale` repeats them")


def _reported(command: Command, known: Sequence[FrozenTrial], chosen: Sequence[int]) -> Path:
    """Write the report and the best configurations, unless those that are there were made from the same."""
    digest = hashlib.sha256(f"{code_hash(('reporting', 'cli'))} {code_hash()} {command.out} {command.search.total}".encode())
    for trial in known:
        digest.update(repr((trial.state.name, trial.params, trial.values, trial.user_attrs.get("reason"))).encode())
    here = {place: _folders(command, known[place]) for place in chosen}
    for place, folders in here.items():
        if not all(folder.finished for folder in folders):
            say(f"trial {place} was run on another machine: its test metrics are not in the report")
            here[place] = []
        for folder in here[place]:
            digest.update((folder.path / "result.json").read_bytes() + folder.environment.read_bytes())
    record, path = _keep_record(command, known), command.out / "report.md"
    if path.is_file() and record.reported == _with(digest.hexdigest(), command.out):
        return path

    from anomalynet.reporting.search import SearchOutcome, write_search_report
    from anomalynet.runs.collect import load_record

    sweep, settings = command.sweep, command.sweep.search
    files = write_best(sweep, command.search.overrides, {place: known[place].params for place in chosen}, command.out)
    outcome = SearchOutcome(
        name=sweep.name,
        question=sweep.question,
        settings=f"Sampler: {settings.sampler}, seed {settings.seed}; pruner: {settings.pruner}.",
        repetitions=_repetitions(command.base),
        objectives=settings.objectives,
        directions=settings.directions,
        wanted=command.search.total,
        trials=known,
        space=distributions(sweep.axes),
        best=chosen,
        records={place: [load_record(folder) for folder in folders] for place, folders in here.items() if folders},
        configurations=files,
        exhausted=command.search.exhausted,
    )
    write_search_report(outcome, command.out, f"{sweep.name} on {data_name(command.base)}")
    write_sweep(command.args.runs, replace(record, reported=_with(digest.hexdigest(), command.out)))
    return path


def _with(digest: str, out: Path) -> str:
    """A digest that holds the report in a folder, too."""
    return hashlib.sha256(digest.encode() + content_of(out)).hexdigest()


def _repetitions(base: Sequence[Job]) -> str:
    """`seed 0 × folds 0, 1 × world 0`"""
    every = [job.run.expected for job in base]
    parts = []
    for name, values in (("seed", [one[1] for one in every]), ("fold", [one[2] for one in every]), ("world", [one[3] for one in every])):
        known = sorted({value for value in values if value is not None})
        parts += [f"{name}{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"] if known else []
    return " × ".join(parts)


def _show(args: argparse.Namespace, search: Search | None, sweep: Sweep, base: Sequence[Job], slots: Sequence[Slot]) -> None:
    """Every trial with its state, value and params; then how many are left, and how long they take as far as runs were measured."""
    from anomalynet.sweep import estimate

    known = search.ledger.trials() if search else []
    total = args.trials or sweep.search.trials
    left = max(total - sum(trial.state.is_finished() for trial in known), 0)
    wanted = [replace(job, state="waiting") for job in base]
    at_once = min(len(slots), len(base) * sweep.search.batch)
    costs = estimate.measured(args.runs, wanted)
    seconds = None if estimate.unmeasured(wanted, costs) else left * estimate.at_most(wanted, costs, at_once)
    rows = [_plain(place, trial, sweep) for place, trial in enumerate(known)]
    chosen = study.best(known, sweep.search.directions)
    if args.json:
        print_json({"trials": rows, "wanted": total, "left": left, "best": chosen, "seconds_left": seconds})
        return
    print_table(rows)
    told = f"{total} trials of {len(base)} run{'s' if len(base) > 1 else ''}, {total - left} done, {left} left"
    if chosen:
        told += f", best: trial {', '.join(map(str, chosen))}"
    if left and seconds is None:
        told += f"; time left unknown: no run of {base[0].run.loaded.name} has been measured"
    elif left and seconds is not None:
        told += f"; at most {duration(seconds)} with {at_once} at a time"
    print(told)


def _plain(place: int, trial: FrozenTrial, sweep: Sweep) -> dict[str, Any]:
    """One row of a table of trials."""
    values = trial.values or [None] * len(sweep.search.objectives)
    return {"trial": place, "state": trial.state.name.lower(), **dict(zip(sweep.search.objectives, values, strict=True)), **trial.params}
