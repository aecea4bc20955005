"""`anomalynet sync`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from anomalynet.cli.arguments import add_json, add_runs
from anomalynet.cli.output import print_json, print_table

SUMMARY = "upload to Weights & Biases what was tracked offline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "ids",
        nargs="*",
        metavar="RUN",
        help="a run's folder or the start of its id; every run without it",
    )
    add_runs(parser)
    parser.add_argument(
        "--timeout",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="longest time for one run (default: 300)",
    )
    add_json(parser)
    parser.epilog = (
        "An interrupted and continued run has several parts; they become one W&B run. Exit "
        "code 1 where a run failed."
    )


def run(args: argparse.Namespace) -> int:
    """Upload."""
    from anomalynet.runs.collect import find_run
    from anomalynet.tracking.upload import tracked_folders, upload

    folders = (
        [find_run(name, args.runs).path for name in args.ids]
        if args.ids
        else tracked_folders(args.runs)
    )
    done = []
    for number, folder in enumerate(folders, 1):
        done.append(upload(folder, args.timeout))
        print(
            f"[{number}/{len(folders)}] {done[-1].run}: {done[-1].state}",
            file=sys.stderr,
            flush=True,
        )
    if args.json:
        print_json([asdict(one) for one in done])
    elif not folders:
        print(
            f"no run in {args.runs} was tracked; `anomalynet train … tracking=wandb` tracks one",
            file=sys.stderr,
        )
    else:
        print_table([asdict(one) for one in done])
    return int(any(one.state == "failed" for one in done))
