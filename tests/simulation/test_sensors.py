"""From true quantities to readings: response, noise, counting, range and step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomalynet.simulation.environment.sensors import (
    HUMIDITY,
    LIGHT,
    MOTION,
    NOISE,
    RANGES,
    SOUND,
    STEPS_PER_UNIT,
    TEMPERATURE,
    measure,
    quantise,
)
from anomalynet.simulation.environment.surroundings import Surroundings, sample_times, surroundings
from anomalynet.simulation.environment.weather import saturation
from anomalynet.simulation.load import load_scenario, names
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.records import Float64
from anomalynet.simulation.scenario import SamplingConfig, Scenario, slots

DAY = Scenario(duration="24h")
CELL = place_nodes(DAY, 0)


def constant(scenario: Scenario = DAY, **quantities: float) -> Surroundings:
    """Surroundings in which nothing changes."""
    times = sample_times(scenario)
    usual = {"temperature": 20.0, "vapour": 12.0, "light": 500.0, "sound": 50.0, "motion": 0.0}
    values = {
        name: np.full((15, len(times)), value) for name, value in (usual | quantities).items()
    }
    return Surroundings(times=times, **values)


def test_quantised_readings_are_whole_steps_within_the_range() -> None:
    for readings, expected in (
        ([21.2345, 48.126, 2.4, 17.5001, 43.26], [21.23, 48.13, 2.0, 18.0, 43.3]),
        ([-60.0, -3.0, -1.0, -1.0, 3.0], [-40.0, 0.0, 0.0, 0.0, 20.0]),
        ([99.0, 101.0, 300.0, 1e6, 130.0], [85.0, 100.0, 255.0, 65535.0, 120.0]),
    ):
        assert quantise(np.array(readings)).tolist() == expected


def test_quantising_twice_changes_nothing() -> None:
    readings = quantise(measure(DAY, CELL, surroundings(DAY, CELL)))
    assert np.array_equal(quantise(readings), readings)
    assert (np.abs(readings * STEPS_PER_UNIT - np.round(readings * STEPS_PER_UNIT)) < 1e-6).all()
    assert (readings >= RANGES[:, 0]).all() and (readings <= RANGES[:, 1]).all()


def test_noise_and_calibration_are_as_stated() -> None:
    readings = measure(DAY, CELL, constant(light=0.0))
    noise = readings.std(axis=1).mean(axis=0)
    assert noise[[TEMPERATURE, LIGHT, SOUND]] == pytest.approx(
        NOISE[[TEMPERATURE, LIGHT, SOUND]], rel=0.03
    )
    offsets = readings.mean(axis=1) - readings.mean(axis=(0, 1))
    assert 0.1 < offsets[:, TEMPERATURE].std() < 0.35 and 0.5 < offsets[:, HUMIDITY].std() < 1.6
    bright = measure(DAY, CELL, constant(light=10_000.0))[..., LIGHT]
    assert bright.std(axis=1).mean() == pytest.approx(0.5 + 100, rel=0.03)


def test_humidity_follows_from_vapour_and_warmth() -> None:
    readings = measure(DAY, CELL, constant(temperature=20.0, vapour=0.5 * float(saturation(20.0))))
    assert readings[..., HUMIDITY].mean() == pytest.approx(50.0, abs=1.0)
    soaked = measure(DAY, CELL, constant(vapour=100.0))
    assert soaked[..., HUMIDITY].mean() == pytest.approx(100.0, abs=1.0)


def test_temperature_lags_by_its_housing_and_the_membrane_feels_its_own_warmth() -> None:
    world = constant()
    world.temperature[:, 100:] += 10
    change = measure(DAY, CELL, world) - measure(DAY, CELL, constant())
    assert not change[:, :100].any()
    warmer = change[:, 102, TEMPERATURE]  # three periods of 30 s are its 90 s
    assert warmer == pytest.approx(np.full(15, 10 * (1 - np.exp(-1))))
    dry, warmed = (100 * 12 / float(saturation(20 + 10 * (1 - np.exp(-t / 3)))) for t in (0, 1))
    damper = change[:, 100, HUMIDITY]  # one period of 30 s is its time constant
    assert damper == pytest.approx(np.full(15, (warmed - dry) * (1 - np.exp(-1))))


@pytest.mark.parametrize("expected", [0.05, 1.0, 4.0])
def test_motions_are_counted_at_their_mean_less_the_blind_time(expected: float) -> None:
    counts = measure(DAY, CELL, constant(motion=expected))[..., MOTION]
    mean = expected / (1 + expected * 2 / 30)
    assert np.array_equal(counts, np.round(counts))
    assert counts.mean() == pytest.approx(mean, rel=0.03)
    assert (counts == 0).mean() == pytest.approx(np.exp(-mean), rel=0.03)
    assert counts.var() == pytest.approx(mean, rel=0.05)


def test_no_more_motions_are_counted_than_fit_between_blind_times() -> None:
    assert measure(DAY, CELL, constant(motion=1e4))[..., MOTION].max() == 15
    assert measure(DAY, CELL, constant(motion=0.0))[..., MOTION].max() == 0


def test_a_frame_carries_the_last_sample_and_the_largest_motion() -> None:
    every = replace(DAY, sampling=SamplingConfig(period=10.0))
    third = replace(DAY, sampling=SamplingConfig(period=10.0, transmit_every=3))
    world = surroundings(every, CELL)
    single, carried = measure(every, CELL, world), measure(third, CELL, world)
    assert carried.shape == (15, 2880, 5)
    others = [TEMPERATURE, HUMIDITY, LIGHT, SOUND]
    assert np.array_equal(carried[..., others], single[:, 2::3, others])
    largest = single[..., MOTION].reshape(15, 2880, 3).max(axis=2)
    assert np.array_equal(carried[..., MOTION], largest)


def test_noise_belongs_to_its_sample_and_node() -> None:
    world = constant()
    before = measure(DAY, CELL, world)
    world.motion[3, 500:] = 6.0
    world.light[3, 500:] = 9000.0
    changed = measure(DAY, CELL, world) != before
    assert not np.delete(changed, 3, axis=0).any()
    assert not changed[3, :500].any()
    assert not changed[..., [TEMPERATURE, HUMIDITY, SOUND]].any()


def test_same_seed_same_bytes_and_another_seed_another_world() -> None:
    def readings(seed: int, cell: int = 0) -> Float64:
        scenario = replace(DAY, seed=seed, duration="6h")
        placed = place_nodes(scenario, cell)
        return quantise(measure(scenario, placed, surroundings(scenario, placed)))

    assert readings(3).tobytes() == readings(3).tobytes()
    assert not np.array_equal(readings(3), readings(4))
    assert not np.array_equal(readings(3), readings(3, 1))


@pytest.mark.parametrize("name", sorted(names()))
def test_every_preset_is_lively_and_plausible(name: str) -> None:
    scenario = load_scenario(name)
    cell = place_nodes(scenario, 0)
    readings = quantise(measure(scenario, cell, surroundings(scenario, cell)))
    assert readings.shape == (15, slots(scenario), 5) and np.isfinite(readings).all()
    low, high = readings.min(axis=(0, 1)), readings.max(axis=(0, 1))
    assert low[TEMPERATURE] > -5 and high[TEMPERATURE] < 30
    assert low[HUMIDITY] > 10 and low[SOUND] > 25 and high[SOUND] < 95 and low[MOTION] == 0
    assert (readings.std(axis=1) > [0.1, 0.5, 0.5, 20, 2]).all()
    # No reading is at the sensor's limit for long: nothing but saturated night air and empty, dark
    # rooms.
    assert (
        readings[..., [TEMPERATURE, LIGHT, SOUND]] < RANGES[[TEMPERATURE, LIGHT, SOUND], 1]
    ).mean() > 0.999
