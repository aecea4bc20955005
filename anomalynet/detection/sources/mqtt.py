"""Readings from an MQTT broker, acknowledged only after they are kept: with QoS 1 nothing is lost
while the detector is away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from anomalynet.detection.service import mqtt
from anomalynet.detection.service.notices import Notices
from anomalynet.detection.sources import Raw
from anomalynet.errors import UsageError

RECEIVE_MAXIMUM = 2000  # messages that the broker may send before the first of them is acknowledged
INBOX_BYTES = 64 << 20  # what may wait for the detector before the connection is held up

SHORT, SHORT_ONES = 5.0, 4
"""So many connections in a row shorter than so many seconds: brokers do not always say that another
client has taken the session."""

FEW = 4
"""After a larger batch the next one is given time to gather: else the network's thread waits for
the interpreter at each message."""

OVERHEAD = 400  # bytes of a waiting message beside its payload, about


OWN_ID = "give each detector its own --client-id"


class MqttSource:
    """A durable session: the broker keeps what comes while the detector is away, up to the
    session's expiry.

    Args:
        where: the broker and the topic filter.
        client_id: names the session; two detectors must not share one.
        session_expiry: seconds.
        status_topic: retained "online" or "offline", the latter by the broker too when the
        connection is lost. max_bytes: a longer payload is dropped on arrival, and counted.
    """

    ended = False

    def __init__(
        self,
        where: mqtt.Address,
        client_id: str,
        *,
        session_expiry: int,
        status_topic: str,
        max_bytes: int,
        notices: Notices,
    ) -> None:
        self._where, self._expiry, self._status = where, session_expiry, status_topic
        self._max_bytes, self._notices = max_bytes, notices
        self._inbox: deque[Raw] = deque()
        self._bytes = 0
        self._busy = False
        self._room = threading.Condition()
        self._connection = 0  # acknowledgements are valid on the connection that delivered
        self._acknowledging = threading.RLock()
        self._failure: str | None = None
        self._began, self._short = 0.0, 0
        self._closing = False
        self.connected = False
        self._client = mqtt.make_client(where, client_id, manual_ack=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.will_set(status_topic, "offline", qos=1, retain=True)

    def start(self, place: bytes) -> None:
        """Connect, in the background; the broker knows the place."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._expiry
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        host, port = self._where.host, self._where.port
        self._client.connect_async(host, port, 30, clean_start=False, properties=properties)
        self._client.loop_start()

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """See `Source`. Raises UsageError: the broker refuses this client for good."""
        if self._busy:
            time.sleep(seconds)
        elif not self._inbox and self._failure is None:
            with self._room:
                self._room.wait_for(lambda: self._inbox or self._failure, seconds)
        if self._failure is not None:
            raise UsageError(f"MQTT broker {self._where}: {self._failure}", f"set {mqtt.VARIABLES}")
        batch = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
        self._busy = len(batch) > FEW
        with self._room:
            self._bytes -= sum(map(_size, batch))
            self._room.notify_all()
        return batch

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        """Tell the broker; what another connection delivered it will send again, and is
        acknowledged then."""
        with self._acknowledging:
            for raw in batch:
                if raw.token is not None and raw.token[0] == self._connection:
                    self._client.ack(raw.token[1], 1)

    def close(self) -> None:
        """Disconnect, and let the broker say "offline"; the session stays."""
        with self._room:
            self._closing = True
            self._room.notify_all()
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.reasoncodes import ReasonCode

        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        self._client.loop_stop()

    def _fail(self, why: str) -> None:
        with self._room:
            self._failure = why
            self._room.notify_all()

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            if why := mqtt.final(reason):
                self._fail(why)
            else:
                self._notices.add("connection refused", reason)
            return
        from paho.mqtt.subscribeoptions import SubscribeOptions

        self.connected = True
        self._began = time.monotonic()
        retained = SubscribeOptions.RETAIN_DO_NOT_SEND
        options = SubscribeOptions(qos=1, noLocal=True, retainHandling=retained)
        client.subscribe(self._where.topic, options=options)

    def _on_connect_fail(self, client: Any, userdata: Any) -> None:
        error = mqtt.connection_error()
        if why := mqtt.final(error):
            self._fail(why)
        else:
            self._notices.add("connection failed", f"{self._where}: {error}; trying again")

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        with self._acknowledging:
            self._connection += 1
        self.connected = False
        if str(reason) == "Session taken over":
            self._fail(f"another client has connected with this client id, {OWN_ID}")
        elif not self._closing and self._failure is None:
            self._notices.add("connection lost", f"{self._where}: {reason}; connecting again")
            self._short = self._short + 1 if time.monotonic() - self._began < SHORT else 0
            if self._short == SHORT_ONES:
                why = f"another client may use this client id, {OWN_ID}"
                self._notices.add("connections end soon", why)

    def _on_subscribe(
        self, client: Any, userdata: Any, mid: int, reasons: Any, properties: Any
    ) -> None:
        if reasons and reasons[0].is_failure:
            self._fail(f"it refuses to subscribe to {self._where.topic}: {reasons[0]}")
        else:
            client.publish(self._status, "online", qos=1, retain=True)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        payload: bytes | None = message.payload if len(message.payload) <= self._max_bytes else None
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        token = (self._connection, message.mid) if message.qos else None
        raw = Raw(topic, payload, time.time(), token)
        with self._room:
            self._room.wait_for(lambda: self._bytes < INBOX_BYTES or self._closing)
            self._inbox.append(raw)
            self._bytes += _size(raw)
            self._room.notify_all()


def _size(raw: Raw) -> int:
    return OVERHEAD + len(raw.payload or b"")
