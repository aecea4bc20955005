"""Where readings come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Raw:
    """One payload as it came."""

    source: str  # topic or file
    payload: bytes | None  # JSON; None where it was too large to keep
    arrived: float  # wall clock in seconds since 1970
    # what the source needs to acknowledge it; None where nobody waits for that
    token: tuple[int, int] | None = None
    # where reading goes on after this payload; empty where the source has no places
    place: bytes = b""


class Source(Protocol):
    """An endless source; used from one thread."""

    @property
    def connected(self) -> bool:
        """Whether it could deliver now."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""

    def start(self, place: bytes) -> None:
        """Begin, behind the place that the state remembers; empty: at the source's own
        beginning."""

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """Up to `limit` payloads in order, after waiting at most `seconds`; empty if none came."""

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        """These are kept: they need not be sent again."""

    def close(self) -> None:
        """Stop in good order."""
