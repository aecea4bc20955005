"""`anomalynet sweep`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import (
    add_format,
    add_json,
    add_launch,
    add_overrides,
    flag,
    forms_of,
    launch_options,
    option,
)
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import UsageError
from anomalynet.sweep.progress import duration, say

if TYPE_CHECKING:
    from anomalynet.sweep.jobs import Job, PlannedSweep
    from anomalynet.sweep.runner import SweepOutcome
    from anomalynet.sweep.slots import Slot

SUMMARY = "train every run that a sweep wants, compare its arms, and write the report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "a sweep (`anomalynet ls sweeps`) or the path of a YAML file"
    option(parser, "name", "NAME", text)
    add_overrides(parser)
    text = "how much is run (default: quick)"
    option(parser, "--preset", "quick|full", text, default="quick")
    add_launch(parser)
    text = "folder of the report (default: reports/<sweep>-<data>-<preset>)"
    option(parser, "--out", "DIR", text, Path)
    shown = parser.add_mutually_exclusive_group()
    text = "only say what would be run, what is done, and how long the rest takes"
    flag(shown, "--plan", text)
    flag(shown, "--print", "only print one shell command a run that is not done, for schedulers")
    text = "only print the sweep as Weights & Biases writes one"
    shown.add_argument("--as", dest="form", choices=("wandb",), help=text)
    text = "only the runs of these numbers, as --plan counts them; no report"
    option(parser, "--only", "N|N-M,…", text)
    text = "run `failed` runs once more, or finished ones that other code made (`stale`)"
    again = ("failed", "stale")
    parser.add_argument("--rerun", choices=again, action="append", default=[], help=text)
    text = "trials of a search in all, instead of the file's"
    option(parser, "--trials", "N", text, int)
    text = "database of a search that several machines share (default: a file in --runs)"
    option(parser, "--storage", "URL", text)
    add_format(parser)
    add_json(parser)
    parser.epilog = (
        "A sweep is the list of runs that should exist: the same command again continues it, and "
        "does nothing for what is done.\n"
        "Ctrl-C gives the epochs under way 20 s to end; a second one stops at once. At most an "
        "epoch is lost.\n"
        "`anomalynet status` follows it from any terminal."
    )


def run(args: argparse.Namespace) -> int:
    """Sweep."""
    if args.print and "stale" in args.rerun:
        what = "--print gives commands that do nothing for a finished run"
        raise UsageError(what, "leave out --rerun stale")
    if args.plan or args.print:
        args.on = "local"  # what only tells needs no cluster
    forms, options = forms_of(args), {"rerun": args.rerun, **launch_options(args)}

    from anomalynet.sweep import runner

    if args.form == "wandb":
        from anomalynet.sweep.file import read_sweep
        from anomalynet.sweep.wandb_yaml import as_wandb

        runner.refuse_repetitions(options["overrides"])
        print(as_wandb(read_sweep(args.name, args.preset), options["overrides"], args.name), end="")
        return 0
    if args.plan or args.print:
        return _planned(args, runner.plan_sweep(args.name, **options, notify=say))
    own = {"only": args.only, "trials": args.trials, "storage": args.storage}
    outcome = runner.run_sweep(args.name, formats=forms, progress=True, **own, **options)
    if outcome.report is not None:
        if args.json:
            print_json({"report": str(outcome.report), **_counts(outcome)})
        else:
            print(outcome.report)
    return int(bool(outcome.failed))


def _counts(outcome: SweepOutcome) -> dict[str, object]:
    if outcome.jobs:
        counts = {state: outcome.count(state) for state in ("done", "failed")}
        return {"runs": len(outcome.jobs), **counts}
    counts = {state: outcome.count(state) for state in ("complete", "pruned", "fail", "running")}
    best = [outcome.trials[number] for number in outcome.best]
    return {"trials": len(outcome.trials), **counts, "best": best}


def _planned(args: argparse.Namespace, planned: PlannedSweep) -> int:
    """`--plan` and `--print`."""
    from anomalynet.sweep.runner import numbers, refuse_search, refuse_trials

    if planned.sweep.design == "search":
        if args.print or args.only:
            refuse_search(planned)
        _show_search(args, planned)
        return 0
    refuse_trials(planned, args.trials, args.storage)
    chosen = {at: planned.jobs[at - 1] for at in numbers(args.only, len(planned.jobs))}
    if args.plan:
        _show(args, chosen, planned.slots)
        return 0

    from anomalynet.sweep.worker import shell_command

    for job in chosen.values():
        if job.state != "done":
            print(shell_command(job, args.runs, planned.label))
    return 0


def _show(args: argparse.Namespace, jobs: Mapping[int, Job], slots: Sequence[Slot]) -> None:
    """Every run with its arm, id and state; then how many are left, and for how long."""
    from anomalynet.sweep import estimate

    every = list(jobs.values())
    left, costs = estimate.left(every), estimate.measured(args.runs, every)
    unknown = estimate.unmeasured(every, costs)
    seconds = estimate.at_most(every, costs, len(slots))
    rows = [
        {
            "run": number,
            "arm": job.run.arm.name,
            **dict(zip(("seed", "fold", "world"), job.run.expected[1:], strict=True)),
            "id": job.folder.path.name,
            "state": "stale" if job.state == "done" and job.stale else job.state,
        }
        for number, job in jobs.items()
    ]
    arms = len({job.run.arm.name for job in every})
    if args.json:
        time_left = {"seconds_left": None if unknown else seconds, "unmeasured": unknown}
        print_json({"arms": arms, "runs": rows, "left": len(left), **time_left})
        return
    print_table(rows)
    done = sum(job.state == "done" for job in every)
    told = f"{len(every)} runs of {arms} arms, {done} done, {len(left)} left"
    if left and unknown:
        told += f"; time left unknown: no run of {', '.join(unknown)} has been measured"
    elif left:
        told += f"; at most {duration(seconds)} with {len(slots)} at a time"
    print(told)


def _show_search(args: argparse.Namespace, planned: PlannedSweep) -> None:
    """Every trial with its state, value and params; then how many are left, and for how long."""
    from dataclasses import replace

    from anomalynet.sweep import estimate
    from anomalynet.sweep.search.runner import open_search

    opened = open_search(planned, args.trials, args.storage, create=False)
    known, total, together = opened.search.ledger.trials(), opened.search.total, opened.together
    left = max(total - sum(trial.state.is_finished() for trial in known), 0)
    runs = [replace(job, state="waiting") for job in planned.jobs]
    costs = estimate.measured(args.runs, runs)
    seconds = None
    if not estimate.unmeasured(runs, costs):
        seconds = left * estimate.at_most(runs, costs, together)
    rows, best = opened.rows(known), opened.best(known)
    if args.json:
        facts = {"trials": rows, "wanted": total, "left": left}
        print_json({**facts, "best": best, "seconds_left": seconds})
        return
    print_table(rows)
    told = f"{opened.size}, {total - left} done, {left} left"
    if best:
        told += f", best: trial {', '.join(map(str, best))}"
    if left and seconds is None:
        told += f"; time left unknown: no run of {runs[0].run.loaded.name} has been measured"
    elif left and seconds is not None:
        told += f"; at most {duration(seconds)} with {together} at a time"
    print(told)
