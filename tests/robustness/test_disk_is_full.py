"""A disk that is full ends `train` with one message; nothing half-written counts, and the same
command continues."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import RunError, disk_errors
from anomalynet.runs.folder import RunFolder
from tests.robustness.disk import largest_file
from tests.training.small import SHORT, identical, shared


@pytest.mark.parametrize("model", ["hybrid", "logistic"])
def test_one_message_nothing_half_written_and_the_same_command_continues(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = shared(model)
    folder = RunFolder(tmp_path / model / whole.folder.path.name)
    own = [text for text in SHORT if model == "hybrid" or not text.startswith("model.")]
    command = ["train", model, *own, "--runs", str(tmp_path)]
    sizes = sorted({path.stat().st_size for path in whole.folder.path.rglob("*.*")})
    scores = whole.folder.scores.stat().st_size - 1
    for size in (sizes[-1] - 1,) if model == "hybrid" else (sizes[0] // 2, scores):
        with largest_file(size):
            assert main(command) == 1
        printed = capsys.readouterr().err
        assert "cannot be written: File too large" in printed
        assert "repeat the command" in printed
        assert "Traceback" not in printed and "unexpected" not in printed
        assert not folder.finished
        assert not list(tmp_path.rglob(".*.tmp"))
    assert main(command) == 0
    if model == "hybrid":
        assert identical(folder, whole.folder)
    assert folder.read_result() == whole.result
    assert folder.scores.read_bytes() == whole.folder.scores.read_bytes()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free disk space"),
        (errno.EIO, "check the disk"),
        (errno.EROFS, "make the disk writable"),
    ],
)
def test_the_advice_is_that_for_the_error(
    number: int, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "runs/x")

    def fail(kind: str) -> list[str]:
        raise error

    monkeypatch.setattr("anomalynet.config.locate.files", fail)
    assert main(["ls", "experiments"]) == 2
    assert f"→ {advice}" in capsys.readouterr().err
    with pytest.raises(RunError, match=f"→ {advice}"), disk_errors("runs"):
        raise error
