"""Sources of JSON lines: a growing file, or standard input."""

from __future__ import annotations

import json
import os
import select
import stat
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

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
        for line, offset in lines:
            if line is None or line.strip():
                begin = self._digest(offset)
                position = json.dumps({"inode": self._inode, "offset": offset, "begin": begin})
                self._ready.append(Raw(self._source, line, arrived, position=position.encode()))
