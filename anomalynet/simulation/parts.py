"""Simulates the cells of a world, in this process or in several worker processes. A note in the
world's folder is written for each finished cell, so that an interrupted simulation continues with
the missing cells."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
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
from anomalynet.simulation.visibility import visibility

Refine = Callable[[Path, pl.DataFrame, pl.DataFrame, Scenario], pl.DataFrame]
"""(gateway log of a cell, its nodes, its incidents, the scenario) → its telemetry. A module's
function, so that other processes find it."""

Job = tuple[Path, int]  # a world's folder, and the number of a cell
CODE = ("simulation", "data")  # the packages that make a world and its telemetry
PARTS = "parts"
"""Folder in the world's folder for the notes on finished cells; removed when all are finished."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)


@dataclass(frozen=True, slots=True)
class Part:
    """The note on a finished cell: facts about its Parquet files, counts, nodes and incidents."""

    files: dict[str, dict[str, Any]]
    counts: dict[str, int]
    nodes: pl.DataFrame
    incidents: pl.DataFrame


def make_part(
    folder: Path,
    number: int,
    scenario: Scenario,
    refine: Refine | None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Simulate one cell and write its files into the world's folder. The note is written last."""
    result = simulate_cell(scenario, number, progress=progress)
    nodes = store.nodes_table(result)
    incidents = store.incidents_table(result, scenario.start)
    name = store.partition("frames", number)
    frames = store.frames_table(result, result.frames)
    files = {name: store.write_parquet(folder, name, frames)}
    if refine is not None:
        telemetry = store.partition("telemetry", number)
        table = refine((folder / name).absolute(), nodes, incidents, scenario)
        files[telemetry] = store.write_parquet(folder, telemetry, table)
        twin = table
        if result.twin is not None:
            beside = folder / PARTS / store.partition("twin", number)
            without = store.frames_table(result, result.twin)
            store.write_parquet(beside.parent, beside.name, without)
            twin = refine(beside, nodes, incidents, scenario)
            beside.unlink()
        visible = store.partition("visibility", number)
        files[visible] = store.write_parquet(folder, visible, visibility(table, twin))
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
    """Read the note on a finished cell. None if the cell must be simulated: it is not finished, its
    files are damaged, or another version of the code made it."""
    note = read_json(_note(folder, number))
    if note.get("code") != code_hash(CODE) or note["refine"] != _name(refine):
        return None
    if store.changes(folder, note["files"]):
        return None
    nodes = pl.DataFrame(note["nodes"], schema=store.NODES)
    incidents = pl.DataFrame(note["incidents"], schema=store.INCIDENTS)
    return Part(note["files"], note["counts"], nodes, incidents)


def make_parts(
    jobs: Mapping[Job, Scenario],
    workers: int,
    refine: Refine | None,
    progress: Callable[[Job, float], None],
) -> None:
    """Simulate cells in `workers` processes, which never outlive this process.

    Args:
        progress: called with a job and its simulated seconds, in this thread.

    Raises RunError: a worker died or failed. Cells that are finished are kept.
    """
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    queue: SimpleQueue[tuple[Job, float]] = context.SimpleQueue()
    executor = ProcessPoolExecutor(min(workers, len(jobs)), context, _setup_worker, (queue,))
    try:
        with _clean_environment():
            pending = {
                executor.submit(_simulate_in_worker, job, scenario, refine)
                for job, scenario in jobs.items()
            }
        while pending:
            done, pending = wait(pending, 0.1, FIRST_COMPLETED)
            while not queue.empty():
                progress(*queue.get())
            for one in done:
                if failed := one.result():
                    raise _worker_error(failed)
        executor.shutdown()
    except BrokenProcessPool:
        raise _worker_error("it was killed, perhaps because memory ran out") from None
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
            child.join()


def _worker_error(why: str) -> RunError:
    hint = "repeat the command to resume; --workers 1 needs the least memory"
    return RunError(f"a worker of the simulation ended: {why}", hint)


@contextmanager
def _clean_environment() -> Iterator[None]:
    """Processes started inside have one thread each and do not import the caller's script, which
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


# In a worker: the queue for its progress
_channel: list[SimpleQueue[tuple[Job, float]]] = []


def _setup_worker(queue: SimpleQueue[tuple[Job, float]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _channel.append(queue)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # not sys.exit: this is a thread, and the main thread may be busy for minutes


def _simulate_in_worker(job: Job, scenario: Scenario, refine: Refine | None) -> str | None:
    """Simulate one cell in a worker. Return the reason of a failure as text: not every exception
    can be pickled."""
    try:
        make_part(*job, scenario, refine, partial(_report, job))
    except Exception as error:
        return f"cell {job[1]}: {type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _report(job: Job, seconds: float) -> None:
    _channel[0].put((job, seconds))


def _name(refine: Refine | None) -> str | None:
    return None if refine is None else f"{refine.__module__}:{refine.__qualname__}"


def _note(folder: Path, number: int) -> Path:
    return folder / PARTS / f"cell-{number:04d}.json"
