"""`anomalynet sync`."""

from __future__ import annotations

import argparse

from anomalynet.cli.arguments import add_json, add_runs, amount, option
from anomalynet.cli.output import print_rows
from anomalynet.errors import say

SUMMARY = "upload to Weights & Biases what was tracked offline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "a run's folder or the start of its id (default: every run)"
    parser.add_argument("ids", nargs="*", metavar="RUN", help=text)
    add_runs(parser)
    option(parser, "--timeout", "SECONDS", "longest time for one run (default: 300)", amount, 300.0)
    add_json(parser)
    parser.epilog = (
        "A run that was interrupted and resumed was tracked in several parts; they become one W&B "
        "run. The exit code is 1 if an upload failed."
    )


def run(args: argparse.Namespace) -> int:
    """Upload runs that were tracked offline."""
    from anomalynet.runs.collect import find_run
    from anomalynet.tracking.record import FILE, has_key, pending, upload

    rows, folders = [], [find_run(name, args.runs).path for name in args.ids]
    folders = folders or sorted(path.parent for path in args.runs.glob(f"*/*/{FILE}"))
    no_key = False  # W&B says so once, then nothing else is tried
    for folder in folders:
        name = f"{folder.parent.name.removeprefix('.')}/{folder.name}"
        state = "failed" if no_key and pending(folder) else upload(folder, args.timeout)
        no_key = no_key or (state == "failed" and not has_key())
        rows.append({"run": name, "state": state})
        say(f"[{len(rows)}/{len(folders)}] {name}: {rows[-1]['state']}")
    if not rows and not args.json:
        hint = "`anomalynet train … tracking=wandb` tracks a run"
        say(f"no run in {args.runs} was tracked; {hint}")
    else:
        print_rows(rows, as_json=args.json)
    return int(any(row["state"] == "failed" for row in rows))
