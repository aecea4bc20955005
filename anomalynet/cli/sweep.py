"""`anomalynet sweep`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_format, add_json, add_overrides, add_runs, forms_of
from anomalynet.cli.launching import (
    add_launch,
    label_of,
    overrides_of,
    say,
    slots_of,
    try_splits,
    work,
)
from anomalynet.cli.output import print_json
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.sweep.jobs import Job

SUMMARY = "train every run that a sweep wants, compare its arms, and write the report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "name", metavar="NAME", help="a sweep (`anomalynet ls sweeps`) or the path of a YAML file"
    )
    add_overrides(parser)
    parser.add_argument(
        "--preset", default="quick", metavar="quick|full", help="how much is run (default: quick)"
    )
    add_launch(parser)
    add_runs(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the report (default: reports/<sweep>-<data>-<preset>)",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--plan",
        action="store_true",
        help="only say what would be run, what is done, and how long the rest takes",
    )
    shown.add_argument(
        "--print",
        action="store_true",
        help="only print one shell command a run that is not done, for schedulers",
    )
    shown.add_argument(
        "--as",
        dest="form",
        choices=("wandb",),
        help="only print the sweep as Weights & Biases writes one",
    )
    parser.add_argument(
        "--only",
        metavar="N|N-M,…",
        help="only the runs of these numbers, as --plan counts them; no report",
    )
    told = "run `failed` runs once more, or finished ones that other code made (`stale`)"
    parser.add_argument(
        "--rerun", choices=("failed", "stale"), action="append", default=[], help=told
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="trials of a search in all, instead of the file's"
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="database of a search that several machines share (default: a file in --runs)",
    )
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
    from anomalynet.sweep.file import read_sweep

    sweep, overrides, forms = read_sweep(args.name, args.preset), overrides_of(args), forms_of(args)
    if sweep.design != "search" and (args.trials is not None or args.storage is not None):
        raise UsageError(f"{sweep.name} is no search: it has no --trials or --storage")
    if args.print and "stale" in args.rerun:
        raise UsageError(
            "--print gives commands that do nothing for a finished run", "leave out --rerun stale"
        )
    if args.plan or args.print:
        args.on = "local"  # what only tells needs no cluster
    if args.form == "wandb":
        from anomalynet.sweep.wandb_yaml import as_wandb

        print(as_wandb(sweep, overrides, args.name), end="")
        return 0
    if sweep.design == "search":
        from anomalynet.cli import sweep_search

        return sweep_search.run(args, sweep, overrides)

    from anomalynet.cli import sweep_plan
    from anomalynet.sweep.jobs import jobs_of
    from anomalynet.sweep.plan import plan

    jobs = jobs_of(plan(sweep, overrides), args.runs, args.rerun)
    numbers = sweep_plan.numbers(args.only, len(jobs))
    chosen = [jobs[number - 1] for number in numbers]
    slots = slots_of(args, jobs)
    label = label_of(sweep, jobs, overrides)
    if args.plan:
        sweep_plan.show(args, dict(zip(numbers, chosen, strict=True)), slots)
        return 0
    if args.print:
        sweep_plan.print_commands(chosen, args.runs, label)
        return 0

    from anomalynet.cli.sweep_report import (
        announce,
        catch_up,
        is_current,
        keep_record,
        mark_reported,
        report,
        runs_of,
        source_of,
        track,
    )
    from anomalynet.reporting.forms import PLACES
    from anomalynet.runs.sweeps import brief

    announce(jobs, args.runs, slots)
    out = args.out or Path("reports") / label
    try_splits(chosen)
    record = keep_record(args, sweep, label, overrides, slots, out, runs_of(jobs))
    catch_up(chosen, label)
    work(args, chosen, slots, group=label)
    failed = [job for job in chosen if job.state == "failed"]
    for job in failed:
        say(f"failed: {job.run.arm.name} {job.run.place} {job.folder.path}: {brief(job.reason)}")
    if failed:
        say("`--rerun failed` tries them again")
    if args.only is None and any(job.state == "done" for job in jobs):
        if not is_current(record, source_of(sweep, jobs, out, args.runs), forms):
            report(sweep, jobs, args.runs, out, overrides, forms)
            mark_reported(
                record, source_of(sweep, jobs, out, args.runs), args.runs
            )  # anew: the report may have made the audit
        track(label, jobs, args.runs, out)
        _finish(args, out / PLACES[forms[0]], jobs)
    return int(bool(failed))


def _finish(args: argparse.Namespace, path: Path, jobs: list[Job]) -> None:
    if args.json:
        states = {state: sum(job.state == state for job in jobs) for state in ("done", "failed")}
        print_json({"report": str(path), "runs": len(jobs), **states})
    else:
        print(path)
