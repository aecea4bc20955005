"""`anomalynet compare`."""

from __future__ import annotations

import argparse

from anomalynet.cli.arguments import add_json, add_run, add_runs
from anomalynet.cli.output import print_json, print_table, warn
from anomalynet.cli.train import METRICS
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
    """Print the settings that differ, the metrics, and facts of the scores."""
    from anomalynet.runs.collect import compare_runs, find_run

    rows = compare_runs(args.a, args.b, args.runs).to_dicts()
    if args.json:
        print_json(rows)
        return 0
    counts = {row["name"]: row for row in rows if row["kind"] == "scores"}
    steps, both = counts["steps"], int(counts["steps of both"]["a"])
    if both < (most := max(int(steps["a"]), int(steps["b"]))):
        warn([f"they share {both:,} of {most:,} test steps: their metrics are of other steps"])
    heads = {"run": "runs", "metric": "metrics of the test part (all metrics: --json)"}
    heads |= {"setting": "settings", "scores": "scores of the test part"}
    ids = [find_run(run, args.runs).path.name for run in (args.a, args.b)]
    titles = {"a": f"a: {ids[0]}", "b": f"b: {ids[1]}"}
    for kind, title in heads.items():
        measured = kind in ("metric", "scores")
        keys = ("name", "a", "b", *["difference"] * measured)
        shown = [
            {titles.get(key, key): _short(row[key]) if measured else row[key] for key in keys}
            for row in rows
            if row["kind"] == kind
            and (kind != "metric" or row["name"].removeprefix("test/") in METRICS)
        ]
        print_table(shown, title=title)
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
