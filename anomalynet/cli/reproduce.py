"""`anomalynet reproduce`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_format, add_json, add_overrides, forms_of, option
from anomalynet.cli.launching import add_launch, label_of, overrides_of, slots_of, try_splits, work
from anomalynet.cli.output import duration, print_json, say

if TYPE_CHECKING:
    from anomalynet.sweep.estimate import Cost
    from anomalynet.sweep.file import Sweep
    from anomalynet.sweep.slots import Slot

SUMMARY = (
    "train every model of the paper and the traditional ones, and write the report: Tables "
    "2-5 beside ours"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_overrides(parser)
    option(parser, "--models", "a,b", "only these experiments")
    text = "few epochs and 3 seeds, or up to 100 epochs, 4 seeds, each in a world of its own"
    parser.add_argument("--preset", choices=("quick", "full"), default="quick", help=text)
    add_launch(parser)
    text = "folder of the report (default: reports/<data>, with the split's policy where one is "
    option(parser, "--out", "DIR", f"{text}given, and -quick)", Path)
    add_format(parser)
    add_json(parser)
    parser.epilog = (
        "The same command again continues where it was, and tries failed runs again. It is the "
        "sweep sweeps/paper_models.yaml and the report of its runs."
    )


def run(args: argparse.Namespace) -> int:
    """Reproduce."""
    from dataclasses import replace

    from anomalynet.cli import sweep_report
    from anomalynet.sweep import estimate
    from anomalynet.sweep.file import read_sweep
    from anomalynet.sweep.jobs import jobs_of
    from anomalynet.sweep.plan import experiment_names, plan

    args.name = "paper_models"
    sweep, overrides = read_sweep(args.name, args.preset), overrides_of(args)
    forms = forms_of(args)
    if args.models is not None:
        sweep = replace(sweep, experiments=experiment_names(args.models))
    jobs = jobs_of(plan(sweep, overrides), args.runs, again=["failed"])
    slots = slots_of(args, jobs)
    label = label_of(sweep, jobs, overrides, [args.models] if args.models else [])
    sweep_report.announce(jobs, args.runs, slots)
    out = args.out or Path("reports") / label
    try_splits(jobs)
    runs = sweep_report.runs_of(jobs)
    sweep_report.keep_record(args, sweep, label, overrides, slots, out, runs)
    if args.preset == "full" and estimate.left(jobs):
        costs = estimate.measured(args.runs, jobs)
        if estimate.unmeasured(jobs, costs):
            say("measuring one epoch of each model")
            costs = _measure(args, sweep, overrides, slots) | costs
        seconds = estimate.at_most(jobs, costs, len(slots))
        say(f"at most {duration(seconds)}, less where training stops early")
    work(args, jobs, slots, group=label)
    failed = [job for job in jobs if job.state != "done"]
    for job in failed:
        say(f"failed: {job.run.loaded.name} {job.folder.path}: {job.reason}")
    if len(failed) == len(jobs):
        return 1
    path = sweep_report.report(sweep, jobs, args.runs, out, overrides, forms)
    sweep_report.track(label, jobs, args.runs, out)
    if args.json:
        print_json({"report": str(path), "runs": len(jobs), "failed": len(failed)})
    else:
        print(path)
    return int(bool(failed))


def _measure(
    args: argparse.Namespace, sweep: Sweep, overrides: list[str], slots: Sequence[Slot]
) -> dict[str, Cost]:
    """One epoch of each experiment on the first fold, in a folder that no report reads."""
    from dataclasses import replace

    from anomalynet.sweep import estimate
    from anomalynet.sweep.jobs import jobs_of
    from anomalynet.sweep.plan import plan

    worlds = sweep.worlds[:1] if isinstance(sweep.worlds, list) else sweep.worlds
    short = replace(sweep, seeds=sweep.seeds[:1], worlds=worlds, folds=[0])
    runs, once = args.runs / ".estimate", ["training.epochs=1", "tracking=disabled"]
    jobs = jobs_of(plan(short, [*overrides, *once]), runs, again=["failed"])
    work(args, jobs, slots, group="estimate")
    return estimate.measured(runs, jobs)
