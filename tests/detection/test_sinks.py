"""Alarms arrive once in files, at least once behind a network, in order; no secret goes astray."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from anomalynet.detection.service.mqtt import address, make_client
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sinks import files, targets
from anomalynet.detection.sinks.files import JsonLines
from anomalynet.detection.sinks.targets import Delivery, sinks
from anomalynet.errors import RunError, UsageError
from tests.detection.broker import until
from tests.detection.fake import event

FIRST, SECOND = event("a", 1, 11.0), event("b", 2, 12.0)


def test_a_file_keeps_each_event_once_over_restarts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, notes = tmp_path / "alarms.jsonl", []
    for events in ([FIRST], [FIRST, SECOND], [SECOND, SECOND, event("a", 1, 11.0, "cleared")]):
        sink = JsonLines(path)
        sink.put(events)
        sink.close()
        notes.append(capsys.readouterr().err)
    assert not notes[0]
    assert all(str(path) in note and "appended" in note for note in notes[1:])
    lines = map(json.loads, path.read_text().splitlines())
    expected = [(FIRST.id, "alarm"), (SECOND.id, "alarm"), (FIRST.id, "cleared")]
    assert [(line["id"], line["kind"]) for line in lines] == expected


def test_of_a_long_file_the_newest_events_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "REMEMBERED", 3)
    events = [event("a", time, 11.0) for time in range(10)]
    sink = JsonLines(tmp_path / "alarms.jsonl")
    for each in events:
        sink.put([each])
    again = JsonLines(tmp_path / "alarms.jsonl")
    again.put(events[-3:])
    assert len((tmp_path / "alarms.jsonl").read_text().splitlines()) == 10
    again.put(events[:1])  # the oldest is not known any more
    assert len((tmp_path / "alarms.jsonl").read_text().splitlines()) == 11


def test_torn_at_every_byte_of_its_last_line_it_is_made_whole(tmp_path: Path) -> None:
    whole = (FIRST.to_json() + "\n" + SECOND.to_json() + "\n").encode()
    for length in range(len(FIRST.to_json()) + 1, len(whole)):
        path = tmp_path / "alarms.jsonl"
        path.write_bytes(whole[:length])
        sink = JsonLines(path)
        sink.put([FIRST, SECOND])
        sink.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"notes\n", b"notes", b"[]\n", b'{"id": 1}\n', b"\xff\n"])
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alarms.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a file of alarms"):
        JsonLines(path)
    assert path.read_bytes() == content


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(UsageError, match="/dev/null: is not a regular file"):
        JsonLines(Path("/dev/null"))


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLines(tmp_path / "alarms.jsonl")
    sink.put([FIRST])
    monkeypatch.setattr("os.pwrite", lambda file, content, at: 3)
    with pytest.raises(RunError, match="incomplete write"):
        sink.put([SECOND])
    monkeypatch.undo()
    assert (tmp_path / "alarms.jsonl").read_text() == FIRST.to_json() + "\n"


def test_delivery_tries_again_in_order_and_tells_what_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "LONGEST_PAUSE", 0.01)
    tried: list[str] = []

    def send(key: str, line: str) -> None:
        tried.append(key)
        if len(tried) < 3:
            raise OSError("away")

    told: list[str] = []
    problems = ProblemLog(told.append)
    sink = Delivery("x", send, problems)
    sink.put([FIRST, SECOND])
    assert len(sink.pending()) == 2
    sink.start()
    until(lambda: not sink.pending(), "all is delivered")
    keys = [f"{FIRST.id}-alarm", f"{SECOND.id}-alarm"]
    assert tried == [keys[0], keys[0], keys[0], keys[1]]
    assert sink.delivered() == keys
    assert sink.delivered() == []
    assert problems.counts == {"delivery to x failed": 2}
    assert told == ["delivery to x failed: away (further ones are only counted)"]


def test_the_queue_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MAX_QUEUED", 2)
    problems = ProblemLog(lambda line: None)
    sink = Delivery("x", lambda key, line: None, problems)
    sink.put([event("a", time, 11.0) for time in range(5)])
    newest = [event("a", time, 11.0).to_json() for time in (3, 4)]
    assert sink.pending() == newest
    assert problems.counts == {"alarms dropped, queue of x is full": 3}
    assert sink.undelivered() == 5


def test_draining_waits_while_something_arrives_and_once_for_what_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "STALL", 0.3)
    monkeypatch.setattr(targets, "LONGEST_PAUSE", 0.01)
    away = False

    def send(key: str, line: str) -> None:
        if away:
            raise OSError("away")
        time.sleep(0.05)

    sink = Delivery("x", send, ProblemLog(lambda line: None))
    sink.start()
    sink.put([event("a", time, 11.0) for time in range(20)])
    sink.drain()
    assert sink.undelivered() == 0
    away = True
    sink.put([FIRST, SECOND])
    sink.drain()
    monkeypatch.setattr(targets, "STALL", 1e6)
    sink.drain()  # at once
    assert sink.undelivered() == 2


def test_what_another_process_left_is_delivered_unless_it_was_already() -> None:
    sent: list[str] = []
    sink = Delivery("x", lambda key, line: sent.append(line), ProblemLog(lambda line: None))
    sink.restore([FIRST.to_json(), SECOND.to_json()])
    sink.forget(f"{FIRST.id}-alarm")
    sink.start()
    until(lambda: sent, "it is sent")
    sink.close()
    assert sent == [SECOND.to_json()]


def test_delivery_survives_what_nobody_expected_and_tells_only_its_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "LONGEST_PAUSE", 0.01)
    sent: list[str] = []

    def send(key: str, line: str) -> None:
        sent.append(key)
        if len(sent) == 1:
            raise ValueError("Invalid header value b'Bearer s3cret'")

    told: list[str] = []
    sink = Delivery("x", send, ProblemLog(told.append))
    sink.put([FIRST])
    sink.start()
    until(lambda: not sink.pending(), "all is delivered")
    assert len(sent) == 2
    assert told == ["delivery to x failed: ValueError (further ones are only counted)"]


@pytest.mark.parametrize(
    ("target", "user"),
    [("mqtt://localhost:1884/x", "of alarms"), ("mqtt://localhost/x", "of readings")],
)
def test_only_their_own_broker_gets_the_credentials_of_readings(
    monkeypatch: pytest.MonkeyPatch, target: str, user: str
) -> None:
    for kind in ("readings", "alarms"):
        name = {"readings": "MQTT", "alarms": "ALARMS"}[kind]
        monkeypatch.setenv(f"ANOMALYNET_{name}_USERNAME", f"of {kind}")
        monkeypatch.setenv(f"ANOMALYNET_{name}_PASSWORD", "s3cret")
    used: list[str] = []
    client = "paho.mqtt.client.Client"
    monkeypatch.setattr(f"{client}.username_pw_set", lambda _, name, password: used.append(name))
    monkeypatch.setattr(f"{client}.loop_start", lambda _: None)
    sinks([target], ProblemLog(), address("mqtt://localhost/sensors/#"))
    assert used == [user]


def test_a_password_is_not_sent_in_clear_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYNET_MQTT_USERNAME", "me")
    monkeypatch.setenv("ANOMALYNET_MQTT_PASSWORD", "s3cret")
    with pytest.raises(UsageError, match="unencrypted") as refused:
        make_client(address("mqtt://example.org/x"), "")
    assert "s3cret" not in str(refused.value)
    make_client(address("mqtts://example.org/x"), "")
    make_client(address("mqtt://127.0.0.1/x"), "")


def test_each_target_is_one_sink(tmp_path: Path) -> None:
    file = str(tmp_path / "a.jsonl")
    webhooks, brokers = ["https://host/x", "https://host/y"], ["mqtt://host/x", "mqtt://host/y"]
    made = sinks(["-", file, *webhooks, file, *brokers], ProblemLog(lambda line: None))
    names = [sink.name for sink in made]
    places = [name.rpartition(" ")[0] for name in names[2:]]
    assert places == ["webhook host"] * 2 + ["MQTT host:1883"] * 2
    assert names[:2] == ["-", file]
    assert len(set(names)) == 6  # a name is what a snapshot and the journal know a sink by
