"""Finds where the rows of a CSV begin, what separates its fields, and the names of its columns."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from anomalynet.data.importing.cells import NULLS, check_name, quote
from anomalynet.data.importing.format import TableFormat
from anomalynet.errors import DataError

SEPARATORS = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma", " ": "spaces"}
"""In the order of preference where several would do."""
Row = tuple[int, list[str]]  # last line and fields
HEAD = 200  # lines that show separator and header
NUMBER = re.compile(r"""(?:^|[;\t|,])\s*["']?[-+]?[.,]?[0-9]""")
"""A field that begins with a number, a date or a time."""
INDEX = "index"  # name of a first column without one, as pandas and R write it


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows of a CSV begin, and their columns."""

    line: int  # of the header; rows are below it
    separator: str
    names: tuple[str, ...]  # the last is empty where lines end with a separator
    has_quotes: bool  # below the header


def find_layout(path: Path, form: TableFormat) -> Layout:
    """The layout of a CSV, from all bytes and the first lines. Raises DataError: the file is empty,
    not UTF-8 or not a table, or the names of its columns are missing or invalid."""
    last_quote = _last_quote(path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = list(islice(stream, HEAD))
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise DataError(f"{path}: empty")
    separator = form.separator
    start = lines[first].strip().lower()
    if start.startswith("sep=") and len(start) <= 5:  # as spreadsheets write it
        separator = separator or lines[first].strip("\r\n")[4:5]
        first += 1
    headed = form.header and not form.columns
    while headed and "".join(lines[first : first + 1]).startswith(("#", "\r", "\n")):
        following = next(filter(str.strip, lines[first + 1 :]), "0")
        if not following.startswith("#") and NUMBER.search(following):
            break  # it is the header
        first += 1
    options = [separator] if separator else list(SEPARATORS)
    known = {each: _head(lines[first:], each, headed) for each in options}
    separator = max(options, key=lambda each: _fit(each, known[each]))
    if not known[separator]:
        raise DataError(f"{path}: a header, but no rows below it")
    (number, fields), *rows = known[separator]
    below = [len(cells) for _, cells in rows]
    line = first + number - (not headed)
    if not headed:
        ends = len(fields) > 1 and not fields[-1].strip()
        names = given_names(path, form, len(fields) - ends) + ("",) * ends
    else:
        _check_begin(path, first, known, separator)
        _check_units(path, first, known[separator], form)
        if len(fields) == 1 and not form.separator and max(below, default=1) == 1:
            raise DataError(
                f"{path}: only one column, {quote(fields[0].strip())}; found none of "
                f"{', '.join(SEPARATORS.values())} in the header",
                "give the separator with --separator",
            )
        names = tuple(name.strip() for name in fields)
        if below and all(width == len(names) + 1 for width in below) and names[-1]:
            ends = all(not cells[-1].strip() for _, cells in rows)
            if not ends:
                starts = [lines[first + number - 1][:1] for number, _ in rows]
                _check_counter(path, first, rows, '"' in starts, (form.time or "") == INDEX)
            names = (*names, "") if ends else ("", *names)  # R names no column of row names
        _check_names(path, line, names)
        if not names[0] and INDEX not in names:
            names = (INDEX, *names[1:])
    has_quotes = last_quote >= len("".join(lines[:line]).encode())
    return Layout(line, separator, names, has_quotes)


def _last_quote(path: Path) -> int:
    """The offset of the last quote, or -1, in the bytes of a file."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, size, last, carriage = 1, 0, -1, False
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(1 << 20)
            try:
                decoder.decode(chunk, final=not chunk)  # at the end: no half character
            except UnicodeDecodeError as error:
                bad = lines + error.object[: error.start].count(b"\n")
                raise DataError(
                    f"{path}:{bad}: not UTF-8 (byte 0x{error.object[error.start]:02x})",
                    "save it as UTF-8: iconv -f latin1 -t utf-8 OLD > NEW; in a spreadsheet: save "
                    "as CSV UTF-8",
                ) from error
            if not chunk:
                break
            if (at := chunk.rfind(b'"')) >= 0:
                last = size + at
            size += len(chunk)
            lines += chunk.count(b"\n")
            carriage |= b"\r" in chunk
    if carriage and lines == 1:
        raise DataError(f"{path}: lines end with CR only", "save it with LF or CRLF line ends")
    return last


def records(
    path: Path, lines: Iterable[str], separator: str
) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line (from 1) and fields of each row that is not blank. Raises DataError:
    a quote that does not end, or text after one."""
    if separator == " ":
        lines = (line.replace("\t", " ") for line in lines)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    line = 1
    try:
        for fields in reader:
            if any(map(str.strip, fields)):
                known = list(filter(None, fields)) if separator == " " else fields
                yield line, reader.line_num, known
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}:{line}: {error}", "correct the quotes of this row: is one missing at its end?"
        ) from error


def _head(lines: list[str], separator: str, headed: bool) -> list[Row]:
    """Last line and fields of each row in the head of a file, without titles above the header."""
    found = []
    with suppress(DataError):  # found again, with its line, when the rows are read
        for _, last, fields in records(Path(), lines, separator):
            found.append((last, fields))
    if len(lines) == HEAD and len(found) > 2:
        found.pop()  # may be cut
    while headed and len(found) > 2 and sum(map(bool, map(str.strip, found[0][1]))) == 1:
        if len(found[1][1]) == 1:
            break
        found.pop(0)  # a title
    return found


def _fit(separator: str, rows: list[Row]) -> tuple[bool, float, int]:
    """How well a separator fits the head of a file: the share of rows as long as the header, and
    their length. Titles above the header count as rows of another length. Spaces separate only
    where nothing else does: they are part of titles and times."""
    if not rows or len(rows[0][1]) == 1:
        return False, 0.0, 0
    line, width = rows[0][0], len(rows[0][1])
    same = sum(len(fields) - width in (0, 1) for _, fields in rows)
    return separator != " ", same / (len(rows) + line - 1), width


def given_names(path: Path, form: TableFormat, width: int) -> tuple[str, ...]:
    """The names of the columns of a file without header: `form.columns`, or numbers."""
    if not form.columns:
        return tuple(f"column_{number}" for number in range(1, width + 1))
    if len(form.columns) != width:
        raise DataError(
            f"{path}: {width} columns, but --columns gives {len(form.columns)} names",
            "name all columns",
        )
    _check_unique(f"{path}: --columns", form.columns)
    for name in form.columns:
        check_name(name, "--columns")
    return form.columns


def _check_counter(path: Path, above: int, rows: list[Row], quoted: bool, is_time: bool) -> None:
    """Refuse rows with a field more than the header has names, unless the first is a counter or
    names of rows, as R writes them: decimal commas have the same effect. `quoted`: the first fields
    are, which numbers with a comma between quotes are not; `is_time`: they are said to be times."""
    found = [cells[0].strip() for _, cells in rows]
    counts = found[0] in ("0", "1") and found == [str(int(found[0]) + n) for n in range(len(rows))]
    named = quoted or not any(map(NUMBER.match, found))
    if not (counts or is_time or (named and len(set(found)) == len(found))):
        raise DataError(
            f"{path}:{above + rows[0][0]}: a field more than the header has names, as in each row: "
            "decimal commas or thousands without quotes?",
            "write numbers with a decimal point, or semicolons between fields; a first field that "
            f"has no name needs one in the header (or --time {INDEX} if it is the time)",
        )


def _check_begin(path: Path, above: int, known: dict[str, list[Row]], separator: str) -> None:
    """Refuse lines above the header, of another width than the rows of the table; `above`: number
    of lines above those of `known`."""
    widths = [len(fields) for _, fields in known[separator]]
    if len(set(widths[1:])) == 1 and widths[-1] - widths[0] in (0, 1):
        return
    for rows in known.values():
        widths = [len(fields) for _, fields in rows]
        other = [index for index, width in enumerate(widths) if width != widths[-1]]
        table = rows[other[-1] + 1 :] if other and widths[-1] > 1 else []
        has_number = [_has_number(fields) for _, fields in table]
        if any(has_number[1:]) and not has_number[0]:
            line = above + table[0][0]
            raise DataError(
                f"{path}: the table seems to begin at line {line}",
                f"delete the lines above it: tail -n +{line} OLD > NEW",
            )


def _check_units(path: Path, above: int, rows: list[Row], form: TableFormat) -> None:
    """Refuse rows below the header that have text where the first row with numbers has numbers."""
    first = next((row for row in rows[1:] if _has_number(row[1])), rows[0])
    for number, fields in rows[1 : rows.index(first)]:
        pairs = zip(fields, first[1], strict=False)
        for cell in (cell.strip() for cell, other in pairs if _has_number([other])):
            if cell not in (*NULLS, *form.null):
                raise DataError(
                    f"{path}:{above + number}: {quote(cell)} looks like a unit, not a reading",
                    "delete the line; or give --null WORD if it means a missing reading",
                )


def _has_number(fields: list[str]) -> bool:
    return any(NUMBER.match(cell) or _is_number(cell) for cell in fields)


def _check_names(path: Path, line: int, names: tuple[str, ...]) -> None:
    if all(_is_number(name) for name in names if name):
        what = f"{path}:{line}: missing header: the first line contains only numbers"
        raise DataError(what, "give names with --columns A,B,C, or --no-header")
    _check_unique(f"{path}:{line}", names)
    if "" in names[1:] and any(names[names.index("", 1) :]):
        number = names.index("", 1) + 1
        raise DataError(f"{path}:{line}: column {number} has no name", "name it in the header")
    for name in filter(None, names):
        check_name(name, f"{path}:{line}: column")


def _check_unique(where: str, names: tuple[str, ...]) -> None:
    name, count = Counter(filter(None, names)).most_common(1)[0]
    if count > 1:
        raise DataError(f"{where}: duplicate column name {quote(name)}", "rename one of them")


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False
