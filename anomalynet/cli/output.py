"""Prints results: tables (rich on a terminal) and JSON on stdout, warnings on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from anomalynet.errors import printable


def show(text: str, *, to_stderr: bool = False) -> None:
    """Print a text. All that contains names goes this way: none may steer the terminal."""
    print(printable(text), file=sys.stderr if to_stderr else sys.stdout, flush=True)


def warn(warnings: Iterable[str]) -> None:
    """Print one warning per line."""
    for warning in warnings:
        show(f"warning: {warning}", to_stderr=True)


def say(text: str) -> None:
    """Print a notice to stderr: stdout is for results."""
    show(text, to_stderr=True)


def print_json(value: object) -> None:
    """Print one JSON document."""
    show(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Fraction) else str(value)


def print_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows as JSON, or as a table."""
    print_json(rows) if as_json else print_table(rows)


def print_table(rows: Sequence[Mapping[str, object]], title: str | None = None) -> None:
    """Print rows that share their keys as a table; tab separated when stdout is not a terminal."""
    if not rows:
        return
    headings = list(rows[0])
    title = None if title is None else printable(title)
    cells = [
        ["" if row.get(key) is None else printable(str(row[key])) for key in headings]
        for row in rows
    ]
    if not sys.stdout.isatty():
        if title:
            print(f"# {title}")
        for line in (headings, *cells):
            print("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)


def rounded(value: float | None) -> str:
    """A metric as text with four decimals."""
    return "undefined" if value is None else f"{value:.4f}"


def alarms(scores: Path) -> str:
    """A sentence with the number of test steps in a scores.parquet that are alarms."""
    from anomalynet.runs.scores import read

    test = read(scores, lambda rows: rows.filter(split="test").drop_nulls("score"))
    count = f"{test['alarm'].sum()} of {test.height} test steps are alarms"
    return f"no labels, so no metrics; {count}: the column `alarm` of {scores}"
