"""`detect --follow` as a process: pipes, signals, exit codes, kill -9, and what it imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from tests.detection.broker import ROOT, Detector, until
from tests.detection.fake import event

READINGS = [
    {"device": f"d{time % 3}", "time": 20 * time, "values": [20.0 if time % 7 == 0 else 1.0]}
    for time in range(1, 301)
]

LINES = [json.dumps(reading) + "\n" for reading in READINGS]

EXPECTED = [
    event(f"d{time % 3}", time * 20_000_000, 20.0).id for time in range(1, 301) if time % 7 == 0
]


def ids(text: str) -> list[str]:
    return [event["id"] for event in map(json.loads, text.splitlines()) if event["kind"] == "alarm"]


@pytest.mark.parametrize("value", ['"1,5"', "true", '"warm"'])
def test_a_pipe_whose_values_cannot_be_read_ends_with_an_error(
    model: Path, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (reader, writer), before = os.pipe(), os.dup(0)
    lines = [f'{{"device": "d", "time": {60 * n}, "values": [{value}]}}\n' for n in range(5)]
    os.write(writer, "".join(lines).encode())
    os.close(writer)
    os.dup2(reader, 0)
    try:
        assert main(["detect", "--follow", "-", "--model", str(model)]) == 2
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reader)
    assert "no value of 'a' could be read" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_stopped_it_goes_on_where_it_was(
    tmp_path: Path, number: int, code: int, model: Path
) -> None:
    file, alarms = tmp_path / "readings.jsonl", tmp_path / "alarms.jsonl"
    follow = ("--follow", file, "--state", tmp_path / "state", "--alarms", alarms)
    for part in (LINES[:150], LINES[150:]):
        detector = Detector(model, *follow)
        feed(file, part, alarms)
        found, _, err = detector.end(number)
        assert found == code, err
    assert last_ids(alarms) == EXPECTED


@pytest.mark.slow
def test_killed_it_goes_on_where_it_was(tmp_path: Path, model: Path) -> None:
    file, alarms, scores = (
        tmp_path / name for name in ("readings.jsonl", "alarms.jsonl", "scores.csv")
    )
    follow = ("--follow", file, "--state", tmp_path / "state", "--alarms", alarms)
    for at in range(0, 300, 60):
        detector = Detector(model, *follow, "--scores", scores, "--snapshot-every", "0.1")
        feed(file, LINES[at : at + 60], alarms)
        detector.kill()
    before = sorted((tmp_path / "state").glob("snapshot-*"))
    detector = Detector(model, *follow, "--scores", scores)
    until(lambda: sorted((tmp_path / "state").glob("snapshot-*")) != before, "it runs")
    until(lambda: len(scores.read_text().splitlines()) == 301, "everything is scored")
    assert detector.end()[0] == 0
    assert last_ids(alarms) == EXPECTED
    lines = [line.split(",")[:2] for line in scores.read_text().splitlines()[1:]]
    for time, line in enumerate(lines, 1):
        clock = f"0{time // 180}:{time // 3 % 60:02}:{time % 3 * 20:02}"
        assert line == [f"d{time % 3}", f"1970-01-01T{clock}.000000Z"]


def last_ids(alarms: Path) -> list[str]:
    return ids(alarms.read_text()) if alarms.exists() else []


def feed(file: Path, lines: list[str], alarms: Path) -> None:
    """Append lines and wait for the alarm of the last of them that alarms."""
    with file.open("a") as growing:
        growing.writelines(lines)
    found = [json.loads(line) for line in lines if json.loads(line)["values"] == [20.0]][-1]
    last = event(found["device"], found["time"] * 1_000_000, 20.0).id
    until(lambda: last_ids(alarms)[-1:] == [last], "the part's last alarm is written")


def test_json_is_a_summary(tmp_path: Path, model: Path) -> None:
    follow = ("--follow", tmp_path / "x", "--state", tmp_path / "state")
    first = Detector(model, *follow, "--json")
    until((tmp_path / "state" / "snapshot-00000001.npz").exists, "it runs")
    code, out, _ = first.end()
    assert code == 0
    assert json.loads(out)["readings"] == 0


def test_called_from_python_it_gives_ctrl_c_back(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert main(["detect", "--follow", "-", "--model", str(model)]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
from anomalynet.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as exit:
    code = exit.code
assert not set({names!r}) & {{name.partition(".")[0] for name in sys.modules}}
sys.exit(code)
"""

LEARNING = ("torch", "lightning", "torchmetrics", "sklearn", "optuna", "wandb")
HEAVY = (*LEARNING, "polars", "omegaconf", "yaml", "pandas")


def without(
    names: tuple[str, ...], *arguments: str, text: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED.format(names=names), *arguments]
    streams: Any = {"input": text, "capture_output": True, "text": True}
    return subprocess.run(command, cwd=ROOT, check=False, **streams)


@pytest.mark.parametrize(
    ("names", "more"),
    [(HEAVY, ["--watch"]), ((*HEAVY, "paho", "prometheus_client", "rich", "scipy"), [])],
)
def test_a_pipe_needs_nothing_heavy_or_optional(
    names: tuple[str, ...], more: list[str], model: Path
) -> None:
    keys = ("detect", "--follow", "-", "--model", str(model), *more)
    done = without(names, *keys, text="".join(LINES))
    assert done.returncode == 0, done.stderr
    assert ids(done.stdout) == EXPECTED
    assert "300 scores, 42 alarms" in done.stderr  # 7, 14, …, 294


@pytest.mark.parametrize(
    ("package", "arguments", "told"),
    [
        ("paho", ("--mqtt", "mqtt://host/x"), "paho-mqtt"),
        ("prometheus_client", ("--follow", "-", "--metrics", "0"), "prometheus-client"),
        ("polars", ("rows.csv",), "polars"),
    ],
)
def test_a_missing_package_is_one_message(
    package: str, arguments: tuple[str, ...], told: str, tmp_path: Path, model: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("device,time,a\nn1,1,1\n")
    given = [str(file) if each == file.name else each for each in arguments]
    done = without((package,), "detect", "--model", str(model), *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"needs the package {told}" in done.stderr and "→ pip install" in done.stderr
