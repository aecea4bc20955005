"""Alarms as messages of an MQTT broker."""

from __future__ import annotations

from typing import Any

from anomalynet.detection.sinks.delivery import Delivery, named
from anomalynet.detection.stream.mqtt import (
    ALARMS,
    READINGS,
    Address,
    connection_error,
    final,
    make_client,
    one_topic,
)
from anomalynet.detection.stream.notices import Notices

TIMEOUT = 10.0
"""Seconds until a message that the broker has not acknowledged is sent again."""


def mqtt(url: str, notices: Notices, readings: Address | None = None) -> Delivery:
    """A sink that publishes each event with QoS 1 to the address's topic; one that is published
    again has the same id.

    Args:
        readings: where they come from; another broker does not get the credentials of that one.

    Raises:
        UsageError: not such an address, or one with wildcards.
    """
    where = one_topic(url)
    same = readings is not None and (where.host, where.port) == (readings.host, readings.port)
    client = make_client(where, "", credentials=READINGS if same else ALARMS)

    def connected(client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            notices.add("connection for alarms refused", f"{where}: {reason}; trying again")

    def connect_failed(client: Any, userdata: Any) -> None:
        error = connection_error()
        notices.add(
            "connection for alarms failed", f"{where}: {final(error) or error}; trying again"
        )

    client.on_connect, client.on_connect_fail = connected, connect_failed
    client.connect_async(where.host, where.port, keepalive=30, clean_start=True)
    client.loop_start()

    def send(key: str, line: str) -> None:
        if not client.is_connected():
            raise OSError("not connected")
        published = client.publish(where.topic, line, qos=1)
        try:
            published.wait_for_publish(TIMEOUT)
        except (RuntimeError, ValueError) as error:
            raise OSError(str(error)) from None
        if not published.is_published():
            raise OSError("not acknowledged")

    def end() -> None:
        client.disconnect()
        client.loop_stop()

    return Delivery(named(f"MQTT {where}", url), send, notices, end)
