"""`detect --follow` as a process: pipes, signals, exit codes, kill -9, and what it imports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

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


def test_a_pipe_to_its_end(model: Path) -> None:
    detector = Detector(model, "--follow", "-", feed=True)
    out, err = detector.process.communicate("".join(LINES), timeout=30)
    assert detector.process.returncode == 0
    assert ids(out) == EXPECTED
    assert "300 scores, 43 alarms" not in err  # 42: 7, 14, …, 294
    assert "300 scores, 42 alarms" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_stopped_it_goes_on_where_it_was(
    tmp_path: Path, number: int, code: int, model: Path
) -> None:
    file, alarms = tmp_path / "readings.jsonl", tmp_path / "alarms.jsonl"
    for part in (LINES[:100], LINES[100:200], LINES[200:]):
        detector = Detector(
            model, "--follow", file, "--state", tmp_path / "state", "--alarms", alarms
        )
        with file.open("a") as growing:
            growing.writelines(part)
        last = [last_alarm(part)]
        until(partial(ends_with, alarms, last), "the part's last alarm is written")
        found, _, err = detector.end(number)
        assert found == code, err
    assert last_ids(alarms) == EXPECTED


@pytest.mark.slow
def test_killed_it_goes_on_where_it_was(tmp_path: Path, model: Path) -> None:
    file, alarms, scores = (
        tmp_path / name for name in ("readings.jsonl", "alarms.jsonl", "scores.csv")
    )
    for at in range(0, 300, 60):
        detector = Detector(
            model,
            "--follow",
            file,
            "--state",
            tmp_path / "state",
            "--snapshot-every",
            "0.1",
            "--alarms",
            alarms,
            "--scores",
            scores,
        )
        with file.open("a") as growing:
            growing.writelines(LINES[at : at + 60])
        last = [last_alarm(LINES[at : at + 60])]
        until(partial(ends_with, alarms, last), "the part's last alarm is written")
        detector.kill()
    before = sorted((tmp_path / "state").glob("snapshot-*"))
    detector = Detector(
        model,
        "--follow",
        file,
        "--state",
        tmp_path / "state",
        "--alarms",
        alarms,
        "--scores",
        scores,
    )
    until(lambda: sorted((tmp_path / "state").glob("snapshot-*")) != before, "it runs")
    until(lambda: len(scores.read_text().splitlines()) == 301, "everything is scored")
    assert detector.end()[0] == 0
    assert last_ids(alarms) == EXPECTED
    assert [line.split(",")[:2] for line in scores.read_text().splitlines()[1:]] == [
        [
            f"d{time % 3}",
            f"1970-01-01T0{time // 180}:{time // 3 % 60:02}:{time % 3 * 20:02}.000000Z",
        ]
        for time in range(1, 301)
    ]


def last_ids(alarms: Path) -> list[str]:
    return ids(alarms.read_text()) if alarms.exists() else []


def ends_with(alarms: Path, last: list[str]) -> bool:
    return last_ids(alarms)[-1:] == last


def last_alarm(lines: list[str]) -> str:
    found = [json.loads(line) for line in lines if json.loads(line)["values"] == [20.0]][-1]
    return event(found["device"], found["time"] * 1_000_000, 20.0).id


def test_json_is_a_summary_and_two_detectors_do_not_share_a_state(
    tmp_path: Path, model: Path
) -> None:
    first = Detector(model, "--follow", tmp_path / "x", "--state", tmp_path / "state", "--json")
    until((tmp_path / "state" / "snapshot-00000001.npz").exists, "it runs")
    code, out, err = Detector(model, "--follow", tmp_path / "x", "--state", tmp_path / "state").end(
        0
    )
    assert (code, out) == (2, "")
    assert "another detector uses this state" in err
    code, out, _ = first.end()
    assert code == 0
    assert json.loads(out)["readings"] == 0


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

HEAVY = (
    "torch",
    "lightning",
    "torchmetrics",
    "polars",
    "omegaconf",
    "yaml",
    "sklearn",
    "pandas",
    "optuna",
    "wandb",
)


def without(
    names: tuple[str, ...], *arguments: str, text: str = ""
) -> subprocess.CompletedProcess[str]:
    program = BLOCKED.format(names=names)
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("detect", "--help"), ("detect", "--follow", "-", "--model", "MODEL", "--watch")],
)
def test_nothing_heavy_is_needed_or_imported(arguments: tuple[str, ...], model: Path) -> None:
    done = without(
        HEAVY, *(str(model) if each == "MODEL" else each for each in arguments), text="".join(LINES)
    )
    assert done.returncode == 0, done.stderr
    assert "detect" in done.stdout if "--help" in arguments else ids(done.stdout) == EXPECTED


def test_nothing_optional_is_needed_for_a_pipe(model: Path) -> None:
    done = without(
        (*HEAVY, "paho", "prometheus_client", "rich", "scipy"),
        "detect",
        "--follow",
        "-",
        "--model",
        str(model),
        text="".join(LINES),
    )
    assert done.returncode == 0, done.stderr
    assert ids(done.stdout) == EXPECTED


@pytest.mark.parametrize(
    ("package", "arguments", "told"),
    [
        ("paho", ("--mqtt", "mqtt://host/x"), "MQTT needs the package paho-mqtt"),
        (
            "prometheus_client",
            ("--follow", "-", "--metrics", "0"),
            "--metrics needs the package prometheus-client",
        ),
        ("polars", ("rows.parquet",), "reading Parquet needs the package polars"),
    ],
)
def test_a_missing_package_is_one_message(
    package: str, arguments: tuple[str, ...], told: str, tmp_path: Path, model: Path
) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PAR1")
    given = [str(file) if each == file.name else each for each in arguments]
    done = without((package,), "detect", "--model", str(model), *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "→ pip install" in done.stderr
