"""`anomalynet simulate`: a wireless sensor network with labelled incidents, as a folder of Parquet
files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_json
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.simulation.store import Manifest

SUMMARY = "simulate a wireless sensor network with labelled attacks, faults and events"

EPILOG = """\
examples:
  anomalynet simulate --list
  anomalynet simulate smart_city deployment.nodes=50 duration=24h --out worlds/city
  anomalynet simulate mine.yaml seed=3 incidents.only='jamming crash' \\
    --out worlds/mine --workers 4 --csv
  anomalynet data info worlds/city                   what it holds, with pictures
  anomalynet reproduce --data worlds/city            the paper's models on it

The same command again continues what was cut off. The folder's scenario.yaml
holds every key with its value."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        "scenario", nargs="?", metavar="SCENARIO", help="a preset, or a YAML file of your own"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="change a key of the scenario, such as duration=7d",
    )
    parser.add_argument("--list", action="store_true", help="list the presets")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the world: new, empty, or of this very scenario",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes, one radio cell each at a time (default: 1)",
    )
    parser.add_argument("--csv", action="store_true", help="also write copies as CSV")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the presets, or simulate one scenario."""
    from anomalynet.simulation.load import load_scenario, names

    if args.list or args.scenario is None:
        if not args.list:
            raise UsageError(
                "simulate needs a scenario",
                f"one of {', '.join(names())}, or a YAML file; --list says what they are",
            )
        rows = [{"scenario": name, "what": text} for name, text in names().items()]
        print_json(rows) if args.json else print_table(rows)
        return 0
    if "=" in args.scenario:
        raise UsageError(
            f"{args.scenario!r} changes a scenario, but none is named",
            f"anomalynet simulate smart_city {args.scenario} --out DIR",
        )
    scenario = load_scenario(args.scenario, args.overrides)
    if args.out is None:
        raise UsageError(
            "simulate needs a folder for the world",
            f"anomalynet simulate {args.scenario} --out worlds/{scenario.name}",
        )
    if args.workers < 1:
        raise UsageError(f"--workers must be at least 1, not {args.workers}")
    from anomalynet.cli.simulate_progress import SimulationProgress
    from anomalynet.data.gateway import telemetry_of_cell
    from anomalynet.runs.code import code_hash
    from anomalynet.simulation.parts import CODE
    from anomalynet.simulation.placement import cells
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
            progress=progress,
            refine=telemetry_of_cell,
        )
    if was_there:
        other = (
            ", but made by another version of this program"
            if manifest.versions.get("code") != code_hash(CODE)
            else ""
        )
        print(f"{args.out}: complete and sound already{other}", file=sys.stderr)
    if args.json:
        print_json({"folder": str(args.out), **manifest.counts})
    else:
        print(args.out)
        print_table([{"": key, "value": value} for key, value in facts(manifest).items()])
    return 0


def facts(manifest: Manifest) -> dict[str, str]:
    """A world in a few lines: label → text with its unit."""
    counts, scenario = manifest.counts, manifest.scenario
    causes = ", ".join(
        f"{counts[f'incidents, {cause}']:.0f} {cause}"
        for cause in ("attack", "fault", "environment")
    )
    area = f"{scenario['deployment']['width']:g} m × {scenario['deployment']['height']:g} m"
    return {
        "scenario": f"{scenario['name']}, seed {scenario['seed']}",
        "simulated": f"{scenario['duration']} from {scenario['start'].replace('T', ' ')}",
        "nodes": f"{counts['nodes']:,.0f} in {counts['cells']:,.0f} cells of {area}",
        "density": f"{counts['density']:.3g} nodes a hectare, {counts['nearest']:.3g} m to the "
        "nearest",
        "coverage": f"{100 * counts['coverage']:.0f} % of the area within reach of a sensor",
        "readings expected": f"{counts['expected']:,.0f}",
        "frames received": f"{counts['frames']:,.0f}, duplicates and damaged ones included",
        "delivered": f"{100 * counts['delivered']:.2f} % of the readings, intact",
        "incidents": f"{counts['incidents']:,.0f}: {causes}",
        "size": f"{sum(one['bytes'] for one in manifest.files.values()) / 1e6:.1f} MB",
    }
