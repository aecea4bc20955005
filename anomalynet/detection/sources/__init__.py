"""Sources of readings: files, standard input, MQTT. All have the interface `Source`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Raw:
    """One received payload."""

    source: str  # topic or file
    payload: bytes | None  # JSON; None if it was too large
    arrived: float  # wall clock time in seconds since 1970
    # needed to acknowledge it; None if the source does not use acknowledgements
    token: tuple[int, int] | None = None
    # where to continue reading after this payload; empty if the source has no positions
    position: bytes = b""


class Source(Protocol):
    """An endless source of payloads; used from one thread. Methods without a result do nothing
    unless a source defines them."""

    @property
    def connected(self) -> bool:
        """Whether it can deliver now."""

    @property
    def ended(self) -> bool:
        """Whether it has no more payloads."""

    def start(self, position: bytes) -> None:
        """Start after the stored position; empty: at the beginning of the source."""
        return

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """Up to `limit` payloads in order; waits at most `seconds` for the first."""

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        """Confirm that these payloads are stored and need not be sent again."""
        return

    def close(self) -> None:
        """Stop and disconnect."""
        return
