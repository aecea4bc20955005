"""Where alarms go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from anomalynet.detection.events import Event


class Sink(Protocol):
    """Takes events; never holds up the detector for long. Used from one thread."""

    name: str

    def put(self, events: Sequence[Event]) -> None:
        """Deliver these now or soon."""

    def forget(self, key: str) -> None:
        """Another process has delivered this event: before `start` only."""

    def start(self) -> None:
        """Deliver what was put so far, and from now on."""

    def pending(self) -> list[str]:
        """Events, as JSON, that are not delivered yet."""

    def restore(self, pending: Sequence[str]) -> None:
        """Take over what another process had pending: before `start` only."""

    def delivered(self) -> list[str]:
        """Keys of the events delivered since the last call."""

    def close(self) -> None:
        """Deliver what is quickly delivered, and stop."""


def key(event: Event) -> str:
    """What tells an event from every other one; a repeated delivery has the same."""
    return f"{event.id}-{event.kind}"
