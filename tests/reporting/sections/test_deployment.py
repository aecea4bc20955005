"""Pictures of a simulated world."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.data.gateway import telemetry_of_cell
from anomalynet.reporting.sections.deployment import (
    PANELS,
    delivery,
    draw_day,
    draw_incidents,
    draw_map,
    draw_world,
    isolated_readings,
)
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.scenario import SENSORS
from anomalynet.simulation.store import World, read_world
from anomalynet.simulation.world import simulate


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Eight cells of two nodes for six hours, with every cause of incident."""
    overrides = "deployment.nodes=16 deployment.cell_nodes=2 duration=6h sampling.period=60 "
    overrides += "incidents.quiet_hours=0.2 incidents.per_node_day=30"
    folder = tmp_path_factory.mktemp("world") / "w"
    simulate(load_scenario("smart_city", overrides.split()), folder, refine=telemetry_of_cell)
    return read_world(folder)


def test_the_pictures_are_legible_in_size(world: World) -> None:
    files = draw_world(world)
    assert sorted(files) == sorted(
        f"{name}.{kind}" for name in ("node_map", "signals", "incidents") for kind in ("svg", "png")
    )
    for name, content in files.items():
        if name.endswith("svg"):
            assert ET.fromstring(content).tag.endswith("svg")
        else:
            width, _ = struct.unpack(">II", content[16:24])
            assert width >= 1200


def test_delivery_is_percent_of_the_readings() -> None:
    nodes = pl.DataFrame({"received": [0, 30, 120], "expected": [120, 120, 120]})
    assert delivery(nodes).to_list() == [0.0, 25.0, 100.0]


def test_the_map_places_each_node_and_says_what_it_leaves_out(world: World) -> None:
    figure = draw_map(world)
    panels = [
        axes
        for axes in figure.axes
        if axes.get_title(loc="left").startswith("cell") and axes.get_visible()
    ]
    assert len(panels) == PANELS
    assert (
        figure.get_suptitle()
        == "smart_city, seed 0: 16 nodes in 8 cells; 2 more cells are not shown"
    )
    nodes = world.nodes.filter(pl.col("cell") == 3)
    points = np.asarray(panels[3].collections[-1].get_offsets())
    np.testing.assert_array_equal(points, nodes.select("x", "y").to_numpy())
    np.testing.assert_array_equal(
        np.asarray(panels[3].collections[-1].get_array()), delivery(nodes).to_numpy()
    )
    assert (panels[3].get_xlim(), panels[3].get_ylim()) == ((0, 120), (0, 120))


def test_a_day_shows_five_sensors_with_units_gaps_and_each_incident_of_the_node(
    world: World,
) -> None:
    figure = draw_day(world)
    labels = " ".join(axes.get_ylabel().replace("\n", " ") for axes in figure.axes)
    assert labels == "temperature (°C) humidity (%) motion (detections) light (lx) sound (dB)"
    node = figure.get_suptitle().split(", ")[1].split(":")[0]
    assert world.telemetry is not None
    rows = world.telemetry.filter(pl.col("series") == node).sort("time").collect()
    for axes, (name, _) in zip(figure.axes, SENSORS, strict=True):
        np.testing.assert_array_equal(np.asarray(axes.lines[0].get_ydata()), rows[name].to_numpy())
    assert rows["temperature"].null_count() > 0
    own = world.incidents.filter(pl.col("nodes").list.contains(node))
    assert own.height >= 2 and all(len(axes.patches) == own.height for axes in figure.axes)
    named = [text.get_text() for text in figure.axes[0].texts]
    assert [name.rpartition("(")[2][:-1] for name in named] == [
        str(severity) for severity in own.sort("start")["severity"]
    ]


def test_a_reading_between_two_gaps_is_still_seen() -> None:
    nan = np.nan
    found = isolated_readings(np.array([1.0, nan, 2.0, nan, 3.0, 4.0, nan, 5.0]))
    assert np.flatnonzero(found).tolist() == [0, 2, 7]
    assert isolated_readings(np.array([nan, nan])).tolist() == [False, False]


def test_the_incidents_picture_counts_each_type_and_severity(world: World) -> None:
    course, bars = draw_incidents(world).axes
    types = [label.get_text().replace(" ", "_") for label in course.get_yticklabels()]
    assert sorted(types) == sorted(world.incidents["type"].unique())
    assert [int(text.get_text()) for text in bars.texts] == [
        int((world.incidents["type"] == name).sum()) for name in types
    ]
    widths = np.array([bar.get_width() for bar in bars.patches]).reshape(len(types), 4)  # type: ignore[attr-defined]
    assert widths.sum(axis=0).tolist() == [
        int((world.incidents["severity"] == grade).sum()) for grade in range(1, 5)
    ]


def test_a_world_without_incidents_and_telemetry_has_one_picture(tmp_path: Path) -> None:
    simulate(
        load_scenario(
            "smart_city", ["deployment.nodes=2", "duration=30min", "incidents.per_node_day=0"]
        ),
        tmp_path,
    )
    files = draw_world(read_world(tmp_path))
    assert {name.partition(".")[0] for name in files} == {"node_map"}
