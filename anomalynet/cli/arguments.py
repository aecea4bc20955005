"""Arguments that several verbs share, and functions that read their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli.output import warn
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.config.locate import Kind
    from anomalynet.config.schema import DataConfig
    from anomalynet.reporting.formats import Form

Parser = argparse._ActionsContainer  # a parser, or a group of one


def amount(text: str) -> float:
    """0, or a number from a millionth on, below a billion."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (value == 0 or 1e-6 <= value < 1e9):
        what = "is not 0, nor a number from 0.000001 to a billion"
        raise argparse.ArgumentTypeError(f"{text!r} {what}")
    return value


def count(text: str, least: int = 1) -> int:
    """A whole number of 32 bits from `least` on."""
    if not text.isdecimal() or len(text) > 10 or not least <= int(text) < 1 << 32:
        what = f"is not a whole number from {least} to 2^32 - 1"
        raise argparse.ArgumentTypeError(f"{text!r} {what}")
    return int(text)


seed = partial(count, least=0)


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
    known: Callable[[], Iterable[str]] | None = None,
) -> None:
    """Declare `--name METAVAR`, or without dashes the argument `name`; `kind` converts its text.
    `known`: texts that a shell offers as completions."""
    action = parser.add_argument(name, metavar=metavar, help=text, type=kind, default=default)
    if known:
        action.completer = lambda **_: list(known())  # type: ignore[attr-defined]


def run_ids() -> list[str]:
    """The ids of the runs in `runs`."""
    return [path.parent.name for path in Path("runs").glob("*/*/config.yaml")]


def data_names() -> list[str]:
    """The names of data sets: the simulator's, those that can be fetched, and imported ones."""
    package = Path(__file__).parent.parent
    hashes = (package / "data" / "sources").glob("*.sha256")
    presets = (package / "simulation" / "scenarios").glob("*.yaml")
    imported = Path(os.environ.get("ANOMALYNET_DATA", "data")).glob("*/dataset.json")
    return [*(path.stem for path in (*presets, *hashes)), *(path.parent.name for path in imported)]


def _files(kind: Kind) -> list[str]:
    """The names of experiments or sweeps."""
    from anomalynet.config import locate

    return [name for name in locate.files(kind) if name != "base"]


experiment_names, sweep_names = partial(_files, "experiments"), partial(_files, "sweeps")


def add_overrides(parser: Parser) -> None:
    """Declare `key=value …`."""
    text = "change a key of the configuration (`anomalynet show --keys`)"
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=text)


def warn_of_contradictions(overrides: Sequence[str]) -> None:
    """Print a warning for each key that `key=value` gives several values: the last one counts."""
    last = {text.partition("=")[0]: text for text in overrides}
    for text in dict.fromkeys(overrides):
        counts = last[text.partition("=")[0]]
        warn([f"{counts} counts, not {text}, which is given before it"] if counts != text else [])


def add_runs(parser: Parser) -> None:
    """Declare `--runs DIR`."""
    text = "folder of the runs (default: runs)"
    option(parser, "--runs", "DIR", text, _runs, Path("runs"))


def _runs(text: str) -> Path:
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is a file, not a folder")
    return Path(text)


def add_launch(parser: Parser) -> None:
    """Declare `--data`, `--slots`, `--gpus`, `--runs-per-gpu`, `--devices`, `--on`, `--runs`."""
    text = "data set (`anomalynet data ls`; default: smart_city), or a folder of "
    option(parser, "--data", "NAME|DIR", f"{text}`anomalynet simulate`", known=data_names)
    text = "runs at a time (default: one per GPU; without a GPU one or two, depending on the cores)"
    option(parser, "--slots", "N", text, int)
    text = "train on these GPUs, or on `all`; each worker sees only its own GPU"
    option(parser, "--gpus", "0,1", text)
    option(parser, "--runs-per-gpu", "N", "runs at a time on each GPU (default: 1)", int, 1)
    option(parser, "--devices", "N", "devices that train each run together (DDP)", int)
    text = "where runs are trained: on this machine, or on a Ray cluster"
    parser.add_argument("--on", choices=("local", "ray"), default="local", help=text)
    add_runs(parser)


def launch_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `sweep` and `reproduce` as keyword arguments of `run_sweep`."""
    for name, key in (("data", "data.name"), ("devices", "hardware.devices")):
        given = [text for text in args.overrides if text.startswith(f"{key}=")]
        if given and getattr(args, name) is not None:
            raise UsageError(f"--{name} and {given[0]} set the same key", "give one of them")
    data, root = data_set(args.data) if args.data else (None, [])
    overrides = [f"data.name={data}", *root] if data else []
    overrides += args.overrides
    overrides += [f"hardware.devices={args.devices}"] if args.devices is not None else []
    # These options have the names of `run_sweep`'s keywords.
    keywords = ("preset", "runs", "out", "slots", "gpus", "runs_per_gpu", "on")
    options = {name: getattr(args, name) for name in keywords}
    return {"overrides": overrides, "formats": forms_of(args), **options}


def add_run(parser: Parser, name: str = "run_id") -> None:
    """Declare `RUN`."""
    text = "a run's folder, or the start of its id (`anomalynet ls runs`)"
    option(parser, name, "RUN", text, known=run_ids)


def add_json(parser: Parser) -> None:
    """Declare `--json`."""
    flag(parser, "--json", "print JSON")


def add_report(parser: Parser) -> None:
    """Declare `--format FORM[,FORM]` and `--json`."""
    text = "forms of the report: html, md, latex, csv (with Parquet), or all; several with commas "
    text += "or by repeating (default: md)"
    parser.add_argument("--format", action="append", default=[], metavar="FORM", help=text)
    add_json(parser)


def forms_of(args: argparse.Namespace) -> list[Form]:
    """The forms that `--format` asks for, in its order. Raises UsageError if one is unknown."""
    from anomalynet.reporting.formats.files import FILE_OF_FORM, read_forms

    named = names(",".join(args.format))
    if args.format and not named:
        hint = f"--format is one or several of {', '.join(FILE_OF_FORM)}, or all"
        raise UsageError("--format is empty", hint)
    return read_forms(named)


def names(text: str) -> tuple[str, ...]:
    """The names in `a, b`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def some_names(text: str) -> tuple[str, ...]:
    """The names in `a, b`, at least one."""
    if not (found := names(text)):
        raise argparse.ArgumentTypeError(f"{text!r} has no name")
    return found


def add_data(parser: Parser) -> None:
    """Declare `NAME|DIR key=value …`."""
    text = "a data set of `anomalynet data ls`, or a folder of `anomalynet simulate`"
    option(parser, "name", "NAME|DIR", text, known=data_names)
    add_overrides(parser)


def data_config(args: argparse.Namespace, default: Sequence[str] = ()) -> DataConfig:
    """The data configuration that the arguments of `add_data` describe. `default`: `key=value`
    texts that they win over."""
    from anomalynet.config.load import load_data_config

    name, root = data_set(args.name)
    return load_data_config(name, [*default, *root, *args.overrides])


def data_set(name: str) -> tuple[str, list[str]]:
    """The `data.name` of `NAME|DIR`, and further `key=value`: for the folder of a simulated world,
    its `data.root`. Write `./NAME` for a folder that has the name of a data set."""
    from anomalynet.data import sources

    folder = Path(name)
    if name in sources.names() or not folder.is_dir():
        return name, []
    hints = {
        "scenario.yaml": "`anomalynet simulate` makes one",
        "manifest.json": "repeat its `anomalynet simulate` command to finish it",
    }
    for file, hint in hints.items():
        if not (folder / file).is_file():
            raise UsageError(f"{name}: not the folder of a finished world: missing {file}", hint)
    return "simulated", [f"data.root={name}"]
