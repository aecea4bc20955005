"""Opens tables as rows of text or typed columns, each with its line number, and checks their
structure."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, islice
from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.data.importing.cells import NULLS, check_name, quote
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.layout import Layout, find_layout, given_names, records
from anomalynet.errors import DataError
from anomalynet.runs.files import is_special

ROW = "row"
FILE_BITS = 40  # a row is the line number, and from this bit on the number of its file
BATCH = 50_000  # rows of a quoted CSV that are in memory at once
UNIT = "\x1f"  # between the fields of rows that had quotes
FOREIGN = {
    b"\x1f\x8b": "compressed: unpack it first",
    **dict.fromkeys((b"BZh91A", b"\xfd7zXZ", b"7z\xbc\xaf"), "compressed: unpack it first"),
    b"PK\x03\x04": "a spreadsheet or archive: save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: save the sheet as CSV",
    b"\x89PNG": "a picture",
    b"ARROW1": "an Arrow file: save it as Parquet or CSV",
    b"{": "JSON: import reads tables, save it as CSV or Parquet",
    b"[{": "JSON: import reads tables, save it as CSV or Parquet",
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

    def recordings(self, row: int, form: TableFormat) -> str:
        """The start of a hint, where a row is the first of another file: each may be a series."""
        begin = row >> FILE_BITS << FILE_BITS
        before = self.frame.filter(pl.col(ROW).is_between(begin, row, closed="left"))
        if form.series or not begin or before.head(1).collect().height:
            return ""
        return "give --series-from-name if each file is a recording; or "

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
    first, frames = None, []
    series = _file_names(paths) if form.series_from_name else []
    for number, path in enumerate(paths):
        if is_special(path):
            raise DataError(f"{path}: not a regular file", "give a file, not a folder or a pipe")
        inner = staging / f"rows{number}"
        rows = _open_typed(path, form) or _open_csv(path, find_layout(path, form), inner)
        first = first or rows
        if (rows.names, rows.is_text) != (first.names, first.is_text):
            other = sorted(set(rows.names) ^ set(first.names))[:6] or ["another order"]
            raise DataError(
                f"{path}: other columns than {first.path}: {', '.join(map(quote, other))}",
                "import files of other columns as sets of their own",
            )
        form = replace(form, separator=rows.separator or form.separator)
        own = [pl.lit(series[number]).alias(str(len(first.names)))] if series else []
        frames.append(rows.frame.with_columns(pl.col(ROW) + (number << FILE_BITS), *own))
    assert first is not None
    names = (*first.names, "file name") if form.series_from_name else first.names
    try:
        together = pl.concat(frames, how="vertical_relaxed")
        return replace(first, paths=tuple(paths), names=names, frame=together)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{first.path}: other types of columns in the other files") from error


def _file_names(paths: Sequence[Path]) -> list[str]:
    """The names of files as series: those of the same name with their folder."""
    stems = [path.stem for path in paths]
    folders = [f"{path.resolve().parent.name}/{path.stem}" for path in paths]
    pairs = zip(stems, folders, strict=True)
    names = [stem if stems.count(stem) == 1 else folder for stem, folder in pairs]
    for name in (name for name in names if names.count(name) > 1):
        raise DataError(f"two files are named {quote(name)}", "rename a file or its folder")
    return names


def header(path: Path, form: TableFormat) -> tuple[str, ...]:
    """The names of the columns, without reading the rows; none where the file is no table."""
    try:
        found = _open_typed(path, form) or find_layout(path, form)
    except DataError:
        return ()
    return found.names


def _open_typed(path: Path, form: TableFormat) -> Rows | None:
    """The rows of a Parquet file or an array; None for any other file that may be a CSV."""
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
    if path.suffix.lower() == ".npz":
        raise DataError(f"{path}: not a table but an archive of arrays", "save one as .npy")
    is_json = path.suffix.lower() in (".json", ".jsonl", ".ndjson")
    text = b"{" if is_json else start.removeprefix(codecs.BOM_UTF8).lstrip()
    if b"\0" in start[:2]:
        raise DataError(f"{path}: not a CSV but UTF-16: save it as UTF-8")
    for magic, what in FOREIGN.items():
        if text.startswith(magic):
            raise DataError(f"{path}: not a CSV but {what}")
    return None


def _open_parquet(path: Path) -> Rows:
    try:
        frame = pl.scan_parquet(path, glob=False)
        names = tuple(frame.collect_schema().names())
        height = frame.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{path}: not a readable Parquet file: {why}") from error
    if not height:
        raise DataError(f"{path}: no rows")
    if len({name.strip() for name in names}) < len(names):
        raise DataError(
            f"{path}: two column names differ only in spaces: {', '.join(map(quote, names))}",
            "rename one of them",
        )
    for name in names:
        check_name(name, f"{path}: column")
    words = pl.selectors.by_dtype(pl.String, pl.Categorical, pl.Enum)
    numbers = pl.selectors.by_dtype(pl.Null) | pl.selectors.decimal()
    elapsed = pl.selectors.duration().cast(pl.Duration("us")).cast(pl.Int64)  # since 1970
    texts = words.cast(pl.String).str.strip_chars()
    frame = frame.with_columns(texts, numbers.cast(pl.Float64), elapsed.cast(pl.Datetime("us")))
    frame = frame.rename({name: str(index) for index, name in enumerate(names)})
    numbered = frame.with_row_index(ROW, 1).cast({ROW: pl.Int64})
    return Rows((path,), tuple(name.strip() for name in names), numbered, is_text=False)


def _open_array(path: Path, form: TableFormat) -> Rows:
    try:
        array = np.load(path, mmap_mode="r")  # which compares shape and size before memory is spent
        if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "fiub":
            raise ValueError(f"an array of shape {array.shape} and type {array.dtype}")
        columns = array.reshape(len(array), -1).T
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: not a table: {error}", "save numbers of shape (rows, columns)"
        ) from None
    names = given_names(path, form, len(columns))
    data = {str(index): column for index, column in enumerate(columns)}
    frame = pl.DataFrame(data).with_row_index(ROW, 1).cast({ROW: pl.Int64})
    return Rows((path,), names, frame.lazy(), is_text=False)


def _open_csv(path: Path, layout: Layout, parts: Path) -> Rows:
    """Split the lines of a CSV, streaming. Unlike CSV readers, this keeps line numbers."""
    parts.mkdir()
    text, separator, names = pl.col("text"), layout.separator, layout.names
    if layout.has_quotes:
        lines, separator = _unquoted_lines(path, separator, parts), UNIT
    else:
        lines = pl.scan_lines(path, name="text", row_index_name=ROW, row_index_offset=1, glob=False)
        lines = lines.with_columns(pl.col(ROW).cast(pl.Int64), text.str.strip_chars_end("\r"))
        if layout.line == 0:
            lines = lines.with_columns(text.str.strip_prefix("\ufeff"))
        lines = lines.filter(text.str.strip_chars(f"{separator} \t") != "")
        if separator == " ":
            separator = "\t"
            spaces = text.str.strip_chars().str.replace_all(r"[ \t]+", separator)
            lines = lines.with_columns(spaces)
    lines = lines.filter(pl.col(ROW) > layout.line)
    counted = lines.select(ROW, fields=text.str.count_matches(separator, literal=True) + 1)
    ragged = counted.filter(pl.col("fields") != len(names)).head(1).collect()
    for line, fields in ragged.iter_rows():
        raise DataError(
            f"{path}:{line}: {fields} fields, the header has {len(names)}",
            "correct the line, or give the separator with --separator",
        )
    columns = [str(index) for index in range(len(names))]
    split = text.str.splitn(separator, len(names)).struct.rename_fields(columns)
    rows = lines.select(ROW, fields=split).unnest("fields")
    rows = rows.with_columns(pl.exclude(ROW).str.strip_chars())
    rows.sink_parquet(parts / "rows.parquet", compression="lz4")
    frame = pl.scan_parquet(parts / "rows.parquet", glob=False)
    while not names[-1]:  # lines end with separators
        names, last = names[:-1], columns.pop()
        if not frame.select((pl.col(last) == "").all()).collect().item():
            raise DataError(f"{path}:{layout.line}: the last column has no name", "name it")
        frame = frame.drop(last)
    found = Rows((path,), names, frame, is_text=True, separator=layout.separator)
    if not found.count():
        raise DataError(f"{path}: a header, but no rows below it")
    return found


def _unquoted_lines(path: Path, separator: str, parts: Path) -> pl.LazyFrame:
    """The rows of a CSV without quotes, one per line, with `UNIT` between their fields."""
    schema = {ROW: pl.Int64, "text": pl.String}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        found = ((line, UNIT.join(fields)) for line, _, fields in records(path, stream, separator))
        for number in count():
            if not (batch := list(islice(found, BATCH))):
                break
            frame = pl.DataFrame(batch, schema=schema, orient="row")
            frame.write_parquet(parts / f"lines{number:08}.parquet", compression="lz4")
    return pl.scan_parquet(sorted(parts.glob("lines*.parquet")), glob=False)
