"""`detect FILE --scores` that fails, on a full disk or with a target that cannot be, leaves the old
scores and no hidden file; the same command works afterwards."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from tests.detection import graphs
from tests.detection.conftest import echo
from tests.robustness.test_leftovers_are_swept import DEAD, left_by


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "model.onnx").write_bytes(graphs.content(echo()))
    (tmp_path / "rows.jsonl").write_text('{"device": "d", "time": 60, "values": [1]}\n')
    (tmp_path / "scores.csv").write_bytes(b"device,time,observed,score\nold\n")
    files = ["--model", str(tmp_path / "model.onnx"), "--scores", str(tmp_path / "scores.csv")]
    return ["detect", str(tmp_path / "rows.jsonl"), *files]


def works(tmp_path: Path, command: list[str]) -> bool:
    """Whether the old scores are there alone, and the command replaces them."""
    assert (tmp_path / "scores.csv").read_bytes().endswith(b"old\n")
    assert not list(tmp_path.glob(".*"))
    assert main(command) == 0
    return (tmp_path / "scores.csv").read_text().splitlines()[1].startswith("d,1970")


@pytest.mark.parametrize("nth", [1, 2])
def test_on_a_full_disk(
    tmp_path: Path,
    command: list[str],
    nth: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls, real = list[int](), os.pwrite

    def full(file: int, *args: Any) -> int:
        calls.append(file)
        if len(calls) >= nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, *args)

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"{tmp_path}/scores.csv: No space left on device")
    assert works(tmp_path, command)


def test_with_a_target_of_alarms_that_cannot_be(tmp_path: Path, command: list[str]) -> None:
    assert main([*command, "--alarms", "ftp://host/x"]) == 2
    assert works(tmp_path, command)


def test_what_a_killed_one_left_is_swept(tmp_path: Path, command: list[str]) -> None:
    with left_by(DEAD, tmp_path / "scores.csv"), left_by(DEAD, tmp_path / "other.csv") as other:
        assert main(command) == 0
        assert list(tmp_path.glob(".*")) == [other]
