"""Sources of lines: a growing file of JSON lines or a growing CSV, or standard input."""

from __future__ import annotations

import csv
import json
import os
import re
import select
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from anomalynet.data.importing import cells
from anomalynet.data.importing.format import TableFormat
from anomalynet.detection.records import iso
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sources import Raw, Source
from anomalynet.documents import json_value
from anomalynet.errors import UsageError

CHUNK = 1 << 18  # bytes read at once
BEGIN = 256  # first bytes that identify a file
HEAD = 200  # lines that show how a table is written
PAUSE = 0.05  # seconds between two checks of a file that does not grow


class Lines:
    """Splits chunks into lines. `longest`: in bytes; longer lines are dropped."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._partial = bytearray()
        self._skipping = False
        self.offset = 0  # bytes so far, including an incomplete last line

    def feed(self, chunk: bytes) -> list[tuple[bytes | None, int]]:
        """The lines that this chunk completes: content without line end (None: too long), and the
        offset after it."""
        found = []
        *complete, partial = chunk.split(b"\n")
        for part in complete:
            self._take(part)
            found.append(self._finish(1))
        self._take(partial)
        return found

    def rest(self) -> list[tuple[bytes | None, int]]:
        """A last line without a line end."""
        return [self._finish(0)] if self._partial or self._skipping else []

    def _take(self, part: bytes) -> None:
        self.offset += len(part)
        if not self._skipping:
            self._partial += part
            self._skipping = len(self._partial) > self._longest
        if self._skipping:
            self._partial.clear()

    def _finish(self, ending: int) -> tuple[bytes | None, int]:
        self.offset += ending
        line = None if self._skipping else bytes(self._partial).rstrip(b"\r")
        self._partial.clear()
        self._skipping = False
        return line, self.offset


class Stdin(Source):
    """JSON lines from a pipe; ends when the pipe is closed."""

    connected, ended = True, False

    def __init__(self, longest: int, descriptor: int = 0) -> None:
        self._lines, self._descriptor = Lines(longest), descriptor
        self._ready: list[Raw] = []

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        waits = not (self._ready or self.ended)
        if waits and select.select([self._descriptor], [], [], seconds)[0]:
            chunk = os.read(self._descriptor, CHUNK)
            self.ended = not chunk
            for line, _ in self._lines.feed(chunk) if chunk else self._lines.rest():
                if line is None or line.strip():
                    self._ready.append(Raw("stdin", line, time.time()))
        batch, self._ready = self._ready[:limit], self._ready[limit:]
        return batch


class Followed(Source):
    """JSON lines appended to a file; waits until the file exists.

    After a rotation (the path is another file), the old file is read to its end, then the new one.
    A file that became shorter is read from its beginning. If the file was replaced while the
    detector was not running, lines can be lost; this is logged. Raises UsageError: it is a folder.
    """

    connected, ended = False, False  # whether the file is open

    def __init__(self, path: Path, longest: int, problems: ProblemLog) -> None:
        self._path, self._longest, self._problems = path, longest, problems
        self._source = os.fsencode(path.name).decode("utf-8", "backslashreplace")
        self._file = -1
        self._lines = Lines(longest)
        self._inode = 0
        self._begin = b""  # first bytes, which identify the file
        self._start: dict[str, Any] = {}
        self._ready: list[Raw] = []

    def start(self, position: bytes) -> None:
        """Continue at this position if the file is still the same."""
        self._start = json_value(position) if position else {}

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        until = time.monotonic() + seconds
        while not self._ready and not self._read():
            left = until - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(PAUSE, left))
        batch, self._ready = self._ready[:limit], self._ready[limit:]
        return batch

    def close(self) -> None:
        if self.connected:
            os.close(self._file)
            self.connected = False

    def _read(self) -> bool:
        """Read one chunk; return whether there was any."""
        if not (self.connected or self._open()):
            return False
        if os.fstat(self._file).st_size < self._lines.offset:  # truncated
            os.lseek(self._file, 0, os.SEEK_SET)
            self._lines, self._begin = Lines(self._longest), b""
        if chunk := os.read(self._file, CHUNK):
            self._queue(self._lines.feed(chunk))
            return True
        if self._rotated():
            self._queue(self._lines.rest())
            self.close()
            return True
        return False

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            why = f"{self._path}: {error.strerror}; trying again"
            self._problems.add("file cannot be read", why)
            return False
        self.connected, status = True, os.fstat(self._file)
        if stat.S_ISDIR(status.st_mode):
            how = "give a file of JSON lines, or - for stdin"
            raise UsageError(f"--follow {self._path}: is a folder", how)
        self._inode, self._begin, self._lines = status.st_ino, b"", Lines(self._longest)
        if self._start:
            offset: Any = self._start.get("offset")
            same = type(offset) is int and 0 <= offset <= status.st_size
            same &= self._start.get("inode") == status.st_ino
            if same and self._start.get("begin") == self._digest(offset):
                self._lines.offset = os.lseek(self._file, offset, os.SEEK_SET)
            else:
                why = f"{self._path}: read from its beginning"
                self._problems.add("file replaced while the detector was not running", why)
            self._start = {}
        return True

    def _digest(self, offset: int) -> str:
        """Digest of the first bytes before the offset: a new file may have the same inode."""
        size = min(offset, BEGIN)
        if len(self._begin) < size:
            self._begin = os.pread(self._file, size, 0)
        return blake2b(self._begin[:size], digest_size=8).hexdigest()

    def _rotated(self) -> bool:
        with suppress(OSError):
            return self._path.stat().st_ino != self._inode
        return False

    def _queue(self, lines: list[tuple[bytes | None, int]]) -> None:
        arrived = time.time()
        for line, offset in lines:
            payload = line and self._payload(line, offset)
            if payload is None or payload.strip():
                begin = self._digest(offset)
                position = json.dumps({"inode": self._inode, "offset": offset, "begin": begin})
                self._ready.append(Raw(self._source, payload, arrived, position=position.encode()))

    def _payload(self, line: bytes, offset: int) -> bytes:
        """The JSON of a line; `offset`: after the line."""
        return line


def format_of(
    form: TableFormat, sensors: Sequence[str], header: Callable[[TableFormat], Sequence[str]]
) -> TableFormat:
    """How to read a file: as the model's table (`form`; no channels if unknown) if it has the same
    columns, or else as `data rows` writes tables, with the columns time, one per sensor, and if
    present device or series, label and kind. `header`: gives the names of the file's columns."""
    if form.channels:
        names = header(form)
        own = {"label": form.label, "kind": form.kind}
        label, kind = (
            next((name for name in (named, usual) if named and name in names), None)
            for usual, named in own.items()
        )
        form = replace(form, label=label, kind=kind, split=None, channels=(*sensors,), ignore=())
        if {*sensors, *time_columns(form, names), *filter(None, [form.series])} <= {*names}:
            return form
    names = header(TableFormat())
    if form.channels and not {"time", *sensors} <= {*names}:
        return form  # its missing columns are reported
    return TableFormat(
        time="time",
        series=next((name for name in ("device", "series") if name in names), None),
        label="label" if "label" in names else None,
        kind="kind" if {"label", "kind"} <= {*names} else None,
        channels=(*sensors,),
        duplicates="keep",  # the engine counts them, as those of messages
    )


def _signs(texts: Sequence[str]) -> tuple[tuple[str, str], bool]:
    """The decimal sign and thousands of all these numbers, the usual ones if several would read
    them differently; and whether any signs would do."""
    known = [(point, sign) for sign in cells.THOUSANDS for point in ".," if point != sign]
    fits = [one for one in known if None not in (cells.read_number(text, *one) for text in texts)]
    unclear = not fits or {(",", ""), (".", ",")} <= {*fits}
    return (".", "") if unclear else fits[0], len(fits) == len(known)


def _is_word(text: str) -> bool:
    return text.lower() in cells.SWITCH or cells.is_missing(text, TableFormat())


def time_columns(form: TableFormat, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that together are a row's time."""
    time = form.time or ""
    return tuple(filter(None, [time] if time in names else time.split(",")))


class FollowedTable(Followed):
    """A growing CSV, as `Followed`: each line becomes a reading in JSON, whose cells the parser
    reads as in messages. For the columns see `format_of`. A quoted field may not contain a line
    break; lines with a wrong number of fields are counted. Raises UsageError: a missing column."""

    def __init__(self, path: Path, parser: Parser) -> None:
        super().__init__(path, parser.max_bytes, parser.problems)
        self.parser = parser
        self._names: list[str] = []
        self._below = 0  # bytes to the end of the header
        self._signs: tuple[str, str] | None = None  # decimal and thousands, after the first row

    def _payload(self, line: bytes, offset: int) -> bytes:
        if not line.strip():
            return b""
        if offset <= len(line) + 2 or not self._names:  # the first line of a file, or resumed
            self._signs, self._plain = None, True
            self._form = format_of(self.parser.form, self.parser.sensors, self._header)
            self._times = time_columns(self._form, self._names)
            columns = (*self._times, *filter(None, [self._form.series]), *self.parser.sensors)
            missing = [f"missing column {name!r}" for name in columns if name not in self._names]
            if not self._times:
                missing.append("no column of times")
            if missing:
                how = f"a stream has {', '.join(columns)}"
                raise UsageError(f"{self._path}:1: {missing[0]}", how)
        fields = self._split(line) if offset > self._below else []
        if len(fields) != len(self._names):
            if fields:
                self.parser.reject("wrong number of cells", line)
            return b""
        row = dict(zip(self._names, fields, strict=True))
        time = " ".join(row[name] for name in self._times)
        values: list[Any] = [row[name] for name in self.parser.sensors]
        if (self._form.decimal, self._form.duplicates) == (None, "keep"):  # not the model's table
            time, values = self._as_found(time, values)
        device = row[self._form.series] if self._form.series else self._path.stem
        return json.dumps({"device": device, "time": time, "values": values}).encode()

    def _as_found(self, time: str, values: list[str]) -> tuple[str, list[Any]]:
        """Time and values of a row of another table than the model's: numbers by the signs that fit
        its first rows, a list where they do not; dates with points are day-first."""
        if self._plain:  # signs can still show
            head = os.pread(self._file, self._longest, self._below) if self._signs is None else b""
            rows = [row for row in map(self._split, head.split(b"\n")[:HEAD]) if row]
            found = [dict(zip(self._names, row, strict=False)) for row in rows[:-1]]
            texts = [row.get(name, "") for row in found for name in self.parser.sensors]
            numbers = [text for text in (*texts, *values) if not _is_word(text)]
            self._signs, self._plain = _signs(numbers)
        known, signs, own = self.parser.form, self._signs or (".", ""), list[Any](values)
        if signs != (known.decimal or ".", known.thousands or ""):
            for index in (index for index, text in enumerate(values) if not _is_word(text)):
                number = cells.read_number(values[index], *signs)
                own[index] = [values[index]] if number is None else number
        form = "day-first" if re.match(r"\d+\.\d+\.", time) else None
        moment = cells.read_time(time, form)
        if moment is not None and (known.time_format, known.timezone) != (form, None):
            time = iso(moment)
        return time, own

    def _header(self, form: TableFormat) -> list[str]:
        """Names of the columns; keeps the separator that fits best."""
        start = os.pread(self._file, self._longest, 0)
        skipped = re.match(rb"(\xef\xbb\xbf)?\s*(sep=.[ \t]*\r?\n)?\s*", start, re.IGNORECASE)
        at = skipped.end() if skipped else 0
        first = start[at:].split(b"\n", 1)[0]
        names = {}
        for self._separator in form.separator or ",;\t| ":
            names[self._separator] = list(form.columns) or self._split(first)
        sensors = {*self.parser.sensors}
        self._separator = max(names, key=lambda each: len(sensors & {*names[each]}))
        self._names = names[self._separator]
        self._below = 0 if form.columns else at + len(first) + 1
        return self._names

    def _split(self, line: bytes) -> list[str]:
        text = line.decode("utf-8", "replace")
        text = text.replace("\t", " ") if self._separator == " " else text
        try:
            found = next(csv.reader([text], delimiter=self._separator, skipinitialspace=True), [])
        except csv.Error:  # a cell is too long
            return [text]
        fields = [field.strip() for field in found]
        return [field for field in fields if field] if self._separator == " " else fields
