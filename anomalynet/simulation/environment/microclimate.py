"""The environment of each node: temperature, humidity, light and sound from weather, people, lamps
and machines."""

from __future__ import annotations

from functools import partial

import numpy as np

from anomalynet.simulation.environment.weather import Weather, lag, over_nodes, week_hours
from anomalynet.simulation.network.placement import distances
from anomalynet.simulation.records import Bool, Cell, Float64, stream
from anomalynet.simulation.scenario import ClimateConfig, Scenario, seconds

RHYTHMS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "street": (
        (5, 3, 2, 2, 3, 8, 25, 60, 90, 60, 50, 55, 75, 70, 55, 60, 80, 100, 90, 65, 45, 30, 20, 10),
        (12, 10, 8, 5, 3, 2, 4, 8, 20, 35, 50, 60, 60, 60, 60, 60, 55, 50, 50, 45, 40, 35, 30, 20),
    ),
    "shifts": (
        (
            *(10, 10, 10, 10, 10, 30, 90, 100, 100, 60, 100, 100),
            *(60, 90, 100, 90, 90, 90, 50, 90, 90, 80, 20, 10),
        ),
        (3, 3, 3, 3, 3, 5, 10, 10, 10, 10, 10, 10, 10, 10, 5, 5, 5, 5, 3, 3, 3, 3, 3, 3),
    ),
    "ward": (
        (6, 4, 6, 4, 5, 15, 60, 90, 80, 100, 70, 75, 80, 50, 65, 80, 85, 75, 60, 50, 35, 20, 10, 6),
        (6, 4, 6, 4, 5, 10, 40, 60, 55, 50, 45, 55, 60, 45, 70, 85, 80, 65, 50, 40, 30, 20, 10, 6),
    ),
}
"""People at each full hour in percent of the busiest hour, on weekdays and weekends;
interpolated."""
STAY = {"street": 180.0, "shifts": 2700.0, "ward": 900.0}  # mean seconds of a person in a room
WORKING = 0.3  # share of the busiest hour's people above which machines run
RUN, PAUSE = 2400.0, 420.0  # mean seconds that a machine runs and pauses
SUN_HEAT = 2.0  # K by which full sun heats a sensor's housing outdoors
PERSON_HEAT = 0.15  # K by which one person warms a closed room
MACHINE_HEAT = 1.5  # K by which running machines warm a closed room
PERSON_VAPOUR = 0.12  # hPa of water vapour that one person adds to a closed room
THERMAL = 1800.0  # time constant in seconds of a room's warmth and vapour
ENVELOPE = 0.08  # share of outdoor changes of temperature that reaches a heated room
DARK = 0.002
"""Daylight, as a share of noon, below which lamps are on; thresholds of rooms differ by about
30 %."""
HOLD = 600.0  # seconds that lamps stay on after the last person has left (`occupied`)
HEARING = (8.0, 2.0)
"""Distance in metres from the middle of another room at which its sounds are 3 dB weaker: outdoors,
and through walls."""


def energy(level: Float64 | float) -> Float64:
    """Relative energy of a sound level in dB; energies of independent sounds add."""
    return np.asarray(10 ** (np.asarray(level, dtype=np.float64) / 10), dtype=np.float64)


def level(energies: Float64) -> Float64:
    """Sound level in dB of a relative energy: 60 dB and 60 dB make 63.01 dB."""
    return np.asarray(10 * np.log10(energies), dtype=np.float64)


def activity(scenario: Scenario, times: Float64) -> Float64:
    """People as a share of the busiest hour, float64 (sample,), at seconds since the start."""
    weekday, weekend = RHYTHMS[scenario.climate.rhythm]
    week = np.array([*weekday * 5, *weekend * 2, weekday[0]]) / 100
    share: Float64 = np.interp(week_hours(scenario, times) % 168, np.arange(169), week)
    return share


def occupancy(scenario: Scenario, cell: Cell, times: Float64) -> Float64:
    """People in each room at given seconds, evenly spaced: float64 (room, sample) of whole numbers.

    Immigration and death: people arrive as a Poisson process whose rate follows the hour and the
    weekday, and leave after an exponential time. Each room has a constant log-normal factor of
    mean 1 (σ 0.3).
    """
    stay = STAY[scenario.climate.rhythm]
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    draw = partial(stream, scenario.seed, "cell", cell.number, "people")
    rooms = len(cell.room_positions)
    popular = np.exp(draw().normal(-0.045, 0.3, rooms)) * scenario.climate.people
    busy = activity(scenario, times)
    arrivals = draw("arrivals").poisson(popular * busy[:, None] * step / stay)
    arrivals[0] = draw("first").poisson(popular * busy[:1])
    sample, room = (
        np.repeat(axis.ravel(), arrivals.ravel()) for axis in np.indices(arrivals.shape)
    )
    # Each person arrived at a random moment of the step before the sample.
    before = draw("moments").random(len(sample)) * (sample > 0)
    stays = draw("stays").exponential(stay / step, len(sample))
    leaving = sample + np.maximum(np.ceil(stays - before), 0.0).astype(np.int64)
    change = np.zeros((rooms, len(times) + 1))
    np.add.at(change, (room, sample), 1.0)
    np.add.at(change, (room, np.minimum(leaving, len(times))), -1.0)
    present: Float64 = np.cumsum(change, axis=1)[:, :-1]
    return present


def machines(scenario: Scenario, cell: Cell, times: Float64) -> Bool:
    """Whether the machines of each room run, bool (room, sample): during working hours, with pauses
    of some minutes."""
    pairs = int(2 * seconds(scenario.duration) / (RUN + PAUSE)) + 20
    working = activity(scenario, times) > WORKING
    running = []
    for room in range(len(cell.room_positions)):
        rng = stream(scenario.seed, "cell", cell.number, "machines", room)
        lengths = rng.exponential((RUN, PAUSE), (pairs, 2))
        running.append(working & (np.searchsorted(np.cumsum(lengths), times) % 2 == 0))
    return np.array(running)


def climate_at(
    scenario: Scenario,
    cell: Cell,
    times: Float64,
    air: Weather,
    people: Float64,
    running: Bool,
    exposure: Float64,
) -> tuple[Float64, Float64]:
    """Temperature in °C and vapour in hPa, float64 (node, sample) each."""
    climate, indoor = scenario.climate, scenario.climate.indoor
    machine_heat = MACHINE_HEAT if climate.machine_sound else 0.0
    sources = np.stack([people * PERSON_HEAT + running * machine_heat, people * PERSON_VAPOUR])
    slowed = lag(sources.transpose(2, 0, 1), scenario.sampling.period, THERMAL)
    warmth, moisture = slowed.transpose(1, 2, 0)[:, cell.rooms]
    slow = over_nodes(scenario, cell, times, "temperature", 3600.0)
    turbulence = over_nodes(scenario, cell, times, "turbulence", 180.0)
    sun = SUN_HEAT * air.daylight / (1 + np.exp(-exposure))
    outside = air.temperature + sun + 0.3 * slow + 0.12 * turbulence
    through = ENVELOPE * (air.temperature - climate.temperature)
    inside = climate.indoor_temperature + through + warmth + 0.15 * slow
    temperature = (1 - indoor) * outside + indoor * inside + 0.3 * exposure
    humid = over_nodes(scenario, cell, times, "vapour", 3600.0)
    return temperature, (air.vapour + indoor * moisture) * np.exp(0.015 * humid)


def light_at(
    scenario: Scenario, cell: Cell, times: Float64, air: Weather, people: Float64, exposure: Float64
) -> Float64:
    """Illuminance in lx, float64 (node, sample): daylight with moving shade, and lamps."""
    climate = scenario.climate
    shade = 0.15 * over_nodes(scenario, cell, times, "shade", 1200.0)
    rng = stream(scenario.seed, "cell", cell.number, "lamps")
    thresholds = DARK * np.exp(rng.normal(0, 0.3, len(people)))
    lit = lamps_lit(climate, times, air.daylight, people, thresholds)
    daylight: Float64 = climate.daylight * air.daylight * np.exp(0.25 * exposure[0] + shade)
    lamplight: Float64 = climate.lamps * np.exp(0.25 * exposure[1])
    return daylight + np.where(lit[cell.rooms], lamplight, 0.0)


def lamps_lit(
    climate: ClimateConfig, times: Float64, daylight: Float64, people: Float64, thresholds: Float64
) -> Bool:
    """Whether each room's lamps are on, bool (room, sample).

    Args:
        times: float64 (sample,), seconds.
        daylight: float64 (sample,), share of a clear noon's.
        people: float64 (room, sample).
        thresholds: float64 (room,), daylight below which lamps are on (`dark`).
    """
    if climate.lamps_on == "dark":
        return np.asarray(daylight < thresholds[:, None])
    if climate.lamps_on == "occupied":
        last = np.maximum.accumulate(np.where(people > 0, times, -np.inf), axis=1)
        return np.asarray(times - last <= HOLD)
    return np.ones(people.shape, dtype=np.bool_)


def sound_at(
    scenario: Scenario, cell: Cell, times: Float64, air: Weather, people: Float64, running: Bool
) -> Float64:
    """Sound level in dB, float64 (node, sample): background, people of all rooms, machines."""
    climate = scenario.climate
    hum = over_nodes(scenario, cell, times, "murmur", 600.0)
    murmur = 1.5 * hum + (1 - climate.indoor) * 1.5 * air.wind
    source = people * energy(climate.person_sound)
    loudness = 2.0 * over_nodes(scenario, cell, times, "loudness", 90.0)
    if climate.machine_sound:
        source = source + running * energy(climate.machine_sound)
    away = distances(cell.positions, cell.room_positions)
    away[np.arange(len(away)), cell.rooms] = 0.0
    reach = (1 - climate.indoor) * HEARING[0] + climate.indoor * HEARING[1]
    voices = (1 / (1 + (away / reach) ** 2)) @ source * energy(loudness)
    return level(energy(climate.background_sound + murmur) + voices)
