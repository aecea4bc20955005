"""`anomalynet data`: list, inspect, fetch, import, write and replay data sets."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli import data_replay
from anomalynet.cli.arguments import add_json, add_overrides, data_set
from anomalynet.cli.output import print_json, print_table
from anomalynet.cli.simulate import facts as world_facts
from anomalynet.cli.world_info import cells, draw, incidents, open_world
from anomalynet.errors import DataError, UsageError

if TYPE_CHECKING:
    from anomalynet.simulation.store import World

SUMMARY = "list, inspect, fetch, import, write and replay data sets"

EPILOG = """\
examples:
  anomalynet data info smart_city                    simulated now, if it was not yet; with pictures
  anomalynet data info worlds/city --figures pictures
  anomalynet data info skab data.root=/path/to/SKAB
  anomalynet data fetch skab
  anomalynet data import room.csv --name room --time timestamp \\
    --series device --label attack --units temp=°C,rh=%
  anomalynet data import room.csv --name room --time timestamp --incidents annotated.csv
  anomalynet data rows smart_city data.world=7 --out city.csv
  anomalynet data replay smart_city data.world=7 \\
    --mqtt mqtt://localhost/readings --speed 600 --shift"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    add_json(actions.add_parser("ls", help="list the data sets that data.name can take"))
    info = actions.add_parser(
        "info",
        help="say what a data set holds, and what was met and mended in it; draw a simulated "
        "network",
    )
    info.add_argument(
        "name",
        metavar="NAME|DIR",
        help="a data set of `anomalynet data ls`, or a folder of `anomalynet simulate`",
    )
    add_overrides(info)
    info.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="where a simulated network is drawn (default: the world's own folder)",
    )
    add_json(info)
    fetch = actions.add_parser("fetch", help="download a data set, verified, into the data folder")
    fetch.add_argument("name", metavar="NAME")
    data_replay.add_rows(actions.add_parser("rows", help=data_replay.ROWS))
    data_replay.add_replay(actions.add_parser("replay", help=data_replay.REPLAY))
    _add_import(
        actions.add_parser("import", help="make a CSV, TSV or Parquet file a data set of its own")
    )


def _add_import(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "file",
        type=Path,
        metavar="FILE",
        help="CSV, TSV or Parquet; columns that are not named below are sensors",
    )
    add(
        "--name",
        required=True,
        metavar="N",
        help="what data.name will say: small letters, digits, _ and -",
    )
    add(
        "--time",
        metavar="COLUMN",
        help="time: ISO, a date with a clock, or seconds; without it rows are --period apart",
    )
    add(
        "--label",
        metavar="COLUMN",
        help="0 or 1, normal or attack; empty, NA and -999 are unlabelled",
    )
    add("--series", metavar="COLUMN", help="the recording a row belongs to: device, run, room")
    add(
        "--kind",
        metavar="COLUMN",
        help="type of attack; without --label, a row is normal where this says normal",
    )
    add(
        "--split",
        metavar="COLUMN",
        help="train, validation or test, used by data.split.policy=given",
    )
    add(
        "--incidents",
        type=Path,
        metavar="FILE",
        help="CSV of annotators' intervals: start,end,type,cause,impact,severity[,series]",
    )
    add(
        "--channels",
        type=_list,
        default=(),
        metavar="A,B",
        help="the sensors; every other column is left out",
    )
    add("--ignore", type=_list, default=(), metavar="X,Y", help="columns to leave out")
    add("--units", type=_units, default=(), metavar="A=°C,B=%", help="units of the sensors")
    add(
        "--separator",
        type=_separator,
        metavar="CHARACTER",
        help="between fields (default: found out among , ; tab |)",
    )
    add(
        "--period",
        type=float,
        metavar="SECONDS",
        help="expected step (default: the median step where steps are regular)",
    )
    add(
        "--timezone",
        metavar="ZONE",
        help="of times without an offset, such as Europe/Berlin (default: UTC)",
    )
    add(
        "--null",
        nargs="+",
        action="extend",
        default=[],
        metavar="VALUE",
        help="more words for a missing reading (empty, NA and NaN are known)",
    )
    add(
        "--unlabelled",
        nargs="+",
        action="extend",
        default=[],
        metavar="VALUE",
        help="more words for a missing label",
    )
    add(
        "--unsorted",
        choices=("refuse", "sort"),
        default="refuse",
        help="what to do with times that go back",
    )
    add(
        "--duplicates",
        choices=("refuse", "first", "last", "mean", "keep"),
        default="refuse",
        help="what to do with times that stand twice",
    )
    add("--replace", action="store_true", help="overwrite an imported set of this name")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Do one of the actions."""
    return {
        "ls": _ls,
        "info": _info,
        "fetch": _fetch,
        "import": _import,
        "rows": data_replay.rows,
        "replay": data_replay.replay,
    }[args.action](args)


def _ls(args: argparse.Namespace) -> int:
    from anomalynet.data import sources

    rows: list[dict[str, object]] = []
    for name in sources.names():
        try:
            info = sources.info(name)
            there = "yes" if sources.is_there(name) else "no"
            rows.append({"name": name, "there": there, "licence": info.licence, "what": info.title})
        except DataError as error:
            rows.append({"name": name, "there": "damaged", "licence": "", "what": error.message})
    print_json(rows) if args.json else print_table(rows)
    return 0


def _info(args: argparse.Namespace) -> int:
    from anomalynet.config.load import load_data_config
    from anomalynet.data import sources
    from anomalynet.data.describe import about, describe

    name, place = data_set(args.name)
    config = load_data_config(name, [*place, *args.overrides])
    world = open_world(config)
    if world is None and args.figures is not None:
        raise UsageError(f"--figures draws simulated networks; {config.name} is none")
    whole = sources.info(config.name).needs_subset and config.subset is None
    facts = about(config.name) if whole else describe(config)
    figures = [] if world is None else draw(world, args.figures)
    if world is not None:
        facts["incidents"] = incidents(world, facts["incidents"])
    if args.json:
        print_json(facts if world is None else {**facts, **_network(world, figures)})
        return 0
    tables = {key: facts.pop(key, []) for key in ("channels", "incidents")}
    counts = facts.pop("counts", {})
    print_table(
        [
            {"": key, "value": _plain(value)}
            for key, value in facts.items()
            if key != "warnings" and value not in (None, [], "")
        ]
    )
    if world is not None:
        print_table(
            [{"world": key, "value": value} for key, value in world_facts(world.manifest).items()]
        )
        tables["cells"] = cells(world)
    for title, rows in tables.items():
        print_table(
            [{key: _plain(value) for key, value in row.items()} for row in rows], title=title
        )
    print_table([{"met and mended": what, "count": number} for what, number in counts.items()])
    for path in figures:
        print(path)
    for warning in facts["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _network(world: World, figures: list[Path]) -> dict[str, Any]:
    drawn = [str(path) for path in figures]
    return {
        "world": str(world.folder),
        "network": dict(world.manifest.counts),
        "nodes": world.nodes.to_dicts(),
        "figures": drawn,
    }


def _fetch(args: argparse.Namespace) -> int:
    from anomalynet.data.fetch import fetch

    done = fetch(args.name)
    print(
        f"{args.name}: {done.fetched} files fetched, {done.present} were there and verified, in "
        f"{done.folder}"
    )
    return 0


def _import(args: argparse.Namespace) -> int:
    from dataclasses import asdict, fields

    from anomalynet.data.importing import import_table
    from anomalynet.data.importing.request import ImportRequest

    given: dict[str, Any] = {
        field.name: getattr(args, field.name) for field in fields(ImportRequest)
    }
    given |= {"null": tuple(args.null), "unlabelled": tuple(args.unlabelled)}
    report = import_table(ImportRequest(**given))
    if args.json:
        print_json(asdict(report))
        return 0
    facts = {**asdict(report), "channels": ", ".join(report.channels)}
    counts, warnings = facts.pop("counts"), facts.pop("warnings")
    facts.pop("rows")
    print_table(
        [
            {"": key, "value": _plain(value)}
            for key, value in {**facts, **counts}.items()
            if value is not None
        ]
    )
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"next: anomalynet data info {report.name}", file=sys.stderr)
    return 0


def _plain(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "; ".join(
            " + ".join(each) if isinstance(each, list) else str(each) for each in value
        )
    return f"{value:,}" if isinstance(value, int) else value


def _list(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _units(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [each.partition("=") for each in _list(text)]
    wrong = [name for name, sign, _ in pairs if not sign]
    if wrong:
        raise argparse.ArgumentTypeError(
            f"{wrong[0]!r} is not name=unit, such as temperature=°C,humidity=%"
        )
    return tuple((name.strip(), unit.strip()) for name, _, unit in pairs)


def _separator(text: str) -> str:
    character = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|"}.get(
        text, text
    )
    if len(character) != 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one character, nor comma, semicolon, tab or bar"
        )
    return character
