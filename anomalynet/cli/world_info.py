"""What `anomalynet data info` says of simulated data beyond any data set: its network, its
incidents, its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.config.schema import DataConfig
    from anomalynet.simulation.store import World


def open_world(config: DataConfig) -> World | None:
    """The world behind simulated data, None of any other; a preset's world is simulated if it was
    not yet."""
    from anomalynet.data.sources import simulated
    from anomalynet.simulation.store import read_world

    return read_world(simulated.world_folder(config)) if simulated.knows(config.name) else None


def cells(world: World) -> list[dict[str, Any]]:
    """A row a radio cell: nodes, percent delivered over all and of the worst node, weakest and
    strongest link in dBm."""
    import polars as pl

    share = 100 * pl.col("received") / pl.col("expected")
    table = world.nodes.group_by("cell").agg(
        pl.len().alias("nodes"),
        pl.col("node").first().alias("first"),
        pl.col("node").last().alias("last"),
        (100 * pl.col("received").sum() / pl.col("expected").sum()).round(2).alias("delivered (%)"),
        share.min().round(2).alias("worst node (%)"),
        pl.col("link").min().round(1).alias("weakest link (dBm)"),
        pl.col("link").max().round(1).alias("strongest link (dBm)"),
    )
    return table.sort("cell").to_dicts()


def incidents(world: World, described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a type of incident, in the order of the taxonomy: how many of each severity, nodes
    touched, median minutes, rows of telemetry.

    Args:
        described: `describe`'s incidents, which know the `rows` of each `type`.
    """
    import polars as pl

    from anomalynet.simulation.incidents import TYPES

    severities = [
        (pl.col("severity") == grade).sum().alias(f"severity {grade}") for grade in range(1, 5)
    ]
    table = world.incidents.group_by("type").agg(
        pl.col("cause", "layer", "impact").first(),
        pl.len().alias("incidents"),
        *severities,
        pl.col("nodes").list.len().mean().round(1).alias("nodes each"),
        ((pl.col("end") - pl.col("start")).dt.total_seconds() / 60)
        .median()
        .round(1)
        .alias("median minutes"),
    )
    held = {row["type"]: row["rows"] for row in described}
    found = {row["type"]: {**row, "rows": held.get(row["type"], 0)} for row in table.to_dicts()}
    return [found[name] for name in TYPES if name in found]


def draw(world: World, folder: Path | None) -> list[Path]:
    """Write the pictures of a world into a folder, by default its `figures`, and return their
    paths.

    Raises:
        UsageError: the folder cannot be written to.
    """
    from anomalynet.reporting.deployment import draw_world

    target = folder or world.folder / "figures"
    paths = []
    for name, content in draw_world(world).items():
        try:
            target.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)
        except OSError as error:
            raise UsageError(
                f"{target / name}: cannot be written: {error.strerror}",
                "--figures names a folder for the pictures",
            ) from None
        paths.append(target / name)
    return paths
