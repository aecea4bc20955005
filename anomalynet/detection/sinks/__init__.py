"""Where alarms go."""

from __future__ import annotations

import json
from collections.abc import Sequence

from anomalynet.detection.records import Event
from anomalynet.errors import RunError


class Sink:
    """Takes events; never holds up the detector for long. Used from one thread. By itself it keeps
    nothing: a subclass has `put`, and what it changes of the rest."""

    name: str

    def put(self, events: Sequence[Event]) -> None:
        """Deliver these now or soon."""
        raise NotImplementedError

    def forget(self, key: str) -> None:
        """Another process has delivered this event: before `start` only."""

    def start(self) -> None:
        """Deliver what was put so far, and from now on."""

    def pending(self) -> list[str]:
        """Events, as JSON, that are not delivered yet."""
        return []

    def restore(self, pending: Sequence[str]) -> None:
        """Take over what another process had pending: before `start` only."""

    def delivered(self) -> list[str]:
        """Keys of the events delivered since the last call."""
        return []

    def drain(self) -> None:
        """Wait as long as events are being delivered: where nothing is lost by waiting, and the
        queue is to stay short."""

    def undelivered(self) -> int:
        """Number of events that wait, were dropped, or were refused."""
        return 0

    def sync(self) -> None:
        """What was put into a file survives a power cut from now on."""

    def close(self) -> None:
        """Deliver what is quickly delivered, and stop."""


def check_delivered(sinks: Sequence[Sink]) -> None:
    """For the end of what nothing goes on from: after `close`. Raises RunError: alarms were not
    delivered."""
    for sink in sinks:
        if count := sink.undelivered():
            what = f"{sink.name}: {count} alarms were not delivered"
            raise RunError(what, "the same command sends all of them again, with the same ids")


def key(event: Event) -> str:
    """What tells an event from every other one; a repeated delivery has the same."""
    return f"{event.id}-{event.kind}"


def key_of(line: str | bytes) -> str:
    """The same of an event as JSON; ValueError, TypeError or KeyError if it is none."""
    event = json.loads(line)
    return f"{event['id']}-{event['kind']}"
