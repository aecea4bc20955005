"""The append-only file of all that changed a detector's state; a failed write changes nothing."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomalynet.errors import DISK_ERRORS, RunError, UsageError
from anomalynet.runs.files import sync as sync_folder


class AppendFile:
    """A file for appending, created if missing. `shown`: path in error messages, if it differs;
    `empty`: discard the present content. Raises UsageError: the file cannot be opened; RunError:
    the disk is full."""

    def __init__(self, path: Path, shown: Path | None = None, empty: bool = False) -> None:
        self.path, self._shown = path, shown or path
        how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if empty else 0)
        try:
            self._file = os.open(path, how, 0o644)
        except OSError as error:
            if error.errno in DISK_ERRORS:
                raise self._failed(error) from None
            what = f"{self._shown}: {error.strerror}"
            raise UsageError(what, "use a file in an existing folder") from None
        self.size = os.fstat(self._file).st_size  # bytes; anything after them is overwritten

    def append(self, content: bytes, sync: bool = False) -> None:
        """Append; with `sync`, wait for the disk. Raises RunError: failed, file unchanged."""
        try:
            if os.pwrite(self._file, content, self.size) < len(content):
                raise OSError("incomplete write")
            if sync:
                os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self.size)  # no half frame: later ones would be lost
            raise self._failed(error) from None
        self.size += len(content)

    def end(self, length: int) -> bytes:
        """The last bytes, at most `length`."""
        return os.pread(self._file, length, max(0, self.size - length))

    def cut(self, size: int) -> None:
        """Truncate the file to this size."""
        os.ftruncate(self._file, size)
        self.size = size

    def sync(self) -> None:
        """Wait until content and name are on the disk. Raises RunError: the disk fails."""
        try:
            os.fsync(self._file)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _failed(self, error: OSError) -> RunError:
        what = f"{self._shown}: {error.strerror or error}"
        return RunError(what, "free disk space; the same command continues")


MAGIC = b"anomalynet journal 1\n"
FRAME = struct.Struct("<II")  # length and CRC32 of the body
ENTRY = struct.Struct("<cdII")
"""Kind, wall clock time in seconds, length of the name, length of the content."""

Kind = Literal["message", "tick", "delivered", "position"]
CODES: dict[Kind, bytes] = {"message": b"m", "tick": b"t", "delivered": b"d", "position": b"p"}
KINDS = {code: kind for kind, code in CODES.items()}
LIKELY = re.compile(rb"(?s)(?=.{3}[\x00-\x07].{4}[mtdp])")
"""Where a frame of less than 128 MiB may begin: end of its length, its check, its first kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the journal."""

    # a message arrived, a silent source got a tick, a sink delivered an alarm, or the source
    # reached this position
    kind: Kind
    name: str  # topic or file; source; sink
    content: bytes  # payload; clock in µs as text; key of an alarm; position
    time: float = 0.0  # wall clock in seconds since 1970


class Journal(AppendFile):
    """Batches of entries in a file, of which an incomplete last frame is removed. `sync`: wait for
    the disk after each batch, so that acknowledged messages survive a power failure, too."""

    def __init__(self, path: Path, sync: bool = False) -> None:
        stretches = _stretches(path.read_bytes() if path.exists() else b"")
        super().__init__(path)
        self._sync = sync
        self.cut(stretches[-1][1] if stretches else 0)
        if not stretches:
            self.append(MAGIC)
            if sync:
                self.sync()

    def add(self, batch: Sequence[Entry]) -> None:
        """Write one batch. Raises RunError: the write failed; the journal is unchanged."""
        body = b"".join(
            ENTRY.pack(CODES[entry.kind], entry.time, len(name), len(entry.content))
            + name
            + entry.content
            for entry in batch
            for name in [entry.name.encode()]
        )
        self.append(FRAME.pack(len(body), zlib.crc32(body)) + body, self._sync)


def batches(
    path: Path, lost: list[tuple[int, int]], *, closed: bool = False
) -> Iterator[list[Entry]]:
    """The whole batches of a journal, in order; empty without a file. `lost`: gets the first and
    last offset of each damaged stretch. An incomplete frame at the end is none, unless the file was
    `closed`: a killed process leaves it, before anything in it was acknowledged."""
    content = path.read_bytes() if path.exists() else b""
    for start, stop, whole in _stretches(content, closed):
        if whole:
            yield _entries(memoryview(content)[start + FRAME.size : stop])
        else:
            lost.append((start, stop))


def _entries(body: memoryview) -> list[Entry]:
    found, at = [], 0
    while at < len(body):
        code, time, name, content = ENTRY.unpack_from(body, at)
        at += ENTRY.size
        text, at = str(body[at : at + name], "utf-8"), at + name
        found.append(Entry(KINDS[code], text, bytes(body[at : at + content]), time))
        at += content
    return found


def _stretches(content: bytes, closed: bool = False) -> list[tuple[int, int, bool]]:
    """Start and end of each whole frame (True; only its length may be damaged), and of each damaged
    stretch (False); without the frame that was being written at the end, of a file that was not
    closed."""
    found: list[tuple[int, int, bool]] = []
    at, size = len(MAGIC) if content.startswith(MAGIC) else 0, len(content)
    if MAGIC.startswith(content):
        return found
    while at < size:
        if stop := _frame(content, at):
            found.append((at, stop, True))
        elif stop := _next_frame(content, at):
            found.append((at, stop, _matches(content, at, stop)))
        elif _matches(content, at, size):
            found.append((at, stop := size, True))
        elif at and not closed and not 0 < _length(content, at) <= size:
            break  # it was being written
        else:
            found.append((at, stop := size, False))
        at = stop
    return found


def _length(content: bytes, at: int) -> int:
    """Where a frame ends by its head; 0: there is no head."""
    whole = at + FRAME.size <= len(content)
    return at + FRAME.size + int(FRAME.unpack_from(content, at)[0]) if whole else 0


def _frame(content: bytes, at: int) -> int:
    """Where the frame ends that begins here; 0: there is no whole one."""
    stop = _length(content, at)
    return stop if stop <= len(content) and _matches(content, at, stop) else 0


def _matches(content: bytes, at: int, stop: int) -> bool:
    """Whether the check of a frame is that of all bytes up to `stop`, whatever its length says."""
    if content[at + FRAME.size : at + FRAME.size + 1] not in KINDS:
        return False
    body = memoryview(content)[at + FRAME.size : stop]
    return zlib.crc32(body) == int(FRAME.unpack_from(content, at)[1])


def _next_frame(content: bytes, at: int) -> int:
    """Where the next whole frame begins behind a damaged one; 0: there is none."""
    likely = _length(content, at)  # where only the body is damaged
    if likely > at + FRAME.size and _frame(content, likely):
        return likely
    starts = (found.start() for found in LIKELY.finditer(content, at + 1))
    return next((start for start in starts if _frame(content, start)), 0)
