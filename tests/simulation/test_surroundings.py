"""Weather, people, rooms and events: what is true at the nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from anomalynet.simulation.environment.microclimate import (
    activity,
    energy,
    lamps_lit,
    level,
    machines,
    occupancy,
)
from anomalynet.simulation.environment.surroundings import (
    EFFECTS,
    Surroundings,
    effect_shares,
    envelope,
    sample_times,
    surroundings,
    with_events,
)
from anomalynet.simulation.environment.weather import (
    STEP,
    clear_sky,
    daily_rhythm,
    lag,
    recur,
    resample,
    saturation,
    wander,
    weather,
    week_hours,
)
from anomalynet.simulation.network.placement import distances, place_nodes
from anomalynet.simulation.records import Cell, Float64, Incident, stream
from anomalynet.simulation.scenario import ClimateConfig, DeploymentConfig, Scenario

QUANTITIES = ("temperature", "vapour", "light", "sound", "motion")
CITY = Scenario(start="2026-04-13T00:00", duration="48h")
WARD_CLIMATE = ClimateConfig(
    indoor=1.0, lamps=250.0, lamps_on="occupied", daylight=0.0, rhythm="ward", background_sound=37.0
)
WARD_AREA = DeploymentConfig(width=48.0, height=32.0, cluster_radius=2.0)
WARD = Scenario(climate=WARD_CLIMATE, deployment=WARD_AREA)


def correlation(first: Float64, second: Float64) -> float:
    return float(np.corrcoef(first, second)[0, 1])


# fields


def test_recursion_and_lag_by_hand() -> None:
    assert recur(np.array([8.0, 0.0, 1.0]), 0.5).tolist() == [8.0, 4.0, 3.0]
    response = lag(np.r_[np.zeros(1), np.ones(20)], 10.0, 50.0)
    assert response[0] == 0
    assert response[5] == pytest.approx(1 - np.exp(-1))  # five periods of ten seconds
    assert response[20] == pytest.approx(1 - np.exp(-4))
    assert lag(np.full((5, 2), 7.0), 30.0, 600.0) == pytest.approx(np.full((5, 2), 7.0))


def test_fields_forget_with_their_time_constant_and_have_variance_one() -> None:
    series = wander(stream(0, "test"), 40_000, 2, 600.0)
    assert series.var(axis=0) == pytest.approx([1.0, 1.0], abs=0.1)
    assert correlation(series[:-10, 0], series[10:, 0]) == pytest.approx(np.exp(-1), abs=0.05)
    assert abs(correlation(series[:, 0], series[:, 1])) < 0.05


def test_resampling_is_linear_between_points() -> None:
    moments = np.array([0.0, STEP / 3, STEP, 1.5 * STEP, 2 * STEP])
    found = resample(np.array([[0.0], [6.0], [0.0]]), moments)
    assert found.tolist() == [[0.0, 2.0, 6.0, 3.0, 0.0]]


# weather


def test_magnus_and_week_hours_by_hand() -> None:
    assert float(saturation(0.0)) == 6.112
    assert float(saturation(20.0)) == pytest.approx(23.33, abs=0.02)
    saturday = Scenario(start="2026-01-10T06:30")
    assert week_hours(saturday, np.array([0.0, 1800.0])).tolist() == [126.5, 127.0]


@pytest.mark.parametrize(
    ("day", "latitude", "rise"),
    [("03-21", 45.0, 6.0), ("06-21", 45.0, 4.30), ("12-21", 45.0, 7.70), ("06-21", 0.0, 6.0)],
)
def test_the_sun_rises_when_it_should_and_noon_is_brightest(
    day: str, latitude: float, rise: float
) -> None:
    # Sunrise by hand: cos(hour angle) = -tan(latitude)·tan(declination); at 45° and ±23.45° the
    # half day is 7.71 h or 4.29 h.
    scenario = Scenario(start=f"2026-{day}T00:00", climate=ClimateConfig(latitude=latitude))
    hours = np.arange(0, 24, 0.01)
    share = clear_sky(scenario, hours * 3600)
    assert share[0] == 0.0 and share.max() == pytest.approx(1.0)
    assert hours[share.argmax()] == pytest.approx(12.0, abs=0.02)
    assert hours[np.flatnonzero(share > 0.0071)[0]] == pytest.approx(rise, abs=0.05)


def test_air_is_coldest_at_dawn_and_warmest_in_the_afternoon() -> None:
    hours = np.arange(0, 24, 0.1)
    rhythm = daily_rhythm(hours)
    assert hours[rhythm.argmin()] == pytest.approx(5.0, abs=0.2)
    assert hours[rhythm.argmax()] == pytest.approx(14.5, abs=0.2)
    assert np.ptp(rhythm) == pytest.approx(2.1, abs=0.02)
    assert rhythm.mean() == pytest.approx(0.0, abs=1e-12)


def test_all_cells_have_one_weather_whatever_their_sampling() -> None:
    often = weather(CITY, np.arange(0, 86400, 10.0))
    seldom = weather(CITY, np.arange(0, 86400, 300.0))
    for name in ("temperature", "vapour", "daylight", "wind"):
        assert np.array_equal(getattr(often, name)[::30], getattr(seldom, name))


def test_relative_humidity_falls_as_the_day_warms_up() -> None:
    world = surroundings(CITY, place_nodes(CITY, 0))
    humidity = 100 * world.vapour / saturation(world.temperature)
    for warm, humid in zip(world.temperature, humidity, strict=True):
        assert correlation(warm, humid) < -0.7
    assert abs(correlation(world.temperature[0], world.vapour[0])) < 0.6


# people


def test_activity_follows_the_tables_on_weekdays_and_at_the_weekend() -> None:
    moments = np.array([17, 17.5, 24 * 5 + 17, 24 * 7 + 17]) * 3600.0
    assert activity(Scenario(), moments) == pytest.approx([1.0, 0.95, 0.5, 1.0])


def test_mean_occupancy_is_the_configured_number_times_the_hour() -> None:
    deployment, climate = DeploymentConfig(rooms=300), ClimateConfig(people=4.0)
    scenario = replace(CITY, duration="7d", deployment=deployment, climate=climate)
    times = sample_times(scenario)
    people, hour = occupancy(scenario, place_nodes(scenario, 0), times), week_hours(scenario, times)
    assert people.min() == 0 and np.array_equal(people, np.round(people))
    mean = 4 * activity(scenario, times).mean()
    assert people.mean() == pytest.approx(
        mean, rel=0.06
    )  # the rooms' popularity spreads it by 1.8 %
    rush = np.abs(hour - (24 + 17)) < 0.25
    assert people[:, rush].mean() == pytest.approx(4 * 0.97, rel=0.08)
    assert people[:, hour >= 120].mean() < 0.9 * people[:, hour < 120].mean()


def test_people_stay_as_long_as_they_should() -> None:
    scenario = replace(WARD, duration="7d")
    people = occupancy(scenario, place_nodes(scenario, 0), sample_times(scenario))[0]
    steps = np.diff(people)
    assert abs(correlation(steps[:-1], steps[1:])) < 0.1  # independent of those before
    visits = np.abs(steps).sum() / 2  # each is one coming and one going
    assert people.sum() / visits * 30 == pytest.approx(900, rel=0.15)


def test_machines_run_in_shifts_and_stop_for_minutes() -> None:
    scenario = Scenario(duration="7d", climate=ClimateConfig(rhythm="shifts"))
    times = sample_times(scenario)
    running, hour = machines(scenario, place_nodes(scenario, 0), times), week_hours(scenario, times)
    assert not running[:, hour >= 120.5].any() and not running[:, hour % 24 < 4.9].any()
    shift = (hour < 120) & (hour % 24 > 6) & (hour % 24 < 21)
    assert running[:, shift].mean() == pytest.approx(2400 / 2820, abs=0.05)


def test_lamps_by_hand() -> None:
    times, people = np.array([0.0, 600.0, 1200.0]), np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    daylight, thresholds = np.array([0.0, 0.0015, 0.5]), np.array([0.001, 0.002])

    def lit(when: Literal["occupied", "dark", "always"]) -> object:
        return lamps_lit(ClimateConfig(lamps_on=when), times, daylight, people, thresholds).tolist()

    assert lit("occupied") == [[False, True, True], [True, True, False]]
    assert lit("dark") == [[True, False, False], [True, True, False]]
    assert lit("always") == [[True] * 3] * 2


# all together


def test_energies_of_sounds_add() -> None:
    assert float(level(energy(60.0) + energy(60.0))) == pytest.approx(63.0103, abs=1e-4)
    assert float(level(energy(60.0) + energy(40.0))) == pytest.approx(60.0432, abs=1e-4)


def test_it_is_dark_outdoors_at_night_but_for_the_lamps() -> None:
    unlit = replace(CITY, climate=ClimateConfig(lamps=0.0))
    world, lit = (surroundings(scenario, place_nodes(CITY, 0)) for scenario in (unlit, CITY))
    hour = week_hours(CITY, world.times) % 24
    night, noon = (hour < 3) | (hour > 22), (hour > 11) & (hour < 13)
    assert (world.light[:, night] == 0).all() and (world.light[:, noon] > 1000).all()
    assert ((lit.light[:, night] > 8) & (lit.light[:, night] < 50)).all()
    assert np.array_equal(lit.light[:, noon], world.light[:, noon])


def test_people_bring_motion_sound_light_and_warmth_together() -> None:
    cell = place_nodes(WARD, 0)
    world, people = surroundings(WARD, cell), occupancy(WARD, cell, sample_times(WARD))[cell.rooms]
    for node, present in enumerate(people > 0):
        for quantity in (world.motion, world.sound, world.light):
            assert quantity[node, present].mean() > 1.05 * quantity[node, ~present].mean()
    empty = surroundings(replace(WARD, climate=replace(WARD.climate, people=0.0)), cell)
    assert (world.temperature.mean(axis=1) > empty.temperature.mean(axis=1) + 0.05).all()
    assert (empty.light == 0).all() and np.allclose(empty.motion, 0.02 * 30 / 60)


def test_machines_are_heard_and_felt() -> None:
    climate = ClimateConfig(rhythm="shifts", indoor=1.0, machine_sound=80.0)
    scenario = Scenario(climate=climate)
    cell = place_nodes(scenario, 0)
    world = surroundings(scenario, cell)
    silent = surroundings(replace(scenario, climate=replace(climate, machine_sound=0.0)), cell)
    running = machines(scenario, cell, world.times)[cell.rooms]
    assert world.sound[running].mean() > 78 and silent.sound[running].mean() < 62
    assert (world.temperature - silent.temperature).max() == pytest.approx(1.5, abs=0.2)


def test_neighbours_agree_more_than_far_nodes() -> None:
    deployment = DeploymentConfig(width=600.0, height=600.0, nodes=15)
    scenario = replace(CITY, duration="5d", deployment=deployment)
    cell = place_nodes(scenario, 0)
    world, air = surroundings(scenario, cell), weather(scenario, sample_times(scenario))
    own = world.temperature - air.temperature
    pairs = np.triu_indices(15, 1)
    away = distances(cell.positions, cell.positions)[pairs]
    agree: Float64 = np.asarray(np.corrcoef(np.diff(own[:, ::10])))[pairs]
    assert agree[away < 10].mean() > agree[away > 150].mean() + 0.3


def test_a_world_depends_on_its_seed_alone_and_a_longer_one_begins_alike() -> None:
    scenarios = (CITY, CITY, replace(CITY, duration="60h"), replace(CITY, seed=1))
    world, again, longer, other = (surroundings(one, place_nodes(CITY, 0)) for one in scenarios)
    for name in QUANTITIES:
        assert getattr(world, name).tobytes() == getattr(again, name).tobytes()
        assert np.array_equal(getattr(world, name), getattr(longer, name)[:, : len(world.times)])
        assert not np.array_equal(getattr(world, name), getattr(other, name))


# events


def event(cell: Cell, variant: str, magnitude: float = 2.0, **changes: Any) -> Incident:
    nodes = tuple(np.flatnonzero(cell.rooms == cell.rooms[0]).tolist())
    x, y = map(float, cell.positions[0])
    moments = (36000.0, 37800.0)
    one = Incident(7, "process_event", variant, 0, nodes, *moments, magnitude, (x, y))
    return replace(one, **changes)


BED = place_nodes(WARD, 0)
USUAL = surroundings(WARD, BED)
FULL = int(np.searchsorted(USUAL.times, 36000 + 600))
"""The sample at which an event has its full strength."""


def difference(after: Surroundings, name: str) -> Float64:
    return np.asarray(getattr(after, name) - getattr(USUAL, name), np.float64)


def during(variant: str, magnitude: float = 2.0, before: Surroundings = USUAL) -> Surroundings:
    return with_events(WARD, BED, before, [event(BED, variant, magnitude)])


@pytest.mark.parametrize("variant", EFFECTS)
def test_an_event_changes_nothing_before_it_or_elsewhere_and_fades_after_it(variant: str) -> None:
    incident, after = event(BED, variant), during(variant)
    elsewhere = [node for node in range(15) if node not in incident.nodes]
    sizes = []
    for changed in (difference(after, name) for name in QUANTITIES):
        assert not changed[:, USUAL.times < incident.start].any()
        assert not changed[elsewhere].any()
        assert np.abs(changed[:, USUAL.times > incident.end + 3600]).max() < 1e-4
        sizes.append(np.abs(changed).max())
    assert max(sizes) > 0.1


def test_effects_by_value_where_the_event_is() -> None:
    def at_full(variant: str, magnitude: float, name: str) -> float:
        return float(difference(during(variant, magnitude), name)[0, FULL])

    assert at_full("fire", 2.0, "temperature") == pytest.approx(2 * 1.5)
    assert at_full("fire", 2.0, "light") == pytest.approx(2 * 20)
    assert at_full("fire", 2.0, "vapour") == pytest.approx(2 * 0.1)
    before = energy(USUAL.sound[0, FULL])
    louder = float(level(before + 2 * 5 * energy(37.0)) - level(before))
    assert at_full("fire", 2.0, "sound") == pytest.approx(louder)
    assert at_full("leak", 1.0, "temperature") == pytest.approx(-0.25)
    assert at_full("leak", 1.0, "vapour") == pytest.approx(0.5)


@pytest.mark.parametrize(("variant", "sign"), [("fire", -1), ("leak", 1)])
def test_a_fire_dries_the_air_and_a_leak_wets_it(variant: str, sign: int) -> None:
    worlds = (during(variant), USUAL)
    humidity, dry = (100 * one.vapour / saturation(one.temperature) for one in worlds)
    assert sign * (humidity - dry)[0, int(37000 / 30)] > 1


def test_a_crowd_is_people_and_lamps() -> None:
    # Four people, two motions a minute, half a minute.
    assert difference(during("crowd"), "motion")[0, FULL] == pytest.approx(2 * 2 * 2 * 0.5)
    dark = surroundings(replace(WARD, climate=replace(WARD.climate, people=0.0)), BED)
    assert during("crowd", before=dark).light[0, FULL] == pytest.approx(250.0)


def test_a_fall_is_a_burst_and_then_stillness() -> None:
    after = during("fall", 3.0)
    samples = np.flatnonzero((USUAL.times >= 36000) & (USUAL.times < 37800))
    motion, sound = (difference(after, name)[0, samples] for name in ("motion", "sound"))
    assert motion[:2] == pytest.approx([3 * 0.4 * 10 * 0.5] * 2)
    assert (sound[:2] > 1).all() and not sound[2:].any()
    assert after.motion[0, samples[2:]] == pytest.approx(USUAL.motion[0, samples[2:]] / 4)


def test_events_decay_with_distance() -> None:
    cell = replace(BED, positions=np.array([[0.0, 0.0], [6.0, 8.0], [30.0, 0.0]]))
    fire = event(BED, "fire", nodes=(0, 1, 2), position=(0.0, 0.0))
    assert effect_shares(cell, fire).tolist() == pytest.approx([1.0, 0.5, 0.1])


def test_the_onset_is_smooth_and_short_events_reach_full_strength() -> None:
    times = np.array([-1.0, 0.0, 120.0, 240.0, 1000.0, 1799.0, 1800.0, 2100.0])
    ends, fades = envelope(times, 0.0, 1800.0)
    assert ends == pytest.approx([0, 0, 0.5, 1, 1, 1, 0, 0])
    assert fades == pytest.approx([0, 0, 0.5, 1, 1, 1, 1, np.exp(-1)])
    assert envelope(np.array([100.0]), 0.0, 300.0)[0] == pytest.approx([1.0])


def test_other_incidents_leave_the_surroundings_alone() -> None:
    others = [event(BED, "", type=kind) for kind in ("jamming", "bias")]
    after = with_events(WARD, BED, USUAL, others)
    assert all(np.array_equal(getattr(USUAL, name), getattr(after, name)) for name in QUANTITIES)
