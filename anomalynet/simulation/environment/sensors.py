"""Virtual sensors: response time, calibration error, noise, range and resolution (§3.1.2)."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.environment.surroundings import Surroundings
from anomalynet.simulation.environment.weather import lag, saturation
from anomalynet.simulation.records import Cell, Float64, stream
from anomalynet.simulation.scenario import Scenario

TEMPERATURE, HUMIDITY, MOTION, LIGHT, SOUND = range(5)
"""Indices in the last axis of readings, as in `scenario.SENSORS`."""
RANGES = np.array([(-40.0, 85.0), (0.0, 100.0), (0.0, 255.0), (0.0, 65535.0), (20.0, 120.0)])
"""Smallest and largest reading of each sensor: °C, %, motions, lx, dB."""
STEPS_PER_UNIT = np.array([100.0, 100.0, 1.0, 1.0, 10.0])
"""Resolution of each sensor in steps per unit: 0.01 °C, 0.01 %, 1, 1 lx, 0.1 dB."""
NOISE = np.array([0.05, 0.25, 0.0, 0.5, 0.6])
"""Standard deviation of each sensor's noise; light has `LIGHT_NOISE` in addition, motion only
counting noise."""
LIGHT_NOISE = 0.01  # standard deviation of the light sensor's noise as a share of the reading
CALIBRATION = np.array([0.2, 1.0, 0.0, 0.0, 0.7])
"""Standard deviation over sensors of the constant calibration error."""
HOUSING, MEMBRANE = 90.0, 30.0
"""Time constants in seconds of the temperature and of the humidity sensor."""
BLIND = 2.0  # dead time in seconds of a motion detector after a detection


def measure(scenario: Scenario, cell: Cell, surroundings: Surroundings) -> Float64:
    """Readings of the sensors of a cell, float64 (node, slot, 5) in the order of `SENSORS`, neither
    clipped nor rounded.

    The noise is fixed per (node, sample): equal surroundings give equal readings. With several
    samples per frame, the frame carries the last one, and the largest motion count.

    Source: §3.1.2-3.1.3; the sensor models are not in the paper
    """
    period, every = scenario.sampling.period, scenario.sampling.transmit_every
    nodes, samples = surroundings.temperature.shape
    path = ("cell", cell.number, "sensors")
    temperature = lag(surroundings.temperature.T, period, HOUSING).T
    # The humidity sensor has the temperature of the housing, and measures the air's vapour relative
    # to saturation at that temperature.
    humidity = 100 * np.minimum(surroundings.vapour / saturation(temperature), 1.0)
    true = np.empty((nodes, samples, 5))
    true[..., TEMPERATURE] = temperature
    true[..., HUMIDITY] = lag(humidity.T, period, MEMBRANE).T
    uniform = stream(scenario.seed, *path, "motion").random((samples, nodes)).T
    true[..., MOTION] = _detections(scenario, surroundings.motion, uniform)
    true[..., LIGHT] = surroundings.light
    true[..., SOUND] = surroundings.sound
    errors = stream(scenario.seed, *path, "calibration").normal(size=(nodes, 1, 5)) * CALIBRATION
    noise = stream(scenario.seed, *path, "noise").standard_normal((samples, nodes, 5))
    readings = true + errors + noise.transpose(1, 0, 2) * deviation(true)
    carried: Float64 = readings[:, every - 1 :: every].copy()
    carried[..., MOTION] = readings[..., MOTION].reshape(nodes, -1, every).max(axis=2)
    return carried


def deviation(readings: Float64) -> Float64:
    """Standard deviation of the sensors' noise at given readings, float64 (…, 5)."""
    result = np.broadcast_to(NOISE, readings.shape).copy()
    result[..., LIGHT] += LIGHT_NOISE * np.maximum(readings[..., LIGHT], 0.0)
    return result


def quantise(readings: Float64) -> Float64:
    """Readings (…, 5) clipped to each sensor's range and rounded to its resolution, as in a
    frame."""
    rounded: Float64 = np.round(readings * STEPS_PER_UNIT) / STEPS_PER_UNIT
    return np.asarray(np.clip(rounded, RANGES[:, 0], RANGES[:, 1]))


def _detections(scenario: Scenario, expected: Float64, uniform: Float64) -> Float64:
    """Motion counts, float64 (node, sample): Poisson by inversion, so that each sample uses exactly
    one draw.

    The dead time lowers the mean and limits the count.
    """
    period = scenario.sampling.period
    most = min(RANGES[MOTION, 1], max(1.0, period // BLIND))
    mean = np.minimum(expected / (1 + expected * BLIND / period), RANGES[MOTION, 1]).ravel()
    draws, count = uniform.ravel(), np.zeros(mean.size)
    term = np.exp(-mean)
    below = term.copy()
    rest, number = np.flatnonzero(draws >= below), 0
    while rest.size and number < most:
        number += 1
        count[rest] += 1
        term[rest] *= mean[rest] / number
        below[rest] += term[rest]
        rest = rest[draws[rest] >= below[rest]]
    return count.reshape(expected.shape)
