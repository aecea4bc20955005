"""A small folder with one of everything that anomalynet writes: the harnesses of this folder kill,
damage and misuse copies of it. All paths in it are relative, so that a copy works like the
original."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filelock import FileLock

from anomalynet.cli.main import main
from anomalynet.detection.service import stream
from anomalynet.detection.sources import Raw
from anomalynet.detection.sources.follow import Followed, Stdin
from tests.training.small import table

IMPORT = "data import readings.csv --name plant --time time --series device --label attack"
IMPORT += " --split part"
DATA = "data.name=plant data.stride=8 data.calibration_rows=50 data.window=16"
NETWORK = f"train hybrid {DATA} training.epochs=2 model.head=8"
CLASSICAL = f"train logistic {DATA}"
DETECT = "detect --follow readings.jsonl --model model.onnx --state state --alarms alarms.jsonl"
DETECT += " --scores scores.csv --snapshot-every 0"
WORLD = "simulate smart_city deployment.nodes=4 deployment.cell_nodes=4 duration=2h"
WORLD += " sampling.period=60 --out world"

SWEEP = """\
experiment: logistic
seeds: [0]
folds: [0]
axes:
  data.calibration: [offset, deviation]
presets:
  quick: &same {data.name: plant, data.stride: 8, data.calibration_rows: 50, data.window: 16}
  full: *same
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (negative: killed by a signal), and what it printed."""

    code: int
    out: str
    err: str


class Ending(Followed):
    """A followed file that ends where it does not grow, so that `detect --follow` ends by itself.
    It gives few lines at a time, so that there are moments between them."""

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """See `Source`."""
        batch = super().collect(min(limit, 40), 0.0)
        if not batch:
            self.ended = True
        return batch


class Fed(Stdin):
    """Standard input is the file `stdin.jsonl` of the scene, a few lines at a time."""

    def __init__(self, longest: int) -> None:
        super().__init__(longest, os.open("stdin.jsonl", os.O_RDONLY | os.O_CLOEXEC))

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """See `Source`."""
        batch = super().collect(min(limit, 40), seconds)
        self.ended = self.ended and not self._ready
        return batch


class Crash(Fed):
    """Where standard input ends, the detector crashes."""

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        """See `Source`."""
        batch = super().collect(limit, seconds)
        if self.ended and not batch:
            raise KeyboardInterrupt
        return batch


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a scene: its folder, its data."""
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMALYNET_DATA", "data")
        patch.setattr(stream, "Followed", Ending)
        patch.setattr(stream, "Stdin", Fed)
        yield


def call(words: str, folder: Path) -> Ended:
    """Run a command in a scene, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with inside(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(shlex.split(words))
        except SystemExit as ending:  # of argparse
            code = ending.code if isinstance(ending.code, int) else -1
    return Ended(code, out.getvalue(), err.getvalue())


def made(base: Path) -> Path:
    """The scene of a session of tests, made once by whichever process comes first. `base`: pytest's
    folder for temporary files."""
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / "scene"
    with FileLock(shared / "scene.lock"):
        if not folder.exists():
            building = shared / "scene.building"
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir()
            build(building)
            building.rename(folder)
    return folder


def build(folder: Path) -> None:
    """One of everything, each by its command."""
    table(folder / "readings.csv")
    table(folder / "other.csv", test_factor=2)
    rows = pl.read_csv(folder / "readings.csv").sort("time", maintain_order=True).head(900)
    with (folder / "readings.jsonl").open("w", encoding="utf-8") as file:
        for device, time, a, b in rows.select("device", "time", "a", "b").iter_rows():
            file.write(json.dumps({"device": device, "time": time, "values": [a, b]}) + "\n")
    rows.write_parquet(folder / "readings.parquet")
    np.save(folder / "readings.npy", rows.select("a", "b").to_numpy())
    (folder / "pair.yaml").write_text(SWEEP, encoding="utf-8")
    run = partial(_succeed, folder=folder)
    run(IMPORT)
    run(NETWORK)
    run(CLASSICAL)
    run("audit plant")
    run(f"export {run_id(folder, 'logistic')} --out model.onnx")
    run(f"export {run_id(folder, 'hybrid')} --out hybrid.onnx")
    run(DETECT)
    run(WORLD)


def _succeed(words: str, folder: Path) -> None:
    ended = call(words, folder)
    assert ended.code == 0, (words, ended.err)


def run_id(folder: Path, experiment: str) -> str:
    """The id of the run of an experiment."""
    (run,) = (folder / "runs" / experiment).iterdir()
    return run.name


def copy(folder: Path, to: Path, *without: str) -> Path:
    """A copy of a scene to write to, without some of its folders and files."""
    shutil.copytree(folder, to, ignore=lambda at, names: without if Path(at) == folder else ())
    return to


@lru_cache(1 << 14)
def _digest(path: Path, *written: int) -> str:
    """Of a file's content, read again only where inode, size or one of its times changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def tree(folder: Path) -> dict[str, str]:
    """Each file below a folder, hidden ones too, with a digest of its content; and each empty
    folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file():
            at = path.stat()
            found[name] = _digest(path, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
        elif path.is_dir() and not any(path.iterdir()):
            found[f"{name}/"] = "empty"
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What is different between two trees: name → `new`, `lost` or `changed`."""
    found: dict[str, str] = {}
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            found[name] = (
                "new" if name not in before else "lost" if name not in after else "changed"
            )
    return found


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


RESUMED = "detect --follow - --model model.onnx --state state --alarms live.alarms"
"""Goes on where `half_way` ended."""


def half_way(folder: Path) -> None:
    """Leave the state of a detector that was killed when it had read the first half of the readings
    from its standard input; `stdin.jsonl` is the second half, so that only the state has the
    first."""
    whole = (folder / "readings.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    shutil.rmtree(folder / "state")
    (folder / "stdin.jsonl").write_text("".join(whole[:450]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "Fed", Crash)
        ended = call(f"{RESUMED} --snapshot-every 1000", folder)
        assert ended.code == 130, ended.err
    (folder / "stdin.jsonl").write_text("".join(whole[450:]), encoding="utf-8")
    (folder / "state").rename(folder / "crashed")  # the crash holds the lock in this process
    shutil.copytree(folder / "crashed", folder / "state")
    shutil.rmtree(folder / "crashed")
