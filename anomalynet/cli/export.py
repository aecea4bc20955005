"""`anomalynet export`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from anomalynet.cli.arguments import add_json, add_run, add_runs, flag, option
from anomalynet.cli.output import print_json, print_next, print_table, warn
from anomalynet.errors import say

SUMMARY = "turn a finished run into an ONNX file for `anomalynet detect`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_run(parser)
    text = "the file, model.onnx; its card lies beside it, model.md"
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text)
    text = "smaller files beside it: int8 (8-bit weights), fp16"
    option(parser, "--variants", "NAME[,NAME]", text, default="")
    flag(parser, "--replace", "overwrite files that are there")
    add_runs(parser)
    add_json(parser)
    parser.epilog = "Nothing is written unless the file scores windows of the run as the run does."


def run(args: argparse.Namespace) -> int:
    """Export."""
    from anomalynet.detection.export.paths import checked, named, require_packages
    from anomalynet.runs.collect import find_run

    variants = named(args.variants)
    find_run(args.run_id, args.runs)
    paths = checked(args.out, variants, replace=args.replace)
    require_packages()

    from anomalynet.detection.export.card import number
    from anomalynet.detection.export.export_run import export
    from anomalynet.tracking.run import track_export
    from anomalynet.training.finished import open_run

    exported = export(open_run(args.run_id, args.runs), paths, variants, say)
    track_export(find_run(args.run_id, args.runs), paths["float32"])
    warn(f"no variant {name}: {why}" for name, why in exported.refused.items())
    if args.json:
        print_json(exported.to_json())
        return 0
    pairs = (pair for loss in exported.losses.values() for pair in loss.metrics.items())
    measured = dict.fromkeys(key for key, value in pairs if value is not None)
    rows = [
        {
            "file": str(exported.files[name]),
            "bytes": loss.bytes,
            "µs per window": f"{loss.microseconds:.0f}",
            "largest difference": f"{loss.difference:.1e}",
            "alarms that differ": f"{loss.alarms} of {loss.steps}",
            **{key: number(loss.metrics[key]) for key in measured},
        }
        for name, loss in exported.losses.items()
    ]
    name = f"{exported.contract.experiment} {exported.contract.run}"
    print_table(rows, title=f"{name}, beside the run's own scores")
    print(exported.card)
    model = shlex.quote(str(next(iter(exported.files.values()))))
    print_next(f"anomalynet detect new.csv --model {model} --hits 3/5 --alarms alarms.jsonl")
    return 0
