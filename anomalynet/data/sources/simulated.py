"""Simulated wireless sensor networks as data sets: presets, scenario files, and folders made by
`anomalynet simulate`."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache, partial
from pathlib import Path

import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data import gateway
from anomalynet.data.folder import data_folder
from anomalynet.data.sources import digests
from anomalynet.data.sources._reading import SourceInfo
from anomalynet.data.telemetry import Incident, Telemetry
from anomalynet.errors import ConfigError, DataError, Problem, UsageError, counted
from anomalynet.runs.code import code_hash
from anomalynet.simulation import load as scenarios
from anomalynet.simulation.network.placement import cells
from anomalynet.simulation.scenario import Scenario, frame_period, seconds
from anomalynet.simulation.store import MANIFEST, World, partition, read_manifest, read_world

FOLDER = "simulated"
"""`data.name` of a world in `data.root`; also the folder, in the data folder, of worlds made
here."""

MOST_WORLDS = 1000  # of one data set
LOG_EVERY = 10.0  # seconds between two lines of progress
log = logging.getLogger(__name__)

COLUMNS: dict[str, pl.DataType] = {
    "series": pl.String(),
    "time": pl.Datetime("us"),
    "label": pl.Int8(),
    "incident": pl.Int32(),
    "kind": pl.String(),
    "visible": pl.Float32(),
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


def worlds(config: DataConfig) -> tuple[int, ...]:
    """The seeds of the worlds of `data.worlds`, ascending; `data.world` alone where it is empty.
    Raises DataError: not a number or a list such as `0-5 100`."""
    if config.worlds is None:
        return (config.world,)
    if config.worlds.strip().isdecimal():
        count = int(config.worlds)
        if not 1 <= count <= MOST_WORLDS:
            raise DataError(f"data.worlds={count} is not a number from 1 to {MOST_WORLDS}")
        return tuple(range(config.world, config.world + count))
    return seeds_of(config.worlds, "data.worlds")


def seeds_of(text: str | None, key: str) -> tuple[int, ...]:
    """The numbers of a list such as `0-5 100`, ascending. `key`: that has it, for the message.
    Raises DataError: not such a list, or a duplicate number."""
    found: list[int] = []
    for part in (text or "").replace(",", " ").split():
        first, _, last = part.partition("-")
        span = (first, last or first)
        if not all(one.isdecimal() and len(one) < 10 for one in span):
            what = f"{key}={text}: {part!r} is neither a seed nor a range of seeds"
            raise DataError(what, f"for example {key}='0-5 100'")
        if not 0 <= int(span[1]) - int(first) < MOST_WORLDS:
            raise DataError(f"{key}={text}: {part!r} is not a range of 1 to {MOST_WORLDS} worlds")
        found += range(int(first), int(span[1]) + 1)
    if not found or len(set(found)) < len(found):
        raise DataError(f"{key}={text}: {'duplicate world' if found else 'no world is named'}")
    return tuple(sorted(found))


def generated(config: DataConfig) -> bool:
    """Whether the data is simulated from `data.world` or `data.worlds`."""
    return knows(config.name) and config.name != FOLDER


def several_worlds(config: DataConfig) -> bool:
    """Whether the data is several simulated worlds, each a group of the split."""
    return generated(config) and len(worlds(config)) > 1


def radio_cells(config: DataConfig, series: Iterable[str]) -> dict[str, str]:
    """Node → its radio cell, of the series of simulated data; empty for other data. Raises
    DataError and ConfigError: the scenario cannot be read."""
    if not knows(config.name):
        return {}
    folder = config.name == FOLDER and config.root
    scenario = read_world(Path(folder)).scenario if folder else scenario_of(config)
    nodes, count, found = scenario.deployment.nodes, cells(scenario), {}
    for name in series:
        if (parts := re.fullmatch(r"(.*?)node-(\d+)", name)) is not None:
            cell = ((int(parts[2]) + 1) * count - 1) // nodes  # as `place_nodes` divides them
            found[name] = f"{parts[1]}cell {cell}"
    return found


def group_of(world: int) -> str:
    """The group of a world's series, if the data has several worlds."""
    return f"world-{world:04d}"


def scenario_of(config: DataConfig, world: int | None = None) -> Scenario:
    """The scenario of a preset or a file, changed by `data.scenario`, with the seed `world`;
    without one, of the first world.

    Raises:
        DataError: no such file, or `data.scenario` sets the seed.
        ConfigError: every problem of the scenario.
    """
    seed = worlds(config)[0] if world is None else world
    # Text without `=` belongs to the previous value: `incidents.only=jamming crash duration=6h`.
    changes = re.split(r"\s+(?=[\w.]+=)", config.scenario.strip()) if config.scenario else []
    if any(change.startswith("seed=") for change in changes):
        raise DataError("data.scenario cannot set the seed", f"set data.world={seed} instead")
    file = Path(config.name)  # one that has changed is read again
    stamp = file.stat().st_mtime_ns if file.is_file() else 0
    try:
        return _scenario(config.name, stamp, (*changes, f"seed={seed}"))
    except UsageError as error:
        raise DataError(error.message, error.next_step) from error
    except ConfigError as error:
        prefixed = []
        for one in error.problems:
            argument = "data.scenario, " if one.where.startswith("argument") else ""
            prefixed.append(Problem(argument + one.where, one.what, one.suggestion))
        raise ConfigError(prefixed) from error


@lru_cache(maxsize=256)
def _scenario(name: str, stamp: int, changes: tuple[str, ...]) -> Scenario:
    """A run asks for it six times, and to resolve it takes 50 ms."""
    return scenarios.load_scenario(name, changes)


def fingerprint(config: DataConfig) -> str:
    """The SHA-256 that identifies simulated worlds: of their scenarios and the simulator's code, so
    it is known before a world is made; for a folder, of the hashes of its files."""
    if config.name != FOLDER:
        every = [_fingerprint(scenario_of(config, world)) for world in worlds(config)]
        return every[0] if len(every) == 1 else digests.of_text("\n".join(every))
    files = read_manifest(_root(config)).files
    lines = (f"{facts['sha256']}  {name}" for name, facts in sorted(files.items()))
    return digests.of_text("\n".join(lines))


def _fingerprint(scenario: Scenario) -> str:
    return digests.of_text(f"{scenarios.canonical(scenario)} {code_hash(('simulation',))}")


def world_folders(config: DataConfig) -> list[Path]:
    """The folder of each world. Missing worlds are simulated now, by one process at a time with all
    cores. Raises DataError: as `fingerprint`; or `data.root` is not the folder of a world."""
    if config.name == FOLDER:
        return [_root(config)]
    from anomalynet.simulation.world import simulate_worlds

    every = (scenario_of(config, world) for world in worlds(config))
    wanted = {data_folder() / FOLDER / _fingerprint(one)[:16]: one for one in every}
    missing = {folder: wanted[folder] for folder in wanted if not (folder / MANIFEST).is_file()}
    if missing:
        cores, said = os.cpu_count() or 1, _Progress(missing.values())
        simulate_worlds(
            missing, workers=cores, progress=said, refine=gateway.telemetry_of_cell, wait=True
        )
    return list(wanted)


class _Progress:
    """Logs the progress of a simulation; called with the simulated seconds, summed over cells."""

    def __init__(self, scenarios: Collection[Scenario]) -> None:
        self._total = sum(seconds(one.duration) * cells(one) for one in scenarios)
        self._title = f"simulating {counted(len(scenarios), 'world')}"
        self._began = self._last = time.monotonic()

    def __call__(self, reached: float) -> None:
        now = time.monotonic()
        if now - self._last >= LOG_EVERY and reached:
            self._last, done = now, reached / self._total
            left = (now - self._began) * (1 - done) / done
            log.info("%s: %.0f %%, about %.0f s left", self._title, 100 * done, left)


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
    """Read the gateway logs of worlds, clean them, and make telemetry, one radio cell at a time.
    Labels are 1 in attacks.

    There is a row for every node and slot, also without a frame, so that silence is scored too.
    The series of several worlds are named `world-0003/node-0007`, and a world is a group: no split
    divides it.

    Raises DataError: as `world_folders`; or a file of a world was edited or damaged.
    """
    seeds, folders = worlds(config), world_folders(config)
    several = len(folders) > 1
    counts: Counter[str] = Counter()
    parts: list[pl.LazyFrame] = []
    groups: dict[str, str] = {}
    neighbours: dict[str, tuple[str, ...]] = {}
    incidents: dict[int, Incident] = {}
    channels = gateway.SENSOR_CHANNELS
    channels += gateway.LINK_CHANNELS if config.link_channels else ()
    channels += gateway.EVIDENCE_CHANNELS if config.evidence_channels else ()
    schema = {**COLUMNS, **{channel.name: pl.Float32() for channel in channels}}
    period = 0.0
    for seed, folder in zip(seeds, folders, strict=True):
        world = read_world(folder)
        period = frame_period(world.scenario)
        prefix = f"{group_of(seed)}/" if several else ""
        first = max(incidents, default=-1) + 1
        counts.update({"nodes": world.nodes.height, "worlds": 1})
        for (cell,), nodes in world.nodes.group_by("cell", maintain_order=True):
            frames = world.folder / partition("frames", int(str(cell)))
            own = world.incidents.filter(pl.col("cell") == cell)
            log = gateway.read_log(frames, sorted(nodes["node"]), world.scenario, config.quality)
            counts.update({"cells": 1, **log.counts})
            made = partial(
                gateway.telemetry_of_cell, frames, nodes, own, world.scenario, config.quality
            )
            made = partial(made, link=config.link_channels, evidence=config.evidence_channels)
            visible = world.folder / partition("visibility", int(str(cell)))
            parts.append(pl.defer(partial(_part, made, visible, prefix, first), schema=schema))
            names = [prefix + name for name in nodes["node"]]
            neighbours |= {
                name: tuple(names[other] for other in others)
                for name, others in zip(names, gateway.nearest(nodes).tolist(), strict=True)
            }
            groups |= dict.fromkeys(names, prefix.rstrip("/")) if several else {}
        incidents |= _incidents(world, first)
    return Telemetry(
        frame=pl.concat(parts),
        channels=channels,
        period=period,
        groups=groups,
        incidents=incidents,
        counts=counts,
        warnings=WARNINGS,
        parts=tuple(parts),
        neighbours=neighbours,
        policy="group" if several else "group_blocked",
    )


def _part(made: Callable[[], pl.DataFrame], visible: Path, prefix: str, first: int) -> pl.DataFrame:
    """A cell's telemetry with its world's prefix in the names of series, its incidents numbered
    after those of earlier worlds, and how visible they are, if that was stored."""
    known = visible.is_file()
    column = pl.read_parquet(visible)["deviation"] if known else pl.lit(None, pl.Float32)
    table = made().with_columns(
        pl.concat_str(pl.lit(prefix), "series").alias("series"),
        pl.col("incident") + first,
        column.alias("visible"),
    )
    return table.select(*COLUMNS, pl.exclude(*COLUMNS))


def _incidents(world: World, first: int) -> dict[int, Incident]:
    table = world.incidents.select("id", "type", "cause", "impact", "severity", "layer")
    return {first + row[0]: Incident(*row[1:]) for row in table.iter_rows()}


def world_of(config: DataConfig) -> int | None:
    """The seed of the simulated world; None for several worlds, for recordings, and for the folder
    of a world."""
    return worlds(config)[0] if generated(config) and not several_worlds(config) else None
