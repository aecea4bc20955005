"""Opens tables as rows of text or typed columns, each with its line number, and checks their
structure."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from anomalynet.data.importing.cells import NULLS, check_name
from anomalynet.data.importing.format import TableFormat
from anomalynet.errors import DataError

ROW = "row"
FILE_BITS = 40  # a row is the line number, and from this bit on the number of its file
SEPARATORS = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma", " ": "spaces"}
"""In the order of preference where several would do."""
HEAD = 200  # lines that show separator and header
BATCH = 50_000  # rows of a quoted CSV that are in memory at once
INDEX = "index"  # name of a first column without one, as pandas and R write it
FOREIGN = {
    b"\x1f\x8b": "compressed: unpack it first",
    b"PK": "a spreadsheet or archive: save the sheet as CSV",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
}


@dataclass(frozen=True)
class Rows:
    """One or more files as a table whose columns are named by index ("0", "1", …), with a column
    `row`: the line in a CSV, or else the row number, and the number of the file."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    frame: pl.LazyFrame
    is_text: bool
    separator: str | None = None

    @property
    def path(self) -> Path:
        """The first file, for messages about all rows."""
        return self.paths[0]

    def where(self, row: int) -> str:
        """File and line of a row, for messages."""
        path, line = self.paths[row >> FILE_BITS], row & ((1 << FILE_BITS) - 1)
        return f"{path}:{line}" if self.is_text else f"{path}: row {line}"

    @cached_property
    def schema(self) -> pl.Schema:
        """The types of all columns."""
        return self.frame.collect_schema()

    def dtype(self, index: int) -> pl.DataType:
        """The type of a column."""
        return self.schema[str(index)]

    def count(self) -> int:
        """The number of rows."""
        return int(self.frame.select(pl.len()).collect().item())

    def text(self, index: int, null: Sequence[str] = NULLS) -> pl.Expr:
        """A column as stripped text, null for the words in `null`."""
        column = pl.col(str(index)).cast(pl.String).str.strip_chars()
        return pl.when(column.is_in(list(null))).then(None).otherwise(column)

    def first(self, condition: pl.Expr) -> int | None:
        """The first row for which a condition holds."""
        found = self.frame.filter(condition).select(pl.col(ROW).min()).collect(engine="streaming")
        row: int | None = found.item()
        return row

    def cell(self, index: int, row: int) -> str:
        """The content of a cell as text."""
        cell = self.frame.filter(pl.col(ROW) == row).select(pl.col(str(index)).cast(pl.String))
        return str(cell.collect().item())


def open_rows(paths: Sequence[Path], form: TableFormat, staging: Path) -> Rows:
    """Open CSV files (any separator, BOM, line ends, quotes and title lines), Parquet files or
    NumPy arrays of the same columns. The rows of a CSV are written to Parquet files below
    `staging`, so memory stays bounded. With `series_from_name`, a last column has the names of the
    files.

    Raises DataError: a file is missing, empty, not a table or not UTF-8; it has only a header,
    duplicate or missing names, or rows of different length; files have different columns.
    """
    found: list[Rows] = []
    for number, path in enumerate(paths):
        rows = _open(path, form, staging / f"rows{number}")
        if found and (rows.names, rows.is_text) != (found[0].names, found[0].is_text):
            other = sorted(set(rows.names) ^ set(found[0].names)) or ["in another order"]
            raise DataError(
                f"{path}: other columns than {found[0].path}: {', '.join(map(str, other[:6]))}",
                "import files of other columns as sets of their own",
            )
        found.append(rows)
        form = replace(form, separator=rows.separator or form.separator)
    first = found[0]
    frames = []
    for number, rows in enumerate(found):
        frame = rows.frame.with_columns(pl.col(ROW) + (number << FILE_BITS))
        if form.series_from_name:
            frame = frame.with_columns(pl.lit(rows.path.stem).alias(str(len(first.names))))
        frames.append(frame)
    names = (*first.names, "file name") if form.series_from_name else first.names
    try:
        together = pl.concat(frames, how="vertical_relaxed")
        return replace(first, paths=tuple(paths), names=names, frame=together)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{first.path}: other types of columns in the other files") from error


def header(path: Path, form: TableFormat) -> tuple[str, ...]:
    """The names of the columns, without reading the rows; none where the file is no table."""
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
        if start.startswith(b"PAR1"):
            return _open_parquet(path).names
        if start == b"\x93NUMPY":
            return _open_array(path, form).names
        return _find_layout(path, form).names
    except (DataError, OSError, UnicodeDecodeError):
        return ()


def _open(path: Path, form: TableFormat, parts: Path) -> Rows:
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if start.startswith(b"PAR1"):
        return _open_parquet(path)
    if start == b"\x93NUMPY":
        return _open_array(path, form)
    if path.suffix.lower() in (".parquet", ".pq"):
        raise DataError(f"{path}: not a Parquet file", "rename it if it is a CSV")
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{path}: not a CSV but {what}")
    last_quote = _inspect(path)
    layout = _find_layout(path, form)
    parts.mkdir()
    write = _write_quoted if last_quote >= layout.offset else _write_unquoted
    write(path, layout, parts)
    frame = pl.scan_parquet(parts / "*.parquet")
    names = layout.names
    while not names[-1]:  # lines end with separators
        names, last = names[:-1], str(len(names) - 1)
        if not frame.select((pl.col(last) == "").all()).collect().item():
            raise DataError(f"{path}:{layout.line}: the last column has no name", "name it")
        frame = frame.drop(last)
    rows = Rows((path,), names, frame, is_text=True, separator=layout.separator)
    if not rows.count():
        raise DataError(f"{path}: a header, but no rows below it")
    return rows


def _open_parquet(path: Path) -> Rows:
    try:
        frame = pl.scan_parquet(path)
        names = tuple(frame.collect_schema().names())
        height = frame.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path}: not a readable Parquet file: {why}") from error
    if not height:
        raise DataError(f"{path}: no rows")
    if len({name.strip() for name in names}) < len(names):
        raise DataError(
            f"{path}: two column names differ only in spaces: {', '.join(map(repr, names))}",
            "rename one of them",
        )
    for name in names:
        check_name(name, f"{path}: column")
    words = pl.selectors.by_dtype(pl.String, pl.Categorical, pl.Enum)
    frame = frame.with_columns(words.cast(pl.String).str.strip_chars())
    frame = frame.rename({name: str(index) for index, name in enumerate(names)})
    numbered = frame.with_row_index(ROW, 1).cast({ROW: pl.Int64})
    return Rows((path,), tuple(name.strip() for name in names), numbered, is_text=False)


def _open_array(path: Path, form: TableFormat) -> Rows:
    try:
        array = np.load(path, allow_pickle=False)
        columns = array.reshape(len(array), -1).T
        if array.ndim > 2 or not len(array) or array.dtype.kind not in "fiub":
            raise ValueError(f"an array of shape {array.shape} and type {array.dtype}")
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: not a table: {error}", "save numbers of shape (rows, columns)"
        ) from None
    names = _given_names(path, form, len(columns))
    data = {str(index): column for index, column in enumerate(columns)}
    frame = pl.DataFrame(data).with_row_index(ROW, 1).cast({ROW: pl.Int64})
    return Rows((path,), names, frame.lazy(), is_text=False)


def _inspect(path: Path) -> int:
    """Read all bytes once; return the offset of the last quote, or -1. Raises DataError: empty
    file, or not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, size, quote, carriage = 1, 0, -1, False
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                bad = lines + error.object[: error.start].count(b"\n")
                raise DataError(
                    f"{path}:{bad}: not UTF-8 (byte 0x{error.object[error.start]:02x})",
                    "save it as UTF-8: iconv -f latin1 -t utf-8 OLD > NEW",
                ) from error
            if (at := chunk.rfind(b'"')) >= 0:
                quote = size + at
            size += len(chunk)
            lines += chunk.count(b"\n")
            carriage |= b"\r" in chunk
    if not size:
        raise DataError(f"{path}: empty")
    if carriage and lines == 1:
        raise DataError(f"{path}: lines end with CR only", "save it with LF or CRLF line ends")
    return quote


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the rows of a CSV begin, and their columns; the last name is empty where lines end
    with a separator."""

    line: int  # of the header; rows are below it
    offset: int  # first byte after the header
    separator: str
    names: tuple[str, ...]


def _find_layout(path: Path, form: TableFormat) -> _Layout:
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
    options = [separator] if separator else list(SEPARATORS)
    headed = form.header and not form.columns
    known = {each: _records(lines[first:], each, headed) for each in options}
    separator = max(options, key=lambda each: _fit(each, known[each]))
    records = known[separator]
    if not records:
        raise DataError(f"{path}: a header, but no rows below it")
    number, fields = records[0]
    below = [len(cells) for _, cells in records[1:]]
    if len(fields) == 1 and not form.separator and max(below, default=1) == 1 and headed:
        raise DataError(
            f"{path}: only one column, {fields[0].strip()!r}; found none of "
            f"{', '.join(SEPARATORS.values())} in the header",
            "give the separator with --separator",
        )
    if not headed:
        line = first + number - 1
        names = _given_names(path, form, len(fields) - (not fields[-1].strip() and len(fields) > 1))
        names += ("",) * (len(fields) - len(names))
    else:
        line = first + number
        names = tuple(name.strip() for name in fields)
        if below and all(width == len(names) + 1 for width in below) and names[-1]:
            ends = all(not cells[-1].strip() for _, cells in records[1:])
            names = (*names, "") if ends else ("", *names)  # R names no column of row names
        _check_names(path, line, names)
        if not names[0] and INDEX not in names:
            names = (INDEX, *names[1:])
    offset = len("".join(lines[:line]).encode())
    return _Layout(line, offset, separator, names)


def _records(lines: list[str], separator: str, headed: bool) -> list[tuple[int, list[str]]]:
    """Line number (of its last line, from 1) and fields of each row in the head of a file; what
    stands above the header is left out."""
    reader = _reader(lines, separator)
    found = []
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                known = [field for field in fields if field] if separator == " " else fields
                found.append((reader.line_num, known))
    except csv.Error:
        pass  # found again, with its line, when the rows are read
    if len(lines) == HEAD and len(found) > 2:
        found.pop()  # may be cut
    while headed and len(found) > 2 and sum(bool(cell.strip()) for cell in found[0][1]) == 1:
        if len(found[1][1]) == 1:
            break
        found.pop(0)  # a title
    return found


def _reader(lines: Iterable[str], separator: str) -> Any:
    if separator == " ":
        lines = (line.replace("\t", " ") for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)


def _fit(separator: str, records: list[tuple[int, list[str]]]) -> tuple[bool, float, int]:
    """How well a separator fits the head of a file: the share of rows as long as the header, and
    their length. Titles above the header count as rows of another length. Spaces separate only
    where nothing else does: they are part of titles and times."""
    if not records or len(records[0][1]) == 1:
        return False, 0.0, 0
    line, width = records[0][0], len(records[0][1])
    same = sum(len(fields) - width in (0, 1) for _, fields in records)
    return separator != " ", same / (len(records) + line - 1), width


def _given_names(path: Path, form: TableFormat, width: int) -> tuple[str, ...]:
    if not form.columns:
        return tuple(f"column_{number}" for number in range(1, width + 1))
    if len(form.columns) != width:
        raise DataError(
            f"{path}: {width} columns, but --columns gives {len(form.columns)} names",
            "name all columns",
        )
    for name in form.columns:
        check_name(name, "--columns")
    return form.columns


def _check_names(path: Path, line: int, names: tuple[str, ...]) -> None:
    if all(_is_number(name) for name in names if name):
        what = f"{path}:{line}: missing header: the first line contains only numbers"
        raise DataError(what, "give names with --columns A,B,C, or --no-header")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise DataError(f"{path}:{line}: duplicate column name {twice[0]!r}", "rename one of them")
    last = max((index for index, name in enumerate(names) if name), default=0)
    if "" in names[1:last]:
        number = names.index("", 1) + 1
        raise DataError(f"{path}:{line}: column {number} has no name", "name it in the header")
    for name in filter(None, names):
        check_name(name, f"{path}:{line}: column")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _write_unquoted(path: Path, layout: _Layout, parts: Path) -> None:
    """Split lines without quotes, streaming. Unlike CSV readers, this keeps line numbers."""
    text, separator, width = pl.col("text"), layout.separator, len(layout.names)
    lines = pl.scan_lines(path, name="text", row_index_name=ROW, row_index_offset=1)
    lines = lines.cast({ROW: pl.Int64}).filter(pl.col(ROW) > layout.line)
    if layout.line == 0:
        lines = lines.with_columns(text.str.strip_prefix("\ufeff"))
    lines = lines.with_columns(text.str.strip_chars_end("\r"))
    lines = lines.filter(text.str.strip_chars(f"{separator} \t") != "")
    if separator == " ":
        separator = "\t"
        lines = lines.with_columns(text.str.strip_chars().str.replace_all(r"[ \t]+", separator))
    counted = lines.select(ROW, fields=text.str.count_matches(separator, literal=True) + 1)
    ragged = counted.filter(pl.col("fields") != width).head(1).collect()
    if ragged.height:
        _ragged(path, ragged[ROW][0], ragged["fields"][0], width)
    names = [str(index) for index in range(width)]
    split = text.str.splitn(separator, width).struct.rename_fields(names)
    rows = lines.select(ROW, fields=split).unnest("fields")
    rows = rows.with_columns(pl.exclude(ROW).str.strip_chars())
    rows.sink_parquet(parts / f"{0:08}.parquet", compression="lz4")


def _write_quoted(path: Path, layout: _Layout, parts: Path) -> None:
    width = len(layout.names)
    schema = {ROW: pl.Int64, **{str(index): pl.String for index in range(width)}}
    pl.DataFrame(schema=schema).write_parquet(parts / f"{0:08}.parquet")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = _quoted_rows(path, stream, layout, width)
        for number in range(1, 1 << 30):
            batch = list(islice(rows, BATCH))
            if not batch:
                return
            pl.DataFrame(batch, schema=schema, orient="row").write_parquet(
                parts / f"{number:08}.parquet", compression="lz4"
            )


def _quoted_rows(
    path: Path, stream: Iterable[str], layout: _Layout, width: int
) -> Iterator[tuple[int | str, ...]]:
    reader = _reader(stream, layout.separator)
    line = 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}:{line}: {error}") from error
        if fields is None:
            return
        if layout.separator == " ":
            fields = [field for field in fields if field]
        if line > layout.line and any(field.strip() for field in fields):
            if len(fields) != width:
                _ragged(path, line, len(fields), width)
            yield (line, *(field.strip() for field in fields))
        line = reader.line_num + 1


def _ragged(path: Path, line: int, fields: int, width: int) -> None:
    what = f"{path}:{line}: {fields} fields, the header has {width}"
    raise DataError(what, "correct the line, or give the separator with --separator")
