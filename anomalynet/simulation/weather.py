"""Weather over the whole deployment: sun, clouds, air temperature and the vapour in the air."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from anomalynet.simulation.fields import STEP, grid, lag, resample, wander
from anomalynet.simulation.records import Float64
from anomalynet.simulation.scenario import Scenario
from anomalynet.simulation.streams import stream

HOUR = 3600.0
FORGETS = 12 * HOUR
"""Seconds over which temperature, vapour and cloud cover change with the weather."""
PASSING = 480.0
"""Seconds that a passing cloud takes."""
CLOUD_LOSS = 0.85
"""Share of the light that a closed cover takes away."""
TWILIGHT = 0.007
"""Light at sunrise as a share of noon's."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What every cell has in common, float64 (sample,).

    Attributes:
        temperature: of the outdoor air, °C.
        vapour: partial pressure of water vapour, hPa.
        daylight: illuminance as a share of a clear noon's.
        wind: mean 0, variance 1.
    """

    temperature: Float64
    vapour: Float64
    daylight: Float64
    wind: Float64


def saturation(temperature: Float64 | float) -> Float64:
    """Vapour pressure of saturated air over water in hPa (Magnus), temperature in °C.

    Source: not in the paper; Sonntag 1990
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

    Source: not in the paper; Cooper's declination
    """
    day = datetime.fromisoformat(scenario.start).timetuple().tm_yday
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    latitude = np.deg2rad(scenario.climate.latitude)
    angle = 2 * np.pi * (week_hours(scenario, times) - 12) / 24
    noon = np.cos(latitude - declination)
    height = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(
        declination
    ) * np.cos(angle)
    degrees = np.rad2deg(np.arcsin(np.clip(height, -1, 1)))
    below = TWILIGHT * np.exp(np.minimum(degrees, 0.0) / 1.3)
    share = (1 - TWILIGHT) * np.maximum(height, 0.0) / max(float(noon), 0.05) + below
    return np.where(degrees > -12, share, 0.0)


def daily_rhythm(hours: Float64) -> Float64:
    """Deviation of the air temperature from its mean, about -1 … 1: lowest at 5 o'clock, highest at
    half past two, quicker up than down.

    Source: not in the paper
    """
    turn = 2 * np.pi * hours / 24
    wave: Float64 = np.cos(turn - 2 * np.pi * 15 / 24) + 0.25 * np.cos(
        2 * turn - 2 * np.pi * 14 / 12
    )
    return wave


def weather(scenario: Scenario, times: Float64) -> Weather:
    """The weather at given seconds; the same for every cell of a world.

    Air masses change temperature, vapour and cloud cover over half a day; clouds pass in minutes.
    The vapour has no daily rhythm of its own, so that relative humidity falls as the day warms up.

    Source: §3.1.1 names the modalities; the model is not in the paper
    """
    climate, points = scenario.climate, grid(scenario)
    slow = lag(wander(stream(scenario.seed, "weather"), len(points), 4, FORGETS), STEP, 1200.0)
    passing = wander(stream(scenario.seed, "weather", "clouds"), len(points), 1, PASSING)
    warmth, moisture, cover, wind = resample(slow, times)
    clouds = 1 / (1 + np.exp(-2.5 * (cover + 0.7 * resample(passing, times)[0])))
    return Weather(
        temperature=climate.temperature
        + climate.daily_swing * daily_rhythm(week_hours(scenario, times))
        + climate.weather * warmth,
        vapour=climate.humidity / 100 * saturation(climate.temperature) * np.exp(0.1 * moisture),
        daylight=clear_sky(scenario, times) * (1 - CLOUD_LOSS * clouds),
        wind=wind,
    )
