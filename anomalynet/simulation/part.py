"""One cell's share of a world: simulated, written, and remembered, so that a simulation that is cut
off goes on with the next cell."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.runs.code import code_hash
from anomalynet.runs.files import read_json, write_text
from anomalynet.simulation.cell import simulate_cell
from anomalynet.simulation.scenario import Scenario
from anomalynet.simulation.store import (
    INCIDENTS,
    NODES,
    frames_table,
    incidents_table,
    is_as,
    nodes_table,
    partition,
    write_parquet,
)

Refine = Callable[[Path, pl.DataFrame, pl.DataFrame, Scenario], pl.DataFrame]
"""(gateway log of a cell, its nodes, its incidents, the scenario) → its telemetry. A module's
function, so that other processes find it."""

CODE = ("simulation", "data")
"""The packages that make a world and its telemetry."""

PARTS = "parts"
"""Folder in a world's folder that remembers the finished cells until all are."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a finished cell leaves beside its Parquet files: their facts, its counts, nodes and
    incidents."""

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
    nodes, incidents = nodes_table(result), incidents_table(result, scenario.start)
    name = partition("frames", number)
    files = {name: write_parquet(folder, name, frames_table(result))}
    if refine is not None:
        telemetry = partition("telemetry", number)
        files[telemetry] = write_parquet(
            folder, telemetry, refine(folder / name, nodes, incidents, scenario)
        )
    note = {
        "code": code_hash(CODE),
        "refine": name_of(refine),
        "files": files,
        "counts": dict(result.counts),
        "nodes": nodes.to_dict(as_series=False),
        "incidents": incidents.with_columns(pl.col("start", "end").to_physical()).to_dict(
            as_series=False
        ),
    }
    write_text(_note(folder, number), json.dumps(note))


def read_part(folder: Path, number: int, refine: Refine | None) -> Part | None:
    """What a finished cell left; None where it is to be simulated: not finished, its files damaged,
    or made by another program."""
    note = read_json(_note(folder, number))
    if note.get("code") != code_hash(CODE) or note["refine"] != name_of(refine):
        return None
    try:
        sound = all(is_as(folder / name, facts) for name, facts in note["files"].items())
    except OSError:
        sound = False
    if not sound:
        return None
    return Part(
        note["files"],
        note["counts"],
        pl.DataFrame(note["nodes"], schema=NODES),
        pl.DataFrame(note["incidents"], schema=INCIDENTS),
    )


def name_of(refine: Refine | None) -> str | None:
    """`module:function`, which `by_name` finds again in another process."""
    return None if refine is None else f"{refine.__module__}:{refine.__qualname__}"


def by_name(name: str | None) -> Refine | None:
    """The function that a `module:function` names."""
    if name is None:
        return None
    module, _, function = name.partition(":")
    found: Refine = getattr(importlib.import_module(module), function)
    return found


def _note(folder: Path, number: int) -> Path:
    return folder / PARTS / f"cell-{number:04d}.json"
