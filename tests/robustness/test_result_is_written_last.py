"""After a power cut a run is unfinished or whole: all that `result.json` vouches for is on the disk
before it, files and names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from anomalynet.runs.files import write_bytes
from tests.training.small import trained


def traced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The calls that matter below a folder: (`fsync`, file or folder) and (`replace`, target)."""
    calls: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def note(kind: str, path: str) -> None:
        if Path(path).is_relative_to(folder):
            calls.append((kind, Path(path).relative_to(folder).as_posix()))

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        note("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def replaced(source: Any, target: Any, **options: Any) -> None:
        replace(source, target, **options)
        note("replace", os.fspath(target))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return calls


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads names of open files")
@pytest.mark.parametrize("model", ["cnn", "logistic"])
def test_what_a_result_vouches_for_is_synced_before_it(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = traced(tmp_path, monkeypatch)
    folder = trained(model, tmp_path, "training.epochs=1").folder.path.relative_to(tmp_path)
    result = calls.index(("replace", f"{folder}/result.json"))
    sealed = calls.index(("replace", f"{folder}/checksums.json"))
    files = [path for path in (tmp_path / folder).rglob("[!.]*") if path.is_file()]
    names = {path.relative_to(tmp_path).as_posix() for path in files}
    assert {f"{folder}/scores.parquet", f"{folder}/result.json"} < names
    for name in names - {f"{folder}/result.json", f"{folder}/checksums.json"}:
        placed = max((at for at, call in enumerate(calls) if call == ("replace", name)), default=0)
        synced = [at for at, call in enumerate(calls[:sealed]) if call == ("fsync", name)]
        parent = Path(name).parent.as_posix()
        named = [at for at, call in enumerate(calls[:result]) if call == ("fsync", parent)]
        assert synced and synced[-1] > placed, f"{name} is synced after it was written"
        assert named and named[-1] > placed, f"the name {name} is synced"
    assert ("fsync", f"{folder}") in calls[sealed:result]
    assert ("fsync", f"{folder}") in calls[result:]


def test_nothing_is_left_of_a_write_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
