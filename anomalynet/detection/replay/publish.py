"""Sends a data set as its gateways would have, by event time: to any function, or to an MQTT topic,
where every message arrives, in order, also if the connection is lost."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from anomalynet.data.telemetry import Telemetry
from anomalynet.detection.records import iso
from anomalynet.detection.replay.rows import Sent, detector_rows, gateways, messages
from anomalynet.detection.service import mqtt
from anomalynet.errors import say
from anomalynet.runs.files import scratch_folder

MAX_UNACKNOWLEDGED = 1000  # messages; publishing waits when there are more


class Replayed(NamedTuple):
    """Number of each that were sent."""

    messages: int
    gateways: int
    readings: int


def replay(
    telemetry: Telemetry,
    gateway: str,
    send: Callable[[str], None],
    *,
    series: Sequence[str] = (),
    speed: float = 1.0,
    first: int | None = None,
    last: int | None = None,
    shift: bool = False,
) -> Replayed:
    """Send a data set's readings as JSON messages, each when it is due.

    Args:
        gateway: sender of devices whose radio cell is unknown.
        series: names of the wanted series; empty: all.
        speed: event seconds per second; 0: as fast as possible.
        first, last: µs since 1970 UTC, both included; other readings are skipped.
        shift: moves times so that the replay starts now.

    Raises DataError: unknown series, or a channel has a reserved name."""
    sequence = Counter[str]()
    readings = offset = 0
    began, start = 0.0, None
    with scratch_folder() as scratch:
        rows, cells = detector_rows(telemetry, series), gateways(telemetry)
        span = {"first": first, "last": last}
        for one in messages(rows, telemetry.period, cells, gateway, scratch, **span):
            if start is None:
                began, start = time.monotonic(), one.time
                offset = round(time.time() * 1e6) - start if shift else 0
            if speed:  # a message that is late does not delay the next
                due = began + (one.time - start) / 1e6 / speed
                time.sleep(max(due - time.monotonic(), 0))
            send(_document(one, sequence[one.gateway], offset))
            sequence[one.gateway] += 1
            readings += len(one.readings)
    return Replayed(sequence.total(), len(sequence), readings)


def _document(one: Sent, sequence: int, shift: int) -> str:
    """A gateway's message as JSON; `shift` in µs moves its times."""
    document: dict[str, object] = {
        "gateway": one.gateway,
        "time": iso(one.time + shift),
        "sequence": sequence,
        "readings": [
            {"device": device, "time": iso(time + shift), "values": values}
            for device, time, values in one.readings
        ],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Publisher(mqtt.Connection):
    """Publishes with QoS 1 inside a `with` block, whose end waits for all acknowledgements. `url`:
    `mqtt[s]://host[:port]/topic`. Every method raises UsageError: invalid address, or the broker
    refuses this client permanently."""

    def __init__(self, url: str) -> None:
        super().__init__(mqtt.one_topic(url), "", lambda _, why: say(f"MQTT broker {why}"))
        self.client.on_publish = self._on_publish
        self._waiting = 0
        self._again = False

    def __enter__(self) -> Self:
        self.open()
        try:
            self.wait(lambda: self.connected)
        except BaseException:
            self.close()
            raise
        return self

    def __call__(self, payload: str) -> None:
        """Publish one message. Waits while too many are unacknowledged, and after a lost connection
        until all have arrived: paho sends those again, and a new message would overtake them."""
        most = MAX_UNACKNOWLEDGED
        self.wait(lambda: self.connected and self._waiting < (1 if self._again else most))
        with self.change:
            self._waiting, self._again = self._waiting + 1, not self.connected
        self.client.publish(self.where.topic, payload, qos=1)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self.wait(lambda: self._waiting == 0)
        finally:
            self.close()

    def on_lost(self, reason: Any) -> None:
        """Messages may be on their way twice now."""
        self._again = True
        super().on_lost(reason)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self.update(failure=f"the broker refuses a message: {reason}")
        with self.change:
            self.update(_waiting=self._waiting - 1)
