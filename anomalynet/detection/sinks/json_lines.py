"""Alarms as JSON lines, each written once although a restarted detector makes it again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from anomalynet.detection.events import Event
from anomalynet.detection.sinks import key
from anomalynet.errors import RunError, UsageError

TAIL = 32 << 20
"""Bytes at the end of the file whose events are known: far more than happens between two snapshots."""


class StandardOutput:
    """Alarms on stdout; it cannot be read again, so a restarted detector may repeat what came since its last snapshot."""

    name = "-"

    def put(self, events: Sequence[Event]) -> None:
        """Print."""
        if events:
            sys.stdout.write("".join(event.to_json() + "\n" for event in events))
            sys.stdout.flush()

    def forget(self, key: str) -> None:
        """Nothing is known of what was printed."""

    def start(self) -> None:
        """Nothing waits."""

    def pending(self) -> list[str]:
        """Nothing."""
        return []

    def restore(self, pending: Sequence[str]) -> None:
        """Nothing was pending."""

    def delivered(self) -> list[str]:
        """Nothing."""
        return []

    def drain(self) -> None:
        """Nothing waits."""

    def undelivered(self) -> int:
        """None."""
        return 0

    def close(self) -> None:
        """Nothing to close."""


class JsonLines(StandardOutput):
    """Alarms appended to a file.

    Args:
        path: a new file, or one of this sink's own, whose events are not written again; a torn last line is cut off.

    Raises:
        UsageError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._keys: set[str] = set()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", "name a file in a folder that is there") from None
        size = os.fstat(self._file).st_size
        tail = os.pread(self._file, TAIL, max(0, size - TAIL))
        if size > TAIL:
            tail = tail[tail.find(b"\n") + 1 :]
        whole, _, torn = tail.rpartition(b"\n")
        for line in whole.splitlines():
            self._keys.add(self._key(line))
        if torn and not torn.startswith(b"{"):
            raise self._foreign()
        self._size = size - len(torn)
        os.ftruncate(self._file, self._size)

    def put(self, events: Sequence[Event]) -> None:
        """Append those that are not there yet, by one `write`.

        Raises:
            RunError: the file cannot be written.
        """
        new = {key(event): event for event in events if key(event) not in self._keys}
        if not new:
            return
        lines = "".join(event.to_json() + "\n" for event in new.values()).encode()
        try:
            if os.pwrite(self._file, lines, self._size) < len(lines):
                raise OSError("not written whole")
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise RunError(f"{self.path}: {error.strerror or error}", "make room; the same command continues") from None
        self._size += len(lines)
        self._keys |= new.keys()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _key(self, line: bytes) -> str:
        try:
            event = json.loads(line)
            return f"{event['id']}-{event['kind']}"
        except (ValueError, TypeError, KeyError):
            raise self._foreign() from None

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path}: is there and holds no alarms", "name another file")
