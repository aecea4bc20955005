"""What the loop remembers of its sources: payloads that a broker sends again are recognised; for
sources that fell silent the wall clock goes on, so that a dead gateway's devices are noticed."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

REMEMBERED = 20_000  # newest payloads; more than a broker may send unacknowledged
DIGEST = 8  # bytes


class Seen:
    """Digests of the newest payloads, each with its source."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, source: str, payload: bytes) -> bool:
        """Whether it is new."""
        digest = blake2b(payload, digest_size=DIGEST, key=source.encode()[-64:]).digest()
        new = digest not in self._digests
        self._digests[digest] = None
        if len(self._digests) > REMEMBERED:
            self._digests.popitem(last=False)
        return new

    def to_hex(self) -> str:
        """What `restore` needs."""
        return b"".join(self._digests).hex()

    def restore(self, text: str) -> None:
        """Take over what another process has seen."""
        seen = bytes.fromhex(text)
        self._digests = OrderedDict(
            (seen[at : at + DIGEST], None) for at in range(0, len(seen), DIGEST)
        )


DAY = 86_400.0

LOOK = 0.25  # seconds between looks for silent sources

SPARE = 10_000
"""Sources beside those that the engine knows: names that anybody can make up, forgotten from time
to time."""


Clocks = Callable[[], Mapping[str, int]]
"""Gives each source's event time in µs, as the engine believes it: it is not misled by one wrong
time stamp."""


@dataclass(slots=True)
class _Source:
    heard: float  # wall clock
    behind: float | None = None  # its event time is so many seconds behind, once that is settled
    ticked: float = -math.inf  # wall clock of its last tick


class Patience:
    """Knows when each source was heard.

    Args:
        seconds: of silence, by wall clock, before a source is ticked.
        period: seconds between readings: a silent source is ticked twice in it, at most once a
        second. clocks: of the engine. most: seconds of silence after which a source is forgotten:
        nothing follows from further ticks.
    """

    def __init__(self, seconds: float, period: float, clocks: Clocks, most: float = DAY) -> None:
        self._patience, self._every, self._most = seconds, max(1.0, period / 2), seconds + most
        self._clocks = clocks
        self._sources: OrderedDict[str, _Source] = OrderedDict()  # longest silent first
        self._looked = -math.inf
        self._room = SPARE

    def heard(self, source: str, now: float) -> None:
        """A message of this source came; `now` is the wall clock in seconds."""
        self._sources[source] = _Source(now)
        self._sources.move_to_end(source)

    def ticked(self, source: str, clock: int, now: float) -> None:
        """Another process ticked it: a tick of the journal."""
        if source in self._sources:
            self._sources[source].behind = now - clock / 1e6

    def due(self, now: float) -> list[tuple[str, int]]:
        """Silent sources, each with its clock: its newest event time and the wall time since then,
        µs."""
        if 0 <= now - self._looked < LOOK:
            return []
        self._looked = now
        self._forget_unknown()
        while self._sources and now - next(iter(self._sources.values())).heard > self._most:
            self._sources.popitem(last=False)
        silent = []
        for name, source in self._sources.items():
            if now - source.heard < self._patience:
                break
            if abs(now - source.ticked) >= self._every:
                silent.append((name, source))
        found = []
        clocks = self._clocks() if silent else {}
        for name, source in silent:
            source.ticked = now
            behind = self._behind(name, source, clocks)
            if behind is not None:
                source.behind = behind
                found.append((name, int((now - behind) * 1e6)))
        return found

    def to_json(self) -> dict[str, float]:
        """What a restarted detector needs: how far each source is behind the wall clock."""
        clocks = self._clocks()
        known = {name: self._behind(name, source, clocks) for name, source in self._sources.items()}
        return {name: behind for name, behind in known.items() if behind is not None}

    def restore(self, behind: Mapping[str, float]) -> None:
        """Take over what another process knew."""
        self._sources = OrderedDict(
            (name, _Source(-math.inf, seconds)) for name, seconds in behind.items()
        )

    def restarted(self, now: float) -> None:
        """Nobody listened before: give what waits at the broker time to arrive before anything is
        called silent."""
        self._forget_unknown()
        clocks = self._clocks()
        for name, source in self._sources.items():
            source.behind = self._behind(name, source, clocks)
            source.heard = now

    def _forget_unknown(self) -> None:
        """Between batches: the engine knows every source that brought a reading it took."""
        if len(self._sources) > self._room:
            clocks = self._clocks()
            self._sources = OrderedDict(
                (name, source) for name, source in self._sources.items() if name in clocks
            )
            self._room = 2 * len(self._sources) + SPARE

    def _behind(self, name: str, source: _Source, clocks: Mapping[str, int]) -> float | None:
        if source.behind is not None:
            return source.behind
        clock = clocks.get(name, -1)
        return source.heard - clock / 1e6 if clock >= 0 else None
