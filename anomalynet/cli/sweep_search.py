"""`anomalynet sweep` of a search: from its file to its trials and its report."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli import search_plan
from anomalynet.cli.arguments import forms_of
from anomalynet.cli.launching import data_name, label_of, launcher, say, slots_of, try_splits
from anomalynet.cli.output import print_json
from anomalynet.cli.search_report import folders_of, report, source_of
from anomalynet.cli.sweep_report import is_current, keep_record, mark_reported, track_rows
from anomalynet.errors import UsageError
from anomalynet.reporting.forms import PLACES, Form
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.sweeps import SweepRecord, SweepRun
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.search import study
from anomalynet.sweep.search.ledger import Ledger, open_storage
from anomalynet.sweep.search.loop import Search
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
    forms: list[Form]
    """Those in which the report is wanted."""

    @property
    def sweep(self) -> Sweep:
        """The search's file."""
        return self.search.sweep


def run(args: argparse.Namespace, sweep: Sweep, overrides: list[str]) -> int:
    """Search, and write the report."""
    forms = forms_of(args)
    if args.print or args.only:
        raise UsageError(
            f"{sweep.name} is a search: its runs are not known before", "--plan says how far it is"
        )
    if args.trials is not None and args.trials < 1:
        raise UsageError(f"--trials must be at least 1, not {args.trials}")
    study.check(sweep, overrides)
    base = study.base_jobs(sweep, overrides, args.runs)
    slots, label = slots_of(args, base), label_of(sweep, base, overrides)
    journal, lock = study.files_of(args.runs, label)
    if args.plan and args.storage is None and not journal.is_file():
        search_plan.show(args, None, sweep, base, slots)
        return 0
    storage = open_storage(args.storage, journal)
    ledger = Ledger(storage, study.study_name(sweep, base), sweep.search, lock)
    search = Search(sweep, overrides, args.runs, ledger, args.trials or sweep.search.trials)
    if args.plan:
        search_plan.show(args, search, sweep, base, slots)
        return 0
    return _carry_out(
        Command(args, search, base, slots, label, args.out or Path("reports") / label, forms)
    )


def _carry_out(command: Command) -> int:
    search, args = command.search, command.args
    if args.rerun:
        search.renew(args.rerun)
    known = search.ledger.trials()
    ended = sum(trial.state.is_finished() for trial in known[: search.total])
    size = len(command.base)
    say(
        f"{search.total} trials of {size} run{'s' if size > 1 else ''} on "
        f"{data_name(command.base)}, {ended} done, "
        f"{search_plan.at_once(command.sweep, command.base, command.slots)} at a time, in "
        f"{args.runs}"
    )
    record = _keep_record(command, known)
    if ended < search.total:
        _work(command)
        known = search.ledger.trials()
        record = _keep_record(command, known)
    elsewhere = [trial for trial in known[: search.total] if not trial.state.is_finished()]
    for trial in elsewhere:
        owner = trial.user_attrs.get("owner") or {}
        say(
            f"trial {trial.user_attrs['place']} is under way in process {owner.get('pid')} on "
            f"{owner.get('host')}"
        )
    if search.exhausted:
        say(f"all {len(known)} points of the space have been tried")
    failed = [place for place, trial in enumerate(known) if trial.state.name == "FAIL"]
    for place in failed:
        say(
            f"failed: trial {place}: "
            f"{str(known[place].user_attrs.get('reason', '')).strip().splitlines()[0]}"
        )
    if failed:
        say("`--rerun failed` tries them again, with the same values and in the same places")
    _warn_of_other_code(known, command)
    chosen = study.best(known, command.sweep.search.directions)
    source = source_of(search, command.out, known, chosen)
    if not is_current(record, source, command.forms):
        report(search, command.base, command.out, known, chosen, command.forms)
        mark_reported(record, source, args.runs)
    if command.base[0].run.loaded.config.tracking == "wandb":
        folders = [folder.path for trial in known for folder in folders_of(search, trial)]
        rows = [search_plan.row(place, trial, command.sweep) for place, trial in enumerate(known)]
        track_rows(command.label, rows, folders, args.runs, command.out)
    path = command.out / PLACES[command.forms[0]]
    if args.json:
        states = {
            name: sum(trial.state.name == name for trial in known)
            for name in ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
        }
        found = [search_plan.row(place, known[place], command.sweep) for place in chosen]
        print_json(
            {
                "report": str(path),
                "trials": len(known),
                **{name.lower(): number for name, number in states.items()},
                "best": found,
            }
        )
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
        new = [
            job
            for job in jobs
            if job.state == "waiting" and job.run.loaded.config.data not in tried
        ]
        try_splits(new)
        tried.update(job.run.loaded.config.data for job in new)

    waiting = [replace(job, state="waiting") for job in command.base]
    ready(waiting)  # what the data refuses, is refused before there is a trial
    search.ready = ready
    with (
        SearchProgress(
            search, lambda: _keep_record(command, search.ledger.trials()), objective_text
        ) as progress,
        launcher(command.args, command.slots, command.label) as launch,
    ):
        search.run(launch, progress)


def _keep_record(command: Command, known: Sequence[FrozenTrial]) -> SweepRecord:
    """Note the runs so far, for `status`."""
    search, runs = command.search, _runs(command, known)
    return keep_record(
        command.args,
        command.sweep,
        command.label,
        search.overrides,
        command.slots,
        command.out,
        runs,
        search.total,
    )


def _runs(command: Command, known: Sequence[FrozenTrial]) -> Iterator[SweepRun]:
    epochs, number = command.base[0].run.loaded.config.training.epochs, 0
    for place, trial in enumerate(known):
        own, closed = trial.params.get("training.epochs", epochs), trial.state.is_finished()
        for name, job in zip(trial.user_attrs.get("runs", []), command.base, strict=False):
            experiment, _, run_id = name.partition("/")
            number += 1
            yield SweepRun(number, experiment, run_id, f"trial {place}", job.run.place, own, closed)


def _warn_of_other_code(known: Sequence[FrozenTrial], command: Command) -> None:
    stale = [
        place
        for place, trial in enumerate(known)
        if trial.state.name == "COMPLETE"
        and any(
            made_by_other_code(folder.environment) for folder in folders_of(command.search, trial)
        )
    ]
    if stale:
        say(
            f"warning: other code made runs of {len(stale)} trials, such as trial {stale[0]}; "
            "`--rerun stale` repeats them"
        )
