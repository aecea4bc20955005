"""Alarms as JSON lines, each written once although a restarted detector makes it again."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

from anomalynet.detection.events import Event
from anomalynet.detection.sinks import key, key_of
from anomalynet.detection.stream.appended import Appended
from anomalynet.errors import UsageError

TAIL = 32 << 20
"""Bytes at the end of the file that are read at the start."""

REMEMBERED = 100_000
"""Newest events that are known to be in the file: far more than happen between two snapshots."""


class StandardOutput:
    """Alarms on stdout; it cannot be read again, so a restarted detector may repeat what came since
    its last snapshot."""

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

    def sync(self) -> None:
        """Nothing stays."""

    def close(self) -> None:
        """Nothing to close."""


class JsonLines(StandardOutput):
    """Alarms appended to a file.

    Args:
        path: a new file, or one of this sink's own, whose events are not written again; a torn last
        line is cut off.

    Raises:
        UsageError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._keys: OrderedDict[str, None] = OrderedDict()
        try:
            self._file = Appended(path)
        except OSError as error:
            raise UsageError(
                f"{path}: {error.strerror}", "name a file in a folder that is there"
            ) from None
        tail = self._file.end(TAIL)
        if self._file.size > TAIL:
            tail = tail[tail.find(b"\n") + 1 :]
        whole, _, torn = tail.rpartition(b"\n")
        self._remember([self._key(line) for line in whole.splitlines()])
        if torn and not torn.startswith(b"{"):
            raise self._foreign()
        self._file.cut(self._file.size - len(torn))

    def put(self, events: Sequence[Event]) -> None:
        """Append those that are not there yet, by one `write`.

        Raises:
            RunError: the file cannot be written.
        """
        new = {key(event): event for event in events if key(event) not in self._keys}
        if new:
            self._file.append("".join(event.to_json() + "\n" for event in new.values()).encode())
            self._remember(new)

    def sync(self) -> None:
        """See `Sink`."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _remember(self, keys: Iterable[str]) -> None:
        self._keys.update(dict.fromkeys(keys))
        while len(self._keys) > REMEMBERED:
            self._keys.popitem(last=False)

    def _key(self, line: bytes) -> str:
        try:
            return key_of(line)
        except (ValueError, TypeError, KeyError):
            raise self._foreign() from None

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path}: is there and holds no alarms", "name another file")
