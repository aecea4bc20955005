"""Lost progress output never ends work, and lost results are never reported as success: a closed
pipe on stderr is ignored, one on stdout ends a command quietly with 141."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import pytest

from anomalynet.cli.main import main
from anomalynet.cli.progress import TrainingProgress
from anomalynet.detection.records import Event
from anomalynet.detection.sinks.files import StandardOutput
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun, write_sweep
from anomalynet.training import run as api
from tests.cli.test_report import store
from tests.detection.conftest import echo
from tests.detection.graphs import content
from tests.training.small import SHORT, short


def closed_pipe() -> TextIO:
    """A stream that nobody reads, line buffered like stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", buffering=1, encoding="utf-8")


def full_disk() -> TextIO:
    """A stream to a disk without space."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    return Path("/dev/full").open("w", buffering=1, encoding="utf-8")


def train(folder: Path, *more: str) -> int:
    return main(["train", "cnn", *SHORT, "--runs", str(folder), *more])


@pytest.mark.parametrize("lost", [closed_pipe, full_disk])
def test_training_ends_with_its_result_when_nobody_reads_its_progress(
    lost: Callable[[], TextIO],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stderr", lost())
    assert train(tmp_path, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert RunFolder(Path(shown["folder"])).finished
    assert shown["metrics"]


def test_training_whose_result_nobody_reads_is_done_but_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `train … 2>&1 | head`."""
    monkeypatch.setattr(sys, "stderr", closed_pipe())
    monkeypatch.setattr(sys, "stdout", closed_pipe())
    assert train(tmp_path) == 141
    assert [folder.finished for folder in map(RunFolder, tmp_path.glob("cnn/*/"))] == [True]


def test_a_training_from_python_does_not_need_a_reader_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", closed_pipe())
    with TrainingProgress("cnn") as progress:
        outcome = api.train(short("cnn"), tmp_path, listener=progress)
    assert outcome is not None and outcome.folder.finished


READING = (
    "ls experiments",
    "ls models --json",
    "show hybrid",
    "show hybrid --json",
    "show --keys",
    "doctor",
    "simulate --list",
    "ls runs --runs runs",
    "status --runs runs",
)


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_ends_quietly(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "runs", "cnn", "skab")
    run = SweepRun(1, "cnn", "0123456789", "cnn", "seed 0", 4)
    write_sweep(tmp_path / "runs", SweepRecord("mine", "mine", "quick", (), 1, "", "", (run,)))
    monkeypatch.setattr(sys, "stdout", closed_pipe())
    assert main(command.split()) == 141
    assert "unexpected" not in capsys.readouterr().err


def test_help_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", closed_pipe())
    assert main(["--help"]) == 141


def test_a_full_disk_behind_stdout_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", full_disk())
    assert main(["show", "hybrid"]) == 2
    assert capsys.readouterr().err.startswith("anomalynet: stdout: cannot be written: No space")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_takes_nothing_into_the_other(
    stream: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with `>&-`: Python then has no stream, and prints messages of stderr to stdout."""
    monkeypatch.setattr(sys, stream, None)
    assert main(["show", "hybrid"]) == 0
    assert main(["show", "nothing-like-it"]) == 2
    shown = capsys.readouterr()
    assert ("hybrid" in shown.out, "unknown experiment" in shown.err) == (
        stream == "stderr",
        stream == "stdout",
    )
    assert "unknown experiment" not in shown.out


def test_another_pipe_that_breaks_is_not_taken_for_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(kind: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("anomalynet.config.locate.files", broken)
    assert main(["ls", "experiments"]) == 1
    assert "unexpected BrokenPipeError" in capsys.readouterr().err


ALARMS = "".join(json.dumps({"device": "d", "time": t, "values": [20.0]}) + "\n" for t in (0, 60))


def test_alarms_that_nobody_reads_are_not_taken_as_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, readings = tmp_path / "echo.onnx", tmp_path / "readings.jsonl"
    model.write_bytes(content(echo()))
    readings.write_text(ALARMS)
    detect = ["detect", "--model", str(model)]
    follow = [*detect, "--follow", str(readings), "--state", str(tmp_path / "state")]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", closed_pipe())
        assert main([*detect, str(readings)]) == 141
    process = [sys.executable, "-m", "anomalynet", *follow]
    assert subprocess.run(process, check=False, stdout=closed_pipe()).returncode == 141
    sent: list[Event] = []

    def put(_: StandardOutput, events: Sequence[Event]) -> None:
        sent.extend(events)
        os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C

    monkeypatch.setattr(StandardOutput, "put", put)
    main(follow)
    assert [event.kind for event in sent] == ["alarm"]
