"""`anomalynet compare`."""

from __future__ import annotations

import argparse

from anomalynet.cli.arguments import add_json, add_run, add_runs
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import say

SUMMARY = "compare two finished runs: their configurations, metrics and scores"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    for name in ("a", "b"):
        add_run(parser, name)
    add_runs(parser)
    add_json(parser)
    parser.epilog = "A difference is that of the second run from the first."


def run(args: argparse.Namespace) -> int:
    """Print one row per setting that differs, per metric, and per fact of the scores."""
    from anomalynet.runs.collect import compare_runs

    table = compare_runs(args.a, args.b, args.runs)
    rows = table.to_dicts()
    if args.json:
        print_json(rows)
        return 0
    for row in rows:
        row |= {name: _short(row[name]) for name in ("a", "b", "difference")}
    print_table(rows, drop=("kind",))
    how = "`anomalynet sweep FILE`, with these settings as axes, gives an interval"
    say(f"two single runs cannot tell a difference from chance: {how}")
    return 0


def _short(value: object) -> object:
    """A number with four decimals, a whole one without; any other text as it is."""
    try:
        number = float(str(value))
    except ValueError:
        return value
    if number.is_integer() and abs(number) > 1:
        return f"{number:.0f}"
    return f"{number:.4f}" if "." in str(value) else value
