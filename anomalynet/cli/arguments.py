"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """`key=value …`"""
    text = "change a key of the configuration (`anomalynet show --keys`)"
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=text)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """`--runs DIR`"""
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of the runs (default: runs)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`"""
    parser.add_argument("--json", action="store_true", help="print JSON")
