"""`anomalynet reproduce`."""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalynet.cli.arguments import (
    add_launch,
    add_overrides,
    add_report,
    flag,
    launch_options,
    option,
)
from anomalynet.cli.output import print_json

SUMMARY = "train all models of the paper's tables and the traditional ones, and write the report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_overrides(parser)
    option(parser, "--models", "a,b", "only these experiments")
    text = "few epochs and one seed, or up to 100 epochs and 3 seeds on more simulated data"
    parser.add_argument("--preset", choices=("quick", "full"), default="quick", help=text)
    add_launch(parser)
    text = "folder of the report (default: reports/<data>, with the split's policy if one is "
    option(parser, "--out", "DIR", f"{text}given, and -quick)", Path)
    text = "only show what would be run, what is done, and how long the unfinished runs take"
    flag(parser, "--plan", text)
    add_report(parser)
    parser.epilog = (
        "Repeat the command to resume it; failed runs are tried again. It trains the sweep "
        "sweeps/paper_models.yaml, and writes the report of its runs."
    )


def run(args: argparse.Namespace) -> int:
    """Train the paper's models and write the report."""
    from anomalynet.cli.sweep import print_report, show_plan
    from anomalynet.sweep.plan import experiment_names
    from anomalynet.sweep.runner import run_sweep

    if args.plan:
        args.on = "local"  # a plan needs no cluster
    outcome = run_sweep(
        "paper_models",
        experiments=None if args.models is None else experiment_names(args.models),
        rerun=["failed"],
        plan_only=args.plan,
        progress=True,
        **launch_options(args),
    )
    if args.plan:
        show_plan(args, "paper_models", outcome)
        return 0
    if args.json:
        counts = {"runs": len(outcome.jobs), "failed": outcome.failed}
        print_json({"report": outcome.report, **counts})
    elif outcome.report is not None:
        print_report(outcome.report)
    return int(outcome.report is None or outcome.failed > 0)
