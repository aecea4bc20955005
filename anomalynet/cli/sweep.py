"""`anomalynet sweep`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_format, add_json, add_overrides, flag, forms_of, option
from anomalynet.cli.launching import add_launch, label_of, overrides_of, slots_of, try_splits, work
from anomalynet.cli.output import duration, print_json, print_table, say
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.runs.sweeps import SweepRecord
    from anomalynet.sweep.file import Sweep
    from anomalynet.sweep.jobs import Job
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
    from anomalynet.sweep.file import read_sweep

    sweep, overrides = read_sweep(args.name, args.preset), overrides_of(args)
    forms_of(args)  # a form that there is not is refused first
    if sweep.design != "search" and (args.trials is not None or args.storage is not None):
        raise UsageError(f"{sweep.name} is no search: it has no --trials or --storage")
    if args.print and "stale" in args.rerun:
        what = "--print gives commands that do nothing for a finished run"
        raise UsageError(what, "leave out --rerun stale")
    if args.plan or args.print:
        args.on = "local"  # what only tells needs no cluster
    if args.form == "wandb":
        from anomalynet.sweep.wandb_yaml import as_wandb

        print(as_wandb(sweep, overrides, args.name), end="")
        return 0
    if sweep.design == "search":
        from anomalynet.cli import sweep_search

        return sweep_search.run(args, sweep, overrides)

    from anomalynet.sweep.jobs import jobs_of
    from anomalynet.sweep.plan import plan

    jobs = jobs_of(plan(sweep, overrides), args.runs, args.rerun)
    chosen = {number: jobs[number - 1] for number in numbers(args.only, len(jobs))}
    slots = slots_of(args, jobs)
    label = label_of(sweep, jobs, overrides)
    if args.plan:
        _show(args, chosen, slots)
        return 0
    if args.print:
        _print_commands(list(chosen.values()), args.runs, label)
        return 0

    from anomalynet.cli import sweep_report
    from anomalynet.runs.sweeps import brief

    own, out = list(chosen.values()), args.out or Path("reports") / label
    sweep_report.announce(jobs, args.runs, slots)
    try_splits(own)
    runs = sweep_report.runs_of(jobs)
    record = sweep_report.keep_record(args, sweep, label, overrides, slots, out, runs)
    sweep_report.catch_up(own, label)
    work(args, own, slots, group=label)
    failed = [job for job in own if job.state == "failed"]
    for job in failed:
        say(f"failed: {job.run.arm.name} {job.run.place} {job.folder.path}: {brief(job.reason)}")
    if failed:
        say("`--rerun failed` tries them again")
    if args.only is None and any(job.state == "done" for job in jobs):
        _report(args, sweep, jobs, record)
    return int(bool(failed))


def _report(args: argparse.Namespace, sweep: Sweep, jobs: list[Job], record: SweepRecord) -> None:
    """Write the report unless it is there and current, and print its path."""
    from anomalynet.cli import sweep_report
    from anomalynet.reporting.formats import FILE_OF_FORM

    forms, out, runs = forms_of(args), Path(record.report), args.runs
    source = sweep_report.source_of(sweep, jobs, out, runs)
    if not sweep_report.is_current(record, source, forms):
        sweep_report.report(sweep, jobs, runs, out, record.overrides, forms)
        source = sweep_report.source_of(sweep, jobs, out, runs)  # it may have made the audit
        sweep_report.mark_reported(record, source, runs)
    sweep_report.track(record.label, jobs, runs, out)
    path = str(out / FILE_OF_FORM[forms[0]])
    if args.json:
        counts = {name: sum(job.state == name for job in jobs) for name in ("done", "failed")}
        print_json({"report": path, "runs": len(jobs), **counts})
    else:
        print(path)


def numbers(text: str | None, count: int) -> list[int]:
    """`3,7-9` as numbers of runs, all without it; refuses other texts, and runs that are not."""
    if text is None:
        return list(range(1, count + 1))
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.strip().isdigit() and (last.strip().isdigit() if dash else True)):
            what = f"--only {text}: expected numbers of runs, such as 3 or 3,7-9"
            raise UsageError(what, "--plan shows them")
        found += range(int(first), int(last if dash else first) + 1)
    if not found or min(found) < 1 or max(found) > count:
        raise UsageError(f"--only {text}: the sweep has runs 1 to {count}", "--plan shows them")
    return sorted(set(found))


def _print_commands(jobs: Sequence[Job], runs: Path, group: str) -> None:
    from anomalynet.sweep.worker import shell_command

    for job in jobs:
        if job.state != "done":
            print(shell_command(job, runs, group))


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
