"""What weather, people, lamps and machines make of the place where a node stands."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.fields import lag, over_nodes
from anomalynet.simulation.placement import distances
from anomalynet.simulation.records import Bool, Cell, Float64
from anomalynet.simulation.scenario import ClimateConfig, Scenario
from anomalynet.simulation.streams import stream
from anomalynet.simulation.weather import Weather

SUN_HEAT = 2.0
"""K by which full sun heats a sensor's housing outdoors."""
PERSON_HEAT = 0.15
"""K by which one person warms a closed room."""
MACHINE_HEAT = 1.5
"""K by which running machines warm a closed room."""
PERSON_VAPOUR = 0.12
"""hPa of water vapour that one person adds to a closed room."""
THERMAL = 1800.0
"""Time constant in seconds of a room's warmth and vapour."""
ENVELOPE = 0.08
"""Share of outdoor changes of temperature that reaches a heated room."""
DARK = 0.002
"""Daylight as a share of noon's below which lamps are lit; each room's own switch differs by about
30 %."""
HOLD = 600.0
"""Seconds that lamps stay on after the last person has left (`occupied`)."""
HEARING = (8.0, 2.0)
"""Metres from another room's middle at which its sounds are 3 dB weaker than in it: in the open,
and through walls."""


def energy(level: Float64 | float) -> Float64:
    """Relative energy of a sound level in dB; energies of independent sounds add."""
    return np.asarray(10 ** (np.asarray(level, dtype=np.float64) / 10), dtype=np.float64)


def level(energies: Float64) -> Float64:
    """Sound level in dB of a relative energy: 60 dB and 60 dB make 63.01 dB."""
    return np.asarray(10 * np.log10(energies), dtype=np.float64)


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
    warmth, moisture = lag(sources.transpose(2, 0, 1), scenario.sampling.period, THERMAL).transpose(
        1, 2, 0
    )[:, cell.rooms]
    slow = over_nodes(scenario, cell, times, "temperature", 3600.0)
    turbulence = over_nodes(scenario, cell, times, "turbulence", 180.0)
    outside = (
        air.temperature
        + SUN_HEAT * air.daylight / (1 + np.exp(-exposure))
        + 0.3 * slow
        + 0.12 * turbulence
    )
    inside = (
        climate.indoor_temperature
        + ENVELOPE * (air.temperature - climate.temperature)
        + warmth
        + 0.15 * slow
    )
    temperature = (1 - indoor) * outside + indoor * inside + 0.3 * exposure
    humid = over_nodes(scenario, cell, times, "vapour", 3600.0)
    return temperature, (air.vapour + indoor * moisture) * np.exp(0.015 * humid)


def light_at(
    scenario: Scenario, cell: Cell, times: Float64, air: Weather, people: Float64, exposure: Float64
) -> Float64:
    """Illuminance in lx, float64 (node, sample): daylight through shade that moves, and lamps."""
    climate = scenario.climate
    shade = 0.15 * over_nodes(scenario, cell, times, "shade", 1200.0)
    thresholds = DARK * np.exp(
        stream(scenario.seed, "cell", cell.number, "lamps").normal(0, 0.3, len(people))
    )
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
        thresholds: float64 (room,), daylight below which `dark` lights them.

    Source: not in the paper
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
    """Sound level in dB, float64 (node, sample): background, people of all rooms by distance,
    machines."""
    climate = scenario.climate
    murmur = (
        1.5 * over_nodes(scenario, cell, times, "murmur", 600.0)
        + (1 - climate.indoor) * 1.5 * air.wind
    )
    source = people * energy(climate.person_sound)
    loudness = 2.0 * over_nodes(scenario, cell, times, "loudness", 90.0)
    if climate.machine_sound:
        source = source + running * energy(climate.machine_sound)
    away = distances(cell.positions, cell.room_positions)
    away[np.arange(len(away)), cell.rooms] = 0.0
    reach = (1 - climate.indoor) * HEARING[0] + climate.indoor * HEARING[1]
    return level(
        energy(climate.background_sound + murmur)
        + (1 / (1 + (away / reach) ** 2)) @ source * energy(loudness)
    )
