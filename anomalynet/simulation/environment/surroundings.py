"""True physical quantities at the nodes, before any sensor measures them, and the effect of process
events on them: a fire, a leak, a fall, a crowd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomalynet.simulation.environment import microclimate
from anomalynet.simulation.environment.weather import weather
from anomalynet.simulation.network.placement import distances
from anomalynet.simulation.records import Cell, Float64, Incident, stream
from anomalynet.simulation.scenario import Scenario, slots

DISTANCE = 10.0  # metres from an event at which its effect is halved
ONSET = 240.0  # seconds until full strength; at most a third of the event
RECOVERY = 300.0  # time constant in seconds of warmth and vapour after an event
BURST = 60.0  # seconds of noise and motion that a fall takes
DETECTIONS = 2.0  # detections per minute that one person causes
FALSE_DETECTIONS = 0.02  # detections per minute without people: leaves, warm air


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of an event of magnitude 1 at its position and at full strength."""

    temperature: float = 0.0  # K
    vapour: float = 0.0  # hPa
    light: float = 0.0  # lx
    sound: float = 0.0  # energy, as a multiple of the background's
    motion: float = 0.0  # detections per minute
    people: float = 0.0  # number of people who come
    lamps: bool = False  # whether lamps are switched on; brightness grows with the magnitude
    # Factor on sound and motion during the first `BURST` seconds; afterwards there is no sound and
    # less motion
    burst: float = 0.0


EFFECTS = {
    "fire": Effect(temperature=1.5, vapour=0.1, light=20.0, sound=5.0),
    "leak": Effect(temperature=-0.25, vapour=0.5, sound=1.0),
    "fall": Effect(sound=4.0, motion=0.4, burst=10.0),
    "crowd": Effect(temperature=0.15, vapour=0.1, people=2.0, lamps=True),
}
"""Effect of each variant per unit of magnitude: about the ordinary short-term variation of the
quantity that it changes most."""


def effect_shares(cell: Cell, incident: Incident) -> Float64:
    """Share of an event's effect at its nodes, float64 (affected node,): 1 at its position, one
    half at `DISTANCE`."""
    nodes = cell.positions[list(incident.nodes)]
    return 1 / (1 + (distances(nodes, np.array([incident.position]))[:, 0] / DISTANCE) ** 2)


def envelope(times: Float64, start: float, end: float) -> tuple[Float64, Float64]:
    """Strength of an event, 0 to 1, float64 (sample,) each: of effects that end with it, and of
    effects that fade after it."""
    onset = min(ONSET, (end - start) / 3)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((times - start) / onset, 0.0, 1.0))
    return rise * (times < end), rise * np.exp(-np.maximum(times - end, 0.0) / RECOVERY)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """True physical quantities, float64 (node, sample) each."""

    times: Float64  # float64 (sample,), seconds: the beginning of each sampling period
    temperature: Float64  # of the air around the sensor, °C
    vapour: Float64  # hPa
    light: Float64  # lx
    sound: Float64  # dB over the sampling period
    motion: Float64  # expected motions in the sampling period


def sample_times(scenario: Scenario) -> Float64:
    """Beginnings of all sampling periods in seconds, float64 (slot · transmit_every,): a frame is
    sent after the samples that it carries."""
    count = slots(scenario) * scenario.sampling.transmit_every
    return np.arange(count, dtype=np.float64) * scenario.sampling.period


def surroundings(scenario: Scenario, cell: Cell) -> Surroundings:
    """The true surroundings of a cell's nodes over the simulated time, without incidents.

    All cells share the weather; the nodes of a room share people, lamps and machines; neighbours
    share slow random fields. Each node has its own exposure.

    Source: §3.1.1 names the five modalities; the models are not in the paper
    """
    times = sample_times(scenario)
    air, people = weather(scenario, times), microclimate.occupancy(scenario, cell, times)
    running = microclimate.machines(scenario, cell, times)
    rng = stream(scenario.seed, "cell", cell.number, "exposure")
    exposure = rng.normal(size=(len(cell.names), 5)).T[:, :, None]
    temperature, vapour = microclimate.climate_at(
        scenario, cell, times, air, people, running, exposure[0]
    )
    light = microclimate.light_at(scenario, cell, times, air, people, exposure[1:3])
    sound = microclimate.sound_at(scenario, cell, times, air, people, running) + exposure[3]
    rate = people[cell.rooms] * DETECTIONS * np.exp(0.3 * exposure[4]) + FALSE_DETECTIONS
    motion = rate * scenario.sampling.period / 60
    return Surroundings(times, temperature, vapour, light, sound, motion)


def with_events(
    scenario: Scenario, cell: Cell, surroundings: Surroundings, incidents: Sequence[Incident]
) -> Surroundings:
    """Surroundings with the process events among the incidents; other types change nothing.

    The effect on a node depends on its distance. It begins smoothly, is zero before the start, and
    ends with the incident, except for warmth and vapour, which fade.

    Returns: new arrays. Other nodes and samples before the start are unchanged, bit for bit.

    Source: §3.1.6 names environmental causes; the model is not in the paper
    """
    quantities = ("temperature", "vapour", "light", "sound", "motion")
    copies = {name: getattr(surroundings, name).copy() for name in quantities}
    changed = replace(surroundings, **copies)
    for incident in incidents:
        if incident.type == "process_event":
            _apply(scenario, cell, changed, incident, EFFECTS[incident.variant])
    return changed


def _apply(
    scenario: Scenario, cell: Cell, changed: Surroundings, incident: Incident, effect: Effect
) -> None:
    """Write one event into the arrays of `changed`."""
    first = int(np.searchsorted(changed.times, incident.start))
    times, part = changed.times[first:], (list(incident.nodes), slice(first, None))
    strength, fading = envelope(times, incident.start, incident.end)
    size = (incident.magnitude * effect_shares(cell, incident))[:, None]
    changed.temperature[part] += size * effect.temperature * fading
    changed.vapour[part] += size * effect.vapour * fading
    changed.light[part] += size * effect.light * strength
    minutes = scenario.sampling.period / 60
    if effect.burst:
        strength = np.where(times < incident.start + BURST, effect.burst, 0.0)
        still = (times >= incident.start + BURST) & (times < incident.end)
        changed.motion[part] *= np.where(still, 1 / (1 + size), 1.0)
        minutes = min(minutes, BURST / 60)
    changed.motion[part] += size * (effect.motion + DETECTIONS * effect.people) * strength * minutes
    climate = scenario.climate
    noise = effect.sound * microclimate.energy(climate.background_sound)
    added = size * strength * (noise + effect.people * microclimate.energy(climate.person_sound))
    before = changed.sound[part]
    changed.sound[part] = np.where(
        added > 0, microclimate.level(microclimate.energy(before) + added), before
    )
    if effect.lamps:
        missing = np.maximum(climate.lamps - changed.light[part], 0.0)
        changed.light[part] += missing * strength * np.minimum(size / 2, 1.0)
