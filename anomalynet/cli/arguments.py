"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.reporting.forms import Form


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """`key=value …`"""
    text = "change a key of the configuration (`anomalynet show --keys`)"
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=text)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """`--runs DIR`"""
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="folder of the runs (default: runs)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`"""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_format(parser: argparse.ArgumentParser) -> None:
    """`--format FORM[,FORM]`"""
    told = (
        "forms of the report: html, md, latex, csv (with Parquet), or all; several with "
        "commas or by repeating (default: md)"
    )
    parser.add_argument("--format", action="append", default=[], metavar="FORM", help=told)


def forms_of(args: argparse.Namespace) -> list[Form]:
    """The forms that `--format` asks for, in its order.

    Raises:
        UsageError: there is no such form, or none is named.
    """
    from anomalynet.reporting.forms import PLACES

    named = [name.strip() for text in args.format for name in text.split(",") if name.strip()]
    forms: dict[Form, None] = {}
    if args.format and not named:
        raise UsageError(
            "--format names no form of a report",
            f"--format is one or several of {', '.join(PLACES)}, or all",
        )
    for name in named or ["md"]:
        found = [form for form in PLACES if name in (form, "all")]
        if not found:
            raise UsageError(
                f"there is no form {name!r} of a report",
                f"--format is one or several of {', '.join(PLACES)}, or all",
            )
        forms |= dict.fromkeys(found)
    return list(forms)


def data_set(name: str) -> tuple[str, list[str]]:
    """What `NAME|DIR` means: a data set, or the folder of a simulated world.

    Where a folder has the name of a data set, the data set is meant; `./NAME` is the folder.

    Returns:
        the value of `data.name`, and the `key=value` arguments that go with it.

    Raises:
        UsageError: a folder that is named by its path holds no finished world.
    """
    from anomalynet.data import sources

    folder = Path(name)
    if name in sources.names() or not folder.is_dir():
        return name, []
    missing = next(
        (file for file in ("scenario.yaml", "manifest.json") if not (folder / file).is_file()), None
    )
    if missing:
        hint = (
            "the `anomalynet simulate` that made it finishes it"
            if missing == "manifest.json"
            else "`anomalynet simulate` makes one"
        )
        raise UsageError(f"{name}: not the folder of a finished world, it has no {missing}", hint)
    return "simulated", [f"data.root={name}"]
