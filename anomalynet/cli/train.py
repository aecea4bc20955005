"""`anomalynet train`."""

from __future__ import annotations

import argparse
import os
import sys

from anomalynet.cli.arguments import add_json, add_overrides, add_runs
from anomalynet.cli.output import alarms, print_json, print_table

SUMMARY = "train one experiment, choose its threshold on validation, and test it"

METRICS = (
    "precision_attack",
    "recall_attack",
    "f1_attack",
    "accuracy",
    "balanced_accuracy",
    "mcc",
    "auroc",
    "average_precision",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        help="a name (`anomalynet ls experiments`) or the path of a YAML file",
    )
    add_overrides(parser)
    add_runs(parser)
    parser.add_argument(
        "--devices", type=int, metavar="N", help="devices that train this run together (DDP)"
    )
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="do not wait where another process works on this run: say who has it",
    )
    parser.add_argument(
        "--group",
        metavar="NAME",
        help="name under which Weights & Biases groups the run, as a sweep's name does",
    )
    parser.add_argument(
        "--life-line", action="store_true", help=argparse.SUPPRESS
    )  # for sweeps: end when stdin closes
    add_json(parser)
    parser.epilog = (
        "The same command again continues an interrupted run, and does nothing for a finished one."
    )


def run(args: argparse.Namespace) -> int:
    """Train."""
    from anomalynet.config.load import load

    if args.life_line:
        from anomalynet.sweep.command import end_with_stdin

        end_with_stdin()
    overrides = [
        *args.overrides,
        *([f"hardware.devices={args.devices}"] if args.devices is not None else []),
    ]
    loaded = load(args.experiment, overrides)
    if "LOCAL_RANK" not in os.environ:
        print(f"{loaded.name}: preparing", file=sys.stderr, flush=True)

    from anomalynet.cli.progress import TrainingProgress
    from anomalynet.runs.code import made_by_other_code
    from anomalynet.runs.folder import BusyError
    from anomalynet.training.run import planned_folder, train

    folder = planned_folder(loaded, args.runs)
    with TrainingProgress(f"{loaded.name} {folder.path.name}") as progress:
        try:
            outcome = train(loaded, args.runs, listener=progress, wait=False, group=args.group)
        except BusyError as busy:
            if args.no_wait:
                raise
            print(f"{busy}; waiting for it", file=sys.stderr, flush=True)
            outcome = train(loaded, args.runs, listener=progress, wait=True, group=args.group)
    if outcome is None:
        return 0
    if outcome.was_done:
        print(
            f"{outcome.folder.path} is done already; another seed, key or data set makes another "
            "run",
            file=sys.stderr,
        )
        if made_by_other_code(outcome.folder.environment):
            print(
                f"warning: other code made it; delete {outcome.folder.path} to train it by this "
                "code",
                file=sys.stderr,
            )
    result = outcome.result
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.json:
        from dataclasses import asdict

        print_json(
            {"folder": str(outcome.folder.path), "was_done": outcome.was_done, **asdict(result)}
        )
        return 0
    rows = [
        {
            "metric": name,
            **{
                part: _text(result.metrics.get(f"{part}/{name}")) for part in ("validation", "test")
            },
        }
        for name in METRICS
    ]
    title = (
        f"{result.experiment} {result.id} on {result.data}, split {result.split}, threshold "
        f"{result.threshold:.4g}"
    )
    if result.parts["test"].labelled:
        print_table(rows, title=title)
    else:
        print(f"{title}\nno labels, so no metrics; {alarms(outcome.folder.scores)}")
    print(f"{outcome.folder.path}")
    return 0


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
