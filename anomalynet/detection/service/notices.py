"""Counts of what went wrong, by kind, and one line on stderr for the first of each kind: a flood of
bad input fills no log."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable

EXAMPLE = 80  # characters of an example that are shown


def printable(example: object) -> str:
    """A short example in one line of ASCII, whatever was in it."""
    if isinstance(example, bytes | bytearray | memoryview):
        example = bytes(example[: 4 * EXAMPLE]).decode("utf-8", "backslashreplace")
    text = str(example)
    shown = text[:EXAMPLE] + ("…" if len(text) > EXAMPLE else "")
    return shown.encode("unicode_escape").decode().replace("\\u2026", "...")


def to_stderr(line: str) -> None:
    """Print one line."""
    print(line, file=sys.stderr, flush=True)


class Notices:
    """Counts by kind; used from any thread."""

    def __init__(self, log: Callable[[str], None] = to_stderr) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def add(self, kind: str, example: object = None, count: int = 1) -> None:
        """Count, and log the first one with its example."""
        with self._lock:
            self.counts[kind] += count
        self.tell(kind, example)

    def tell(self, kind: str, example: object = None) -> None:
        """Log the first of a kind that is counted elsewhere."""
        with self._lock:
            new = kind not in self._told
            self._told.add(kind)
        if new:
            shown = "" if example is None else f": {printable(example)}"
            self._log(f"{kind}{shown} (further ones are only counted)")

    def snapshot(self) -> Counter[str]:
        """A copy of the counts."""
        with self._lock:
            return self.counts.copy()
