"""Where and when incidents are put."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from anomalynet.simulation.incidents import TYPES
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.placement import place
from anomalynet.simulation.plan import MARGIN, in_reach, plan
from anomalynet.simulation.records import Incident
from anomalynet.simulation.scenario import seconds


@pytest.fixture(scope="module")
def planned() -> list[tuple[Incident, ...]]:
    """The incidents of the default world, cell by cell."""
    scenario = load_scenario("smart_city", [])
    return [plan(scenario, place(scenario, number)) for number in range(2)]


def test_every_type_of_the_taxonomy_occurs_in_the_first_and_in_the_last_part_of_the_world(
    planned: list[tuple[Incident, ...]],
) -> None:
    every = [incident for cell in planned for incident in cell]
    half = seconds(load_scenario("smart_city", []).duration) / 2
    assert {incident.type for incident in every} == set(TYPES)
    assert {"jamming", "black_hole", "crash"} <= {one.type for one in every if one.start < half} & {
        one.type for one in every if one.start >= half
    }


def test_no_node_has_two_incidents_at_once_and_none_starts_while_nodes_are_commissioned(
    planned: list[tuple[Incident, ...]],
) -> None:
    quiet = load_scenario("smart_city", []).incidents.quiet_hours * 3600
    for cell in planned:
        assert all(incident.start >= quiet for incident in cell)
        for node in range(15):
            own = sorted((one.start, one.end) for one in cell if node in one.nodes)
            assert all(
                following[0] - before[1] >= MARGIN for before, following in itertools.pairwise(own)
            )


def test_magnitudes_and_durations_are_log_uniform_within_their_bounds(
    planned: list[tuple[Incident, ...]],
) -> None:
    settings = load_scenario("smart_city", []).incidents
    every = [incident for cell in planned for incident in cell]
    level = np.log([one.magnitude / settings.subtle for one in every]) / np.log(
        settings.blunt / settings.subtle
    )
    assert 0 <= level.min() < 0.05
    assert 0.95 < level.max() <= 1
    assert abs(level.mean() - 0.5) < 3 * 0.289 / len(every) ** 0.5
    minutes = np.array([(one.end - one.start) / 60 for one in every if one.end < seconds("48h")])
    assert settings.minimum_minutes <= minutes.min()
    assert minutes.max() <= settings.maximum_minutes + 0.5


def test_numbers_are_unique_in_the_world_and_a_cell_knows_its_own(
    planned: list[tuple[Incident, ...]],
) -> None:
    numbers = [one.number for cell in planned for one in cell]
    assert len(set(numbers)) == len(numbers)
    assert [one.number // 100_000 for one in planned[1]] == [1] * len(planned[1])


def test_the_mix_follows_the_weights_and_the_chosen_types() -> None:
    scenario = load_scenario("smart_city", ["incidents.only=jamming crash", "incidents.fault=0"])
    assert {one.type for one in plan(scenario, place(scenario, 0))} == {"jamming"}
    assert (
        plan(
            replace(scenario, incidents=replace(scenario.incidents, per_node_day=0.0)),
            place(scenario, 0),
        )
        == ()
    )


def test_a_stronger_jammer_reaches_more_nodes_and_the_weakest_link_always() -> None:
    scenario = load_scenario("smart_city", [])
    cell = place(scenario, 0)
    power = np.linspace(-100, -60, 15)
    jammer = Incident(0, "jamming", "constant", 0, (), 0.0, 60.0, 0.01, (60.0, 60.0))
    reached = [
        in_reach(scenario, cell, replace(jammer, magnitude=magnitude), power)
        for magnitude in (0.01, 1.0, 30.0)
    ]
    assert [int(one.sum()) for one in reached] == sorted(int(one.sum()) for one in reached)
    assert reached[0][0]
    assert reached[2].sum() > reached[0].sum()
