"""Over MQTT, with a real broker, processes killed with -9: nothing is lost, no alarm is doubled."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.detection.broker import Broker, Detector, free_port, needs_mosquitto, until
from tests.detection.fake import event, samples

pytestmark = needs_mosquitto

MINUTE = 60_000_000

DEVICES = [f"d{number}" for number in range(10)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.kill()


class Publisher:
    """Publishes with QoS 1, and goes on by itself when the broker is back."""

    def __init__(self, port: int) -> None:
        self.sent = self.published = 0
        version = MQTTProtocolVersion.MQTTv5
        self.client = Client(CallbackAPIVersion.VERSION2, "publisher", protocol=version)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_publish = lambda *_: setattr(self, "published", self.published + 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, topic: str, document: object) -> None:
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.client.publish(topic, payload, qos=1)
        self.sent += 1

    def step(self, time: int) -> None:
        """One gateway's message: every device quiet, but every fourth step one alarms."""
        readings = [
            {"device": name, "values": [20.0 if time % 40 == 4 * at else 1.0]}
            for at, name in enumerate(DEVICES)
        ]
        batch = {"gateway": "g", "time": 60 * time, "sequence": time, "readings": readings}
        self.publish("sensors/g", batch)

    def wait(self) -> None:
        until(lambda: self.published == self.sent, "everything is published")

    def close(self) -> None:
        self.wait()
        self.client.disconnect()
        self.client.loop_stop()


STEPS = range(1, 401)

EXPECTED = {
    event(DEVICES[time % 40 // 4], time * MINUTE, 20.0).id for time in STEPS if time % 4 == 0
}


def ids(path: Path) -> list[str]:
    events = map(json.loads, path.read_text().splitlines()) if path.exists() else []
    return [event["id"] for event in events if event["kind"] == "alarm"]


def arguments(port: int, folder: Path) -> list[object]:
    source = ["--mqtt", f"mqtt://127.0.0.1:{port}/sensors/%23", "--patience", "0"]
    outputs = ["--alarms", folder / "alarms.jsonl", "--scores", folder / "scores.csv"]
    return [*source, "--state", folder / "state", "--snapshot-every", "0.3", *outputs]


def scored(folder: Path) -> int:
    scores = folder / "scores.csv"
    return len(scores.read_text().splitlines()) - 1 if scores.exists() else 0


def complete(folder: Path) -> bool:
    return scored(folder) >= len(STEPS) * len(DEVICES)


def assert_nothing_lost_or_doubled(folder: Path) -> None:
    assert sorted(ids(folder / "alarms.jsonl")) == sorted(EXPECTED)
    lines = (folder / "scores.csv").read_text().splitlines()[1:]
    steps = [tuple(line.split(",")[:2]) for line in lines]
    assert len(steps) == len(set(steps)) == len(STEPS) * len(DEVICES)


def online(port: int) -> bool:
    """Whether the retained status says so."""
    found: list[bytes] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda client, userdata, message: found.append(bytes(message.payload))
    client.connect("127.0.0.1", port)
    client.subscribe("anomalynet/anomalynet-r1/status")
    for _ in range(20):
        client.loop(0.05)
    client.disconnect()
    return found[-1:] == [b"online"]


@pytest.mark.slow
def test_a_detector_killed_three_times_during_traffic(
    broker: Broker, tmp_path: Path, model: Path
) -> None:
    detector = Detector(model, *arguments(broker.port, tmp_path))
    until(lambda: online(broker.port), "the detector is online")
    publisher = Publisher(broker.port)
    for time in STEPS:
        publisher.step(time)
        if time % 100 == 50 and time < 350:
            until(lambda: len(ids(tmp_path / "alarms.jsonl")) > 5, "alarms come")
            detector.kill()
        elif time % 100 == 70 and time < 370:  # twenty messages wait at the broker
            detector = Detector(model, *arguments(broker.port, tmp_path))
    publisher.close()
    until(lambda: complete(tmp_path), "everything is scored")
    code, _, err = detector.end()
    assert code == 0, err
    assert_nothing_lost_or_doubled(tmp_path)
    until(lambda: not online(broker.port), "the detector is offline")


@pytest.mark.slow
def test_a_broker_killed_twice_once_while_it_alone_has_the_messages(
    broker: Broker, tmp_path: Path, model: Path
) -> None:
    detector = Detector(model, *arguments(broker.port, tmp_path))
    until(lambda: online(broker.port), "the detector is online")
    publisher = Publisher(broker.port)
    for time in STEPS:
        publisher.step(time)
        if time == 100:
            publisher.wait()
            until(lambda: scored(tmp_path) == 100 * len(DEVICES), "the first part is scored")
            broker.restart()
        elif time == 200:
            publisher.wait()
            until(lambda: scored(tmp_path) == 200 * len(DEVICES), "the second part is scored")
            detector.kill()
        elif time == 300:
            publisher.wait()
            broker.settle()
            broker.restart()
            detector = Detector(model, *arguments(broker.port, tmp_path))
    publisher.close()
    until(lambda: complete(tmp_path), "everything is scored")
    code, _, err = detector.end(signal.SIGINT)
    assert code == 130, err
    assert_nothing_lost_or_doubled(tmp_path)


def test_it_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path, model: Path) -> None:
    port, metrics = free_port(), free_port()
    detector = Detector(model, "--mqtt", f"mqtt://127.0.0.1:{port}/x", "--metrics", metrics)

    def health() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/healthz") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    until(lambda: health() == 503, "the detector is not healthy")
    broker = Broker(tmp_path, port)
    until(lambda: health() == 200, "the detector is healthy")
    assert detector.end()[0] == 0
    broker.kill()


def test_what_is_malformed_is_counted_and_the_rest_is_scored(
    broker: Broker, tmp_path: Path, model: Path
) -> None:
    metrics = free_port()
    limits = ("--metrics", metrics, "--max-message", 1000)
    detector = Detector(model, *arguments(broker.port, tmp_path), *limits)
    until(lambda: online(broker.port), "the detector is online")
    publisher = Publisher(broker.port)
    text = b'{"device": "d", "time": 1, "values": ["warm"]}'
    for payload in (b"{", b"[]", b'{"time": 1}', b"x" * 5000, text):
        publisher.publish("sensors/x", payload)
    publisher.publish("sensors/x", {"device": "d", "time": 2, "values": [11.0]})

    def counts() -> dict[tuple[str, ...], float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
            return samples(answer.read().decode())

    last = ("anomalynet_rejected_total", "not a number")
    until(lambda: counts().get(last), "the last bad one is counted")
    until(lambda: counts()["anomalynet_alarms_total",] == 1, "the alarm is counted")
    found = counts()
    rejected = {name[1]: value for name, value in found.items() if name[0] == last[0]}
    wrong = ("malformed JSON", "not an object", "no device", "too large", "not a number")
    assert rejected == dict.fromkeys(wrong, 1.0)
    assert found["anomalynet_readings_total",] == 2
    assert found["anomalynet_latency_seconds_count",] == 2
    assert found["anomalynet_devices", "alarm"] == 1
    publisher.close()
    code, _, err = detector.end()
    assert code == 0
    assert err.count("malformed JSON") == 1


def test_alarms_are_published(broker: Broker, tmp_path: Path, model: Path) -> None:
    heard: list[dict[str, Any]] = []
    listener = Publisher(broker.port)
    listener.client.on_message = lambda _, __, message: heard.append(json.loads(message.payload))
    listener.client.subscribe("alarms", qos=1)
    target = ("--alarms", broker.url("alarms"))
    detector = Detector(model, "--mqtt", broker.url("sensors/+"), *target)
    until(lambda: online(broker.port), "the detector is online")
    listener.publish("sensors/1", {"device": "d", "time": 1, "values": [11.0]})
    until(lambda: heard, "the alarm is heard")
    assert heard[0]["id"] == event("d", 1_000_000, 11.0).id
    listener.close()
    assert detector.end()[0] == 0


@pytest.mark.slow
def test_two_detectors_with_one_client_id_are_told_so(broker: Broker, model: Path) -> None:
    detectors = [Detector(model, "--mqtt", broker.url("x")) for _ in range(2)]
    told = b""
    for detector in detectors:
        assert detector.process.stderr is not None
        os.set_blocking(detector.process.stderr.fileno(), False)

    def heard() -> bytes:
        nonlocal told
        for detector in detectors:
            assert detector.process.stderr is not None
            with suppress(BlockingIOError):
                told += os.read(detector.process.stderr.fileno(), 1 << 16)
        return told

    until(lambda: b"give each detector its own --client-id" in heard(), "it is told")
    for detector in detectors:
        detector.process.terminate()
        assert detector.process.wait() == 0
