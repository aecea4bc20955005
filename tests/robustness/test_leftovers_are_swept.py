"""Whatever replaces a file as a whole removes what a killed process left of it, leaves alone what
another one is writing, and is on the disk before it has its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.detection.replay.publish import write_rows
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.reporting.formats.files import write_files
from anomalynet.runs.files import replacing, scratch_folder, write_json, write_parquet

DEAD = 2**22 + 1  # no process has so large a number


@contextmanager
def left_by(pid: int, path: Path) -> Iterator[Path]:
    """What is left of `path` while, or after, the process with this number writes it."""
    with patch("os.getpid", lambda: pid):
        writing = replacing(path)
        left = writing.__enter__()
    left.write_bytes(b"half")
    yield left
    writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)  # it never replaces the file


def rows(path: Path) -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    frame = pl.LazyFrame({"device": ["a"], "time": [time], "v": [1.0]})
    write_rows(frame, path, "device", path.parent)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "report.md": lambda path: write_files(path.parent, {path.name: b"# Report"}),
    "record.json": lambda path: write_json(path, {}),
    "scores.parquet": lambda path: write_parquet(path, pl.DataFrame({"x": [1]})),
    "rows.csv": rows,
    "rows.jsonl": rows,
    "rows.parquet": rows,
    "scores.csv": lambda path: ScoresFile(path, replace=True).close(),
}


@pytest.mark.parametrize("name", WRITERS)
def test_of_a_dead_process_alone_and_synced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced, real = tmp_path / name, list[str](), os.fsync

    def fsync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().name)
        synced.extend([name] if path.exists() else [])
        real(file)

    monkeypatch.setattr("os.fsync", fsync)
    with left_by(DEAD, path) as left, left_by(os.getppid(), path) as running:
        WRITERS[name](path)
        assert not left.exists() and running.exists()
    assert path.stat().st_size > 0 and sorted(tmp_path.iterdir()) == [path]
    assert synced[0].startswith(f".{name}.") and synced[1:] == [tmp_path.name, name]


def test_scratch_folders_of_dead_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = []
    for pid in (os.getppid(), DEAD):
        with patch("os.getpid", lambda pid=pid: pid):
            kept.append(scratch_folder())
            (kept[-1].__enter__() / "rows.parquet").write_bytes(b"half")
    assert len([*tmp_path.iterdir()]) == 2
    with scratch_folder() as own:
        assert sorted(tmp_path.iterdir())[0].name.startswith(".anomalynet.")
        assert own.is_dir() and len([*tmp_path.iterdir()]) == 2
    (left,) = tmp_path.iterdir()
    assert f"-{os.getppid()}-" in left.name and (left / "rows.parquet").exists()


def test_data_rows_works_in_a_scratch_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    seen = []

    def killed(frame: Any, out: Path, by: str, scratch: Path) -> None:
        seen.append(scratch)

    monkeypatch.setattr("anomalynet.detection.replay.publish.write_rows", killed)
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    (tmp_path / "t.csv").write_text("t,v\n" + "".join(f"{at},{at % 7}\n" for at in range(40)))
    asked = ["data", "import", str(tmp_path / "t.csv"), "--name", "mine", "--time", "t"]
    assert main(asked) == 0
    assert main(["data", "rows", "mine", "--out", str(tmp_path / "rows.csv")]) == 0
    assert seen[0].name.startswith(".anomalynet.") and f"-{os.getpid()}-" in seen[0].name
