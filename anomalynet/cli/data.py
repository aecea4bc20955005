"""`anomalynet data`: list, inspect, fetch, import, write and replay data sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalynet.cli import data_replay
from anomalynet.cli.arguments import add_data, add_json, data_config, flag, names, option
from anomalynet.cli.output import print_json, print_rows, print_table, warn
from anomalynet.cli.world_info import cells, draw, incidents, open_world, world_facts
from anomalynet.errors import DataError, UsageError

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
    text = "describe a data set and how it was cleaned; draw a simulated network"
    info = actions.add_parser("info", help=text)
    add_data(info)
    text = "folder for pictures of a simulated network (default: the world's folder)"
    option(info, "--figures", "DIR", text, Path)
    add_json(info)
    fetch = actions.add_parser("fetch", help="download a data set, verified, into the data folder")
    fetch.add_argument("name", metavar="NAME")
    data_replay.add_rows(actions.add_parser("rows", help=data_replay.ROWS))
    data_replay.add_replay(actions.add_parser("replay", help=data_replay.REPLAY))
    text = "import a CSV, TSV or Parquet file as a data set"
    _add_import(actions.add_parser("import", help=text))


def _add_import(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    text = "CSV, Parquet or NumPy; several files of the same columns make one set"
    add("file", nargs="+", metavar="FILE", help=text, type=Path)
    text = "the new data.name: lower-case letters, digits, _ and -"
    add("--name", required=True, metavar="NAME", help=text)
    columns = {
        "--time": "time; two columns as Date,Time. Without it rows are --period seconds apart",
        "--label": "0 or 1, normal or attack; empty, NA and -999 are unlabelled",
        "--series": "the recording a row belongs to: device, run, room",
        "--kind": "type of attack; without --label, a row is normal if this column says so",
        "--split": "train, validation or test, used by data.split.policy=given",
    }
    for name, text in columns.items():
        option(parser, name, "COLUMN", text)
    flag(parser, "--series-from-name", "each file is a recording, named by the file")
    text = "such as day-first, excel, milliseconds or '%d.%m.%y %H:%M' (default: detected)"
    option(parser, "--time-format", "FORMAT", text)
    text = "time zone of times without an offset, such as Europe/Berlin (default: UTC)"
    option(parser, "--timezone", "ZONE", text)
    text = "seconds between readings (default: the median step if steps are regular)"
    option(parser, "--period", "SECONDS", text, float)
    text = (
        "labelled intervals: CSV of start,end[,type,cause,impact,severity,series], or JSON windows"
    )
    option(parser, "--incidents", "FILE", text, Path)
    option(parser, "--labels", "FILE", "labels in a file of their own, a line per row", Path)
    text = "use only these columns as sensors (default: all without another role)"
    option(parser, "--channels", "A,B", text, names, ())
    option(parser, "--ignore", "X,Y", "columns to leave out", names, ())
    option(parser, "--units", "A=°C,B=%", "units of the sensors", _units, ())
    text = "character between fields, or a word: comma, semicolon, tab, bar, space"
    option(parser, "--separator", "CHARACTER", text, _separator)
    text = "decimal sign: . or , (default: detected)"
    option(parser, "--decimal", "SIGN", text)
    option(parser, "--thousands", "SIGN", "between groups of three digits (default: detected)")
    text = "the first line is a row; columns are column_1, column_2 …"
    add("--no-header", dest="header", action="store_false", help=text)
    option(parser, "--columns", "A,B,C", "names of the columns of a file without header", names, ())
    words = {
        "--null": "additional words for a missing reading (empty, NA and NaN are known)",
        "--attack": "words of the label for an attack (1, attack, anomaly … are known)",
        "--normal": "words of the label for normal (0, normal, benign … are known)",
        "--unlabelled": "additional words for a missing label",
    }
    for name, text in words.items():
        add(name, nargs="+", action="extend", default=[], metavar="WORD", help=text)
    text = "what to do with rows that are not sorted by time"
    add("--unsorted", choices=("refuse", "sort"), default="refuse", help=text)
    text = "what to do with duplicate timestamps"
    known = ("refuse", "first", "last", "mean", "keep")
    add("--duplicates", choices=known, default="refuse", help=text)
    flag(parser, "--replace", "overwrite an imported set of this name")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Do one of the actions."""
    actions = {"ls": _ls, "info": _info, "fetch": _fetch, "import": _import}
    actions |= {"rows": data_replay.rows, "replay": data_replay.replay}
    return actions[args.action](args)


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
    print_rows(rows, as_json=args.json)
    return 0


def _info(args: argparse.Namespace) -> int:
    from anomalynet.data import sources
    from anomalynet.data.describe import about, describe

    config = data_config(args)
    world = open_world(config)
    if world is None and args.figures is not None:
        raise UsageError(f"--figures needs a simulated network, which {config.name} is not")
    whole = sources.info(config.name).needs_subset and config.subset is None
    facts = about(config.name) if whole else describe(config)
    figures = [] if world is None else draw(world, args.figures)
    if world is not None:
        facts["incidents"] = incidents(world, facts["incidents"])
    if args.json:
        network: dict[str, Any] = {}
        if world is not None:
            network = {"world": str(world.folder), "network": dict(world.manifest.counts)}
            network |= {"nodes": world.nodes.to_dicts(), "figures": list(map(str, figures))}
        print_json(facts | network)
        return 0
    tables = {key: facts.pop(key, []) for key in ("channels", "incidents")}
    counts, warnings = facts.pop("counts", {}), facts.pop("warnings")
    _print_facts({key: value for key, value in facts.items() if value not in (None, [], "")})
    if world is not None:
        facts = world_facts(world.manifest)
        print_table([{"world": key, "value": value} for key, value in facts.items()])
        tables["cells"] = cells(world)
    for title, rows in tables.items():
        texts = [{key: _plain(value) for key, value in row.items()} for row in rows]
        print_table(texts, title=title)
    print_table([{"found and cleaned": what, "count": number} for what, number in counts.items()])
    for path in figures:
        print(path)
    warn(warnings)
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from anomalynet.data.fetch import fetch

    done = fetch(args.name)
    present = f"{done.present} were present and verified"
    print(f"{args.name}: {done.fetched} files fetched, {present}, in {done.folder}")
    return 0


def _import(args: argparse.Namespace) -> int:
    from dataclasses import asdict, fields

    from anomalynet.data.importing.import_table import import_table
    from anomalynet.data.importing.request import ImportRequest

    given: dict[str, Any] = {one.name: getattr(args, one.name) for one in fields(ImportRequest)}
    given |= {
        name: tuple(given[name]) for name in ("file", "null", "attack", "normal", "unlabelled")
    }
    report = import_table(ImportRequest(**given))
    facts = asdict(report)
    if args.json:
        print_json(facts)
        return 0
    counts, warnings = facts.pop("counts"), facts.pop("warnings")
    facts.pop("rows")
    facts = {**facts, "channels": ", ".join(report.channels), **counts}
    _print_facts({key: value for key, value in facts.items() if value is not None})
    warn(warnings)
    print(f"next: anomalynet data info {report.name}", file=sys.stderr)
    return 0


def _print_facts(facts: Mapping[str, object]) -> None:
    print_table([{"": key, "value": _plain(value)} for key, value in facts.items()])


def _plain(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "; ".join(" + ".join(one) if isinstance(one, list) else str(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else value


def _units(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [each.partition("=") for each in names(text)]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        what = f"{wrong[0]!r} is not name=unit, such as temperature=°C,humidity=%"
        raise argparse.ArgumentTypeError(what)
    return tuple((name.strip(), unit.strip()) for name, _, unit in pairs)


def _separator(text: str) -> str:
    words = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "space": " "}
    character = words.get(text, text)
    if len(character) != 1:
        what = f"{text!r} is not one character, nor comma, semicolon, tab, bar or space"
        raise argparse.ArgumentTypeError(what)
    return character
