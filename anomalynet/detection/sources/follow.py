"""JSON lines from a file that grows, or from stdin."""

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

from anomalynet.detection.service.notices import Notices
from anomalynet.detection.sources import Raw
from anomalynet.errors import UsageError


class Lines:
    """Cuts chunks into lines. `longest`: bytes of a line; of a longer one nothing is kept."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._skipping = False
        self.offset = 0  # bytes so far, those of a line that is only begun included

    def feed(self, chunk: bytes) -> list[tuple[bytes | None, int]]:
        """The lines that this chunk completes: content without its line end (None: too long), and
        the offset behind it."""
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
        return [self._finish(0)] if self._begun or self._skipping else []

    def _take(self, part: bytes) -> None:
        self.offset += len(part)
        if not self._skipping:
            self._begun += part
            self._skipping = len(self._begun) > self._longest
        if self._skipping:
            self._begun.clear()

    def _finish(self, ending: int) -> tuple[bytes | None, int]:
        self.offset += ending
        line = None if self._skipping else bytes(self._begun).rstrip(b"\r")
        self._begun.clear()
        self._skipping = False
        return line, self.offset


CHUNK = 1 << 18

BEGIN = 256  # bytes by which a file is known again
PAUSE = 0.05  # seconds between looks at a file that does not grow


class Stdin:
    """JSON lines from a pipe; ends with it."""

    connected = True

    def __init__(self, longest: int, descriptor: int = 0) -> None:
        self._lines = Lines(longest)
        self._descriptor = descriptor
        self.ended = False
        self._ready: list[Raw] = []

    def start(self, place: bytes) -> None:
        """A pipe has no places."""

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
        """A pipe keeps nothing."""

    def close(self) -> None:
        """Nothing to close."""


class Followed:
    """JSON lines of a file as they are appended; waits for a file that is not there yet.

    A file that was rotated (the path names another one) is read to its end, then the new one from
    its beginning; one that became shorter was truncated and is read from its beginning. What the
    file before got while nobody read it is lost, and noticed. Raises UsageError: it is a folder
    (from any method)."""

    ended = False

    def __init__(self, path: Path, longest: int, notices: Notices) -> None:
        self._path, self._longest, self._notices = path, longest, notices
        self._source = os.fsencode(path.name).decode("utf-8", "backslashreplace")
        self._file: int | None = None
        self._lines = Lines(longest)
        self._inode = 0
        self._begin = b""  # of the file, to know it again
        self._start: dict[str, Any] = {}
        self._ready: list[Raw] = []

    @property
    def connected(self) -> bool:
        """Whether the file is there."""
        return self._file is not None

    def start(self, place: bytes) -> None:
        """Remember where to go on, if it will be the same file."""
        self._start = json.loads(place) if place else {}

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
        """A file keeps everything."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self) -> bool:
        """Read one chunk; whether there was anything."""
        if self._file is None and not self._open():
            return False
        assert self._file is not None
        size = os.fstat(self._file).st_size
        if size < self._lines.offset:  # truncated
            os.lseek(self._file, 0, os.SEEK_SET)
            self._lines, self._begin = Lines(self._longest), b""
        if chunk := os.read(self._file, CHUNK):
            self._keep(self._lines.feed(chunk))
            return True
        if self._rotated():
            self._keep(self._lines.rest())
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
            self._notices.add("file cannot be read", why)
            return False
        status = os.fstat(self._file)
        if stat.S_ISDIR(status.st_mode):
            how = "name a file of JSON lines, or - for stdin"
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
                self._notices.add("file replaced while nobody read it", why)
            self._start = {}
        return True

    def _digest(self, offset: int) -> str:
        """Of the first bytes before the offset: an inode alone may be a new file's."""
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

    def _keep(self, lines: list[tuple[bytes | None, int]]) -> None:
        arrived = time.time()
        for line, offset in lines:
            if line is None or line.strip():
                begin = self._digest(offset)
                place = json.dumps({"inode": self._inode, "offset": offset, "begin": begin})
                self._ready.append(Raw(self._source, line, arrived, place=place.encode()))
