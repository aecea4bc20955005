"""Arguments that several verbs share, and what their values mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.config.schema import DataConfig
    from anomalynet.reporting.formats import Form

Parser = argparse._ActionsContainer  # a parser, or a group of one


def amount(text: str) -> float:
    """A number from 0 on, below a billion."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to a billion")
    return value


def flag(parser: Parser, name: str, text: str) -> None:
    """Declare `--name`."""
    parser.add_argument(name, action="store_true", help=text)


def option(
    parser: Parser,
    name: str,
    metavar: str,
    text: str,
    kind: Callable[[str], Any] = str,
    default: object = None,
) -> None:
    """Declare `--name METAVAR`, or without dashes the argument `name`; `kind` reads its text."""
    parser.add_argument(name, metavar=metavar, help=text, type=kind, default=default)


def add_overrides(parser: Parser) -> None:
    """`key=value …`"""
    text = "change a key of the configuration (`anomalynet show --keys`)"
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=text)


def add_runs(parser: Parser) -> None:
    """`--runs DIR`"""
    option(parser, "--runs", "DIR", "folder of the runs (default: runs)", Path, Path("runs"))


def add_launch(parser: Parser) -> None:
    """`--data`, `--slots`, `--gpus`, `--runs-per-gpu`, `--devices`, `--on`, `--runs`"""
    text = "data set (`anomalynet data ls`; default: smart_city), or a folder of "
    option(parser, "--data", "NAME|DIR", f"{text}`anomalynet simulate`")
    text = "runs at a time (default: every GPU, else one or two by the cores)"
    option(parser, "--slots", "N", text, int)
    text = "place runs on these GPUs, each of which one worker sees alone; `all`"
    option(parser, "--gpus", "0,1", text)
    option(parser, "--runs-per-gpu", "N", "runs at a time on each GPU (default: 1)", int, 1)
    option(parser, "--devices", "N", "devices that train each run together (DDP)", int)
    text = "where runs are placed: here, or on a Ray cluster"
    parser.add_argument("--on", choices=("local", "ray"), default="local", help=text)
    add_runs(parser)


def launch_options(args: argparse.Namespace) -> dict[str, Any]:
    """What the arguments of `sweep` and `reproduce` mean to `run_sweep`."""
    data, place = data_set(args.data) if args.data else (None, [])
    given = [f"data.name={data}", *place] if data else []
    given += args.overrides
    given += [f"hardware.devices={args.devices}"] if args.devices is not None else []
    same = ("preset", "runs", "out", "slots", "gpus", "runs_per_gpu", "on")
    known = {name: getattr(args, name) for name in same}
    return {"overrides": given, "formats": forms_of(args), **known}


def add_run(parser: Parser) -> None:
    """`RUN`"""
    text = "a run's folder, or the start of its id (`anomalynet ls runs`)"
    option(parser, "run_id", "RUN", text)


def add_json(parser: Parser) -> None:
    """`--json`"""
    flag(parser, "--json", "print JSON")


def add_report(parser: Parser) -> None:
    """`--format FORM[,FORM]`, `--json`"""
    text = "forms of the report: html, md, latex, csv (with Parquet), or all; several with commas "
    text += "or by repeating (default: md)"
    parser.add_argument("--format", action="append", default=[], metavar="FORM", help=text)
    add_json(parser)


def forms_of(args: argparse.Namespace) -> list[Form]:
    """The forms that `--format` asks for, in its order; refuses what is none."""
    from anomalynet.reporting.formats.files import FILE_OF_FORM, read_forms

    named = names(",".join(args.format))
    if args.format and not named:
        hint = f"--format is one or several of {', '.join(FILE_OF_FORM)}, or all"
        raise UsageError("--format names no form of a report", hint)
    return read_forms(named)


def names(text: str) -> tuple[str, ...]:
    """`a, b` as names."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_data(parser: Parser) -> None:
    """`NAME|DIR key=value …`"""
    text = "a data set of `anomalynet data ls`, or a folder of `anomalynet simulate`"
    option(parser, "name", "NAME|DIR", text)
    add_overrides(parser)


def data_config(args: argparse.Namespace) -> DataConfig:
    """The data that `add_data`'s arguments mean."""
    from anomalynet.config.load import load_data_config

    name, place = data_set(args.name)
    return load_data_config(name, [*place, *args.overrides])


def data_set(name: str) -> tuple[str, list[str]]:
    """The value of `data.name` that `NAME|DIR` means, and the `key=value` that go with it: a data
    set, or the folder of a simulated world. `./NAME` is a folder that is called like a data set."""
    from anomalynet.data import sources

    folder = Path(name)
    if name in sources.names() or not folder.is_dir():
        return name, []
    hints = {
        "scenario.yaml": "`anomalynet simulate` makes one",
        "manifest.json": "the `anomalynet simulate` that made it finishes it",
    }
    for file, hint in hints.items():
        if not (folder / file).is_file():
            what = f"{name}: not the folder of a finished world, it has no {file}"
            raise UsageError(what, hint)
    return "simulated", [f"data.root={name}"]
