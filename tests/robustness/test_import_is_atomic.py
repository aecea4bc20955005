"""An import that is killed at any call leaves the old set or the new one whole, and the same
command finishes it and leaves nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.sources import imported
from anomalynet.errors import DataError

CALLS = ("rename", "replace", "fsync", "unlink", "rmdir")
OLD, NEW = "t,v\n0,1\n1,2\n", "t,v\n0,3\n1,4\n2,5\n"


def kill_at(number: int, exchanges: bool, command: Callable[[], object]) -> None:
    """Run a command in this process and kill it before its call of this number; the code of the
    process is 0 if there are fewer."""
    left = number

    def counted(call: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **keywords)

    for name in CALLS:
        setattr(os, name, partial(counted, getattr(os, name)))
    if not exchanges:
        imported.exchange = lambda one, other: False
    imported.exchange = partial(counted, imported.exchange)
    command()


def run(folder: Path, text: str, replace: bool) -> None:
    file = folder / "table.csv"
    file.write_text(text)
    os.environ["ANOMALYNET_DATA"] = str(folder / "data")
    import_table(ImportRequest(file=file, name="mine", time="t", replace=replace))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("replace", "exchanges"),
    [
        pytest.param(True, True, id="replaced"),
        pytest.param(True, False, id="replaced by two renames", marks=pytest.mark.slow),
        pytest.param(False, True, id="new", marks=pytest.mark.slow),
    ],
)
def test_at_every_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool, exchanges: bool
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    run(tmp_path, NEW, replace=False)
    expected = contents(tmp_path / "data")
    seen, number, code = set(), 0, None
    while code != 0:
        (tmp_path / "data/mine").rename(tmp_path / f"gone{number}")
        if replace:
            run(tmp_path, OLD, replace=False)
        command = partial(run, tmp_path, NEW, replace)
        process = context.Process(target=kill_at, args=(number, exchanges, command))
        process.start()
        process.join()
        number, code = number + 1, process.exitcode
        assert code in (0, -signal.SIGKILL)
        if "mine" in sources.names():
            frame = sources.load(DataConfig(name="mine")).frame.collect()
            seen.add(tuple(frame["v"]))
        else:
            assert not replace
        run(tmp_path, NEW, replace="mine" in sources.names())
        assert contents(tmp_path / "data") == expected
    assert number > 8 and seen == ({(1, 2), (3, 4, 5)} if replace else {(3, 4, 5)})


def test_the_old_set_stays_if_the_new_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(imported, "exchange", lambda one, other: False)
    run(tmp_path, OLD, replace=False)
    before, rename = contents(tmp_path / "data"), os.rename

    def fails(source: Path, target: Path) -> None:
        if Path(source).name == "set":
            raise OSError(5, "Input/output error")
        rename(source, target)

    with monkeypatch.context() as patch, pytest.raises(DataError, match="Input/output error"):
        patch.setattr(os, "rename", fails)
        run(tmp_path, NEW, replace=True)
    assert contents(tmp_path / "data") == before
