"""Reads from an MQTT broker. Messages are acknowledged only after they are stored, so with QoS 1 no
message is lost while the detector is not running."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from anomalynet.detection.service import mqtt
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sources import Raw

RECEIVE_MAXIMUM = 2000  # largest number of unacknowledged messages
INBOX_BYTES = 64 << 20  # largest size of waiting messages; then receiving pauses
OVERHEAD = 400  # approximate bytes of a waiting message besides its payload

# Seconds, and number of consecutive connections shorter than that, after which a second client with
# the same id is suspected: brokers do not always report it.
SHORT, SHORT_ONES = 5.0, 4

# After a batch with more messages, `collect` sleeps so that the next batch can grow. Otherwise the
# network thread would wait for the interpreter lock at each message.
FEW = 4
OWN_ID = "give each detector its own --client-id"


class MqttSource(mqtt.Connection):
    """A persistent session: the broker stores messages while the detector is not running, until the
    session expires. `where`: the broker and the topic filter; `client_id`: of the session, each
    detector needs its own; `status_topic` gets "online" or "offline" as a retained message, also
    from the broker when the connection is lost; payloads longer than `max_bytes` are counted."""

    ended = False

    def __init__(
        self,
        where: mqtt.Address,
        client_id: str,
        *,
        session_expiry: int,
        status_topic: str,
        max_bytes: int,
        problems: ProblemLog,
    ) -> None:
        def report(what: str, why: str) -> None:
            problems.add(f"connection {what}", why)

        super().__init__(where, client_id, report, manual_ack=True)
        self._expiry, self._status = session_expiry, status_topic
        self._max_bytes, self._problems = max_bytes, problems
        self._inbox: deque[Raw] = deque()
        self._bytes = 0
        self._busy = False
        self._connection = 0  # an acknowledgement is only valid on the connection of its message
        self._acknowledging = threading.RLock()
        self._began, self._short = 0.0, 0
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.will_set(status_topic, "offline", qos=1, retain=True)

    def start(self, position: bytes) -> None:
        """Connect in the background; the broker knows the position."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._expiry
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self.open(clean_start=False, properties=properties)

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """See `Source`. Raises UsageError: the broker refuses this client permanently."""
        if self._busy:
            time.sleep(seconds)
        self.wait(lambda: self._inbox or self._busy, seconds)
        batch = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
        self._busy = len(batch) > FEW
        with self.change:
            self.update(_bytes=self._bytes - sum(map(_size, batch)))
        return batch

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        """Acknowledge to the broker. Messages of an earlier connection are skipped: the broker
        sends them again."""
        with self._acknowledging:
            for raw in batch:
                if raw.token is not None and raw.token[0] == self._connection:
                    self.client.ack(raw.token[1], 1)

    def close(self, reason: Any = None) -> None:
        """Disconnect; the broker publishes "offline" and keeps the session."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.reasoncodes import ReasonCode

        super().close(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))

    def on_connected(self) -> None:
        """Subscribe."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        self._began = time.monotonic()
        retained = SubscribeOptions.RETAIN_DO_NOT_SEND
        options = SubscribeOptions(qos=1, noLocal=True, retainHandling=retained)
        self.client.subscribe(self.where.topic, options=options)

    def on_lost(self, reason: Any) -> None:
        """Messages of this connection cannot be acknowledged any more."""
        with self._acknowledging:
            self._connection += 1
        if str(reason) == "Session taken over":
            self.update(failure=f"another client has connected with this client id, {OWN_ID}")
            return
        super().on_lost(reason)
        if not self.closing and self.failure is None:
            self._short = self._short + 1 if time.monotonic() - self._began < SHORT else 0
            if self._short == SHORT_ONES:
                why = f"another client may use this client id, {OWN_ID}"
                self._problems.add("connections end early", why)

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, reasons: Any, more: Any) -> None:
        if reasons and reasons[0].is_failure:
            why = f"the broker refuses the subscription to {self.where.topic}: {reasons[0]}"
            self.update(failure=why)
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
        with self.change:
            self.change.wait_for(lambda: self._bytes < INBOX_BYTES or self.closing)
            self._inbox.append(raw)
            self.update(_bytes=self._bytes + _size(raw))


def _size(raw: Raw) -> int:
    return OVERHEAD + len(raw.payload or b"")
