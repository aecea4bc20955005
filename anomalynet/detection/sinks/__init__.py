"""Sinks for alarms: files, standard output, MQTT, webhooks. All extend `Sink`."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.detection.records import Event
from anomalynet.documents import json_value
from anomalynet.errors import RunError


class Sink:
    """Receives alarm events without blocking the detector for long; used from one thread. A
    subclass implements `put` and overrides what it needs of the rest."""

    name: str

    def put(self, events: Sequence[Event]) -> None:
        """Deliver these events, now or soon."""
        raise NotImplementedError

    def forget(self, key: str) -> None:
        """Drop an event that another process has delivered; only before `start`."""

    def start(self) -> None:
        """Start delivery, including events that were put before."""

    def pending(self) -> list[str]:
        """Undelivered events as JSON."""
        return []

    def restore(self, pending: Sequence[str]) -> None:
        """Load undelivered events of another process; only before `start`."""

    def delivered(self) -> list[str]:
        """Keys of the events delivered since the last call."""
        return []

    def drain(self) -> None:
        """Wait while events are being delivered, to keep the queue short."""

    def undelivered(self) -> int:
        """Number of waiting, dropped and refused events."""
        return 0

    def sync(self) -> None:
        """Make written events survive a power failure."""

    def close(self) -> None:
        """Deliver remaining events for a short time, and stop."""


def check_delivered(sinks: Sequence[Sink]) -> None:
    """Check after `close`, without a saved state. Raises RunError: alarms were not delivered."""
    for sink in sinks:
        if count := sink.undelivered():
            what = f"{sink.name}: {count} alarms were not delivered"
            raise RunError(what, "the same command sends all of them again, with the same ids")


def key_of(line: str | bytes) -> str:
    """`Event.key` of an event as JSON. Raises ValueError, TypeError or KeyError: not an event."""
    event = json_value(line, nan=True)
    return f"{event['id']}-{event['kind']}"
