"""`anomalynet simulate`: a simulated sensor network with incidents as a folder of Parquet files."""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalynet.cli.arguments import add_json, count, flag, option
from anomalynet.cli.output import print_json, print_rows, print_table
from anomalynet.errors import UsageError, say

SUMMARY = "simulate a wireless sensor network with labelled attacks, faults and events"

EPILOG = """\
examples:
  anomalynet simulate --list
  anomalynet simulate smart_city deployment.nodes=50 duration=24h \\
    --out worlds/city
  anomalynet simulate mine.yaml seed=3 incidents.only='jamming crash' \\
    --out worlds/mine --workers 4 --csv
  anomalynet data info worlds/city                   its contents, with pictures
  anomalynet reproduce --data worlds/city            the paper's models on it

Repeat the command to resume an interrupted simulation. The folder's
scenario.yaml contains every key with its value."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    text = "a preset, or a YAML file of your own"
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help=text)
    text = "change a key of the scenario, such as duration=7d"
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=text)
    flag(parser, "--list", "list the presets")
    text = "folder of the world; it must be new, empty, or of the same scenario"
    option(parser, "--out", "DIR", text, Path)
    text = "processes, each simulates one radio cell at a time (default: 1)"
    option(parser, "--workers", "N", text, count, 1)
    flag(parser, "--csv", "also write copies as CSV")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the presets, or simulate one scenario."""
    from anomalynet.simulation.load import load_scenario, names

    if args.list:
        rows = [{"scenario": name, "what": text} for name, text in names().items()]
        print_rows(rows, as_json=args.json)
        return 0
    if args.scenario is None:
        hint = f"one of {', '.join(names())}, or a YAML file; --list describes them"
        raise UsageError("simulate needs a scenario", hint)
    if "=" in args.scenario:
        hint = f"anomalynet simulate smart_city {args.scenario} --out DIR"
        raise UsageError(f"{args.scenario!r} changes a scenario, but none is named", hint)
    scenario = load_scenario(args.scenario, args.overrides)
    if args.out is None:
        hint = f"anomalynet simulate {args.scenario} --out worlds/{scenario.name}"
        raise UsageError("simulate needs a folder for the world", hint)
    from anomalynet.cli.progress import SimulationProgress
    from anomalynet.data.describe import world_facts
    from anomalynet.data.gateway import telemetry_of_cell
    from anomalynet.runs.code import code_hash
    from anomalynet.simulation.network.placement import cells
    from anomalynet.simulation.parts import CODE
    from anomalynet.simulation.scenario import seconds
    from anomalynet.simulation.store import MANIFEST
    from anomalynet.simulation.world import simulate

    was_there = (args.out / MANIFEST).is_file()
    with SimulationProgress(scenario.name, cells(scenario), seconds(scenario.duration)) as progress:
        manifest = simulate(
            scenario,
            args.out,
            workers=args.workers,
            csv=args.csv,
            refine=telemetry_of_cell,
            progress=progress,
        )
    if was_there:
        same = manifest.versions.get("code") == code_hash(CODE)
        other = "" if same else ", but made by another version of this program"
        say(f"{args.out}: already complete and undamaged{other}")
    if args.json:
        print_json({"folder": str(args.out), **manifest.counts})
    else:
        print(args.out)
        facts = world_facts(manifest)
        print_table([{"": key, "value": value} for key, value in facts.items()])
    return 0
