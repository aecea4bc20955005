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
"""One of these is touched at least: light and motion can rest at 0, where many effects would
vanish."""
GAIN = 0.25  # logarithm of the gain of magnitude 1
SPIKES = 0.1  # share of the slots of an incident in which a spike falls
BELIEVABLE = 4.0  # largest magnitude of injected data: 2 K, 8 %, 12 dB off the truth
GENTLE = 0.1
"""Share of its duration in which an injected offset sets in, and in which it is taken back."""
TYPICAL = np.array([0.5, 2.0, 2.0, 400.0, 3.0])
"""The effect of magnitude 1 on each sensor: K, %, motions, lx, dB: about what a reading ordinarily
varies within minutes. The noise of one reading is a tenth to a fifth of it. Light is that of a
place with 20 000 lx at noon; see `typical`."""


def typical(scenario: Scenario) -> Float64:
    """The effect of magnitude 1 on each sensor in a scenario, float64 (5,): of light, 2 % of noon's
    daylight and 10 % of the lamps."""
    climate = scenario.climate
    result = TYPICAL.copy()
    result[LIGHT] *= (climate.daylight + 5 * climate.lamps) / 20_000
    return result


@dataclass(frozen=True, slots=True)
class Target:
    """The readings of one sensor that an incident changes.

    Attributes:
        values: float64 (node, slot), within the incident only.
        step: the signed effect in the sensor's unit: strength (the signed magnitude) × typical.
        mean: float64 (node, 1), of the node's readings over the whole simulated time.
        progress: float64 (slot,), 0 at the first slot to 1 at the last.
        draws: float64 (slot, 3), uniform in [0, 1).
        normal: float64 (slot, node), standard normal.
    """

    values: Float64
    step: float
    strength: float
    mean: Float64
    progress: Float64
    draws: Float64
    normal: Float64


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
"""Sensor faults. A bias is the step, a drift has it as its mean, spikes are 2-3 times it to both
sides, noise has it as its deviation; clipping cuts what exceeds the incident's mean less half of
it. A gain of magnitude 1 stretches or squeezes deviations from the node's mean by 28 %. A stuck
sensor repeats its first reading, whatever the magnitude."""

INJECTIONS: dict[str, Callable[[Target], Float64]] = {
    "bias": _gentle_bias,
    "ramp": FAULTS["drift"],
    "scale": _gain,
    "coordinated": _gentle_bias,
}
"""False data injection: an offset that sets in gently, a ramp with it as its mean, a gain;
`coordinated` is one offset on all nodes."""


def touched(scenario: Scenario, incident: Incident) -> dict[int, float]:
    """The sensors that an incident touches, 1 to 5, each with the sign of the effect: +1 or -1.

    They depend on the world's seed and the incident's number alone.
    """
    rng = stream(scenario.seed, "incident", incident.number, "sensors")
    first = int(rng.choice(ALWAYS_VARIED))
    others = [sensor for sensor in rng.permutation(5).tolist() if sensor != first]
    signs = rng.choice([-1.0, 1.0], 5)
    found = sorted([first, *others[: int(rng.integers(0, 5))]])
    return {sensor: float(signs[sensor]) for sensor in found}


def distort(scenario: Scenario, readings: Float64, incidents: Sequence[Incident]) -> Float64:
    """Readings as faulty sensors and attackers on the nodes make them; incidents of other types
    change nothing.

    Args:
        readings: float64 (node, slot, 5), as measured.
        incidents: no node has two at once.

    Returns: a new array, equal bit for bit outside the incidents' nodes and slots, not quantised.

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
        # An attacker wants to be believed: nearly the magnitude below 1, never above `BELIEVABLE`.
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
