"""Everything that a topic brings, in a durable session."""

from __future__ import annotations

import time
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Listener:
    """Subscribed inside a `with`; `payloads` are in the order of their arrival, repeated deliveries
    included."""

    def __init__(self, port: int, topic: str) -> None:
        self.payloads: list[str] = []
        self._subscribed = False
        version = MQTTProtocolVersion.MQTTv5
        self._client = Client(CallbackAPIVersion.VERSION2, "listener", protocol=version)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda *each: self.payloads.append(each[2].payload.decode())
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=session)

    def wait_for(self, payloads: set[str]) -> None:
        """Wait until all of them came."""
        for _ in range(600):
            if payloads <= set(self.payloads):
                return
            time.sleep(0.05)
        raise TimeoutError(f"{len(payloads - set(self.payloads))} messages did not arrive")

    def __enter__(self) -> Self:
        self._client.loop_start()
        for _ in range(200):
            if self._subscribed:
                return self
            time.sleep(0.05)
        raise TimeoutError("not subscribed")

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed = True
