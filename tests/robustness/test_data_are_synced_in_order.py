"""What vouches for data is written when the data are on the disk, and a folder gets its name after
that: of imported sets and of the prepared cache."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.prepare import prepare
from anomalynet.data.sources import imported
from anomalynet.runs.files import write_bytes


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was synced (sync NAME) and moved (move NAME), in order."""
    found: list[str] = []
    real = {name: getattr(os, name) for name in ("fsync", "rename", "replace")}

    def fsync(descriptor: int) -> None:
        found.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real["fsync"](descriptor)

    def move(name: str, source: Any, target: Any, **more: Any) -> None:
        found.append("move " + Path(target).name)
        real[name](source, target, **more)

    def exchange(one: Path, other: Path) -> bool:
        found.append(f"move {other.name}")
        return exchanged(one, other)

    exchanged = imported.exchange
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, lambda *args, name=name, **more: move(name, *args, **more))
    monkeypatch.setattr(imported, "exchange", exchange)
    return found


def in_order(calls: list[str], *groups: set[str]) -> None:
    """Each call of a group is made before all those of the next one."""
    for before, after in pairwise(groups):
        assert max(map(calls.index, before)) < min(map(calls.index, after)), calls


def test_an_import_and_the_prepared_cache(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "t.csv").write_text("t,v\n" + "".join(f"{row},{row % 7}\n" for row in range(50)))
    for replace in (False, True):
        calls.clear()
        asked = ImportRequest(file=tmp_path / "t.csv", name="mine", time="t", replace=replace)
        import_table(asked)
        files = {"sync telemetry.parquet", "sync dataset.json"}
        in_order(calls, files, {"move checksums.json"}, {"sync set"}, {"move mine"}, {"sync data"})
    calls.clear()
    prepare(DataConfig(name="mine", calibration_rows=5))
    (folder,) = (path for path in (tmp_path / "data/prepared").iterdir() if path.is_dir())
    arrays = {f"sync {path.name}" for path in folder.glob("*.npy")} | {"sync prepared.json"}
    described = {"move checksums.json"}
    assert len(arrays) == 12
    in_order(calls, arrays, described, {f"sync {folder.name}.building"}, {f"move {folder.name}"})
    assert "sync prepared" in calls[calls.index(f"move {folder.name}") :]


@pytest.mark.parametrize(
    ("number", "tolerated"),
    [(errno.EIO, False), (errno.ENOSPC, False), (errno.EINVAL, True), (errno.ENOTSUP, True)],
)
def test_a_folder_that_cannot_be_synced_is_tolerated_and_a_failing_disk_is_not(
    number: int, tolerated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with nullcontext() if tolerated else pytest.raises(OSError, match=os.strerror(number)) as seen:
        write_bytes(tmp_path / "a", b"x")
    assert seen is None or seen.value.filename == str(tmp_path)
