"""Sources that fell silent: the wall clock goes on for them, so that a dead gateway's devices are noticed."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DAY = 86_400.0

MOST = 100_000
"""Sources that are watched; further ones are not."""


@dataclass(slots=True)
class _Source:
    heard: float  # wall clock
    behind: float  # seconds by which its event time is behind the wall clock
    ticked: float = -math.inf  # wall clock of its last tick


class Patience:
    """Knows when each source was heard.

    Args:
        seconds: of silence, by wall clock, before a source is ticked.
        period: seconds between readings: a silent source is ticked twice in it, at most once a second.
        most: seconds of silence after which a source is forgotten: nothing follows from further ticks.
    """

    def __init__(self, seconds: float, period: float, most: float = DAY) -> None:
        self._patience, self._every, self._most = seconds, max(1.0, period / 2), seconds + most
        self._sources: OrderedDict[str, _Source] = OrderedDict()  # longest silent first
        self._looked = -math.inf

    def heard(self, source: str, clock: int, now: float) -> None:
        """A message of this source came.

        Args:
            clock: its event time, µs.
            now: wall clock in seconds.
        """
        if source in self._sources or len(self._sources) < MOST:
            self._sources[source] = _Source(now, now - clock / 1e6)
            self._sources.move_to_end(source)

    def due(self, now: float) -> list[tuple[str, int]]:
        """Silent sources, each with its clock: its newest event time and the wall time since then, µs."""
        if 0 <= now - self._looked < 0.25:
            return []
        self._looked = now
        found = []
        while self._sources and now - next(iter(self._sources.values())).heard > self._most:
            self._sources.popitem(last=False)
        for name, source in self._sources.items():
            if now - source.heard < self._patience:
                break
            if abs(now - source.ticked) >= self._every:
                source.ticked = now
                found.append((name, int((now - source.behind) * 1e6)))
        return found

    def to_json(self) -> dict[str, float]:
        """What a restarted detector needs: how far each source is behind the wall clock."""
        return {name: source.behind for name, source in self._sources.items()}

    def restore(self, behind: Mapping[str, Any]) -> None:
        """Take over what another process knew; `restarted` counts their silence anew."""
        self._sources = OrderedDict((name, _Source(-math.inf, float(seconds))) for name, seconds in behind.items())

    def restarted(self, now: float) -> None:
        """Nobody listened before: give what waits at the broker time to arrive before anything is called silent."""
        for source in self._sources.values():
            source.heard = now
