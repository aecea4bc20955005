"""Pictures of a simulated world's network: the positions of its nodes, and the share of their
readings that arrives (§3.1.3-3.1.4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from anomalynet.errors import UsageError
from anomalynet.reporting.figures import encode, heading, style
from anomalynet.reporting.sections.recordings import draw_day, draw_incidents
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.store import World

PANELS = 6  # most cells on one map


def draw_world(world: World) -> dict[str, bytes]:
    """Every picture of a world as file name → content, SVG and PNG; the same world gives the same
    bytes.

    The day of signals is missing if the world was made without telemetry, the incidents if there
    are none."""
    pictures = {"node_map": draw_map}
    if world.telemetry is not None:
        pictures["signals"] = draw_day
    if world.incidents.height:
        pictures["incidents"] = draw_incidents
    files = {}
    with style():
        for name, draw in pictures.items():
            files.update({f"{name}.{suffix}": content for suffix, content in encode(draw(world))})
    return files


def write_pictures(world: World, folder: Path | None = None) -> list[Path]:
    """Write every picture of a world into a folder, by default its `figures`; returns their paths.
    Raises UsageError: the folder cannot be written to."""
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


def delivery(nodes: pl.DataFrame) -> pl.Series:
    """Percent of a node's readings that arrived intact, float64 (node,)."""
    return 100 * nodes["received"] / nodes["expected"]


def draw_map(world: World) -> Figure:
    """One panel per cell, in metres: nodes coloured by delivery, rooms, gateway."""
    cells = world.nodes["cell"].unique().sort().to_list()
    shown = cells[:PANELS]
    columns = len(shown) if len(shown) <= 3 else -(-len(shown) // 2)
    lines = -(-len(shown) // columns)
    area = world.scenario.deployment
    height = 4.2 * min(max(area.height / area.width, 0.4), 1.6)
    size = (max(4.2 * columns + 1.2, 7.0), height * lines + 1.1)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    lowest = min(90.0, 10.0 * float(np.floor(np.min(delivery(world.nodes).to_numpy()) / 10)))
    for axes, cell in zip(grid.flat, shown, strict=False):
        points = _cell(axes, world, cell, lowest)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("metres")
    for axes in grid[:, 0]:
        axes.set_ylabel("metres")
    bar = figure.colorbar(points, ax=grid, shrink=0.8, aspect=30)
    bar.set_label(f"readings that arrived intact, percent (scale from {lowest:.0f})")
    left_out = f"; {len(cells) - PANELS} more cells are not shown" if len(cells) > PANELS else ""
    nodes = f"{world.nodes.height} nodes in {len(cells)} cells{left_out}"
    heading(figure, f"{world.scenario.name}, seed {world.scenario.seed}: {nodes}")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False)
    return figure


def _cell(axes: Axes, world: World, cell: int, lowest: float) -> PathCollection:
    nodes = world.nodes.filter(pl.col("cell") == cell)
    area = world.scenario.deployment
    rooms = place_nodes(world.scenario, cell).room_positions
    axes.scatter(
        rooms[:, 0],
        rooms[:, 1],
        s=420,
        color="#EDEDED",
        marker="s",
        linewidths=0,
        zorder=1,
        label="room or square",
    )
    axes.scatter(
        nodes["gateway_x"][0],
        nodes["gateway_y"][0],
        s=130,
        color="black",
        marker="^",
        zorder=3,
        label="gateway",
    )
    points = axes.scatter(
        nodes["x"],
        nodes["y"],
        s=60,
        c=delivery(nodes),
        cmap="cividis",
        vmin=lowest,
        vmax=100,
        edgecolors="black",
        linewidths=0.6,
        clip_on=False,
        zorder=4,
        label="node",
    )
    axes.set_xlim(0, area.width)
    axes.set_ylim(0, area.height)
    axes.set_aspect("equal")
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_title(f"cell {cell}, {nodes.height} nodes", loc="left", fontsize=9.5)
    return points
