"""Simulated wireless sensor networks as data sets: presets, scenario files, and folders made by
`anomalynet simulate`."""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data.folder import data_folder
from anomalynet.data.gateway import LINK_CHANNELS, SENSOR_CHANNELS, read_log, telemetry_of_cell
from anomalynet.data.sources import digests
from anomalynet.data.sources._reading import SourceInfo
from anomalynet.data.telemetry import Incident, Telemetry
from anomalynet.errors import ConfigError, DataError, Problem, UsageError
from anomalynet.runs.code import code_hash
from anomalynet.simulation import load as scenarios
from anomalynet.simulation.scenario import Scenario, frame_period
from anomalynet.simulation.store import MANIFEST, World, partition, read_manifest, read_world

FOLDER = "simulated"
"""`data.name` of a world in `data.root`; also the folder, in the data folder, of worlds made
here."""

COLUMNS: dict[str, pl.DataType] = {
    "series": pl.String(),
    "time": pl.Datetime("us"),
    "label": pl.Int8(),
    "incident": pl.Int32(),
    "kind": pl.String(),
}
WARNINGS = (
    "a simulated network: its incidents are injected, with magnitudes drawn before any model "
    "was trained",
)


def names() -> list[str]:
    """The names of the presets."""
    return list(scenarios.names())


def knows(name: str) -> bool:
    """Whether `data.name` is simulated data."""
    return name == FOLDER or name.endswith(".yaml") or name in scenarios.names()


def info(name: str) -> SourceInfo:
    """The description of simulated data, before it is made. Raises DataError or ConfigError:
    invalid scenario file."""
    make = partial(SourceInfo, name, licence="Apache-2.0 (made by this program)", warnings=WARNINGS)
    if name == FOLDER:
        return make("a world made by `anomalynet simulate`, in the folder data.root")
    scenario = scenario_of(DataConfig(name=name))
    title = scenarios.names().get(name, f"simulated from {name}")
    return make(title, period=frame_period(scenario), generated=True)


def scenario_of(config: DataConfig) -> Scenario:
    """The scenario of a preset or a file, changed by `data.scenario`, with the seed `data.world`.

    Raises:
        DataError: no such file, or `data.scenario` sets the seed.
        ConfigError: every problem of the scenario.
    """
    # Text without `=` belongs to the previous value: `incidents.only=jamming crash duration=6h`.
    changes = re.split(r"\s+(?=[\w.]+=)", config.scenario.strip()) if config.scenario else []
    if any(change.startswith("seed=") for change in changes):
        raise DataError(
            "data.scenario cannot set the seed", f"set data.world={config.world} instead"
        )
    try:
        return scenarios.load_scenario(config.name, [*changes, f"seed={config.world}"])
    except UsageError as error:
        raise DataError(error.message, error.next_step) from error
    except ConfigError as error:
        prefixed = []
        for one in error.problems:
            argument = "data.scenario, " if one.where.startswith("argument") else ""
            prefixed.append(Problem(argument + one.where, one.what, one.suggestion))
        raise ConfigError(prefixed) from error


def fingerprint(config: DataConfig) -> str:
    """The SHA-256 that identifies a world: of its scenario and the simulator's code, so it is known
    before the world is made; for a folder, of the hashes of its files."""
    if config.name != FOLDER:
        scenario = scenarios.canonical(scenario_of(config))
        return digests.of_text(f"{scenario} {code_hash(('simulation',))}")
    files = read_manifest(_root(config)).files
    lines = (f"{facts['sha256']}  {name}" for name, facts in sorted(files.items()))
    return digests.of_text("\n".join(lines))


def world_folder(config: DataConfig) -> Path:
    """The folder of the world. A missing world is simulated now, by one process at a time with all
    cores. Raises DataError: as `fingerprint`; or `data.root` is not the folder of a world."""
    if config.name == FOLDER:
        return _root(config)
    from filelock import FileLock

    from anomalynet.simulation.world import simulate

    folder = data_folder() / FOLDER / fingerprint(config)[:16]
    if (folder / MANIFEST).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / MANIFEST).is_file():
            cores = os.cpu_count() or 1
            simulate(scenario_of(config), folder, workers=cores, refine=telemetry_of_cell)
    return folder


def _root(config: DataConfig) -> Path:
    if config.scenario is not None:
        raise DataError(
            "data.scenario cannot change the world in data.root, which is already simulated",
            "remove data.scenario, or use a preset: data.name=smart_city",
        )
    if config.root is None:
        what = "data.name=simulated needs the folder of a world in data.root"
        raise DataError(
            what, "set data.root=DIR; `anomalynet simulate SCENARIO --out DIR` makes one"
        )
    return Path(config.root)


def load(config: DataConfig) -> Telemetry:
    """Read the gateway logs of a world, clean them, and make telemetry, one radio cell at a time.
    Labels are 1 in attacks.

    There is a row for every node and slot, also without a frame, so that silence is scored too.

    Raises DataError: as `world_folder`; or a file of the world was edited or damaged.
    """
    world = read_world(world_folder(config))
    counts: Counter[str] = Counter()
    parts: list[pl.LazyFrame] = []
    neighbours: dict[str, tuple[str, ...]] = {}
    channels = (*SENSOR_CHANNELS, *(LINK_CHANNELS if config.link_channels else ()))
    schema = {**COLUMNS, **{channel.name: pl.Float32() for channel in channels}}
    for (cell,), nodes in world.nodes.group_by("cell", maintain_order=True):
        frames = world.folder / partition("frames", int(str(cell)))
        own = world.incidents.filter(pl.col("cell") == cell)
        log = read_log(frames, sorted(nodes["node"]), world.scenario, config.quality)
        counts.update(log.counts)
        made = partial(telemetry_of_cell, frames, nodes, own, world.scenario, config.quality)
        parts.append(pl.defer(partial(made, link=config.link_channels), schema=schema))
        neighbours |= _nearest(nodes)
    return Telemetry(
        frame=pl.concat(parts),
        channels=channels,
        period=frame_period(world.scenario),
        incidents=_incidents(world),
        counts={"nodes": world.nodes.height, "cells": len(parts), **counts},
        warnings=WARNINGS,
        parts=tuple(parts),
        neighbours=neighbours,
        policy="group_blocked",
    )


def _nearest(nodes: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """For each node the others of its cell, nearest first; at equal distance in table order."""
    names = nodes["node"].to_list()
    position = nodes.select("x", "y").to_numpy()
    distance = np.linalg.norm(position[:, None] - position[None], axis=2)
    np.fill_diagonal(
        distance, -1.0
    )  # a node itself is always first, even if another has its position
    order = np.argsort(distance, axis=1, kind="stable")[:, 1:]
    rows = zip(names, order.tolist(), strict=True)
    return {name: tuple(names[other] for other in row) for name, row in rows}


def _incidents(world: World) -> dict[int, Incident]:
    table = world.incidents.select("id", "type", "cause", "impact", "severity", "layer")
    return {row[0]: Incident(*row[1:]) for row in table.iter_rows()}


def world_of(config: DataConfig) -> int | None:
    """The seed of the simulated world; None for recordings and for the folder of a world."""
    return config.world if knows(config.name) and config.name != FOLDER else None
