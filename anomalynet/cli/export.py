"""`anomalynet export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_json, add_runs
from anomalynet.cli.output import print_json, print_table

if TYPE_CHECKING:
    from anomalynet.detection.export.run import Exported

SUMMARY = "turn a finished run into an ONNX file for `anomalynet detect`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "run_id",
        metavar="RUN",
        help="a run's folder, or the start of its id (`anomalynet ls runs`)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file, model.onnx; its card lies beside it, model.md",
    )
    parser.add_argument(
        "--variants",
        default="",
        metavar="NAME[,NAME]",
        help="smaller files beside it: int8 (8-bit weights), fp16",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite files that are there")
    add_runs(parser)
    add_json(parser)
    parser.epilog = (
        "nothing is written unless the file scores real windows of the run as the run does."
    )


def run(args: argparse.Namespace) -> int:
    """Export."""
    from anomalynet.detection.export.paths import checked, named, require_packages
    from anomalynet.runs.collect import find_run

    variants = named(args.variants)
    find_run(args.run_id, args.runs)
    paths = checked(args.out, variants, replace=args.replace)
    require_packages()

    from anomalynet.detection.export.run import export
    from anomalynet.training.finished import open_run

    exported = export(
        open_run(args.run_id, args.runs),
        paths,
        variants,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    for name, why in exported.refused.items():
        print(f"warning: no variant {name}: {why}", file=sys.stderr)
    if args.json:
        print_json(exported.to_json())
    else:
        _show(exported)
    return 0


def _show(exported: Exported) -> None:
    rows = [
        {
            "file": str(exported.files[name]),
            "bytes": loss.bytes,
            "µs a window": f"{loss.microseconds:.0f}",
            "largest difference": f"{loss.difference:.1e}",
            "other alarms": f"{loss.alarms} of {loss.steps}",
            **{
                metric: "" if value is None else f"{value:.4f}"
                for metric, value in loss.metrics.items()
            },
        }
        for name, loss in exported.losses.items()
    ]
    print_table(
        rows,
        title=f"{exported.contract.experiment} {exported.contract.run}, beside the run's own "
        "scores",
    )
    print(exported.card)
