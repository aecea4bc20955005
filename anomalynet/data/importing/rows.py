"""Opens a table as rows of text or typed columns, each with its line number, and checks its
structure."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from anomalynet.errors import DataError

ROW = "row"
NULLS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BATCH = 50_000  # rows of a quoted CSV that are in memory at once
FOREIGN = {
    b"\x1f\x8b": "compressed: unpack it first",
    b"PK": "a spreadsheet or archive: save the sheet as CSV",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """A table whose columns are named by index ("0", "1", …), with a column `row`: the line in a
    CSV, or the row number in a Parquet file."""

    path: Path
    names: tuple[str, ...]
    frame: pl.LazyFrame
    is_text: bool

    def where(self, row: int) -> str:
        """File and line of a row, for messages."""
        return f"{self.path}:{row}" if self.is_text else f"{self.path}: row {row}"

    def dtype(self, index: int) -> pl.DataType:
        """The type of a column."""
        return self.frame.collect_schema()[str(index)]

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


def open_rows(path: Path, separator: str | None, staging: Path) -> Rows:
    """Open a CSV (any separator, BOM, line ends and quotes) or Parquet file. The rows of a CSV are
    written to Parquet files below `staging`, so memory stays bounded.

    Raises DataError: the file is missing, empty, not a table or not UTF-8; it has only a header,
    duplicate or missing names, or rows of different length.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if start == b"PAR1":
        return _open_parquet(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        raise DataError(f"{path}: not a Parquet file", "rename it if it is a CSV")
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{path}: not a CSV but {what}")
    quoted = _inspect(path)
    line, header = _header_line(path)
    separator = separator or _sniff(path, header)
    names = tuple(name.strip() for name in next(csv.reader([header], delimiter=separator)))
    _check_names(path, line, names)
    parts = staging / "rows"
    parts.mkdir()
    (_write_quoted if quoted else _write_unquoted)(path, line, separator, len(names), parts)
    rows = Rows(path, names, pl.scan_parquet(parts / "*.parquet"), is_text=True)
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
    words = pl.selectors.by_dtype(pl.String, pl.Categorical, pl.Enum)
    frame = frame.with_columns(words.cast(pl.String).str.strip_chars())
    frame = frame.rename({name: str(index) for index, name in enumerate(names)})
    numbered = frame.with_row_index(ROW, 1).cast({ROW: pl.Int64})
    return Rows(path, tuple(name.strip() for name in names), numbered, is_text=False)


def _inspect(path: Path) -> bool:
    """Read all bytes once; return whether there are quotes. Raises DataError: empty file, or not
    UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, size, quoted, carriage = 1, 0, False, False
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
            size += len(chunk)
            lines += chunk.count(b"\n")
            quoted |= b'"' in chunk
            carriage |= b"\r" in chunk
    if not size:
        raise DataError(f"{path}: empty")
    if carriage and lines == 1:
        raise DataError(f"{path}: lines end with CR only", "save it with LF or CRLF line ends")
    return quoted


def _header_line(path: Path) -> tuple[int, str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                return number, line.rstrip("\r\n")
    raise DataError(f"{path}: empty")


def _sniff(path: Path, header: str) -> str:
    fields = {
        separator: len(next(csv.reader([header], delimiter=separator))) for separator in SEPARATORS
    }
    best = max(fields, key=lambda separator: fields[separator])
    if fields[best] == 1:
        raise DataError(
            f"{path}: only one column, {header.strip()!r}; found none of "
            f"{', '.join(SEPARATORS.values())} in the header",
            "give the separator with --separator",
        )
    return best


def _check_names(path: Path, line: int, names: tuple[str, ...]) -> None:
    if all(_is_number(name) for name in names):
        what = f"{path}:{line}: missing header: the first line contains only numbers"
        raise DataError(what, "add a line with the column names")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise DataError(f"{path}:{line}: duplicate column name {twice[0]!r}", "rename one of them")
    if "" in names:
        raise DataError(
            f"{path}:{line}: column {names.index('') + 1} has no name", "name it in the header"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _write_unquoted(path: Path, header: int, separator: str, width: int, parts: Path) -> None:
    """Split lines without quotes, streaming. Unlike CSV readers, this keeps line numbers."""
    text = pl.col("text")
    lines = pl.scan_lines(path, name="text", row_index_name=ROW, row_index_offset=1)
    lines = lines.cast({ROW: pl.Int64}).filter(pl.col(ROW) > header)
    lines = lines.with_columns(text.str.strip_chars_end("\r")).filter(text.str.strip_chars() != "")
    counted = lines.select(ROW, fields=text.str.count_matches(separator, literal=True) + 1)
    ragged = counted.filter(pl.col("fields") != width).head(1).collect()
    if ragged.height:
        _ragged(path, ragged[ROW][0], ragged["fields"][0], width)
    names = [str(index) for index in range(width)]
    split = text.str.splitn(separator, width).struct.rename_fields(names)
    rows = lines.select(ROW, fields=split).unnest("fields")
    rows = rows.with_columns(pl.exclude(ROW).str.strip_chars())
    rows.sink_parquet(parts / f"{0:08}.parquet", compression="lz4")


def _write_quoted(path: Path, header: int, separator: str, width: int, parts: Path) -> None:
    schema = {ROW: pl.Int64, **{str(index): pl.String for index in range(width)}}
    pl.DataFrame(schema=schema).write_parquet(parts / f"{0:08}.parquet")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = _quoted_rows(path, csv.reader(stream, delimiter=separator), header, width)
        for number in range(1, 1 << 30):
            batch = list(islice(rows, BATCH))
            if not batch:
                return
            pl.DataFrame(batch, schema=schema, orient="row").write_parquet(
                parts / f"{number:08}.parquet", compression="lz4"
            )


def _quoted_rows(
    path: Path, reader: Iterator[list[str]], header: int, width: int
) -> Iterator[tuple[int | str, ...]]:
    line = 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}:{line}: {error}") from error
        if fields is None:
            return
        if line > header and any(field.strip() for field in fields):
            if len(fields) != width:
                _ragged(path, line, len(fields), width)
            yield (line, *(field.strip() for field in fields))
        line = int(getattr(reader, "line_num", line)) + 1


def _ragged(path: Path, line: int, fields: int, width: int) -> None:
    what = f"{path}:{line}: {fields} fields, the header has {width}"
    raise DataError(what, "correct the line, or give the separator with --separator")
