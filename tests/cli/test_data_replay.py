"""`anomalynet data rows` and `data replay`, the latter also through brokers that fail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anomalynet.cli import main as cli
from tests.detection.broker import Broker, needs_mosquitto
from tests.detection.listener import Listener


@pytest.fixture(autouse=True)
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two devices, one reading a minute."""
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(cli, "VERBS", ("data",))
    path = tmp_path / "room.csv"
    path.write_text(
        "t,room,temp,state\n0,a,20,0\n60,a,21,1\n120,a,22,0\n0,b,NA,0\n60,b,NA,0\n120,b,19,0\n"
    )
    named = ["--name", "rooms", "--time", "t", "--series", "room", "--label", "state"]
    assert cli.main(["data", "import", str(path), *named, "--period", "60"]) == 0


@contextmanager
def broken_off(broker: Broker) -> Iterator[Broker]:
    """Ends a broker."""
    try:
        yield broker
    finally:
        broker.kill()


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    out = tmp_path / "x.csv"
    command = ["data", "rows", "rooms", "--out", str(out), "--series", "b"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == f"{out}\n"
    first = out.read_text()
    assert first.splitlines()[::3] == [
        "device,time,temp,label,incident,kind",
        "b,1970-01-01T00:02:00.000000Z,19.0,0,,",
    ]
    assert cli.main([*command[:-2], "--by", "time"]) == 2
    assert "x.csv: exists already" in capsys.readouterr().err and out.read_text() == first
    assert cli.main([*command[:-2], "--by", "time", "--replace"]) == 0
    assert [line[0] for line in out.read_text().splitlines()[1:]] == list("ababab")


def test_replay_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.main(["data", "replay", "rooms", "--out", "-", "--speed", "0", "--to", "60"]) == 0
    captured = capsys.readouterr()
    assert lines(captured.out) == [
        {
            "gateway": "rooms",
            "time": "1970-01-01T00:00:00Z",
            "sequence": 0,
            "readings": [
                {"device": "a", "time": "1970-01-01T00:00:00Z", "values": {"temp": 20.0}},
                {"device": "b", "time": "1970-01-01T00:00:00Z", "values": {}},
            ],
        },
        {
            "gateway": "rooms",
            "time": "1970-01-01T00:01:00Z",
            "sequence": 1,
            "readings": [{"device": "a", "time": "1970-01-01T00:01:00Z", "values": {"temp": 21.0}}],
        },
    ]
    assert captured.err.endswith("2 messages of 1 gateways, 3 readings\n")


def test_shift_starts_now_and_keeps_the_distances(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    from anomalynet.data.importing.cells import read_time

    before = time.time()
    assert cli.main(["data", "replay", "rooms", "--out", "-", "--speed", "0", "--shift"]) == 0
    times = [read_time(one["time"]) for one in lines(capsys.readouterr().out)]
    assert times[0] is not None and before - 1 < times[0] / 1e6 < time.time() + 1
    assert [moment and moment - times[0] for moment in times] == [0, 60_000_000, 120_000_000]


def test_speed_sets_the_pace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.monotonic", lambda: 100.0 + sum(waits))
    monkeypatch.setattr("time.sleep", waits.append)
    assert cli.main(["data", "replay", "rooms", "--out", "-", "--speed", "30"]) == 0
    assert waits == [0, 2, 2]


@pytest.mark.parametrize(
    "wrong", [["--speed", "-1"], ["--speed", "fast"], ["--from", "tomorrow"], ["--out", "x.json"]]
)
def test_wrong_arguments_are_told(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "replay", "rooms", "--out", "-", *wrong]) == 2
    assert wrong[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    ["mqtt://me:secret@host/topic", "http://host/topic", "mqtt://host", "mqtt://host/topic/#"],
)
def test_wrong_addresses_are_told_without_their_password(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "replay", "rooms", "--mqtt", url]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("anomalynet: ") and "secret" not in captured.err


@needs_mosquitto
def test_a_broker_that_refuses_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_MQTT_USERNAME", "me")
    monkeypatch.setenv("ANOMALYNET_MQTT_PASSWORD", "hunter2")
    before = set(threading.enumerate())  # other tests of this process may have left some
    with broken_off(Broker(tmp_path, allow_anonymous="false")) as broker:
        assert cli.main(["data", "replay", "rooms", "--mqtt", broker.url("t"), "--speed", "0"]) == 2
        after = set(threading.enumerate()) - before
        assert not [one.name for one in after if one.name.startswith("paho")]
    error = capsys.readouterr().err
    assert "refuses this client: Not authorized" in error and "hunter2" not in error


@needs_mosquitto
@pytest.mark.slow
def test_every_message_arrives_although_the_broker_is_killed(tmp_path: Path) -> None:
    from anomalynet.detection.replay.publish import Publisher

    with broken_off(Broker(tmp_path)) as broker, Listener(broker.port, "t") as listener:
        with Publisher(broker.url("t")) as send:
            for number in range(50):
                send(str(number))
            listener.wait_for({str(number) for number in range(50)})
            broker.settle()
            broker.kill()
            back = threading.Timer(1.0, broker.start)
            back.start()
            for number in range(50, 3000):
                send(str(number))
            back.join()
        listener.wait_for({str(number) for number in range(3000)})
    assert list(dict.fromkeys(listener.payloads)) == [str(number) for number in range(3000)]
