"""The weather of the whole deployment (sun, clouds, air temperature, vapour), and slow random
fields in time and space."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from anomalynet.simulation.network.placement import distances
from anomalynet.simulation.records import Cell, Float64, stream
from anomalynet.simulation.scenario import Scenario, seconds

STEP = 60.0  # seconds between the points of a field; linear in between
HOUR = 3600.0
AIR_MASS = 12 * HOUR  # correlation time in seconds of temperature, vapour and cloud cover
PASSING = 480.0  # correlation time in seconds of passing clouds
CLOUD_LOSS = 0.85  # share of the light that complete cloud cover removes
TWILIGHT = 0.007  # light at sunrise as a share of noon's


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather, equal for all cells, float64 (sample,)."""

    temperature: Float64  # outdoors, °C
    vapour: Float64  # hPa
    daylight: Float64  # share of a clear noon
    wind: Float64  # mean 0, variance 1


def saturation(temperature: Float64 | float) -> Float64:
    """Vapour pressure of saturated air over water in hPa (Magnus), temperature in °C.

    Source: Sonntag 1990
    """
    celsius = np.asarray(temperature, dtype=np.float64)
    return 6.112 * np.exp(17.62 * celsius / (243.12 + celsius))


def week_hours(scenario: Scenario, times: Float64) -> Float64:
    """Hours since Monday 00:00, float64 (sample,), of seconds since the scenario's start; not
    wrapped after a week."""
    start = datetime.fromisoformat(scenario.start)
    return (
        start.weekday() * 24.0 + start.hour + start.minute / 60 + start.second / HOUR + times / HOUR
    )


def clear_sky(scenario: Scenario, times: Float64) -> Float64:
    """Illuminance under a clear sky as a share of noon's of the same day, float64 (sample,): 1 at
    noon, 0.007 at sunrise, 0 at night.

    The sun's elevation follows from latitude, day of the year and hour; the clock shows solar time.

    Source: Cooper's declination
    """
    day = datetime.fromisoformat(scenario.start).timetuple().tm_yday
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    latitude = np.deg2rad(scenario.climate.latitude)
    angle = 2 * np.pi * (week_hours(scenario, times) - 12) / 24
    noon = np.cos(latitude - declination)
    across = np.cos(latitude) * np.cos(declination) * np.cos(angle)
    height = np.sin(latitude) * np.sin(declination) + across
    degrees = np.rad2deg(np.arcsin(np.clip(height, -1, 1)))
    below = TWILIGHT * np.exp(np.minimum(degrees, 0.0) / 1.3)
    share = (1 - TWILIGHT) * np.maximum(height, 0.0) / max(float(noon), 0.05) + below
    return np.where(degrees > -12, share, 0.0)


def daily_rhythm(hours: Float64) -> Float64:
    """Deviation of the air temperature from its mean, about -1 … 1: lowest at 5 o'clock, highest at
    half past two, rising faster than falling."""
    turn = 2 * np.pi * hours / 24
    once, twice = np.cos(turn - 2 * np.pi * 15 / 24), np.cos(2 * turn - 2 * np.pi * 14 / 12)
    wave: Float64 = once + 0.25 * twice
    return wave


def weather(scenario: Scenario, times: Float64) -> Weather:
    """The weather at given seconds; the same for every cell of a world.

    Temperature, vapour and cloud cover change over half a day, single clouds pass in minutes. The
    vapour has no daily cycle, so relative humidity falls as the day warms up.

    Source: §3.1.1 names the modalities; the model is not in the paper
    """
    climate, points = scenario.climate, grid(scenario)
    slow = lag(wander(stream(scenario.seed, "weather"), len(points), 4, AIR_MASS), STEP, 1200.0)
    passing = wander(stream(scenario.seed, "weather", "clouds"), len(points), 1, PASSING)
    warmth, moisture, cover, wind = resample(slow, times)
    clouds = 1 / (1 + np.exp(-2.5 * (cover + 0.7 * resample(passing, times)[0])))
    swing = climate.daily_swing * daily_rhythm(week_hours(scenario, times))
    temperature = climate.temperature + swing + climate.weather * warmth
    vapour = climate.humidity / 100 * saturation(climate.temperature) * np.exp(0.1 * moisture)
    daylight = clear_sky(scenario, times) * (1 - CLOUD_LOSS * clouds)
    return Weather(temperature, vapour, daylight, wind)


def recur(inputs: Float64, memory: Float64 | float) -> Float64:
    """y₀ = x₀, yₖ = memory·yₖ₋₁ + xₖ along the first axis of inputs float64 (step, …); memory is
    broadcast against one step."""
    result = inputs.copy()
    for step in range(1, len(result)):
        result[step] += memory * result[step - 1]
    return result


def lag(inputs: Float64, period: float, constant: Float64 | float) -> Float64:
    """First-order response to inputs float64 (step, …) that are constant over a period (seconds):
    63.2 % of a step after one time `constant`, which is broadcast against one step."""
    memory: Float64 = np.exp(-period / np.asarray(constant, dtype=np.float64))
    shares = inputs * (1 - memory)
    shares[:1] = inputs[:1]
    return recur(shares, memory)


def wander(rng: np.random.Generator, steps: int, width: int, constant: float) -> Float64:
    """Independent AR(1) series of mean 0 and variance 1: float64 (step, width), correlation
    exp(−Δt/constant), Δt in units of `STEP`."""
    memory = float(np.exp(-STEP / constant))
    shocks = rng.standard_normal((steps, width))
    shocks[1:] *= np.sqrt(1 - memory**2)
    return recur(shocks, memory)


def grid(scenario: Scenario) -> Float64:
    """Seconds of the points of a field, float64 (step,): from 0 to the end of the simulated time or
    just after it."""
    return np.arange(int(np.ceil(seconds(scenario.duration) / STEP)) + 1, dtype=np.float64) * STEP


def resample(values: Float64, times: Float64) -> Float64:
    """A field (step, n) at other times: float64 (n, sample), linear between the points."""
    before = np.minimum((times / STEP).astype(np.int64), len(values) - 2)
    weight = (times / STEP - before)[:, None]
    between: Float64 = values[before] * (1 - weight) + values[before + 1] * weight
    return np.ascontiguousarray(between.T)


def over_nodes(
    scenario: Scenario, cell: Cell, times: Float64, name: str, constant: float
) -> Float64:
    """A field of mean 0 and variance 1 over a cell's nodes, float64 (node, sample): neighbours
    agree, with correlation exp(−distance/correlation_length).

    Args:
        name: of the field and its random stream; fields of different names are independent.
        constant: correlation time in seconds.
    """
    apart = distances(cell.positions, cell.positions)
    together = np.exp(-apart / scenario.climate.correlation_length)
    # Two nodes may have the same position, which would make the matrix singular.
    root = np.linalg.cholesky(together + 1e-9 * np.eye(len(together)))
    rng = stream(scenario.seed, "cell", cell.number, name)
    field: Float64 = root @ resample(wander(rng, len(grid(scenario)), len(root), constant), times)
    return field
