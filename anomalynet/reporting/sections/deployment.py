"""Pictures of a simulated world: the positions of its nodes and the share of their readings that
arrives, a day of a node's readings, all incidents (§3.1.1, §3.1.3–3.1.6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from anomalynet.errors import UsageError
from anomalynet.reporting.figures import BLUE, GREEN, VERMILION, encode, heading, style
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.scenario import SENSORS, frame_period, seconds
from anomalynet.simulation.store import World

CAUSES = {"attack": (VERMILION, "////"), "fault": (BLUE, "...."), "environment": (GREEN, "")}
"""Okabe–Ito colours, and hatches for readers who cannot tell the colours apart."""
SEVERITIES = ("#FEE8C8", "#FDBB84", "#E34A33", "#7F0000")
"""Colours of severity 1–4: darker is graver."""
DAY = timedelta(days=1)


def draw_day(world: World) -> Figure:
    """The readings of one node over the first day: one panel per sensor, incidents shaded by cause;
    missing readings are gaps.

    The node is the one with the most types of incidents on that day; of several, the first."""
    assert world.telemetry is not None
    begin = datetime.fromisoformat(world.scenario.start)
    end = begin + min(DAY, timedelta(seconds=seconds(world.scenario.duration)))
    touched = world.incidents.filter(pl.col("start") < end).explode("nodes")
    kinds = touched.group_by("nodes").agg(pl.col("type").n_unique())
    rich = kinds.sort(["type", "nodes"], descending=[True, False])
    node = rich["nodes"][0] if rich.height else world.nodes["node"][0]
    day = world.telemetry.filter(pl.col("series") == node, pl.col("time") < end)
    rows = day.sort("time").collect()
    own = touched.filter(pl.col("nodes") == node).sort("start")
    figure = Figure(figsize=(11.0, 9.0), layout="constrained")
    panels = figure.subplots(len(SENSORS), 1, sharex=True)
    for axes, (name, unit) in zip(panels, SENSORS, strict=True):
        values = rows[name].to_numpy()
        axes.plot(rows["time"], values, color="#303030", linewidth=0.8)
        isolated = isolated_readings(values)
        times = rows["time"].to_numpy()[isolated]
        axes.plot(times, values[isolated], ".", color="#303030", markersize=2.5)
        axes.set_ylabel("motion\n(detections)" if name == "motion" else f"{name}\n({unit})")
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
        for one in own.iter_rows(named=True):
            colour, hatch = CAUSES[one["cause"]]
            look: Any = {"facecolor": colour, "edgecolor": colour, "hatch": hatch, "zorder": 0}
            axes.axvspan(one["start"], min(one["end"], end), alpha=0.28, linewidth=0, **look)
    for one in own.iter_rows(named=True):
        middle = one["start"] + (min(one["end"], end) - one["start"]) / 2
        name = f"{one['type']} {one['variant']}".strip().replace("_", " ")
        where: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        where |= {"rotation": 55, "rotation_mode": "anchor", "ha": "left", "va": "bottom"}
        text = f"{name} ({one['severity']})"
        panels[0].annotate(text, (middle, 1.0), (0, 3), fontsize=7.5, **where)
    figure.align_ylabels(panels)
    _clock(panels[-1], begin, end)
    silent = rows[SENSORS[0][0]].null_count()
    period = f"a reading every {frame_period(world.scenario):g} s"
    heading(figure, f"{world.scenario.name}, {node}: {begin:%A %Y-%m-%d}, {period}")
    gaps = f"gaps: no reading was accepted ({silent} of {rows.height} slots); "
    gaps += "in brackets the severity, 1–4"
    figure.supxlabel(gaps, fontsize=8.5, color="#404040", x=0.012, ha="left")
    handles = [
        Patch(facecolor=colour, alpha=0.4, hatch=hatch, edgecolor=colour, label=cause)
        for cause, (colour, hatch) in CAUSES.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False)
    return figure


def isolated_readings(values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Readings between gaps (NaN), which a line would not show: bool, shape of `values`."""
    present = np.concatenate([[False], ~np.isnan(values), [False]])
    isolated: npt.NDArray[np.bool_] = present[1:-1] & ~present[:-2] & ~present[2:]
    return isolated


def draw_incidents(world: World) -> Figure:
    """One line per type of incident that occurs: their times, and their number by severity."""
    begin = datetime.fromisoformat(world.scenario.start)
    end = begin + timedelta(seconds=seconds(world.scenario.duration))
    present = set(world.incidents["type"])
    types = [name for name in TYPES if name in present]
    figure = Figure(figsize=(11.0, 1.9 + 0.27 * len(types)), layout="constrained")
    over_time, bars = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    for line, name in enumerate(types):
        own = world.incidents.filter(pl.col("type") == name)
        colour, _ = CAUSES[TYPES[name].cause]
        times = own.select("start", "end").iter_rows()
        spans: Any = [(start, stop - start) for start, stop in times]
        look: Any = {"facecolor": colour, "edgecolor": "black", "linewidth": 0.3, "alpha": 0.6}
        over_time.broken_barh(spans, (line - 0.36, 0.72), **look)
        left = 0
        for severity, shade in enumerate(SEVERITIES, 1):
            count = int((own["severity"] == severity).sum())
            look = {"color": shade, "edgecolor": "black", "linewidth": 0.4}
            bars.barh(line, count, height=0.72, left=left, **look)
            left += count
        look = {"textcoords": "offset points", "fontsize": 8, "va": "center"}
        bars.annotate(str(left), (left, line), (4, 0), **look)
    over_time.set_yticks(range(len(types)), [name.replace("_", " ") for name in types])
    over_time.set_ylim(len(types) - 0.4, -0.6)
    bars.tick_params(axis="y", length=0)
    bars.set_xlabel("incidents, by severity")
    bars.margins(x=0.15)
    bars.xaxis.get_major_locator().set_params(integer=True)
    for axes in (over_time, bars):
        axes.grid(axis="x", color="#E5E5E5", linewidth=0.6)
    _clock(over_time, begin, end)
    over_time.set_xlabel(f"{over_time.get_xlabel()} (darker: several at once)")
    heading(figure, f"{world.scenario.name}: {world.incidents.height} incidents")
    handles = [
        Patch(facecolor=colour, alpha=0.6, edgecolor="black", label=cause)
        for cause, (colour, _) in CAUSES.items()
    ]
    handles += [
        Patch(facecolor=shade, edgecolor="black", label=f"severity {number}")
        for number, shade in enumerate(SEVERITIES, 1)
    ]
    look = {"ncols": 7, "frameon": False, "fontsize": 8, "columnspacing": 1.0}
    figure.legend(handles=handles, loc="outside upper right", **look)
    return figure


def _clock(axes: Axes, begin: datetime, end: datetime) -> None:
    """Draw a time axis in UTC from `begin` to `end`."""
    library: Any = dates  # its functions have no types
    axes.set_xlim(library.date2num(begin), library.date2num(end))
    axes.xaxis.set_major_locator(library.AutoDateLocator(minticks=5, maxticks=10))
    short = end - begin <= DAY
    axes.xaxis.set_major_formatter(library.DateFormatter("%H:%M" if short else "%a %H:%M"))
    axes.set_xlabel("time of day, UTC" if short else "time, UTC")


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
    look: Any = {"color": "#EDEDED", "marker": "s", "linewidths": 0, "label": "room or square"}
    axes.scatter(rooms[:, 0], rooms[:, 1], s=420, zorder=1, **look)
    gateway = nodes["gateway_x"][0], nodes["gateway_y"][0]
    axes.scatter(*gateway, s=130, color="black", marker="^", zorder=3, label="gateway")
    look = {"c": delivery(nodes), "cmap": "cividis", "vmin": lowest, "vmax": 100}
    look |= {"edgecolors": "black", "linewidths": 0.6, "clip_on": False, "label": "node"}
    points = axes.scatter(nodes["x"], nodes["y"], s=60, zorder=4, **look)
    axes.set_xlim(0, area.width)
    axes.set_ylim(0, area.height)
    axes.set_aspect("equal")
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_title(f"cell {cell}, {nodes.height} nodes", loc="left", fontsize=9.5)
    return points
