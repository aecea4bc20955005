"""The append-only file of all that changed a detector's state; a failed write changes nothing."""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomalynet.documents import json_value
from anomalynet.errors import DISK_ERRORS, RunError, UsageError, disk_hint
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
        facts = os.fstat(self._file)
        if not stat.S_ISREG(facts.st_mode):  # such as /dev/null, which cannot be synced
            os.close(self._file)
            raise UsageError(f"{self._shown}: is not a regular file", "give the path of a file")
        self.size = facts.st_size  # bytes; anything after them is overwritten

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
        reason = error.strerror or str(error)
        return RunError(f"{self._shown}: {reason}", disk_hint(reason))


MAGIC, EARLIER = b"anomalynet journal 2\n", b"anomalynet journal 1\n"
MARK = b"\xff\x01"
"""Begins a frame; within a body each \\xff is followed by \\x00, so that no payload has one."""
HEAD = struct.Struct("<2sII")  # the mark, length and check of the body
FRAME = struct.Struct("<2sIII")  # and the check of that
ENTRY = struct.Struct("<cdII")
"""Kind, wall clock time in seconds, length of the name, length of the content."""

Kind = Literal["message", "tick", "delivered", "position"]
CODES: dict[Kind, bytes] = {"message": b"m", "tick": b"t", "delivered": b"d", "position": b"p"}
KINDS = {code: kind for kind, code in CODES.items()}
CLOCK = re.compile(rb"-?[0-9]{1,17}")
FAR = 1e10  # seconds, about 300 years: no clock is farther from 1970, no source farther behind


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
    the disk after each batch, so that acknowledged messages survive a power failure, too. Raises
    UsageError: an earlier version wrote the file."""

    def __init__(self, path: Path, sync: bool = False) -> None:
        stretches = _stretches(_content(path))
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
        ).replace(MARK[:1], MARK[:1] + b"\0")
        self.append(_head(len(body), _check(body, self.size), self.size) + body, self._sync)


def batches(
    path: Path, lost: list[tuple[int, int]], *, closed: bool = False
) -> Iterator[list[Entry]]:
    """The whole batches of a journal, in order; empty without a file. `lost`: gets the first and
    last offset of each damaged stretch. An incomplete frame at the end is none, unless the file was
    `closed`: a killed process leaves it, before anything in it was acknowledged."""
    content = _content(path)
    for start, stop, whole in _stretches(content, closed):
        entries = _entries(content[start + FRAME.size : stop]) if whole else []
        if entries:
            yield entries
        else:
            lost.append((start, stop))


def _content(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    if content.startswith(EARLIER):
        raise UsageError(f"{path}: the saved state is of another version", "start without it")
    return content


def _entries(body: bytes) -> list[Entry]:
    """The entries of a frame; none if one of them cannot be, as in a state that a stranger made."""
    body, at = body.replace(MARK[:1] + b"\0", MARK[:1]), 0
    found = []
    try:
        while at < len(body):
            code, time, name, content = ENTRY.unpack_from(body, at)
            begin = at + ENTRY.size
            at = begin + name + content
            kind, data = KINDS[code], body[begin + name : at]
            if kind != "message":
                _verify(kind, data)
            if at > len(body) or not abs(time) < FAR:
                return []
            found.append(Entry(kind, str(body[begin : begin + name], "utf-8"), data, time))
    except (struct.error, KeyError, TypeError, ValueError):
        return []
    return found


def _verify(kind: Kind, content: bytes) -> None:
    """Raises ValueError or TypeError: the content is none of its kind."""
    if kind == "tick" and not CLOCK.fullmatch(content):
        raise ValueError("not a clock")
    if kind == "delivered":
        content.decode()
    if kind == "position":
        _ = {**json_value(content)}


def _stretches(content: bytes, closed: bool = False) -> list[tuple[int, int, bool]]:
    """Start and end of each whole frame (True; only its head may be damaged), and of each damaged
    stretch (False); without the frame that was being written at the end, of a file that was not
    closed."""
    found: list[tuple[int, int, bool]] = []
    at, size = len(MAGIC) if content.startswith(MAGIC) else 0, len(content)
    if MAGIC.startswith(content):
        return found
    while at < size:
        stop = _end(content, at)
        torn = stop > size or (size - at < FRAME.size and MARK.startswith(content[at : at + 2]))
        if at and torn and not closed:
            break  # it was being written
        if not stop:  # its body is whole if it ends where the next frame begins
            stop = _next_frame(content, at)
        found.append((at, stop := min(stop, size), _matches(content, at, stop)))
        at = stop
    return found


def _check(part: bytes | memoryview, at: int) -> int:
    """CRC32 of a part of the frame at this offset: elsewhere, the same bytes have another."""
    return zlib.crc32(part, at & 0xFFFFFFFF)


def _head(length: int, check: int, at: int) -> bytes:
    head = HEAD.pack(MARK, length, check)
    return head + _check(head, at).to_bytes(4, "little")


def _end(content: bytes, at: int) -> int:
    """Where the frame ends by its head; 0: there is no whole head."""
    head = content[at : at + FRAME.size]
    if len(head) < FRAME.size or not head.startswith(MARK):
        return 0
    _, length, check, _ = FRAME.unpack(head)
    return at + FRAME.size + int(length) if head == _head(length, check, at) else 0


def _matches(content: bytes, at: int, stop: int) -> bool:
    """Whether the check of a frame is that of all bytes up to `stop`, whatever its length says."""
    body = memoryview(content)[at + FRAME.size : stop]
    return len(body) > 0 and _check(body, at) == HEAD.unpack_from(content, at)[2]


def _next_frame(content: bytes, at: int) -> int:
    """Where the next whole head is, or the end of the file."""
    while (at := content.find(MARK, at + 1)) >= 0:
        if _end(content, at):
            return at
    return len(content)
