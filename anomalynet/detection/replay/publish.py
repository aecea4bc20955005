"""Sends a data set as its gateways would have, by event time: to any function, or to an MQTT topic,
where every message arrives, in order, also if the connection is lost."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition
from typing import Any, NamedTuple, Self

from anomalynet.data.telemetry import Telemetry
from anomalynet.detection.records import iso
from anomalynet.detection.replay.rows import Sent, detector_rows, gateways, messages
from anomalynet.detection.service import mqtt
from anomalynet.errors import UsageError

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
        send: takes a message; `Publisher` is one.
        series: names of the wanted series; empty: all.
        speed: event seconds per second; 0: as fast as possible.
        first, last: µs since 1970 UTC, both included; other readings are skipped.
        shift: moves times so that the replay starts now.

    Raises DataError: unknown series, or a channel has a reserved name.
    """
    sequence = Counter[str]()
    readings = offset = 0
    began, start = 0.0, None
    with tempfile.TemporaryDirectory(prefix="anomalynet-") as scratch:
        rows, cells = detector_rows(telemetry, series), gateways(telemetry)
        span = {"first": first, "last": last}
        for one in messages(rows, telemetry.period, cells, gateway, Path(scratch), **span):
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


class Publisher:
    """Publishes with QoS 1 inside a `with` block, whose end waits for all acknowledgements. `url`:
    `mqtt[s]://host[:port]/topic`. Every method raises UsageError: invalid address, or the broker
    refuses this client permanently."""

    def __init__(self, url: str) -> None:
        self._where = mqtt.one_topic(url)
        self._client = mqtt.make_client(self._where, "")
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._change = Condition()
        self._waiting = 0
        self._connected = self._closing = self._again = False
        self._failure: str | None = None

    def __enter__(self) -> Self:
        self._client.connect_async(self._where.host, self._where.port, keepalive=30)
        self._client.loop_start()
        try:
            self._wait(lambda: self._connected)
        except BaseException:
            self._stop()
            raise
        return self

    def __call__(self, payload: str) -> None:
        """Publish one message. Waits while too many are unacknowledged, and after a lost connection
        until all have arrived: paho sends those again, and a new message would overtake them."""
        most = MAX_UNACKNOWLEDGED
        self._wait(lambda: self._connected and self._waiting < (1 if self._again else most))
        with self._change:
            self._waiting, self._again = self._waiting + 1, not self._connected
        self._client.publish(self._where.topic, payload, qos=1)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self._wait(lambda: self._waiting == 0)
        finally:
            self._stop()

    def _stop(self) -> None:
        self._closing = True
        self._client.disconnect()
        self._client.loop_stop()

    def _wait(self, until: Any) -> None:
        with self._change:
            while not self._failure and not until():
                self._change.wait(1.0)
        if self._failure:
            raise UsageError(f"MQTT broker {self._where}: {self._failure}", f"set {mqtt.VARIABLES}")

    def _notify(self, **state: Any) -> None:
        with self._change:
            for name, value in state.items():
                setattr(self, name, value)
            self._change.notify_all()

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if not reason.is_failure:
            self._notify(_connected=True)
        elif why := mqtt.final(reason):
            self._notify(_failure=why)
        else:
            _warn(f"MQTT broker {self._where}: {reason}; trying again")

    def _on_connect_fail(self, client: Any, userdata: Any) -> None:
        error = mqtt.connection_error()
        if why := mqtt.final(error):
            self._notify(_failure=why)
        else:
            _warn(f"MQTT broker {self._where}: {error}; trying again")

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._notify(_connected=False, _again=True)
        if not self._closing:
            _warn(f"MQTT broker {self._where}: {reason}; connecting again")

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._notify(_failure=f"the broker refuses a message: {reason}")
        with self._change:
            self._waiting -= 1
            self._change.notify_all()


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
