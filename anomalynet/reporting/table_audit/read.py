"""Reads a result table: CSV, TSV, a Markdown table, YAML or JSON, each cell as it was printed, each
row with its line."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from anomalynet.errors import DataError, Problem
from anomalynet.reporting.table_audit.cells import ALIASES, COLUMNS, COUNTS, missing, number

FORMATS = (".csv", ".tsv", ".md", ".yaml", ".yml", ".json")
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row as printed: column → text, missing cells left out."""

    model: str
    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """What a file holds."""

    name: str
    rows: tuple[PrintedRow, ...]
    ignored: tuple[str, ...]
    """Headings that mean no metric of a confusion matrix, each with the nearest that does."""


Line = tuple[int, Sequence[tuple[str, str]]]
"""A row's line, and its (heading, text) pairs in order."""


PLAIN = ("precision", "recall", "f1", "f1_score")
"""Headings that name a metric but no class."""


def read_table(path: Path, of: Literal["attack", "normal"] | None = None) -> PrintedTable:
    """Read a table; the file's ending says its format.

    `of` is the class whose precision, recall and F1 stand under headings that name none. Means over
    classes are of none: their F1 need not lie between them.

    Raises:
        DataError: the file cannot be read, or holds no such table; every problem, one line each.
    """
    if path.suffix.lower() not in FORMATS:
        raise DataError(
            f"{path}: not a table that can be audited", f"a file that ends in {', '.join(FORMATS)}"
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(
                f"{path}: larger than {MOST_BYTES // 2**20} MiB, which is no printed table"
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from error
    return parse(
        text, path.name if path.parent == Path() else str(path), path.suffix.lower(), of=of
    )


def parse(
    text: str,
    name: str,
    suffix: str,
    under: str | None = None,
    of: Literal["attack", "normal"] | None = None,
) -> PrintedTable:
    """Read the text of a table.

    Args:
        text: the file's content.
        name: of the file, for messages.
        suffix: one of `FORMATS`.
        under: in YAML, the key below which the rows stand.
        of: as in `read_table`.

    Raises:
        DataError: as in `read_table`.
    """
    problems: list[Problem] = []
    if suffix in (".yaml", ".yml", ".json"):
        lines = list(_mapped(text, name, suffix, under, problems))
    else:
        lines = list(_gridded(text, name, suffix, problems))
    named = [
        (line, [(_named(heading, of), cell) for heading, cell in pairs]) for line, pairs in lines
    ]
    table = _checked(named, name, problems)
    if problems:
        raise DataError(
            "\n".join(map(str, problems)),
            f"columns: model, {', '.join(COLUMNS)}; any of them may be missing",
        )
    return table


def _gridded(text: str, name: str, suffix: str, problems: list[Problem]) -> Iterator[Line]:
    """Rows below a line of headings; lines that are empty or begin with `#` are skipped, in
    Markdown whatever is no table line."""
    header: list[str] | None = None
    for line, fields in (
        _markdown(text) if suffix == ".md" else _delimited(text, name, suffix, problems)
    ):
        if header is None:
            header = fields
        elif len(fields) != len(header):
            problems.append(
                Problem(f"{name}:{line}", f"{len(fields)} cells under {len(header)} headings")
            )
        else:
            yield line, list(zip(header, fields, strict=True))


def _delimited(
    text: str, name: str, suffix: str, problems: list[Problem]
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",", strict=True)
    line = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields) and not fields[0].lstrip().startswith("#"):
                yield line, [field.strip() for field in fields]
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(f"{name}:{reader.line_num}", f"cannot be read: {error}"))


def _markdown(text: str) -> Iterator[tuple[int, list[str]]]:
    for line, content in enumerate(text.splitlines(), start=1):
        bare = content.strip()
        if not bare.startswith("|") or re.fullmatch(r"[|:\-\s]+", bare):
            continue
        yield (
            line,
            [field.strip().strip("*_` ") for field in re.split(r"(?<!\\)\|", bare.strip("|"))],
        )


def _mapped(
    text: str, name: str, suffix: str, under: str | None, problems: list[Problem]
) -> Iterator[Line]:
    """Rows as a list of mappings with `model`, or a mapping model → cells. Numbers stay text, so
    that 94.0 keeps its decimal."""
    try:
        if suffix == ".json":
            json.loads(text)
        root = yaml.compose(
            text.replace("\t", " ") if suffix == ".json" else text, Loader=yaml.SafeLoader
        )
    except json.JSONDecodeError as error:
        problems.append(Problem(f"{name}:{error.lineno}", f"not JSON: {error.msg}"))
        return
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problems.append(
            Problem(where, f"not YAML: {getattr(error, 'problem', None) or type(error).__name__}")
        )
        return
    if under is not None and isinstance(root, yaml.MappingNode):
        root = next((value for key, value in root.value if key.value == under), root)
    if isinstance(root, yaml.SequenceNode):
        rows = [(None, node) for node in root.value]
    elif isinstance(root, yaml.MappingNode):
        rows = list(root.value)
    else:
        return
    for key, node in rows:
        line = (key or node).start_mark.line + 1
        flat = isinstance(node, yaml.MappingNode) and all(
            isinstance(part, yaml.ScalarNode) for pair in node.value for part in pair
        )
        if not flat or (key is not None and not isinstance(key, yaml.ScalarNode)):
            problems.append(Problem(f"{name}:{line}", "a row is a mapping of columns to numbers"))
            continue
        pairs = [(column.value, value.value) for column, value in node.value]
        yield line, pairs if key is None else [("model", key.value), *pairs]


def _column(heading: str) -> str:
    """A heading as a column's name: `Precision (Attack), %` is precision_attack."""
    name = re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")
    return ALIASES.get(name, name)


def _named(heading: str, of: str | None) -> str:
    """A heading with the class that it leaves out."""
    name = _column(heading)
    return f"{name.removesuffix('_score')}_{of}" if of and name in PLAIN else heading


def _checked(lines: Sequence[Line], name: str, problems: list[Problem]) -> PrintedTable:
    rows: list[PrintedRow] = []
    ignored: dict[str, str] = {}
    models: set[str] = set()
    for line, pairs in lines:
        where, model = f"{name}:{line}", ""
        cells: dict[str, str] = {}
        for heading, text in pairs:
            column = _column(heading)
            if column == "model":
                model = text
            elif column not in COLUMNS:
                near = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.8)
                told = (
                    "of which class? --of attack reads it so"
                    if column in PLAIN
                    else f"did you mean {near[0]}?"
                    if near
                    else ""
                )
                ignored[heading] = f"{heading} ({told})" if told else heading
            elif column in cells:
                problems.append(Problem(where, f"two cells for {column}"))
            elif not missing(text):
                cells[column] = text.strip()
                problems += [
                    Problem(where, f"{column}: {what}") for what in [_wrong(column, text)] if what
                ]
        if not any(_column(heading) == "model" for heading, _ in pairs):
            problems.append(Problem(where, "no column `model`"))
        unique = f"{model} (line {line})" if model in models else model or f"row {len(rows) + 1}"
        models.add(unique)
        rows.append(PrintedRow(unique, line, cells))
    if not problems and not any(row.cells for row in rows):
        told = f"; its columns are {', '.join(ignored)}" if ignored else ""
        problems.append(Problem(name, f"holds no row with a metric of a confusion matrix{told}"))
    return PrintedTable(name, tuple(rows), tuple(ignored.values()))


def _wrong(column: str, text: str) -> str | None:
    if "±" in text or "+-" in text or "+/-" in text:
        return (
            f"{text!r} is a mean over runs, whose metrics need not fit one confusion matrix; "
            "give one run's"
        )
    shown = number(text)
    if shown is None:
        return f"{text!r} is no number"
    if column in COUNTS and (shown < 0 or shown != shown.to_integral_value() or "%" in text):
        return f"{text!r} is no count"
    return None
