"""One cell's share of a world: simulated, written, and noted, so that a simulation that is cut off
continues with the next cell; several cells side by side in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from anomalynet.errors import RunError
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import read_json, write_text
from anomalynet.simulation import store
from anomalynet.simulation.network.cell import simulate_cell
from anomalynet.simulation.scenario import Scenario

Refine = Callable[[Path, pl.DataFrame, pl.DataFrame, Scenario], pl.DataFrame]
"""(gateway log of a cell, its nodes, its incidents, the scenario) → its telemetry. A module's
function, so that other processes find it."""

CODE = ("simulation", "data")  # the packages that make a world and its telemetry

PARTS = "parts"
"""Folder in a world's folder that holds the notes on finished cells until all are finished."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)


@dataclass(frozen=True, slots=True)
class Part:
    """What a finished cell leaves beside its Parquet files."""

    files: dict[str, dict[str, Any]]
    counts: dict[str, int]
    nodes: pl.DataFrame
    incidents: pl.DataFrame


def make_part(
    folder: Path,
    scenario: Scenario,
    number: int,
    refine: Refine | None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Simulate one cell and write its files into the world's folder, last the note that it is
    finished."""
    result = simulate_cell(scenario, number, progress=progress)
    nodes = store.nodes_table(result)
    incidents = store.incidents_table(result, scenario.start)
    name = store.partition("frames", number)
    files = {name: store.write_parquet(folder, name, store.frames_table(result))}
    if refine is not None:
        telemetry = store.partition("telemetry", number)
        table = refine(folder / name, nodes, incidents, scenario)
        files[telemetry] = store.write_parquet(folder, telemetry, table)
    physical = incidents.with_columns(pl.col("start", "end").to_physical())
    note = {
        "code": code_hash(CODE),
        "refine": _name(refine),
        "files": files,
        "counts": dict(result.counts),
        "nodes": nodes.to_dict(as_series=False),
        "incidents": physical.to_dict(as_series=False),
    }
    write_text(_note(folder, number), json.dumps(note))


def read_part(folder: Path, number: int, refine: Refine | None) -> Part | None:
    """What a finished cell left; None where it is to be simulated: not finished, its files damaged,
    or made by another program."""
    note = read_json(_note(folder, number))
    if note.get("code") != code_hash(CODE) or note["refine"] != _name(refine):
        return None
    try:
        if not all(store.is_as(folder / name, facts) for name, facts in note["files"].items()):
            return None
    except OSError:
        return None
    nodes = pl.DataFrame(note["nodes"], schema=store.NODES)
    incidents = pl.DataFrame(note["incidents"], schema=store.INCIDENTS)
    return Part(note["files"], note["counts"], nodes, incidents)


def make_parts(
    folder: Path,
    scenario: Scenario,
    cells: Sequence[int],
    workers: int,
    refine: Refine | None,
    progress: Callable[[int, float], None],
) -> None:
    """Simulate cells in `workers` processes, which end with this one, however it ends.

    Args:
        progress: called with (cell, simulated seconds), in this thread.

    Raises RunError: a worker died or failed. What the others finished is kept.
    """
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    reached: SimpleQueue[tuple[int, float]] = context.SimpleQueue()
    executor = ProcessPoolExecutor(min(workers, len(cells)), context, _begin, (reached,))
    try:
        with _fresh_start():
            pending = {executor.submit(_work, folder, scenario, cell, refine) for cell in cells}
        while pending:
            done, pending = wait(pending, 0.1, FIRST_COMPLETED)
            while not reached.empty():
                progress(*reached.get())
            for one in done:
                if failed := one.result():
                    raise _ended(failed)
        executor.shutdown()
    except BrokenProcessPool:
        raise _ended("it was killed, perhaps for want of memory") from None
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
            child.join()


def _ended(why: str) -> RunError:
    hint = "the same command continues; --workers 1 needs the least memory"
    return RunError(f"a worker of the simulation ended: {why}", hint)


@contextmanager
def _fresh_start() -> Iterator[None]:
    """Processes started meanwhile have one thread each and do not run the caller's script, which
    may lack a `__main__` guard."""
    main, before = sys.modules["__main__"], dict(os.environ)
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name in ONE_THREAD:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


_channel: list[SimpleQueue[tuple[int, float]]] = []  # in a worker: where it reports its progress


def _begin(reached: SimpleQueue[tuple[int, float]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _channel.append(reached)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(folder: Path, scenario: Scenario, number: int, refine: Refine | None) -> str | None:
    """Simulate one cell in a worker; return why it failed, for not every error can be pickled."""
    try:
        make_part(folder, scenario, number, refine, partial(_tell, number))
    except Exception as error:
        return f"cell {number}: {type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _tell(number: int, seconds: float) -> None:
    _channel[0].put((number, seconds))


def _name(refine: Refine | None) -> str | None:
    return None if refine is None else f"{refine.__module__}:{refine.__qualname__}"


def _note(folder: Path, number: int) -> Path:
    return folder / PARTS / f"cell-{number:04d}.json"
