"""A world written by hand, so that every value of its telemetry is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.simulation.scenario import SamplingConfig, Scenario
from anomalynet.simulation.store import (
    FORMAT,
    FRAMES,
    INCIDENTS,
    INCIDENTS_FILE,
    NODES,
    NODES_FILE,
    SCENARIO,
    UNITS,
    Manifest,
    partition,
    write_manifest,
    write_parquet,
)

START = datetime(2026, 1, 5)
SCENARIO_YAML = "duration: 100s\nstart: '2026-01-05T00:00'\nsampling: {period: 10}\n"
BY_HAND = Scenario(name="by_hand", duration="100s", sampling=SamplingConfig(period=10.0))
"""Ten slots of ten seconds."""


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def frame(node: str | None, arrival: float, sequence: int, **other: Any) -> dict[str, Any]:
    """A frame that was sent 10 ms before it arrived and reads 20 + sequence °C, unless told
    otherwise."""
    source = -1 if node is None else int(node.removeprefix("node-")) + 1
    known = {"source": source, "node": node, "sequence": sequence, "retries": 0, "frame": b""}
    times = {"arrival": at(arrival), "sent": at(arrival - 0.01)}
    link = {"rssi": -70.0, "snr": 20.0, "lqi": 255, "fcs": True, "checksum": True}
    calm = {"humidity": 50.0, "motion": 0.0, "light": 100.0, "sound": 40.0}
    return {**known, **times, **link, **calm, "temperature": 20.0 + sequence, **other}


def incident(
    number: int,
    nodes: Sequence[str],
    start: float,
    end: float,
    type: str = "jamming",
    cause: str = "attack",
) -> dict[str, Any]:
    kind = {"type": type, "variant": "", "cause": cause, "layer": "physical"}
    effect = {"impact": "availability", "severity": 2, "magnitude": 1.0}
    place = {"cell": 0, "nodes": list(nodes), "x": 0.0, "y": 0.0}
    return {"id": number, **kind, **effect, **place, "start": at(start), "end": at(end)}


def node(number: int, cell: int = 0, x: float = 0.0, y: float = 0.0) -> dict[str, Any]:
    place = {"node": f"node-{number:04d}", "number": number, "cell": cell, "x": x, "y": y}
    counts = {"room": 0, "expected": 10, "sent": 10, "received": 10}
    return {**dict.fromkeys(NODES, 0.0), **place, **counts}


def table(rows: Sequence[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schema)


def frames_file(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A gateway log of frames in the order given."""
    table(rows, FRAMES).write_parquet(path)
    return path


def write_world(
    folder: Path,
    frames: Sequence[Sequence[dict[str, Any]]],
    nodes: Sequence[dict[str, Any]],
    incidents: Sequence[dict[str, Any]] = (),
) -> Path:
    """A whole world: frames cell by cell."""
    folder.mkdir(parents=True)
    (folder / SCENARIO).write_text(SCENARIO_YAML)
    tables = {partition("frames", cell): table(rows, FRAMES) for cell, rows in enumerate(frames)}
    tables[NODES_FILE] = table(nodes, NODES)
    tables[INCIDENTS_FILE] = table(incidents, INCIDENTS)
    files = {name: write_parquet(folder, name, rows) for name, rows in tables.items()}
    write_manifest(folder, Manifest(FORMAT, {}, {}, UNITS, {}, files))
    return folder
