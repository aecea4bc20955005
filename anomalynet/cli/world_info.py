"""Describes the network, the incidents and the pictures of a simulated world, which other data sets
do not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.config.schema import DataConfig
    from anomalynet.simulation.store import Manifest, World


def open_world(config: DataConfig) -> World | None:
    """The world of simulated data; None for other data. A preset's world is simulated if
    necessary."""
    from anomalynet.data.sources import simulated
    from anomalynet.simulation.store import read_world

    return read_world(simulated.world_folder(config)) if simulated.knows(config.name) else None


def cells(world: World) -> list[dict[str, Any]]:
    """One row per radio cell: number of nodes, percent delivered of all nodes and of the worst
    node, weakest and strongest link in dBm."""
    import polars as pl

    received, expected, link = pl.col("received"), pl.col("expected"), pl.col("link")
    table = world.nodes.group_by("cell").agg(
        pl.len().alias("nodes"),
        pl.col("node").first().alias("first"),
        pl.col("node").last().alias("last"),
        (100 * received.sum() / expected.sum()).round(2).alias("delivered (%)"),
        (100 * received / expected).min().round(2).alias("worst node (%)"),
        link.min().round(1).alias("weakest link (dBm)"),
        link.max().round(1).alias("strongest link (dBm)"),
    )
    return table.sort("cell").to_dicts()


def incidents(world: World, described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per type of incident, in the order of the taxonomy: number per severity, mean number
    of nodes, median minutes, and rows of telemetry, which are taken from `described`."""
    import polars as pl

    from anomalynet.simulation.incidents.taxonomy import TYPES

    grade = pl.col("severity")
    severities = [(grade == number).sum().alias(f"severity {number}") for number in range(1, 5)]
    minutes = (pl.col("end") - pl.col("start")).dt.total_seconds() / 60
    table = world.incidents.group_by("type").agg(
        pl.col("cause", "layer", "impact").first(),
        pl.len().alias("incidents"),
        *severities,
        pl.col("nodes").list.len().mean().round(1).alias("nodes each"),
        minutes.median().round(1).alias("median minutes"),
    )
    counts = {row["type"]: row["rows"] for row in described}
    found = {row["type"]: {**row, "rows": counts.get(row["type"], 0)} for row in table.to_dicts()}
    return [found[name] for name in TYPES if name in found]


def draw(world: World, folder: Path | None) -> list[Path]:
    """Write the pictures of a world into a folder, by default its `figures`; returns their
    paths."""
    from anomalynet.reporting.sections.deployment import draw_world

    target = folder or world.folder / "figures"
    pictures = {target / name: content for name, content in draw_world(world).items()}
    for path, content in pictures.items():
        try:
            target.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            what = f"{path}: cannot be written: {error.strerror}"
            raise UsageError(what, "--figures names a folder for the pictures") from None
    return list(pictures)


def world_facts(manifest: Manifest) -> dict[str, str]:
    """The main facts of a world: label → text with its unit."""
    counts, scenario = manifest.counts, manifest.scenario
    deployment, size = scenario["deployment"], sum(one["bytes"] for one in manifest.files.values())
    kinds = ("attack", "fault", "environment")
    causes = ", ".join(f"{counts[f'incidents, {kind}']:.0f} {kind}" for kind in kinds)
    area = f"{deployment['width']:g} m × {deployment['height']:g} m"
    density = f"{counts['density']:.3g} nodes per hectare"
    return {
        "scenario": f"{scenario['name']}, seed {scenario['seed']}",
        "simulated": f"{scenario['duration']} from {scenario['start'].replace('T', ' ')}",
        "nodes": f"{counts['nodes']:,.0f} in {counts['cells']:,.0f} cells of {area}",
        "density": f"{density}, {counts['nearest']:.3g} m to the nearest",
        "coverage": f"{100 * counts['coverage']:.0f} % of the area within reach of a sensor",
        "readings expected": f"{counts['expected']:,.0f}",
        "frames received": f"{counts['frames']:,.0f}, duplicates and damaged ones included",
        "delivered": f"{100 * counts['delivered']:.2f} % of the readings, intact",
        "incidents": f"{counts['incidents']:,.0f}: {causes}",
        "size": f"{size / 1e6:.1f} MB",
    }
