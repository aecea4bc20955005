"""Where nodes stand, and how the deployment is measured."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from anomalynet.simulation.incidents.plan import MARGIN, in_reach, plan
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.network.placement import cells, coverage, distances, place_nodes
from anomalynet.simulation.records import Incident
from anomalynet.simulation.scenario import DeploymentConfig, Scenario, seconds


def deployed(**settings: object) -> Scenario:
    return Scenario(deployment=DeploymentConfig(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodes", "sizes"),
    [(1, [1]), (15, [15]), (16, [8, 8]), (31, [10, 10, 11]), (50, [12, 13, 12, 13])],
)
def test_nodes_are_divided_evenly_and_numbered_through(nodes: int, sizes: list[int]) -> None:
    scenario = deployed(nodes=nodes)
    placed = [place_nodes(scenario, number) for number in range(cells(scenario))]
    assert [len(cell.names) for cell in placed] == sizes
    assert np.concatenate([cell.numbers for cell in placed]).tolist() == list(range(nodes))
    assert placed[-1].names[-1] == f"node-{nodes - 1:04d}"


@pytest.mark.parametrize("placement", ["grid", "uniform", "clustered"])
def test_nodes_and_rooms_stand_inside_the_area_and_the_gateway_in_its_middle(
    placement: str,
) -> None:
    scenario = deployed(placement=placement, width=40.0, height=20.0, cluster_radius=15.0)
    cell = place_nodes(scenario, 1)
    for points in (cell.positions, cell.room_positions):
        assert (points >= 1).all() and (points <= [39, 19]).all()
    assert cell.gateway.tolist() == [20.0, 10.0]
    assert cell.positions.shape == (15, 2) and cell.room_positions.shape == (5, 2)


def test_a_grid_of_four_stands_in_the_quarters() -> None:
    cell = place_nodes(deployed(nodes=4, placement="grid", width=100.0, height=100.0), 0)
    assert cell.positions.tolist() == [[25.0, 25.0], [75.0, 25.0], [25.0, 75.0], [75.0, 75.0]]


@pytest.mark.parametrize("placement", ["grid", "uniform"])
def test_nodes_belong_to_the_nearest_room(placement: str) -> None:
    cell = place_nodes(deployed(placement=placement), 0)
    assert cell.rooms.tolist() == [
        int(np.argmin(np.hypot(*(cell.room_positions - node).T))) for node in cell.positions
    ]


def test_clusters_share_the_nodes_evenly_and_gather_about_their_rooms() -> None:
    cell = place_nodes(deployed(cluster_radius=0.0), 0)
    assert np.bincount(cell.rooms).tolist() == [3, 3, 3, 3, 3]
    assert np.array_equal(cell.positions, cell.room_positions[cell.rooms])


def test_distances_by_hand() -> None:
    found = distances(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 4.0]]))
    assert found.tolist() == [[4.0], [5.0]]


def test_coverage_by_hand() -> None:
    one, four = (
        coverage(deployed(nodes=nodes, placement="grid", width=100.0, height=100.0))
        for nodes in (1, 4)
    )
    assert one["density"] == 1.0 and one["nearest"] == 0.0
    assert one["coverage"] == pytest.approx(np.pi * 15**2 / 1e4, abs=0.003)
    assert four["nearest"] == 50.0
    assert four["dispersion"] == pytest.approx(2.0)  # random places of this density: 25 m
    assert coverage(deployed(nodes=2, width=1.0, height=0.5))["coverage"] == 1.0


def test_grid_disperses_and_covers_more_than_chance_and_clusters_less() -> None:
    grid, uniform, clustered = (
        coverage(deployed(nodes=150, placement=kind)) for kind in ("grid", "uniform", "clustered")
    )
    assert grid["dispersion"] > 1.5
    assert 1 < uniform["dispersion"] < 1.25
    assert clustered["dispersion"] < 0.8
    assert grid["coverage"] > uniform["coverage"] > clustered["coverage"]


def test_places_depend_on_the_seed_and_the_cell_alone() -> None:
    scenario = deployed()
    chosen = [(scenario, 0), (replace(scenario, duration="90s"), 0), (scenario, 1)]
    chosen.append((replace(scenario, seed=1), 0))
    one, same, *others = (place_nodes(world, cell).positions.tobytes() for world, cell in chosen)
    assert one == same and one not in others


SCENARIO = load_scenario("smart_city")
PLANNED = [plan(SCENARIO, place_nodes(SCENARIO, number)) for number in range(2)]
"""The incidents of the default world, cell by cell."""
EVERY = [incident for cell in PLANNED for incident in cell]


def test_every_type_of_the_taxonomy_occurs_in_the_first_and_in_the_last_part_of_the_world() -> None:
    half = seconds(SCENARIO.duration) / 2
    assert {incident.type for incident in EVERY} == set(TYPES)
    for late in (False, True):
        types = {one.type for one in EVERY if (one.start >= half) is late}
        assert types >= {"jamming", "black_hole", "crash"}


def test_no_node_has_two_incidents_at_once_and_none_starts_while_nodes_are_commissioned() -> None:
    assert all(one.start >= SCENARIO.incidents.quiet_hours * 3600 for one in EVERY)
    for cell, node in itertools.product(PLANNED, range(15)):
        own = sorted((one.start, one.end) for one in cell if node in one.nodes)
        for before, following in itertools.pairwise(own):
            assert following[0] - before[1] >= MARGIN


def test_magnitudes_and_durations_are_log_uniform_within_their_bounds() -> None:
    settings = SCENARIO.incidents
    level = np.log([one.magnitude / settings.subtle for one in EVERY])
    level /= np.log(settings.blunt / settings.subtle)
    assert 0 <= level.min() < 0.05
    assert 0.95 < level.max() <= 1
    assert abs(level.mean() - 0.5) < 3 * 0.289 / len(EVERY) ** 0.5
    minutes = np.array([(one.end - one.start) / 60 for one in EVERY if one.end < seconds("48h")])
    assert settings.minimum_minutes <= minutes.min()
    assert minutes.max() <= settings.maximum_minutes + 0.5


def test_numbers_are_unique_in_the_world_and_a_cell_knows_its_own() -> None:
    assert len({one.number for one in EVERY}) == len(EVERY)
    assert {one.number // 100_000 for one in PLANNED[1]} == {1}


def test_the_mix_follows_the_weights_and_the_chosen_types() -> None:
    chosen = load_scenario("smart_city", ["incidents.only=jamming crash", "incidents.fault=0"])
    assert {one.type for one in plan(chosen, place_nodes(chosen, 0))} == {"jamming"}
    none = replace(chosen, incidents=replace(chosen.incidents, per_node_day=0.0))
    assert plan(none, place_nodes(none, 0)) == ()


def test_a_stronger_jammer_reaches_more_nodes_and_the_weakest_link_always() -> None:
    cell, power = place_nodes(SCENARIO, 0), np.linspace(-100, -60, 15)
    jammer = Incident(0, "jamming", "constant", 0, (), 0.0, 60.0, 0.01, (60.0, 60.0))
    reached = [
        in_reach(SCENARIO, cell, replace(jammer, magnitude=magnitude), power)
        for magnitude in (0.01, 1.0, 30.0)
    ]
    counts = [int(one.sum()) for one in reached]
    assert counts == sorted(counts) and counts[0] < counts[2] and reached[0][0]
