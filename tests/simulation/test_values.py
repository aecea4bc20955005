"""Sensor faults and false data, each by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from anomalynet.simulation.environment.sensors import LIGHT, measure
from anomalynet.simulation.environment.surroundings import surroundings
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.incidents.values import (
    ALWAYS_VARIED,
    FAULTS,
    INJECTIONS,
    distort,
    touched,
    typical,
)
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.records import Float64, Incident, covered
from anomalynet.simulation.scenario import ClimateConfig, SamplingConfig, Scenario

SCENARIO = Scenario(duration="24h")
CELL = place_nodes(SCENARIO, 0)
READINGS = measure(SCENARIO, CELL, surroundings(SCENARIO, CELL))
INSIDE = slice(1200, 1260)
"""Slots of an incident from the tenth hour, for half an hour."""


def incident(
    type_: str,
    variant: str = "",
    magnitude: float = 2.0,
    nodes: tuple[int, ...] = (4,),
    number: int = 5,
) -> Incident:
    return Incident(number, type_, variant, 0, nodes, 36000.0, 37800.0, magnitude, (0.0, 0.0))


BIAS = incident("bias")


def change(one: Incident) -> Iterator[tuple[Float64, Float64, float, float]]:
    """For each touched sensor: readings before and after (node, slot) within the incident, its
    sign, and the size of one step of magnitude."""
    after = distort(SCENARIO, READINGS, [one])
    for sensor, sign in touched(SCENARIO, one).items():
        chosen = np.ix_(one.nodes, range(INSIDE.start, INSIDE.stop), [sensor])
        yield READINGS[chosen][..., 0], after[chosen][..., 0], sign, typical(SCENARIO)[sensor]


INJECTED = [("false_data_injection", variant) for variant in INJECTIONS]
ALL = [(name, "") for name in FAULTS] + INJECTED


def test_every_fault_of_a_sensor_and_every_variant_of_false_data_is_known() -> None:
    assert set(FAULTS) == {name for name, kind in TYPES.items() if kind.layer == "sensor"}
    assert set(INJECTIONS) == set(TYPES["false_data_injection"].variants)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_only_the_touched_sensors_nodes_and_slots_change(number: int) -> None:
    before = READINGS.tobytes()
    for name, variant in ALL:
        one = incident(name, variant, nodes=(4, 9), number=number)
        different = distort(SCENARIO, READINGS, [one]) != READINGS
        assert not np.delete(different, [4, 9], axis=0).any(), name
        assert not np.delete(different, np.r_[INSIDE], axis=1).any(), name
        assert set(np.flatnonzero(different.any(axis=(0, 1)))) <= set(touched(SCENARIO, one)), name
        assert different[4].any() and different[9].any(), name
    assert READINGS.tobytes() == before


@pytest.mark.parametrize("magnitude", [0.5, 8.0])
def test_a_bias_adds_magnitude_times_typical(magnitude: float) -> None:
    for before, after, sign, step in change(incident("bias", magnitude=magnitude)):
        assert after == pytest.approx(before + sign * magnitude * step)


@pytest.mark.parametrize(
    ("type_", "variant", "magnitude", "power"),
    [("gain", "", 3.0, 0.75), ("false_data_injection", "scale", 1.0, np.tanh(0.25))],
)
def test_a_gain_stretches_or_squeezes_about_the_nodes_mean(
    type_: str, variant: str, magnitude: float, power: float
) -> None:
    one = incident(type_, variant, magnitude)
    means = [READINGS[4, :, sensor].mean() for sensor in touched(SCENARIO, one)]
    for mean, (before, after, sign, _) in zip(means, change(one), strict=True):
        assert after - mean == pytest.approx(np.exp(sign * power) * (before - mean))


def test_a_drift_grows_from_nothing_with_the_bias_as_its_mean() -> None:
    for before, after, sign, step in change(incident("drift")):
        difference, size = (after - before)[0], 2.0 * step * sign
        assert difference[[0, -1]] == pytest.approx([0, 2 * size])
        assert difference.mean() == pytest.approx(size)
        assert np.diff(difference) == pytest.approx(np.full(59, 2 * size / 59))


def test_a_stuck_sensor_repeats_its_first_reading() -> None:
    for before, after, _, _ in change(incident("stuck_at")):
        assert (after == before[0, 0]).all()


def test_spikes_are_rare_large_and_to_both_sides() -> None:
    found = [
        (after - before)[0] / (2.0 * step)
        for number in range(40)
        for before, after, _, step in change(incident("spike", number=number))
        if step != typical(SCENARIO)[LIGHT]
    ]
    sizes = np.concatenate([one[np.abs(one) > 1e-9] for one in found])
    assert all(np.abs(one[30]) > 1 for one in found)  # one at least, in the middle
    assert ((np.abs(sizes) > 2 - 1e-9) & (np.abs(sizes) < 3 + 1e-9)).all()
    assert len(sizes) / (60 * len(found)) == pytest.approx(0.1 + 0.9 / 60, abs=0.02)
    assert (sizes > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_noise_has_the_step_as_its_deviation_and_no_mean() -> None:
    sizes = [
        (after - before)[0] / (2.0 * step)
        for number in range(20)
        for before, after, _, step in change(incident("noise", number=number))
    ]
    assert np.std(sizes) == pytest.approx(1.0, abs=0.05)
    assert np.mean(sizes) == pytest.approx(0.0, abs=0.06)


@pytest.mark.parametrize("number", range(6))
def test_clipping_cuts_on_one_side_at_a_level_that_deepens_with_the_magnitude(number: int) -> None:
    for before, after, sign, step in change(incident("clipping", number=number)):
        limit = before.mean() - sign * 0.5 * 2.0 * step
        cut = np.minimum if sign > 0 else np.maximum
        assert after == pytest.approx(cut(before, limit))


@pytest.mark.parametrize("variant", ["bias", "coordinated"])
def test_injected_offsets_set_in_gently_are_believable_and_end_at_the_truth(variant: str) -> None:
    one = incident("false_data_injection", variant, magnitude=8.0, nodes=(1, 2, 3))
    for before, after, sign, step in change(one):
        difference, offset = after - before, sign * 4 * np.tanh(2) * step
        assert difference[:, 6:54] == pytest.approx(np.full((3, 48), offset))
        assert difference[:, [0, -1]] == pytest.approx(np.zeros((3, 2)), abs=1e-9)
        # A tenth of 59 steps to its height.
        assert difference[:, 3] == pytest.approx(np.full(3, offset * 3 / 5.9))


def test_injected_ramps_have_the_offset_as_their_mean() -> None:
    for before, after, sign, step in change(incident("false_data_injection", "ramp", 1.0)):
        assert (after - before).mean() == pytest.approx(sign * 4 * np.tanh(0.25) * step)
        assert after[0, 0] == before[0, 0]


def test_typical_light_goes_with_the_place() -> None:
    assert typical(SCENARIO)[LIGHT] == pytest.approx(0.02 * 20_000 + 0.1 * 20)
    ward = replace(SCENARIO, climate=ClimateConfig(daylight=350.0, lamps=250.0))
    assert typical(ward)[LIGHT] == pytest.approx(0.02 * 350 + 0.1 * 250)
    assert np.delete(typical(ward), LIGHT).tolist() == [0.5, 2.0, 2.0, 3.0]


def test_one_to_five_sensors_are_touched_one_of_them_never_at_rest() -> None:
    found = [touched(SCENARIO, incident("bias", number=number)) for number in range(300)]
    assert {len(one) for one in found} == {1, 2, 3, 4, 5}
    assert all(set(one) & set(ALWAYS_VARIED) for one in found)
    signs = [sign for one in found for sign in one.values()]
    assert set(signs) == {-1.0, 1.0} and abs(np.mean(signs)) < 0.1
    assert {sensor for one in found for sensor in one} == set(range(5))


@pytest.mark.parametrize(
    ("start", "end", "slots"),
    [
        (36014.0, 36016.0, (1200, 1201)),
        (36016.0, 36044.0, (1201, 1201)),
        (36000, 37800, (1200, 1260)),
    ],
)
def test_slots_are_covered_by_their_middle(
    start: float, end: float, slots: tuple[int, int]
) -> None:
    assert covered(SCENARIO, replace(BIAS, start=start, end=end)) == slice(*slots)
    minute = replace(SCENARIO, sampling=SamplingConfig(period=20.0, transmit_every=3))
    assert covered(minute, BIAS) == slice(600, 630)


def test_incidents_that_reach_beyond_the_end_or_cover_no_slot_are_no_harm() -> None:
    late = replace(BIAS, start=86370.0, end=90000.0)
    changed = (distort(SCENARIO, READINGS, [late]) != READINGS).any(axis=(0, 2))
    assert np.flatnonzero(changed).tolist() == [2879]
    short = replace(incident("spike"), start=36016.0, end=36044.0)
    assert np.array_equal(distort(SCENARIO, READINGS, [short]), READINGS)


def test_another_incident_changes_nothing_here_and_other_types_nothing_at_all() -> None:
    one, other = incident("spike"), incident("noise", nodes=(7,), number=6)
    alone, both = (distort(SCENARIO, READINGS, chosen) for chosen in ([one], [one, other]))
    assert np.array_equal(alone[4], both[4]) and not np.array_equal(alone[7], both[7])
    rest = [incident(name) for name in TYPES.keys() - {*FAULTS, "false_data_injection"}]
    assert np.array_equal(distort(SCENARIO, READINGS, rest), READINGS)


def test_draws_depend_on_the_seed_and_the_number() -> None:
    first, again, other = (
        next(change(incident("noise", number=number)))[1].tobytes() for number in (1, 1, 2)
    )
    assert first == again != other
