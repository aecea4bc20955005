"""Worlds in folders: the same bytes however they are made, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

from anomalynet.errors import UsageError
from anomalynet.simulation import parts
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.network.cell import simulate_cell
from anomalynet.simulation.scenario import Scenario
from anomalynet.simulation.store import read_world
from anomalynet.simulation.world import LOCK, simulate

SEVEN = ["deployment.nodes=7", "deployment.cell_nodes=3"]
SMALL = [*SEVEN, "duration=2h", "sampling.period=60", "incidents.quiet_hours=0.2"]
"""Three cells with incidents, in a tenth of a second."""
COMMAND = [sys.executable, "-m", "anomalynet", "simulate", "smart_city"]


def small(*overrides: str) -> Scenario:
    return load_scenario("smart_city", [*SMALL, "incidents.per_node_day=40", *overrides])


def contents(folder: Path) -> dict[str, bytes]:
    """Path in the folder → bytes, of everything but the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def counted(
    frames: Path, nodes: pl.DataFrame, incidents: pl.DataFrame, scenario: Scenario
) -> pl.DataFrame:
    """A stand-in for the quality stage."""
    rows = pl.read_parquet(frames).height
    heard = pl.Series([rows], dtype=pl.Float32)
    numbers = {"frames": heard, "nodes": [nodes.height], "seed": [scenario.seed]}
    return pl.DataFrame({"series": ["cell"], **numbers})


def test_one_seed_is_one_world_in_any_process_with_any_number_of_workers_and_threads(
    tmp_path: Path,
) -> None:
    for name, workers in (("here", 1), ("two", 2)):
        simulate(small(), tmp_path / name, workers=workers, refine=counted)
    script = (
        "import sys; from pathlib import Path; from tests.simulation.test_world import counted, "
        "simulate, small\n"
        "simulate(small(), Path(sys.argv[1]), refine=counted)"
    )
    environment = {**os.environ, "POLARS_MAX_THREADS": "4"}
    command = [sys.executable, "-c", script, str(tmp_path / "elsewhere")]
    subprocess.run(command, env=environment, check=True)
    here = contents(tmp_path / "here")
    cells = {
        f"{part}/cell-000{cell}.parquet"
        for part in ("frames", "telemetry", "visibility")
        for cell in range(3)
    }
    whole = {"incidents.parquet", "manifest.json", "nodes.parquet", "scenario.yaml"}
    assert set(here) == cells | whole
    assert contents(tmp_path / "two") == contents(tmp_path / "elsewhere") == here
    simulate(small("seed=1"), tmp_path / "other")
    one, other = (read_world(tmp_path / name) for name in ("here", "other"))
    assert not one.nodes["x"].equals(other.nodes["x"])
    assert not one.frames.collect()["temperature"].equals(other.frames.collect()["temperature"])


def test_what_the_tables_say_agrees(tmp_path: Path) -> None:
    reached: list[float] = []
    manifest = simulate(small(), tmp_path / "world", progress=reached.append, refine=counted)
    world = read_world(tmp_path / "world")
    frames, counts, incidents = world.frames.collect(), manifest.counts, world.incidents
    assert reached[0] == 0.0 and reached[-1] == 3 * 7200.0 and reached == sorted(reached)
    assert world.nodes["node"].to_list() == [f"node-000{number}" for number in range(7)]
    assert world.nodes.group_by("cell").len().sort("cell")["len"].to_list() == [2, 2, 3]
    expected = {"nodes": 7, "cells": 3, "slots": 120, "expected": 840}
    assert {key: counts[key] for key in expected} == expected
    rows = [manifest.files[f"frames/cell-000{number}.parquet"]["rows"] for number in range(3)]
    assert counts["frames"] == frames.height == sum(rows)
    assert counts["delivered"] == world.nodes["received"].sum() / 840
    assert counts["incidents"] == incidents.height > 3
    assert incidents["id"].is_unique().all() and incidents["id"].is_sorted()
    assert (incidents["id"] // 100_000 == incidents["cell"]).all()
    sound = frames.filter("fcs")
    named = sound.drop_nulls("node")
    numbers = named["node"].str.slice(5).cast(pl.Int32)
    assert (named["source"] - 1 == numbers).all() and named.height > 0.9 * sound.height
    assert world.telemetry is not None
    assert world.telemetry.collect()["frames"].sum() == frames.height
    # Every incident stands inside the world.
    cells = dict(world.nodes.select("node", "cell").rows())
    touched = incidents.explode("nodes")
    assert (touched["nodes"].replace_strict(cells) == touched["cell"]).all()
    assert incidents["start"].min() >= datetime(2026, 4, 13)  # type: ignore[operator]
    assert incidents["end"].max() <= datetime(2026, 4, 13, 2)  # type: ignore[operator]
    assert (incidents["start"] < incidents["end"]).all()


def written(folder: Path, files: str = "*.parquet") -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob(files)}


def test_a_finished_world_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = simulate(small(), tmp_path)
    monkeypatch.setattr(parts, "simulate_cell", None)
    before = written(tmp_path)
    assert simulate(small("name=renamed"), tmp_path) == first
    assert written(tmp_path) == before


FOUR = ["deployment.nodes=24", "deployment.cell_nodes=6", "duration=12h"]
"""Four cells."""


@contextmanager
def cut_off(folder: Path, workers: int) -> Iterator[list[str]]:
    """A simulation of four cells, killed once its first cell is finished; gives the numbers of the
    processes that it had started."""
    arguments = [*FOUR, "--out", str(folder), "--workers", str(workers)]
    process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob("parts/cell-*.json")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
        process.wait()
        yield children
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    folder, whole = tmp_path / "cut", tmp_path / "whole"
    with cut_off(folder, workers=1):
        done = {path.stem for path in folder.glob("parts/*.json")}
        finished = {
            path: at for path, at in written(folder / "frames").items() if path.stem in done
        }
        assert 1 <= len(finished) < 4 and not (folder / "manifest.json").exists()
    for target in (folder, whole):
        command = [*COMMAND, *FOUR, "--out", str(target)]
        subprocess.run(command, check=True, capture_output=True)
    assert finished.items() <= written(folder).items()
    assert contents(folder) == contents(whole)


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    with cut_off(tmp_path / "world", workers=2) as children:
        assert len(children) >= 2
        deadline = time.monotonic() + 5
        while alive := [one for one in children if Path("/proc", one, "exe").exists()]:
            assert time.monotonic() < deadline, alive
            time.sleep(0.05)


def test_an_unguarded_script_is_not_run_again_by_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from pathlib import Path; from tests.simulation.test_world import *\n"
        "print('once'); simulate(small(), Path(sys.argv[1]), workers=2, refine=counted)\n"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, str(script), str(tmp_path / "world")]
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["once"] and read_world(tmp_path / "world").nodes.height == 7


def test_a_worker_that_dies_is_one_message_and_the_rest_is_kept(tmp_path: Path) -> None:
    told = r"a worker of the simulation ended: cell \d: ValueError: no such cell"
    with pytest.raises(Exception, match=told):
        simulate(small(), tmp_path, workers=2, refine=failing)
    assert not (tmp_path / "manifest.json").exists()


def failing(
    frames: Path, nodes: pl.DataFrame, incidents: pl.DataFrame, scenario: Scenario
) -> pl.DataFrame:
    raise ValueError("no such cell")


def test_a_cell_that_was_edited_in_between_is_simulated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(small(), tmp_path / "whole")
    made: list[int] = []

    def counting(scenario: Scenario, number: int, **options: object) -> object:
        made.append(number)
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(scenario, number)

    real = simulate_cell
    monkeypatch.setattr(parts, "simulate_cell", counting)
    with pytest.raises(KeyboardInterrupt):
        simulate(small(), tmp_path / "cut")
    (tmp_path / "cut/frames/cell-0001.parquet").write_bytes(b"edited")
    simulate(small(), tmp_path / "cut")
    assert made == [0, 1, 2, 1, 2]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_folder_that_holds_anything_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    simulate(small(), tmp_path / "world")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    before = contents(tmp_path)
    refusals = {
        "world": "seed is 0 in the folder, 5 in this command\n.*nothing was changed",
        "thesis": r"thesis contains chapter\.tex, but no simulated world\n.*nothing was changed",
        "file": "file: cannot be written to: File exists",
    }
    for name, told in refusals.items():
        with pytest.raises(UsageError, match=told):
            simulate(small("seed=5"), tmp_path / name)
    assert contents(tmp_path) == before


def test_two_simulations_into_one_folder_are_told_apart(tmp_path: Path) -> None:
    told = "another process simulates into this folder"
    with FileLock(tmp_path / LOCK), pytest.raises(UsageError, match=told):
        simulate(small(), tmp_path)
