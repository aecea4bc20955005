"""`detect FILE`: alarms, scores and the summary of a small recording counted by hand."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.detection import recording
from anomalynet.detection.sinks import targets
from anomalynet.detection.sinks.targets import Delivery
from anomalynet.metrics.events import AlarmRule
from tests.detection.broker import free_port

COLUMNS = ("device", "time", "a", "label", "incident", "kind")
ROWS: list[dict[str, Any]] = [
    dict(zip(COLUMNS, (row[0], f"2026-01-01T00:0{row[1]}:00Z", *row[2:]), strict=True))
    for row in [
        ("n1", 0, 1.0, 0, None, None),
        ("n2", 0, 1.0, 0, None, None),
        ("n1", 1, None, 1, 5, "crash"),  # the incident begins
        ("n2", 1, 99.0, 0, None, None),  # an alarm on a device without it: false
        ("n1", 2, 12.5, 1, 5, "crash"),  # found after a minute
        ("n2", 2, 1.0, 1, 6, "drift"),  # never found
    ]
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        time = pl.col("time").str.to_datetime(time_zone="UTC")
        pl.DataFrame(rows).with_columns(time).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], model: Path) -> Run:
    """Exit code, stdout, stderr of `anomalynet detect` with these arguments."""

    def detect(*arguments: object) -> tuple[int, str, str]:
        code = main(["detect", "--model", str(model), *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return detect


@pytest.mark.parametrize("order", ["by time", "by device"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_alarms_and_evaluation(tmp_path: Path, run: Run, kind: str, order: str) -> None:
    rows = ROWS if order == "by time" else sorted(ROWS, key=lambda row: str(row["device"]))
    code, out, err = run(write(tmp_path / f"rows.{kind}", rows))
    assert code == 0
    events = [event for event in map(json.loads, out.splitlines()) if event["kind"] == "alarm"]
    alarms = sorted((event["device"], event["score"]) for event in events)
    assert alarms == [("n1", 12.5), ("n2", 99.0)]
    # Two in three minutes, each of two devices.
    assert "6 readings, 6 of 6 steps scored in " in err
    assert "\n2 alarms, 480.00 per device and day\n" in err
    assert "tiny r1, trained on made, threshold 10\n" in err
    assert "crash: 1 of 1 incidents detected, median delay 60 s" in err
    assert "drift: 0 of 1 incidents detected\n" in err
    # One in three minutes, each of two devices.
    assert "1 false alarm, 240.00 per device and day\n" in err


def test_the_summary_as_json(tmp_path: Path, run: Run) -> None:
    file = write(tmp_path / "rows.csv", ROWS)
    code, out, _ = run(file, "--json", "--alarms", tmp_path / "alarms.jsonl")
    assert code == 0
    summary = json.loads(out)
    crash = {"incidents": 1, "detected": 1, "median_delay": 60.0}
    assert summary["evaluation"]["kinds"]["crash"] == crash
    rates = [summary["evaluation"][f"false_alarms_per_{of}_day"] for of in ("device", "fleet")]
    assert rates == pytest.approx([240.0, 480.0])
    counts = [summary[name] for name in ("readings", "scored", "alarms", "rejected")]
    assert counts == [6, 6, 2, {}]
    assert len((tmp_path / "alarms.jsonl").read_text().splitlines()) == 3  # one is cleared


def test_without_an_alarm_the_highest_stretches_are_named(tmp_path: Path, run: Run) -> None:
    code, out, err = run(write(tmp_path / "rows.csv", ROWS), "--threshold", 100)
    one, two = (f"2026-01-01T00:0{minute}:00Z" for minute in (1, 2))
    assert (code, out) == (0, "") and "\n0 alarms, 0.00 per device and day" in err
    assert "tiny r1, trained on made, threshold 100\n" in err
    below = "below the threshold"
    names = [f"n2: 99 at {one}, {below}", "by a", f"n1: 12.5 at {two}, {below}", "by a"]
    assert [line[5:] for line in err.splitlines() if line.startswith("  ")][:4] == names
    code, out, _ = run(
        write(tmp_path / "rows.csv", ROWS), "--json", "--alarms", tmp_path / "a.jsonl"
    )
    marks = {"alarms": 1, "no_readings": False, "channels": ["a"]}
    assert json.loads(out)["highest"][0] == {
        "device": "n2",
        "time": one,
        "until": one,
        "peak": one,
        "score": 99.0,
        **marks,
    }
    events = list(map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines()))
    assert [each["score"] for each in events if each["device"] == "n2"] == [99.0, 99.0]


def test_from_python_a_call_returns_the_summary(tmp_path: Path, model: Path) -> None:
    file, scores = write(tmp_path / "rows.csv", ROWS), tmp_path / "scores.csv"
    reported: list[dict[str, Any]] = []
    twice = AlarmRule(k=2, n=2)
    summary = recording.detect_file(
        file, model, rule=twice, scores=scores, allowed={"n1"}, report=reported.append
    )
    assert [summary[name] for name in ("devices", "readings", "scored", "alarms")] == [1, 6, 3, 0]
    assert summary["rejected"] == {"unknown device": 3}
    assert reported == [summary] and len(scores.read_text().splitlines()) == 1 + 3
    assert recording.detect_file(file, model, rule=AlarmRule(threshold=0.5))["alarms"] == 3


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_scores_of_every_step_and_the_same_again(tmp_path: Path, run: Run, kind: str) -> None:
    file, alarms = write(tmp_path / "rows.csv", ROWS), tmp_path / "alarms.jsonl"
    scores, time = tmp_path / f"scores.{kind}", "2026-01-01T00:0{}:00.000000Z"
    for _ in range(2):
        assert run(file, "--scores", scores, "--alarms", alarms)[0] == 0
        lines = scores.read_text().splitlines()
        if kind == "csv":
            steps = [f"n1,{time},1,1.0", f"n2,{time},1,1.0"]
            assert lines[:3] == ["device,time,observed,score", *(one.format(0) for one in steps)]
            assert lines[3] == f"n1,{time},1,0.0".format(1)
        else:
            step = {"device": "n1", "time": time.format(1), "observed": True, "score": 0.0}
            assert json.loads(lines[2]) == step
        assert len(lines) == 6 + (kind == "csv")
        assert len(alarms.read_text().splitlines()) == 3


def test_alarms_that_nobody_takes_are_a_failure_and_the_rest_is_done(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "STALL", 0.1)
    dead = f"http://127.0.0.1:{free_port()}/hook"
    scores, alarms = tmp_path / "scores.csv", tmp_path / "alarms.jsonl"
    file = write(tmp_path / "rows.csv", ROWS)
    code, out, err = run(file, "--alarms", dead, "--alarms", alarms, "--scores", scores)
    assert (code, out) == (1, "")
    assert "3 alarms were not delivered" in err and "→" in err
    assert len(alarms.read_text().splitlines()) == 3
    assert len(scores.read_text().splitlines()) == 7


def test_more_alarms_than_a_queue_holds_wait_for_a_slow_receiver(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "MAX_QUEUED", 10)
    monkeypatch.setattr(recording, "EVENTS", 10)
    sent: list[str] = []

    def send(key: str, line: str) -> None:
        time.sleep(0.001)
        sent.append(key)

    monkeypatch.setattr(targets, "webhook", lambda url, problems: Delivery("slow", send, problems))
    rows = [{"device": f"n{number}", "time": 60, "a": 20.0} for number in range(100)]
    code, _, err = run(write(tmp_path / "rows.csv", rows), "--alarms", "https://host/x")
    assert code == 0, err
    assert len(set(sent)) == 100


def test_kinds_of_incidents_are_whatever_their_json_is(tmp_path: Path, run: Run) -> None:
    kinds = ["x", 7, ["x"], {"a": 1}]
    rows = [
        {"device": f"n{at}", "time": 60, "values": [20.0], "label": 1, "incident": at, "kind": kind}
        for at, kind in enumerate(kinds)
    ]
    code, out, err = run(write(tmp_path / "rows.jsonl", rows), "--json")
    assert code == 0, err
    assert list(json.loads(out)["evaluation"]["kinds"]) == ["7", "['x']", "x", "{'a': 1}"]


def test_a_file_without_labels_is_not_evaluated(tmp_path: Path, run: Run) -> None:
    rows = [{"series": row["device"], "time": row["time"], "a": row["a"]} for row in ROWS]
    code, _, err = run(write(tmp_path / "rows.csv", rows))
    assert code == 0
    assert "incidents" not in err


START = "n1,2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("bad", "line", "word"),
    [
        ("n1,2026-01-01T00:01:00Z,warm", 3, "warm"),
        ("n1,noon,5", 3, "noon"),
        (",2026-01-01T00:01:00Z,5", 3, "device"),
        ("n1,4", 3, "fields"),
        ("n1,2025-12-31T00:00:00Z,5", 3, "not sorted"),
        ("n2,1969-12-31T23:59:59Z,5", 3, "1970"),
        (f"{START},6", None, ""),  # counted by the engine, as in messages
    ],
)
def test_a_table_is_refused_with_its_line(
    tmp_path: Path, run: Run, bad: str, line: int | None, word: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"device,time,a\n{START},5\n{bad}\n\nn1,2026-01-01T00:05:00Z,6\n")
    code, out, err = run(file, "--json")
    if line is None:
        assert (code, json.loads(out)["rejected"]) == (0, {"duplicate": 1})
        return
    assert (code, json.loads(out)["error"]["exit_code"]) == (2, 2)
    assert f"{file}:{line}" in err and word in err


def test_cells_of_json_lines_that_cannot_be_read_are_counted(tmp_path: Path, run: Run) -> None:
    rows: list[dict[str, Any]] = [
        {"device": "n1", "time": 1, "a": 5, "label": 0},
        {"device": "n1", "time": 2, "a": "warm", "label": "perhaps"},
        {"device": "n1", "time": "noon", "a": 5},
        {"device": "", "time": 3, "a": 5},
        {"device": "n1", "time": 5, "a": "6.5"},
    ]
    code, out, _ = run(write(tmp_path / "rows.jsonl", rows), "--json")
    assert code == 0
    summary = json.loads(out)
    wrong = ("not a number", "bad time", "bad device", "unknown label")
    assert summary["rejected"] == dict.fromkeys(wrong, 1)
    assert (summary["readings"], summary["scored"]) == (3, 3)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_alarms_without_a_label_are_not_judged(tmp_path: Path, run: Run, kind: str) -> None:
    labels = ["attack", " Attack", None, "normal", "TRUE"]
    rows = [
        {"device": name, "time": f"2026-01-01T00:{at:02}:00Z", "a": 20.0 * (at % 2), "label": each}
        for name, own in (("n1", labels), ("n2", [None] * 5))
        for at, each in enumerate([*own, None])
    ]
    file = write(tmp_path / f"rows.{kind}", rows)
    assert "  attack: 1 of 2 incidents detected" in run(file)[2]
    code, out, _ = run(file, "--json")
    found = json.loads(out)["evaluation"]
    # Alarms of n1 at rows 1 (attack), 3 (normal) and 5 (no label), of n2 at three without a label.
    assert code == 0
    assert found["kinds"] == {"unnamed": {"incidents": 2, "detected": 1, "median_delay": 60.0}}
    assert [found[name] for name in ("alarms", "false_alarms", "unjudged")] == [6, 1, 4]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.csv", None, "no such file"),
        ("rows.txt", b"a", "only one column, 'a'"),
        ("rows.csv", b"", "empty"),
        ("rows.csv", b"device,a\nn1,1\n", "missing column 'time'"),
        ("rows.csv", b"device,time,b\nn1,1,1\n", "missing column 'a'"),
        ("rows.csv", b"device,time,a\n", "no rows"),
        ("rows.csv", b"device,time,a\nn1,1,\xff\n", "rows.csv:2: not UTF-8"),
        ("rows.csv", b"device,time,a\nn1,1,\x00" + b"x" * 2_000_000, "rows.csv:2: "),
        ("rows.parquet", b"hello", "not a Parquet file"),
    ],
)
def test_one_message_for_what_is_no_recording(
    tmp_path: Path, run: Run, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = run(tmp_path / name)
    assert (code, out) == (2, "")
    assert told in err and "Traceback" not in err


@pytest.mark.parametrize("option", ["--alarms", "--scores"])
def test_a_file_that_is_not_ours_is_left_as_it_is(tmp_path: Path, run: Run, option: str) -> None:
    own = tmp_path / "notes.csv"
    own.write_text("my notes\nwithout an end")
    code, _, err = run(write(tmp_path / "rows.csv", ROWS), option, own)
    assert code == 2
    assert "exists and is not a file of" in err
    assert own.read_text() == "my notes\nwithout an end"


def test_values_of_a_table_that_no_network_can_read_are_counted(tmp_path: Path, run: Run) -> None:
    file = write(tmp_path / "rows.csv", ROWS)
    file.write_text(file.read_text().replace("99.0", "1e300"))
    code, out, err = run(file, "--json")
    assert (code, json.loads(out)["rejected"]) == (0, {"not a number": 1})
    assert "not a number: sensor 'a': 1 readings of 1e+18 or more are missing" in err


def test_rows_in_no_order_are_refused(tmp_path: Path, run: Run) -> None:
    rows = [ROWS[2], ROWS[0], ROWS[1], *ROWS[3:]]
    code, _, err = run(write(tmp_path / "rows.csv", rows))
    assert code == 2 and "sort its rows by device and time" in err


def test_a_pipe_is_no_recording(tmp_path: Path, run: Run) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    code, _, err = run(tmp_path / "pipe.csv")
    assert code == 2 and "not a regular file" in err and "--follow -" in err


def test_a_failure_leaves_the_old_scores(tmp_path: Path, run: Run) -> None:
    scores, bad = tmp_path / "scores.csv", tmp_path / "bad.csv"
    run(write(tmp_path / "rows.csv", ROWS), "--scores", scores)
    before = scores.read_text()
    bad.write_bytes(b"device,time,a\nn1,1,1\n\xff")
    assert run(bad, "--scores", scores)[0] == 2
    assert scores.read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "rows.csv", "scores.csv"]


TO = "--follow - --alarms"
WRONG = {
    "": "give exactly one of FILE, --follow and --mqtt",
    "x.csv --follow -": "give exactly one of FILE, --follow and --mqtt",
    "x.csv --state s": "--state needs --follow",
    "--mqtt me:secret@host/x": "ANOMALYNET_MQTT_USERNAME",
    "--mqtt MQTTS://me:secret@host/x": "ANOMALYNET_MQTT_USERNAME",
    "--mqtt mqtt:/me:secret@host/x": "ANOMALYNET_MQTT_USERNAME",
    f"{TO} mqtt://me:secret@host/x": "ANOMALYNET_MQTT_USERNAME",
    f"{TO} MQTTS://me:secret@host/x": "ANOMALYNET_MQTT_USERNAME",
    f"{TO} me:secret@host/x": "ANOMALYNET_MQTT_USERNAME",
    f"{TO} https://me:secret@host/x": "ANOMALYNET_WEBHOOK_TOKEN",
    f"{TO} HTTPS://secret@host/x": "ANOMALYNET_WEBHOOK_TOKEN",
    f"{TO} https:/me:secret@host/x": "ANOMALYNET_WEBHOOK_TOKEN",
    f"{TO} https://host/x@secret": "ANOMALYNET_WEBHOOK_TOKEN",
    "mqtt://me:secret@host/topic": "the address contains credentials",
    f"{TO} ftp://host/secret": "neither MQTT nor a webhook",
    f"{TO} https:/host/secret": "invalid URL of a webhook",
    "--mqtt mqtt://host": "no topic",
    "--follow rows.parquet": "what is followed is CSV or JSON lines",
    "--mqtt http://host/x": "not an MQTT address",
    "--mqtt mqtt://host:99999/x": "not an MQTT address",
    "--follow - --metrics nowhere": "--metrics [HOST:]PORT",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_arguments_that_cannot_be(run: Run, arguments: str) -> None:
    code, out, err = run(*arguments.split())
    assert (code, out) == (2, "")
    assert WRONG[arguments] in err and "secret" not in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rows.csv", "device,time,a\nn,1,2.5\nn,61,TRUE\n", ["rows.csv:3: ", "'TRUE'"]),
        ("rows.csv", "device,time,a\nn,01/02/2024,2\n", ["rows.csv:2: ", "ambiguous"]),
        ("rows.jsonl", '{"device": "n", "time": 1, "a": "2,5"}\n', ["no value of 'a'"]),
        ("rows.jsonl", '{"device": "n", "time": 1e13, "a": 2}\n', ["no reading was taken"]),
    ],
)
def test_values_that_cannot_be_read_are_an_error_without_options_of_an_import(
    run: Run, tmp_path: Path, name: str, text: str, words: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    code, _, err = run(tmp_path / name)
    assert code == 2 and all(word in err for word in words)
    assert "--null" not in err and "--time-format" not in err and "→ " in err


def test_a_csv_needs_polars_alone_of_what_training_needs(tmp_path: Path, model: Path) -> None:
    """As on a gateway, where nothing else of the package's dependencies is installed."""
    file = write(tmp_path / "rows.csv", ROWS)
    absent = [
        "torch",
        "lightning",
        "filelock",
        "yaml",
        "omegaconf",
        "optuna",
        "scipy",
        "sklearn",
        "simpy",
        "pooch",
    ]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({absent}))  # import of None fails
from anomalynet.detection.recording import detect_file
from pathlib import Path
print(detect_file(Path({str(file)!r}), Path({str(model)!r}))["scored"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["6"]
