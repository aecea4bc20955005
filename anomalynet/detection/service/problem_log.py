"""Counts problems by kind and logs the first of each, so that invalid input fills no log."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from anomalynet.errors import say

EXAMPLE = 80  # largest number of characters of an example


def one_line(example: object) -> str:
    """A short example as one line of ASCII."""
    if isinstance(example, bytes | bytearray | memoryview):
        example = bytes(example[: 4 * EXAMPLE]).decode("utf-8", "backslashreplace")
    text = str(example)
    shown = text[:EXAMPLE] + ("…" if len(text) > EXAMPLE else "")
    return shown.encode("unicode_escape").decode().replace("\\u2026", "...")


class ProblemLog:
    """Counts problems by kind; thread-safe."""

    def __init__(self, log: Callable[[str], None] = say) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log
        self._logged: set[str] = set()
        self._lock = threading.Lock()

    def add(self, kind: str, example: object = None, count: int = 1) -> None:
        """Count a problem; log the first of its kind with the example."""
        with self._lock:
            self.counts[kind] += count
        self.log_first(kind, example)

    def log_first(self, kind: str, example: object = None) -> None:
        """Log a kind once, without counting: for kinds that are counted elsewhere."""
        with self._lock:
            new = kind not in self._logged
            self._logged.add(kind)
        if new:
            shown = "" if example is None else f": {one_line(example)}"
            self._log(f"{kind}{shown} (further ones are only counted)")

    def snapshot(self) -> Counter[str]:
        """A copy of the counts."""
        with self._lock:
            return self.counts.copy()
