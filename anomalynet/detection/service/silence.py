"""State of the sources: recognises payloads that a broker sends twice, and detects silent sources.
A silent source gets ticks by the wall clock, so that devices behind a dead gateway are detected."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

REMEMBERED = 20_000  # number of recent payloads; more than a broker may send unacknowledged
DIGEST = 8  # bytes of a digest


class RecentPayloads:
    """Digests of recent payloads with their source."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, source: str, payload: bytes) -> bool:
        """Add a payload; return whether it is new."""
        digest = blake2b(payload, digest_size=DIGEST, key=source.encode()[-64:]).digest()
        new = digest not in self._digests
        self._digests[digest] = None
        if len(self._digests) > REMEMBERED:
            self._digests.popitem(last=False)
        return new

    def to_hex(self) -> str:
        """The digests as text, for a snapshot."""
        return b"".join(self._digests).hex()

    def restore(self, text: str) -> None:
        """Load the digests of a snapshot."""
        seen = bytes.fromhex(text)
        self._digests = OrderedDict.fromkeys(
            seen[at : at + DIGEST] for at in range(0, len(seen), DIGEST)
        )


DAY = 86_400.0
LOOK = 0.25  # seconds between two checks for silent sources
SPARE = 10_000  # most sources that the engine does not know: anybody can send such names


Clocks = Callable[[], Mapping[str, int]]
"""Event time of each source in µs by the engine, which ignores single wrong timestamps."""


@dataclass(slots=True)
class _Source:
    heard: float  # wall clock time of its last message
    behind: float | None = None  # seconds that its event time is behind the wall clock, if known
    ticked: float = -math.inf  # wall clock time of its last tick


class SilenceWatch:
    """Finds sources that have been silent for so many `seconds` by the wall clock; each gets two
    ticks per `period` of the readings, at most one per second. After `most` seconds more a source
    is removed, because further ticks have no effect. `clocks`: of the engine."""

    def __init__(self, seconds: float, period: float, clocks: Clocks, most: float = DAY) -> None:
        self._patience, self._every, self._most = seconds, max(1.0, period / 2), seconds + most
        self._clocks = clocks
        self._sources: OrderedDict[str, _Source] = OrderedDict()  # longest silent first
        self._looked = -math.inf
        self._room = SPARE

    def heard(self, source: str, now: float) -> None:
        """Record a message of this source at wall clock time `now` in seconds."""
        self._sources[source] = _Source(now)
        self._sources.move_to_end(source)

    def ticked(self, source: str, clock: int, now: float) -> None:
        """Record a tick by another process, from the journal."""
        if source in self._sources:
            self._sources[source].behind = now - clock / 1e6

    def due(self, now: float) -> list[tuple[str, int]]:
        """Silent sources that need a tick, each with its clock in µs: its newest event time plus
        the wall clock time since then."""
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
        """For a snapshot: seconds that each source is behind the wall clock."""
        clocks = self._clocks()
        known = {name: self._behind(name, source, clocks) for name, source in self._sources.items()}
        return {name: behind for name, behind in known.items() if behind is not None}

    def restore(self, behind: Mapping[str, float]) -> None:
        """Load the state of a snapshot."""
        known = {name: _Source(-math.inf, seconds) for name, seconds in behind.items()}
        self._sources = OrderedDict(known)

    def restarted(self, now: float) -> None:
        """Start the silence of all sources at `now`: after a restart, messages that wait at the
        broker need time to arrive."""
        self._forget_unknown()
        clocks = self._clocks()
        for name, source in self._sources.items():
            source.behind = self._behind(name, source, clocks)
            source.heard = now

    def _forget_unknown(self) -> None:
        """Remove unknown sources. The engine knows every source of an accepted reading."""
        if len(self._sources) > self._room:
            clocks = self._clocks()
            known = {name: source for name, source in self._sources.items() if name in clocks}
            self._sources = OrderedDict(known)
            self._room = 2 * len(self._sources) + SPARE

    def _behind(self, name: str, source: _Source, clocks: Mapping[str, int]) -> float | None:
        if source.behind is not None:
            return source.behind
        clock = clocks.get(name, -1)
        return source.heard - clock / 1e6 if clock >= 0 else None
