"""`anomalynet data`: list, inspect, fetch, import, write and replay data sets."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from anomalynet.cli import arguments
from anomalynet.cli.output import print_json, print_next, print_rows, print_table, warn
from anomalynet.errors import DataError, UsageError, say

ONE_WORLD = ("data.worlds=null",)  # simulated data is one world here, unless the user asks for more
SHOWN = 20  # recordings in a printed table; JSON has all
SUMMARY = "list, inspect, fetch, import, write and replay data sets"

EPILOG = """\
examples:
  anomalynet data info smart_city          simulates the network first if needed
  anomalynet data info smart_city --plot   draws pictures of the network
  anomalynet data info skab data.root=/path/to/SKAB
  anomalynet data fetch skab
  anomalynet data import room.csv --name room --time timestamp \\
    --series device --label attack --units temp=°C,rh=%
  anomalynet data rows smart_city data.world=7 --out city.csv
  anomalynet data replay smart_city data.world=7 \\
    --mqtt mqtt://localhost/readings --speed 600 --shift"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    texts = {
        "ls": "list the data sets that data.name can take",
        "info": "describe a data set, its recordings, and how it was cleaned",
        "fetch": "download a data set, verified, into the data folder",
        "rows": "write a data set's rows as a table that `anomalynet detect FILE` reads",
        "replay": "send a data set's readings by event time, as its gateways would have, to an "
        "MQTT broker or stdout",
        "import": "import a CSV, TSV or Parquet file as a data set",
    }
    parsers = {action: actions.add_parser(action, help=text) for action, text in texts.items()}
    info = parsers["info"]
    arguments.add_data(info)
    arguments.option(
        info, "--figures", "DIR", "draw pictures of a simulated network into this folder", Path
    )
    arguments.flag(info, "--plot", "draw pictures of a simulated network into the world's folder")
    parsers["fetch"].add_argument("name", metavar="NAME")
    _add_rows(parsers["rows"])
    _add_replay(parsers["replay"])
    _add_import(parsers["import"])
    for action in parsers.values():
        arguments.add_json(action)
        action.set_defaults(parser=action)


def _add_import(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    text = "CSV, Parquet or NumPy; several files of the same columns make one set"
    add("file", nargs="+", metavar="FILE", help=text, type=Path)
    text = "the new data.name: lower-case letters, digits, _ and -"
    add("--name", required=True, metavar="NAME", help=text)
    texts = {
        "--time COLUMN": "time; two columns as Date,Time; else rows are --period seconds apart",
        "--label COLUMN": "0 or 1, normal or attack; empty, NA and -999 are unlabelled",
        "--series COLUMN": "the recording a row belongs to: device, run, room",
        "--kind COLUMN": "type of attack; without --label, a row is normal if this column says so",
        "--split COLUMN": "train, validation or test, used by data.split.policy=given",
        "--time-format FORMAT": "iso, day-first, month-first, month-name, seconds, milliseconds, "
        "microseconds, nanoseconds, minutes, hours, days, excel, or such as '%%d.%%m.%%y %%H:%%M' "
        "(default: detected)",
        "--timezone ZONE": "zone of times without an offset: Europe/Berlin, or hours from UTC such "
        "as +01:00 (default: UTC); of incidents and labels alone if readings have an offset",
        "--decimal SIGN": "decimal sign: . or , (default: detected)",
        "--thousands SIGN": "between groups of three digits (default: detected)",
    }
    for declared, text in texts.items():
        name, metavar = declared.split()
        arguments.option(parser, name, metavar, text)
    arguments.flag(parser, "--series-from-name", "each file is a recording, named by the file")
    text = "seconds between readings (default: the median step if regular; 1 without --time)"
    arguments.option(parser, "--period", "SECONDS", text, float)
    text = (
        "labelled intervals: CSV of start,end[,type,cause,impact,severity,series], or JSON windows;"
        " ends are inclusive; times in the zone of the data; without series they apply to all"
    )
    arguments.option(parser, "--incidents", "FILE", text, Path)
    text = "one label per row, or a table with the same time column, joined by time"
    arguments.option(parser, "--labels", "FILE", text, Path)
    text = "use only these columns as sensors (default: all without another role)"
    arguments.option(parser, "--channels", "A,B", text, arguments.some_names, ())
    arguments.option(parser, "--ignore", "X,Y", "columns to leave out", arguments.some_names, ())
    arguments.option(parser, "--units", "A=°C,B=%", "units of the sensors", _units, ())
    text = "character between fields, or a word: comma, semicolon, tab, bar, space"
    arguments.option(parser, "--separator", "CHARACTER", text, _separator)
    text = "the first line is a row; columns are column_1, column_2 …"
    add("--no-header", dest="header", action="store_false", help=text)
    text = "names of the columns of a file without header"
    arguments.option(parser, "--columns", "A,B,C", text, arguments.some_names, ())
    words = {
        "--null": "words for a missing reading, such as -999 (empty, NA and NaN are known)",
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
    arguments.flag(parser, "--replace", "overwrite an imported set of this name")
    parser.set_defaults(switches=())  # found, never given


def _add_rows(parser: argparse.ArgumentParser) -> None:
    _add_series(parser)
    text = ".csv, .jsonl or .parquet"
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text)
    text = "order of the rows (default: device)"
    parser.add_argument("--by", choices=("device", "time"), default="device", help=text)
    arguments.flag(parser, "--replace", "overwrite the file")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    _add_series(parser)
    goal = parser.add_mutually_exclusive_group(required=True)
    text = "mqtt://host[:port]/topic, or mqtts://; credentials: ANOMALYNET_MQTT_USERNAME, …"
    arguments.option(goal, "--mqtt", "URL", text)
    goal.add_argument("--out", choices=("-",), help="- for one JSON line per message on stdout")
    text = "event seconds per second; 0: as fast as possible (default: 1)"
    arguments.option(parser, "--speed", "N", text, arguments.amount, 1.0)
    text = "skip earlier readings: ISO 8601, or seconds since 1970"
    parser.add_argument("--from", dest="first", type=_moment, metavar="TIME", help=text)
    later = "skip later readings"
    parser.add_argument("--to", dest="last", type=_moment, metavar="TIME", help=later)
    arguments.flag(parser, "--shift", "move times so that the replay starts now")


def _add_series(parser: argparse.ArgumentParser) -> None:
    arguments.add_data(parser)
    arguments.option(parser, "--series", "A,B", "these series only", arguments.some_names, ())


def run(args: argparse.Namespace) -> int:
    """Run the chosen action; return the exit code."""
    actions = {"ls": _ls, "info": _info, "fetch": _fetch, "import": _import}
    actions |= {"rows": _rows, "replay": _replay}
    return actions[args.action](args)


def _ls(args: argparse.Namespace) -> int:
    print_rows(data_sets(), as_json=args.json)
    return 0


def data_sets() -> list[dict[str, object]]:
    """A row per data set: whether it is there, its licence, and what it is."""
    from anomalynet.data import sources
    from anomalynet.data.folder import data_folder
    from anomalynet.runs.files import read_json

    manifests = map(read_json, data_folder().glob("simulated/*/manifest.json"))
    scenarios = (manifest.get("scenario") for manifest in manifests)
    made = {one.get("name") for one in scenarios if isinstance(one, dict)}
    rows: list[dict[str, object]] = []
    for name in sources.names():
        try:
            info, there = sources.info(name), "yes" if sources.is_there(name) else "no"
            there = "not made yet" if info.generated and name not in made else there
            rows.append({"name": name, "there": there, "licence": info.licence, "what": info.title})
        except DataError as error:
            rows.append({"name": name, "there": "damaged", "licence": "", "what": error.message})
    return rows


def _info(args: argparse.Namespace) -> int:
    from anomalynet.data import describe, sources
    from anomalynet.data.sources import simulated
    from anomalynet.simulation.store import read_world

    config, world = arguments.data_config(args, ONE_WORLD), None
    is_simulated, plot = simulated.knows(config.name), args.plot or args.figures is not None
    if plot and not is_simulated:
        raise UsageError(f"--plot and --figures need a simulated network, not {config.name}")
    if config.root is None and not is_simulated and not sources.is_there(config.name):
        channels = getattr(sources.built_in()[config.name], "CHANNELS", ())
        facts = describe.about(config.name) | {"there": False}
        facts["channels"] = [{"name": one.name, "unit": one.unit} for one in channels]
        by_hand = sources.info(config.name).by_hand
        facts["get"] = by_hand or f"anomalynet data fetch {config.name}"
        shown = facts | {"channels": [f"{one.name} {one.unit}".strip() for one in channels]}
        print_json(facts) if args.json else _print_facts(shown)
        return 0
    if is_simulated:
        world = read_world(simulated.world_folders(config)[0])
    subset_missing = sources.info(config.name).needs_subset and config.subset is None
    facts = describe.about(config.name) if subset_missing else describe.describe(config)
    figures: list[Path] = []
    network: dict[str, Any] = {}
    if world is not None:
        from anomalynet.reporting.sections.deployment import write_pictures

        figures = write_pictures(world, args.figures) if plot else []
        facts["incidents"] = describe.incident_types(world, facts["incidents"])
        network = {"world": str(world.folder), "network": dict(world.manifest.counts)}
        network |= {"nodes": world.nodes.to_dicts(), "figures": list(map(str, figures))}
    if args.json:
        print_json(facts | network)
        return 0
    tables = {key: facts.pop(key, []) for key in ("recordings", "channels", "incidents")}
    tables[f"recordings (at most {SHOWN})"] = tables.pop("recordings")[:SHOWN]
    counts, warnings = facts.pop("counts", {}), facts.pop("warnings")
    _print_facts({key: value for key, value in facts.items() if value not in (None, [], "")})
    if world is not None:
        facts = describe.world_facts(world.manifest)
        print_table([{"world": key, "value": value} for key, value in facts.items()])
        tables["cells"] = describe.cells(world)
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
    facts = {name: getattr(done, name) for name in ("folder", "fetched", "present")}
    text = f"{args.name}: {done.fetched} files fetched, {present}, in {done.folder}"
    print_json(facts) if args.json else print(text)
    print_next(f"anomalynet audit {args.name}", f"anomalynet reproduce --data {args.name}")
    return 0


def _import(args: argparse.Namespace) -> int:
    from dataclasses import asdict, fields

    from anomalynet.data.importing.import_table import import_table
    from anomalynet.data.importing.request import ImportRequest

    given: dict[str, Any] = {}
    for name in (one.name for one in fields(ImportRequest)):
        value = getattr(args, name)
        given[name] = tuple(value) if isinstance(value, list) else value
    report = import_table(ImportRequest(**given))
    facts = asdict(report)
    if args.json:
        print_json(facts)
        return 0
    counts, warnings = facts.pop("counts"), facts.pop("warnings")
    facts.pop("rows")
    if report.timezone and not args.timezone:
        facts["timezone"] = "UTC, as none is named (--timezone)"
    facts = {**facts, "channels": ", ".join(report.channels), **counts}
    _print_facts({key: value for key, value in facts.items() if value is not None})
    warn(warnings)
    look = "data info" if report.prevalence else "show --injected"
    name, train = report.name, f"anomalynet train hybrid data.name={report.name}"
    if not report.prevalence:
        train = f"anomalynet train unlabelled data.name={name}"
    print_next(f"anomalynet {look} {name}", train)
    return 0


def _rows(args: argparse.Namespace) -> int:
    from anomalynet.data import sources
    from anomalynet.detection.replay.publish import detector_rows, write_rows
    from anomalynet.runs.files import scratch_folder

    if args.out.exists() and not args.replace:
        raise UsageError(f"{args.out}: exists already", "add --replace, or choose another name")
    telemetry = sources.load(arguments.data_config(args, ONE_WORLD))
    with scratch_folder() as scratch:
        write_rows(detector_rows(telemetry, args.series), args.out, args.by, scratch)
    warn(telemetry.warnings)
    print_json({"file": args.out}) if args.json else print(args.out)
    return 0


def _replay(args: argparse.Namespace) -> int:
    from anomalynet.data import sources
    from anomalynet.detection.replay.publish import Publisher, replay

    if args.json and args.out:
        raise UsageError("--json and --out -: the messages are JSON already", "leave out --json")
    config = arguments.data_config(args, ONE_WORLD)
    with ExitStack() as stack:
        send: Callable[[str], None] = partial(print, flush=True)
        if args.mqtt is not None:
            send = stack.enter_context(Publisher(args.mqtt))
        telemetry = sources.load(config)
        warn(telemetry.warnings)
        chosen = {name: getattr(args, name) for name in ("speed", "first", "last", "shift")}
        sent = replay(telemetry, config.title, send, series=args.series, **chosen)
    counts = {name: getattr(sent, name) for name in ("messages", "gateways", "readings")}
    text = "{messages:,} messages of {gateways:,} gateways, {readings:,} readings"
    print_json(counts) if args.json else say(text.format(**counts))
    return 0


def _print_facts(facts: Mapping[str, object]) -> None:
    print_table(
        [{"": key.replace("_", " "), "value": _plain(value)} for key, value in facts.items()]
    )


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "; ".join(" + ".join(one) if isinstance(one, list) else str(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else value


def _units(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [each.partition("=") for each in arguments.names(text)]
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


def _moment(text: str) -> int:
    from anomalynet.data.importing.cells import read_time

    found = read_time(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-04-13T06:00:00Z")
    return found
