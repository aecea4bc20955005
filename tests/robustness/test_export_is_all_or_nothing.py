"""An export that fails leaves the files as they were and nothing half-written, and the same command
exports again; what a killed one left is swept."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from anomalynet.detection.export.export_run import write_all
from anomalynet.errors import RunError
from anomalynet.runs.files import replacing
from tests.robustness.test_leftovers_are_swept import DEAD


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, bytes]:
    """New content of three files of which two are there."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "model.md").write_bytes(b"old card")
    (folder / "model.onnx").write_bytes(b"old model")
    names = ("model.md", "model.int8.onnx", "model.onnx")
    return {folder / name: f"new {name}".encode() for name in names}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("nth", range(3))
def test_a_disk_that_is_full_at_any_file_changes_nothing(
    files: dict[Path, bytes], nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, calls = next(iter(files)).parent, []
    before, real = content(folder), os.fsync

    def fsync(file: int) -> None:
        calls.append(file)
        if len(calls) == nth + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        with pytest.raises(RunError, match="No space left on device") as raised:
            write_all(files)
    assert list(files)[nth].name in str(raised.value)
    assert content(folder) == before
    write_all(files)
    assert content(folder) == {path.name: new for path, new in files.items()}


@pytest.mark.parametrize("nth", range(3))
def test_a_file_that_cannot_be_replaced_changes_nothing(
    files: dict[Path, bytes], nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, calls = next(iter(files)).parent, []
    before, real = content(folder), Path.replace

    def replace(self: Path, to: Path) -> Path:
        calls.append(to)
        if len(calls) == nth + 1:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        return real(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(RunError, match="Operation not permitted") as raised:
            write_all(files)
    assert list(files)[nth].name in str(raised.value)
    assert content(folder) == before


def test_a_system_that_cannot_sync_folders_has_all_files(
    files: dict[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(file)

    monkeypatch.setattr("os.fsync", fsync)
    write_all(files)
    assert content(next(iter(files)).parent) == {path.name: new for path, new in files.items()}


def test_what_a_killed_export_left_is_swept_and_other_files_stay(files: dict[Path, bytes]) -> None:
    folder = next(iter(files)).parent
    for name in ("model.onnx", "model.md", "other.onnx"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.getpid", lambda: DEAD)
            replacing(folder / name).__enter__().write_bytes(b"half")
    write_all(files)
    (left, *names) = sorted(content(folder))
    assert left.startswith(".other.onnx.")
    assert names == ["model.int8.onnx", "model.md", "model.onnx"]


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="file"):
        write_all({tmp_path / "file" / "model.onnx": b"new"})


def test_the_model_is_the_last_file_that_is_replaced(
    files: dict[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = Path.replace

    def replace(self: Path, to: Path) -> Path:
        order.append(to.name)
        return real(self, to)

    monkeypatch.setattr(Path, "replace", replace)
    write_all(files)
    assert order == ["model.md", "model.int8.onnx", "model.onnx"]
