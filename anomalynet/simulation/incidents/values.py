"""Incidents that change readings: sensor faults and false data injection."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anomalynet.simulation.environment.sensors import HUMIDITY, LIGHT, SOUND, TEMPERATURE
from anomalynet.simulation.records import Float64, Incident, covered, stream
from anomalynet.simulation.scenario import Scenario

ALWAYS_VARIED = (TEMPERATURE, HUMIDITY, SOUND)
"""At least one of these is affected: light and motion can be 0, which hides effects."""
GAIN = 0.25  # logarithm of the gain of magnitude 1
SPIKES = 0.1  # share of the slots of an incident that have a spike
BELIEVABLE = 4.0  # largest magnitude of injected data: 2 K, 8 %, 12 dB
GENTLE = 0.1  # share of its duration in which an injected offset rises, and in which it falls back
TYPICAL = np.array([0.5, 2.0, 2.0, 400.0, 3.0])
"""The effect of magnitude 1 on each sensor in K, %, motions, lx, dB: about the ordinary variation
of a reading within minutes, five to ten times its noise. Light: at 20 000 lx at noon; see
`typical`."""


def typical(scenario: Scenario) -> Float64:
    """The effect of magnitude 1 on each sensor in a scenario, float64 (5,): for light, 2 % of
    daylight at noon plus 10 % of the lamps."""
    climate = scenario.climate
    result = TYPICAL.copy()
    result[LIGHT] *= (climate.daylight + 5 * climate.lamps) / 20_000
    return result


@dataclass(frozen=True, slots=True)
class Target:
    """The readings of one sensor that an incident changes."""

    values: Float64  # float64 (node, slot), within the incident only
    step: float  # the signed effect in the sensor's unit: strength (the signed magnitude) × typical
    strength: float
    mean: Float64  # float64 (node, 1), of the node's readings over the whole simulated time
    progress: Float64  # float64 (slot,), 0 at the first slot to 1 at the last
    draws: Float64  # float64 (slot, 3), uniform in [0, 1)
    normal: Float64  # float64 (slot, node), standard normal


def _gain(target: Target) -> Float64:
    return target.mean + float(np.exp(GAIN * target.strength)) * (target.values - target.mean)


def _spike(target: Target) -> Float64:
    hit = target.draws[:, 0] < SPIKES
    hit[len(hit) // 2] = True
    side = np.where(target.draws[:, 1] < 0.5, -1.0, 1.0)
    return target.values + hit * side * target.step * (2 + target.draws[:, 2])


def _clipping(target: Target) -> Float64:
    limit = target.values.mean(axis=1, keepdims=True) - 0.5 * target.step
    cut: Float64 = (np.minimum if target.step > 0 else np.maximum)(target.values, limit)
    return cut


def _gentle_bias(target: Target) -> Float64:
    share = np.minimum(np.minimum(target.progress, 1 - target.progress) / GENTLE, 1.0)
    return target.values + target.step * share


FAULTS: dict[str, Callable[[Target], Float64]] = {
    "bias": lambda target: target.values + target.step,
    "gain": _gain,
    "drift": lambda target: target.values + 2 * target.step * target.progress,
    "stuck_at": lambda target: np.broadcast_to(target.values[:, :1], target.values.shape),
    "spike": _spike,
    "noise": lambda target: target.values + target.normal.T * target.step,
    "clipping": _clipping,
}
"""Sensor faults. The step is the bias, the mean of a drift, the standard deviation of noise; spikes
are 2-3 steps in both directions; clipping cuts at half a step from the incident's mean. A gain of
magnitude 1 changes deviations from the node's mean by 28 %. A stuck sensor repeats its first
reading at any magnitude."""

INJECTIONS: dict[str, Callable[[Target], Float64]] = {
    "bias": _gentle_bias,
    "ramp": FAULTS["drift"],
    "scale": _gain,
    "coordinated": _gentle_bias,
}
"""False data injection: an offset that rises gently, a ramp with the step as its mean, a gain;
`coordinated` is the same offset on all nodes."""


def touched(scenario: Scenario, incident: Incident) -> dict[int, float]:
    """The sensors that an incident affects, 1 to 5, each with the sign of the effect: +1 or -1.

    They depend only on the world's seed and the incident's number.
    """
    rng = stream(scenario.seed, "incident", incident.number, "sensors")
    first = int(rng.choice(ALWAYS_VARIED))
    others = [sensor for sensor in rng.permutation(5).tolist() if sensor != first]
    signs = rng.choice([-1.0, 1.0], 5)
    found = sorted([first, *others[: int(rng.integers(0, 5))]])
    return {sensor: float(signs[sensor]) for sensor in found}


def distort(scenario: Scenario, readings: Float64, incidents: Sequence[Incident]) -> Float64:
    """Apply sensor faults and false data injection to readings; other incidents change nothing.

    Args:
        readings: float64 (node, slot, 5), as measured.
        incidents: a node has at most one at a time.

    Returns: a new array, not quantised; unchanged outside the incidents' nodes and slots.

    Source: §3.1.6 (causes); the models are not in the paper
    """
    result, unit = readings.copy(), typical(scenario)
    for incident in incidents:
        injected = incident.type == "false_data_injection"
        effect = INJECTIONS[incident.variant] if injected else FAULTS.get(incident.type)
        part = covered(scenario, incident)
        count = len(range(*part.indices(readings.shape[1])))
        if effect is None or count == 0:
            continue
        nodes = list(incident.nodes)
        # Injected data must look plausible: tanh limits the magnitude smoothly to `BELIEVABLE`.
        believed = BELIEVABLE * math.tanh(incident.magnitude / BELIEVABLE)
        size = believed if injected else incident.magnitude
        for sensor, sign in touched(scenario, incident).items():
            rng = stream(scenario.seed, "incident", incident.number, "values", sensor)
            whole, strength = readings[nodes, :, sensor], sign * size
            target = Target(
                values=whole[:, part],
                step=strength * float(unit[sensor]),
                strength=strength,
                mean=whole.mean(axis=1, keepdims=True),
                progress=np.linspace(0.0, 1.0, count),
                draws=rng.random((count, 3)),
                normal=rng.standard_normal((count, len(nodes))),
            )
            result[nodes, part, sensor] = effect(target)
    return result
