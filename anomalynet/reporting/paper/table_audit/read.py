"""Reads a table from CSV, TSV or Markdown: cells as printed, rows with their line."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomalynet.documents import read_text
from anomalynet.errors import DataError, Problem
from anomalynet.reporting.paper.table_audit.cone import COLUMNS, COUNTS, number

FORMATS = (".csv", ".tsv", ".md")
MOST_BYTES = 16 * 1024 * 1024
MISSING = frozenset({"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "~"})
PLAIN = ("precision", "recall", "f1", "f1_score")  # headings that name a metric but no class
ALIASES = {
    "specificity": "recall_normal",
    "tnr": "recall_normal",
    "sensitivity": "recall_attack",
    "tpr": "recall_attack",
    "ppv": "precision_attack",
    "npv": "precision_normal",
    "total": "n",
}

Class = Literal["attack", "normal"]
Line = tuple[int, Sequence[tuple[str, str]]]  # a row's line, and its (heading, text) pairs in order


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row as printed."""

    model: str
    line: int
    cells: dict[str, str]  # column → text, without missing cells


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """The table in a file."""

    name: str
    rows: tuple[PrintedRow, ...]
    ignored: tuple[str, ...]  # headings of other columns, with a hint on the nearest known one


def read_table(path: Path, of: Class | None = None) -> PrintedTable:
    """Read a table; the format follows from the file's ending.

    `of` is the class of columns named only precision, recall or F1. Means over classes belong to no
    class: their F1 need not be between them.

    Raises:
        DataError: the file cannot be read, or contains no such table; every problem in one line.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = f"use a file that ends in {', '.join(FORMATS)}"
        raise DataError(f"{path}: not a table that can be audited", hint)
    try:
        text = read_text(path, MOST_BYTES, "utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        what = f"{path}: not UTF-8 text (byte {error.start})"
        raise DataError(what, "save it as UTF-8") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}, not a printed table") from error
    return parse(text, str(path), suffix, of)


def parse(text: str, name: str, suffix: str, of: Class | None = None) -> PrintedTable:
    """Read a table from text, like `read_table`. `name`: of the file, for messages."""
    problems: list[Problem] = []
    lines = list(_read_lines(text, name, suffix, problems))
    table = _make_table(lines, name, of, problems)
    if problems:
        known = f"columns: model, and some of {', '.join(COLUMNS)}"
        raise DataError("\n".join(map(str, problems)), known)
    return table


def _read_lines(text: str, name: str, suffix: str, problems: list[Problem]) -> Iterator[Line]:
    """The rows below a line of headings in CSV, TSV or Markdown."""
    header: list[str] = []
    for line, fields in (
        _read_markdown(text) if suffix == ".md" else _read_csv(text, name, suffix, problems)
    ):
        if not header:
            header = fields
        elif len(fields) == len(header):
            yield line, list(zip(header, fields, strict=True))
        else:
            what = f"{len(fields)} cells under {len(header)} headings"
            problems.append(Problem(f"{name}:{line}", what))


def _read_csv(
    text: str, name: str, suffix: str, problems: list[Problem]
) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line; lines that are empty or begin with `#` are skipped."""
    reader = csv.reader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",", strict=True)
    line = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields) and not fields[0].lstrip().startswith("#"):
                yield line, [field.strip() for field in fields]
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(f"{name}:{reader.line_num}", f"cannot be read: {error}"))


def _read_markdown(text: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line of a table; other lines are skipped."""
    for line, content in enumerate(text.splitlines(), start=1):
        bare = content.strip()
        if bare.startswith("|") and not re.fullmatch(r"[|:\-\s]+", bare):
            fields = re.split(r"(?<!\\)\|", bare.strip("|"))
            yield line, [field.strip().strip("*_` ") for field in fields]


def _column(heading: str, of: str | None) -> str:
    """A heading as a column's name: `Precision (Attack), %` is precision_attack."""
    name = re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")
    if of and name in PLAIN:
        return f"{name.removesuffix('_score')}_{of}"
    return ALIASES.get(name, name)


def _make_table(
    lines: Sequence[Line], name: str, of: str | None, problems: list[Problem]
) -> PrintedTable:
    rows: list[PrintedRow] = []
    ignored: dict[str, str] = {}
    models: set[str] = set()
    for line, pairs in lines:
        where, model = f"{name}:{line}", None
        cells: dict[str, str] = {}
        for heading, text in pairs:
            column = _column(heading, of)
            if column == "model" and model is not None:
                problems.append(Problem(where, "two cells for model"))
            elif column == "model":
                model = text
            elif column not in COLUMNS:
                ignored[heading] = heading + _hint(column)
            elif column in cells:
                problems.append(Problem(where, f"two cells for {column}"))
            elif text.strip().lower() not in MISSING:
                cells[column] = text.strip()
                if wrong := _wrong(column, text):
                    problems.append(Problem(where, f"{column}: {text!r} {wrong}"))
        if model is None:
            problems.append(Problem(where, "no column `model`"))
            break
        unique = f"{model} (line {line})" if model in models else model or f"row {len(rows) + 1}"
        models.add(unique)
        rows.append(PrintedRow(unique, line, cells))
    if not problems and not any(row.cells for row in rows):
        columns = f"; its columns are {', '.join(ignored)}" if ignored else ""
        problems.append(Problem(name, f"no row has a metric of a confusion matrix{columns}"))
    return PrintedTable(name, tuple(rows), tuple(ignored.values()))


def _hint(column: str) -> str:
    if column in PLAIN:
        return " (of which class? --of attack reads it so)"
    near = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.8)
    return f" (did you mean {near[0]}?)" if near else ""


def _wrong(column: str, text: str) -> str | None:
    if any(sign in text for sign in ("±", "+-", "+/-")):
        return "is a mean over runs, which need not fit one confusion matrix; give one run's"
    shown = number(text)
    if shown is None:
        return "is not a number"
    if column in COUNTS and (shown < 0 or shown != shown.to_integral_value() or "%" in text):
        return "is not a count"
    return None
