"""Where nodes stand, and how the deployment is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomalynet.simulation.placement import cells, coverage, distances, place
from anomalynet.simulation.scenario import DeploymentConfig, Scenario


def deployed(**settings: object) -> Scenario:
    return Scenario(deployment=DeploymentConfig(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodes", "sizes"),
    [(1, [1]), (15, [15]), (16, [8, 8]), (31, [10, 10, 11]), (50, [12, 13, 12, 13])],
)
def test_nodes_are_divided_evenly_and_numbered_through(nodes: int, sizes: list[int]) -> None:
    scenario = deployed(nodes=nodes)
    placed = [place(scenario, number) for number in range(cells(scenario))]
    assert [len(cell.names) for cell in placed] == sizes
    assert np.concatenate([cell.numbers for cell in placed]).tolist() == list(range(nodes))
    assert placed[-1].names[-1] == f"node-{nodes - 1:04d}"


@pytest.mark.parametrize("placement", ["grid", "uniform", "clustered"])
def test_nodes_and_rooms_stand_inside_the_area_and_the_gateway_in_its_middle(
    placement: str,
) -> None:
    scenario = deployed(placement=placement, width=40.0, height=20.0, cluster_radius=15.0)
    cell = place(scenario, 1)
    for points in (cell.positions, cell.room_positions):
        assert (points >= 1).all() and (points <= [39, 19]).all()
    assert cell.gateway.tolist() == [20.0, 10.0]
    assert cell.positions.shape == (15, 2) and cell.room_positions.shape == (5, 2)


def test_a_grid_of_four_stands_in_the_quarters() -> None:
    cell = place(deployed(nodes=4, placement="grid", width=100.0, height=100.0), 0)
    assert cell.positions.tolist() == [[25.0, 25.0], [75.0, 25.0], [25.0, 75.0], [75.0, 75.0]]


@pytest.mark.parametrize("placement", ["grid", "uniform"])
def test_nodes_belong_to_the_nearest_room(placement: str) -> None:
    cell = place(deployed(placement=placement), 0)
    assert cell.rooms.tolist() == [
        int(np.argmin(np.hypot(*(cell.room_positions - node).T))) for node in cell.positions
    ]


def test_clusters_share_the_nodes_evenly_and_gather_about_their_rooms() -> None:
    cell = place(deployed(cluster_radius=0.0), 0)
    assert np.bincount(cell.rooms).tolist() == [3, 3, 3, 3, 3]
    assert np.array_equal(cell.positions, cell.room_positions[cell.rooms])


def test_distances_by_hand() -> None:
    assert distances(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 4.0]])).tolist() == [
        [4.0],
        [5.0],
    ]


def test_coverage_of_one_node_by_hand() -> None:
    found = coverage(deployed(nodes=1, placement="grid", width=100.0, height=100.0))
    assert found["density"] == 1.0
    assert found["coverage"] == pytest.approx(np.pi * 15**2 / 1e4, abs=0.003)
    assert found["nearest"] == 0.0


def test_the_smallest_area_is_covered() -> None:
    assert coverage(deployed(nodes=2, width=1.0, height=0.5))["coverage"] == 1.0


def test_four_nodes_in_the_quarters_are_as_far_apart_as_can_be() -> None:
    found = coverage(deployed(nodes=4, placement="grid", width=100.0, height=100.0))
    assert found["nearest"] == 50.0
    assert found["dispersion"] == pytest.approx(2.0)  # random places of this density: 25 m


def test_grid_disperses_and_covers_more_than_chance_and_clusters_less() -> None:
    grid, uniform, clustered = (
        coverage(deployed(nodes=150, placement=kind)) for kind in ("grid", "uniform", "clustered")
    )
    assert (
        grid["dispersion"] > 1.5
        and 1 < uniform["dispersion"] < 1.25
        and clustered["dispersion"] < 0.8
    )
    assert grid["coverage"] > uniform["coverage"] > clustered["coverage"]


def test_places_depend_on_the_seed_and_the_cell_alone() -> None:
    scenario = deployed()
    same, other_cell, other_seed = (
        place(scenario, 0),
        place(scenario, 1),
        place(replace(scenario, seed=1), 0),
    )
    assert (
        same.positions.tobytes() == place(replace(scenario, duration="90s"), 0).positions.tobytes()
    )
    assert not np.array_equal(same.positions, other_cell.positions)
    assert not np.array_equal(same.positions, other_seed.positions)
