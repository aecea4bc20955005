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
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from anomalynet.data.importing.format import TableFormat
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sources import Raw
from anomalynet.errors import UsageError


class Lines:
    """Splits chunks into lines. `longest`: largest length in bytes; longer lines are dropped."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._partial = bytearray()
        self._skipping = False
        self.offset = 0  # bytes so far, including an incomplete last line

    def feed(self, chunk: bytes) -> list[tuple[bytes | None, int]]:
        """The lines that this chunk completes: content without line end (None: too long), and the
        offset after it."""
        found: list[tuple[bytes | None, int]] = []
        at = 0
        while (end := chunk.find(b"\n", at)) >= 0:
            self._take(chunk[at:end])
            found.append(self._finish(1))
            at = end + 1
        self._take(chunk[at:])
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


CHUNK = 1 << 18

BEGIN = 256  # first bytes that identify a file
PAUSE = 0.05  # seconds between two checks of a file that does not grow


class Stdin:
    """JSON lines from a pipe; ends when the pipe is closed."""

    connected = True

    def __init__(self, longest: int, descriptor: int = 0) -> None:
        self._lines = Lines(longest)
        self._descriptor = descriptor
        self.ended = False
        self._ready: list[Raw] = []

    def start(self, position: bytes) -> None:
        """A pipe has no positions."""

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        waits = not self._ready and not self.ended
        if waits and select.select([self._descriptor], [], [], seconds)[0]:
            chunk = os.read(self._descriptor, CHUNK)
            self.ended = not chunk
            lines = self._lines.feed(chunk) if chunk else self._lines.rest()
            known = [line for line, _ in lines if line is None or line.strip()]
            self._ready = [Raw("stdin", line, time.time()) for line in known]
        batch, self._ready = self._ready[:limit], self._ready[limit:]
        return batch

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        """Not needed for a pipe."""

    def close(self) -> None:
        """Nothing to close."""


class Followed:
    """JSON lines appended to a file; waits until the file exists.

    After a rotation (the path is another file), the old file is read to its end, then the new one
    from its beginning. A file that became shorter is read from its beginning. If the file was
    replaced while the detector was not running, lines can be lost; this is logged.

    Raises UsageError: the path is a folder (from any method).
    """

    ended = False

    def __init__(self, path: Path, longest: int, problems: ProblemLog) -> None:
        self._path, self._longest, self._problems = path, longest, problems
        self._source = os.fsencode(path.name).decode("utf-8", "backslashreplace")
        self._file: int | None = None
        self._lines = Lines(longest)
        self._inode = 0
        self._begin = b""  # first bytes, which identify the file
        self._start: dict[str, Any] = {}
        self._ready: list[Raw] = []

    @property
    def connected(self) -> bool:
        """Whether the file is open."""
        return self._file is not None

    def start(self, position: bytes) -> None:
        """Continue at this position if the file is still the same."""
        self._start = json.loads(position) if position else {}

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """See `Source`."""
        until = time.monotonic() + seconds
        while not self._ready and not self._read():
            left = until - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(PAUSE, left))
        batch, self._ready = self._ready[:limit], self._ready[limit:]
        return batch

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        """Not needed for a file."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self) -> bool:
        """Read one chunk; return whether there was any."""
        if self._file is None and not self._open():
            return False
        assert self._file is not None
        size = os.fstat(self._file).st_size
        if size < self._lines.offset:  # truncated
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
        status = os.fstat(self._file)
        if stat.S_ISDIR(status.st_mode):
            how = "give a file of JSON lines, or - for stdin"
            raise UsageError(f"--follow {self._path}: is a folder", how)
        self._inode, self._begin = status.st_ino, b""
        self._lines = Lines(self._longest)
        if self._start:
            offset, known = self._start["offset"], self._start["inode"] == status.st_ino
            known = known and offset <= status.st_size
            if known and self._start.get("begin") == self._digest(offset):
                self._lines.offset = os.lseek(self._file, offset, os.SEEK_SET)
            else:
                why = f"{self._path}: read from its beginning"
                self._problems.add("file replaced while the detector was not running", why)
            self._start = {}
        return True

    def _digest(self, offset: int) -> str:
        """Digest of the first bytes before the offset: a new file may have the same inode."""
        assert self._file is not None
        wanted = min(offset, BEGIN)
        if len(self._begin) < wanted:
            self._begin = os.pread(self._file, wanted, 0)
        return blake2b(self._begin[:wanted], digest_size=8).hexdigest()

    def _rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False

    def _queue(self, lines: list[tuple[bytes | None, int]]) -> None:
        arrived = time.time()
        for given, offset in lines:
            line = given if given is None else self._payload(given, offset)
            if line is None or line.strip():
                begin = self._digest(offset)
                position = json.dumps({"inode": self._inode, "offset": offset, "begin": begin})
                self._ready.append(Raw(self._source, line, arrived, position=position.encode()))

    def _payload(self, line: bytes, offset: int) -> bytes:
        """What a line is for the parser; `offset`: after it."""
        return line


def format_of(
    form: TableFormat, sensors: Sequence[str], header: Callable[[TableFormat], Sequence[str]]
) -> TableFormat:
    """How to read a file: as the model's table if it has its columns, or else as `data rows` writes
    tables, with the columns time, one per sensor, and if there device or series, label and kind.

    Args:
        form: of the model's table; without channels if it is unknown.
        header: gives the names of the file's columns.
    """
    if form.channels:
        names = header(form)
        label, kind = (name if name in names else None for name in (form.label, form.kind))
        form = replace(form, label=label, kind=kind, split=None, channels=(*sensors,), ignore=())
        if {*sensors, *time_columns(form, names), *filter(None, [form.series])} <= {*names}:
            return form
    names = header(TableFormat())
    if form.channels and not {"time", *sensors} <= {*names}:
        return form  # its missing columns are reported
    label = "label" if "label" in names else None
    return TableFormat(
        time="time",
        series=next((name for name in ("device", "series") if name in names), None),
        label=label,
        kind="kind" if label and "kind" in names else None,
        channels=(*sensors,),
        duplicates="keep",  # the engine counts them, as those of messages
    )


def time_columns(form: TableFormat, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that are a row's time together."""
    whole = form.time is None or form.time in names
    return (*filter(None, [form.time] if whole else (form.time or "").split(",")),)


class FollowedTable(Followed):
    """A growing CSV, as `Followed`: each line becomes a reading in JSON, whose cells the parser
    reads as in messages. For the columns see `format_of`.

    A quoted field may not contain a line break; lines with a wrong number of fields are counted.

    Raises UsageError: the header lacks a column.
    """

    def __init__(self, path: Path, parser: Parser) -> None:
        super().__init__(path, parser.max_bytes, parser.problems)
        self.parser = parser
        self._names: list[str] = []
        self._separator = ","
        self._below = 0  # bytes to the end of the header

    def _payload(self, line: bytes, offset: int) -> bytes:
        if not line.strip():
            return b""
        if offset <= len(line) + 2 or not self._names:  # the first line of a file, or resumed
            self._form = format_of(self.parser.form, self.parser.sensors, self._header)
            self._times = time_columns(self._form, self._names)
            columns = (*self._times, *filter(None, [self._form.series]), *self.parser.sensors)
            lacking = [name for name in columns if name not in self._names]
            if lacking or not self._times:
                what = f"missing column {lacking[0]!r}" if lacking else "no column of times"
                raise UsageError(f"{self._path}:1: {what}", f"a stream has {', '.join(columns)}")
        fields = self._split(line) if offset > self._below else []
        if len(fields) != len(self._names):
            if fields:
                self._problems.add("wrong number of cells", line)
            return b""
        cells = dict(zip(self._names, fields, strict=True))
        reading = {
            "device": cells[self._form.series] if self._form.series else self._path.stem,
            "time": " ".join(cells[name] for name in self._times),
            "values": [cells[name] for name in self.parser.sensors],
        }
        return json.dumps(reading).encode()

    def _header(self, form: TableFormat) -> list[str]:
        """Names of the columns; keeps the separator that fits best."""
        assert self._file is not None
        start = os.pread(self._file, self._longest, 0)
        skipped = re.match(rb"(\xef\xbb\xbf)?\s*(sep=.[ \t]*\r?\n)?\s*", start, re.IGNORECASE)
        at = skipped.end() if skipped else 0
        first = start[at:].split(b"\n", 1)[0]
        wanted, known = {*self.parser.sensors}, {}
        for self._separator in (form.separator,) if form.separator else ",;\t| ":
            known[self._separator] = list(form.columns) or self._split(first)
        self._separator = max(known, key=lambda each: len(wanted & {*known[each]}))
        self._names = known[self._separator]
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
