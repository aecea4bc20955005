"""Simulates a world into a folder: all cells, then the tables and counts over all cells."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from anomalynet import __version__
from anomalynet.config.identity import flatten_tree
from anomalynet.errors import ConfigError, RunError, UsageError
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import write_text
from anomalynet.simulation import store
from anomalynet.simulation.load import as_yaml, canonical, load_scenario
from anomalynet.simulation.network.placement import cells, coverage
from anomalynet.simulation.parts import (
    CODE,
    PARTS,
    Job,
    Part,
    Refine,
    make_part,
    make_parts,
    read_part,
)
from anomalynet.simulation.scenario import Scenario, seconds, slots

LOCK = ".lock"


def simulate(
    scenario: Scenario,
    folder: Path,
    *,
    workers: int = 1,
    csv: bool = False,
    progress: Callable[[float], None] | None = None,
    refine: Refine | None = None,
) -> store.Manifest:
    """Simulate every cell of a scenario into a folder; see `store` for its files.

    The same scenario gives the same bytes with any number of workers. An interrupted simulation
    continues with the unfinished cells; a finished world is verified and not changed.

    Args:
        folder: new, empty, or with a world of the same scenario.
        workers: number of processes; 1: simulate in this process.
        csv: also write copies as CSV.
        progress: called with the simulated seconds, summed over the cells.
        refine: makes the telemetry of a cell from its gateway log; None: no telemetry is made.

    Raises:
        UsageError: the folder contains anything else, or another process uses it; nothing is
            changed.
        DataError: the finished world in the folder is damaged.
        RunError: a worker died.
    """
    made = simulate_worlds({folder: scenario}, workers=workers, progress=progress, refine=refine)
    if csv:
        store.write_csv(made[0])
    return made[0].manifest


def simulate_worlds(
    worlds: Mapping[Path, Scenario],
    *,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
    refine: Refine | None = None,
    wait: bool = False,
) -> list[store.World]:
    """Simulate several worlds, the cells of all in the same processes. `worlds`: folder → its
    scenario; `wait`: for another process that uses a folder; everything else as in `simulate`."""
    for folder, scenario in worlds.items():
        claim(scenario, folder)
    with ExitStack() as locks:
        for folder in sorted(worlds):  # in one order: no two processes wait for each other
            try:
                locks.enter_context(FileLock(folder / LOCK, timeout=-1 if wait else 0))
            except Timeout:
                raise UsageError(
                    f"{folder}: another process simulates into this folder",
                    "wait for it, or name another folder",
                ) from None
        missing = {
            folder: scenario
            for folder, scenario in worlds.items()
            if not (folder / store.MANIFEST).is_file()
        }
        for folder, parts in _all_parts(missing, workers, refine, progress).items():
            _finish(missing[folder], folder, parts)
        found = [store.read_world(folder) for folder in worlds]
        for folder in worlds:
            shutil.rmtree(folder / PARTS, ignore_errors=True)
    return found


def claim(scenario: Scenario, folder: Path) -> None:
    """Reserve a folder for this scenario: write the scenario file, or check that the present one is
    equal. Raises UsageError: the folder contains anything else; nothing is changed then."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        left = {*folder.glob(f".{store.SCENARIO}*.tmp"), folder / LOCK}  # of a command that ended
        present_files = [path for path in folder.iterdir() if path not in left]
        if not present_files:
            write_text(folder / store.SCENARIO, as_yaml(scenario))
            return
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be written to: {error.strerror}",
            "give a new or empty folder with --out",
        ) from None
    elsewhere = "nothing was changed; give a new or empty folder with --out"
    if not (folder / store.SCENARIO).is_file():
        raise UsageError(
            f"{folder} contains {present_files[0].name}, but no simulated world", elsewhere
        )
    try:
        present = load_scenario(str(folder / store.SCENARIO))
    except ConfigError as error:
        raise UsageError(
            f"{folder} contains a world whose scenario cannot be read: {error.message}", elsewhere
        ) from None
    if canonical(present) != canonical(scenario):
        old, new = flatten_tree(asdict(present)), flatten_tree(asdict(scenario))
        changed = [
            f"{key} is {old[key]} in the folder, {new[key]} in this command"
            for key in old
            if old[key] != new[key] and key != "name"
        ]
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        changes = f"{'; '.join(changed[:3])}{more}"
        raise UsageError(f"{folder} contains another world: {changes}", elsewhere)


def _all_parts(
    worlds: Mapping[Path, Scenario],
    workers: int,
    refine: Refine | None,
    progress: Callable[[float], None] | None,
) -> dict[Path, list[Part]]:
    """The parts of all cells of each world, in the order of the cells; missing ones are
    simulated."""
    every = [(folder, number) for folder in worlds for number in range(cells(worlds[folder]))]
    done = {job: read_part(*job, refine) for job in every}
    lengths = {folder: seconds(scenario.duration) for folder, scenario in worlds.items()}
    at = {job: 0.0 if part is None else lengths[job[0]] for job, part in done.items()}

    def reached(job: Job, moment: float) -> None:
        at[job] = min(moment, lengths[job[0]])
        if progress is not None:
            progress(sum(at.values()))

    pending = {job: worlds[job[0]] for job, part in done.items() if part is None}
    if every and progress is not None:
        progress(sum(at.values()))
    if workers > 1 and len(pending) > 1:
        make_parts(pending, workers, refine, reached)
    else:
        for job, scenario in pending.items():
            make_part(*job, scenario, refine, partial(reached, job))
            reached(job, lengths[job[0]])
    found: dict[Path, list[Part]] = {folder: [] for folder in worlds}
    for (folder, number), known in done.items():
        part = known or read_part(folder, number, refine)
        if part is None:
            raise RunError(
                f"{folder}: the code or a file of the folder changed during the simulation",
                "repeat the command to simulate those cells again",
            )
        found[folder].append(part)
    return found


def _finish(scenario: Scenario, folder: Path, parts: Sequence[Part]) -> None:
    """Write the tables of the world, and last the manifest."""
    nodes = pl.concat([part.nodes for part in parts]).sort("number")
    incidents = pl.concat([part.incidents for part in parts]).sort("id")
    files = {name: facts for part in parts for name, facts in part.files.items()}
    files |= {
        store.NODES_FILE: store.write_parquet(folder, store.NODES_FILE, nodes),
        store.INCIDENTS_FILE: store.write_parquet(folder, store.INCIDENTS_FILE, incidents),
        store.SCENARIO: store.facts_of(folder / store.SCENARIO),
    }
    radio: Counter[str] = Counter()
    for part in parts:
        radio.update(part.counts)
    totals = {name: int(nodes[name].sum()) for name in ("expected", "sent", "received")}
    causes = Counter(incidents["cause"])
    counts = {
        "nodes": nodes.height,
        "cells": len(parts),
        "slots": slots(scenario),
        "frames": sum(
            files[store.partition("frames", number)]["rows"] for number in range(len(parts))
        ),
        **totals,
        "delivered": totals["received"] / totals["expected"],
        "incidents": incidents.height,
        **{f"incidents, {cause}": causes[cause] for cause in ("attack", "fault", "environment")},
        **coverage(scenario),
        **{f"radio: {name}": count for name, count in sorted(radio.items())},
    }
    versions = {
        "anomalynet": __version__,
        "code": code_hash(CODE),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "polars", "simpy")},
    }
    listed = dict(sorted(files.items()))
    values = (store.FORMAT, versions, asdict(scenario), store.UNITS, counts, listed)
    store.write_manifest(folder, store.Manifest(*values))
