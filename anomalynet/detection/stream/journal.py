"""What came since the last snapshot, in one growing file: a batch is one frame with its length and
CRC32, written by one `write`.

A frame that was not written whole (the process was killed, the disk full) ends the journal; nobody
was told that it had been kept.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomalynet.detection.stream.appended import Appended

MAGIC = b"anomalynet journal 1\n"

FRAME = struct.Struct("<II")
"""Length of the body, its CRC32."""

ENTRY = struct.Struct("<cdII")
"""Kind, wall clock in seconds, bytes of the name, bytes of the content."""

Kind = Literal["message", "tick", "delivered", "place"]

CODES: dict[Kind, bytes] = {"message": b"m", "tick": b"t", "delivered": b"d", "place": b"p"}
KINDS = {code: kind for kind, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        kind: a message came, a silent source was ticked, a sink delivered an event, or reading came
        to this place of a file. name: topic or file, source, or sink. content: payload; clock in µs
        as text; key of an event; the place. time: wall clock in seconds since 1970.
    """

    kind: Kind
    name: str
    content: bytes
    time: float = 0.0


class Journal:
    """Appends batches to one file.

    Args:
        path: the file; frames behind its last whole one are cut off.
        sync: wait for the disk after each batch: what is acknowledged then survives a power cut,
        not only a crash.
    """

    def __init__(self, path: Path, sync: bool = False) -> None:
        content = path.read_bytes() if path.exists() else b""
        whole = len(content) - _torn(content) if content.startswith(MAGIC) else 0
        self._sync = sync
        self._file = Appended(path)
        self._file.cut(whole)
        if not whole:
            self._file.append(MAGIC)
            if sync:
                self._file.sync()

    @property
    def size(self) -> int:
        """Bytes."""
        return self._file.size

    def append(self, batch: Sequence[Entry]) -> None:
        """Write one batch.

        Raises:
            RunError: it could not be written whole; the journal is as before.
        """
        body = b"".join(map(_packed, batch))
        self._file.append(FRAME.pack(len(body), zlib.crc32(body)) + body, self._sync)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def batches(path: Path) -> Iterator[list[Entry]]:
    """The whole batches of a journal, in order; none where there is no file."""
    content = path.read_bytes() if path.exists() else b""
    for body in _bodies(content):
        yield _entries(body)


def _packed(entry: Entry) -> bytes:
    name = entry.name.encode()
    return b"".join(
        (
            ENTRY.pack(CODES[entry.kind], entry.time, len(name), len(entry.content)),
            name,
            entry.content,
        )
    )


def _entries(body: memoryview) -> list[Entry]:
    found, at = [], 0
    while at < len(body):
        code, time, name, content = ENTRY.unpack_from(body, at)
        at += ENTRY.size
        found.append(
            Entry(
                KINDS[code],
                str(body[at : at + name], "utf-8"),
                bytes(body[at + name : at + name + content]),
                time,
            )
        )
        at += name + content
    return found


def _bodies(content: bytes) -> Iterator[memoryview]:
    view, at = memoryview(content), len(MAGIC)
    if not content.startswith(MAGIC):
        return
    while at + FRAME.size <= len(view):
        length, check = FRAME.unpack_from(view, at)
        body = view[at + FRAME.size : at + FRAME.size + length]
        if len(body) < length or zlib.crc32(body) != check:
            return
        yield body
        at += FRAME.size + length


def _torn(content: bytes) -> int:
    return len(content) - len(MAGIC) - sum(FRAME.size + len(body) for body in _bodies(content))
