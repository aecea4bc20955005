"""How many messages wait for their acknowledgement, counted from two threads."""

from __future__ import annotations

import sys
from threading import Thread
from types import SimpleNamespace

import pytest

from anomalynet.detection.replay.publish import Publisher

MESSAGES = 20_000


def test_acknowledgements_are_counted_while_messages_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("paho.mqtt.client.Client.publish", lambda *_, **__: None)
    publisher = Publisher("mqtt://127.0.0.1/x")
    publisher.connected = True
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def acknowledge() -> None:
        for number in range(MESSAGES):
            publisher._on_publish(None, None, number, SimpleNamespace(is_failure=False), None)

    network = Thread(target=acknowledge)
    network.start()
    try:
        for _ in range(MESSAGES):
            publisher("x")
    finally:
        network.join()
        sys.setswitchinterval(before)
    assert publisher._waiting == 0
