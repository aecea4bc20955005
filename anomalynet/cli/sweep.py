"""`anomalynet sweep`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import (
    add_launch,
    add_overrides,
    add_report,
    flag,
    launch_options,
    option,
)
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import UsageError
from anomalynet.sweep.progress import duration

if TYPE_CHECKING:
    from anomalynet.sweep.runner import SweepOutcome

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
    add_report(parser)
    parser.epilog = (
        "A sweep is the list of runs that should exist: the same command again continues it, and "
        "does nothing for what is done.\n"
        "Ctrl-C gives the epochs under way 20 s to end; a second one stops at once. At most an "
        "epoch is lost.\n"
        "`anomalynet status` follows it from any terminal."
    )


def run(args: argparse.Namespace) -> int:
    """Sweep."""
    from anomalynet.sweep.runner import refuse_repetitions, refuse_search, run_sweep

    if args.print and "stale" in args.rerun:
        what = "--print gives commands that do nothing for a finished run"
        raise UsageError(what, "leave out --rerun stale")
    if told := args.plan or args.print:
        args.on = "local"  # what only tells needs no cluster
    options = launch_options(args)
    if args.form or args.print:
        from anomalynet.sweep.file import read_sweep

        sweep = read_sweep(args.name, args.preset)
        if args.print and sweep.design == "search":
            refuse_search(sweep)
    if args.form == "wandb":
        from anomalynet.sweep.wandb_yaml import as_wandb

        refuse_repetitions(options["overrides"])
        print(as_wandb(sweep, options["overrides"], args.name), end="")
        return 0
    options |= {name: getattr(args, name) for name in ("rerun", "only", "trials", "storage")}
    outcome = run_sweep(args.name, plan_only=told, progress=True, **options)
    if args.plan:
        (_show if outcome.wanted is None else _show_search)(args, outcome)
    elif args.print:
        from anomalynet.sweep.worker import shell_command

        for job in outcome.jobs:
            if job.state != "done":
                print(shell_command(job, args.runs, outcome.label))
    elif outcome.report is not None and args.json:
        print_json({"report": str(outcome.report), **_counts(outcome)})
    elif outcome.report is not None:
        print(outcome.report)
    return 0 if told else int(bool(outcome.failed))


def _counts(outcome: SweepOutcome) -> dict[str, object]:
    if outcome.wanted is None:
        counts = {state: outcome.count(state) for state in ("done", "failed")}
        return {"runs": len(outcome.jobs), **counts}
    counts = {state: outcome.count(state) for state in ("complete", "pruned", "fail", "running")}
    best = [outcome.trials[number] for number in outcome.best]
    return {"trials": len(outcome.trials), **counts, "best": best}


def _show(args: argparse.Namespace, outcome: SweepOutcome) -> None:
    """Every run with its arm, id and state; then how many are left, and for how long."""
    from anomalynet.sweep import estimate

    jobs = outcome.jobs
    left, costs = estimate.left(jobs), estimate.measured(args.runs, jobs)
    unknown = estimate.unmeasured(jobs, costs)
    seconds = estimate.at_most(jobs, costs, outcome.slots)
    rows = [
        {
            "run": job.number,
            "arm": job.run.arm.name,
            **dict(zip(("seed", "fold", "world"), job.run.expected[1:], strict=True)),
            "id": job.folder.path.name,
            "state": "stale" if job.state == "done" and job.stale else job.state,
        }
        for job in jobs
    ]
    arms = len({job.run.arm.name for job in jobs})
    if args.json:
        time_left = {"seconds_left": None if unknown else seconds, "unmeasured": unknown}
        print_json({"arms": arms, "runs": rows, "left": len(left), **time_left})
        return
    print_table(rows)
    told = f"{len(jobs)} runs of {arms} arms, {outcome.count('done')} done, {len(left)} left"
    if left and unknown:
        told += f"; time left unknown: no run of {', '.join(unknown)} has been measured"
    elif left:
        told += f"; at most {duration(seconds)} with {outcome.slots} at a time"
    print(told)


def _show_search(args: argparse.Namespace, outcome: SweepOutcome) -> None:
    """Every trial with its state, value and params; then how many are left, and for how long."""
    from dataclasses import replace

    from anomalynet.sweep import estimate

    total = outcome.wanted or 0
    ended = sum(map(outcome.count, ("complete", "pruned", "fail")))
    left = max(total - ended, 0)
    runs = [replace(job, state="waiting") for job in outcome.jobs]
    costs = estimate.measured(args.runs, runs)
    seconds = None
    if not estimate.unmeasured(runs, costs):
        seconds = left * estimate.at_most(runs, costs, outcome.slots)
    if args.json:
        facts = {"trials": outcome.trials, "wanted": total, "left": left, "best": outcome.best}
        print_json({**facts, "seconds_left": seconds})
        return
    print_table(outcome.trials)
    size = f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
    told = f"{total} trials of {size}, {total - left} done, {left} left"
    if outcome.best:
        told += f", best: trial {', '.join(map(str, outcome.best))}"
    if left and seconds is None:
        told += f"; time left unknown: no run of {runs[0].run.loaded.name} has been measured"
    elif left and seconds is not None:
        told += f"; at most {duration(seconds)} with {outcome.slots} at a time"
    print(told)
