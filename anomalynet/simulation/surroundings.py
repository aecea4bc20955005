"""What is true at the nodes before any sensor measures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomalynet.simulation.events import BURST, EFFECTS, Effect, envelope, felt
from anomalynet.simulation.microclimate import climate_at, energy, level, light_at, sound_at
from anomalynet.simulation.people import machines, occupancy
from anomalynet.simulation.records import Cell, Float64, Incident
from anomalynet.simulation.scenario import Scenario, slots
from anomalynet.simulation.streams import stream
from anomalynet.simulation.weather import weather

DETECTIONS = 2.0
"""Motions a minute that one person causes, as a sensor in the room sees them."""
FALSE_DETECTIONS = 0.02
"""Motions a minute without anybody: leaves, warm air."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """True physical quantities, float64 (node, sample) each.

    Attributes:
        times: float64 (sample,), seconds: the middle of each sampling period.
        temperature: of the air about the sensor, °C.
        vapour: partial pressure of water vapour, hPa.
        light: illuminance, lx.
        sound: equivalent sound level over the sampling period, dB.
        motion: expected motions in the sampling period.
    """

    times: Float64
    temperature: Float64
    vapour: Float64
    light: Float64
    sound: Float64
    motion: Float64


def sample_times(scenario: Scenario) -> Float64:
    """Beginnings of all sampling periods in seconds, float64 (slot · transmit_every,): a frame is
    sent after what it carries."""
    count = slots(scenario) * scenario.sampling.transmit_every
    return np.arange(count, dtype=np.float64) * scenario.sampling.period


def surroundings(scenario: Scenario, cell: Cell) -> Surroundings:
    """The true surroundings of a cell's nodes through the simulated time, without any incident.

    Weather is shared by all cells; people, lamps and machines by the nodes of a room; slow fields
    by neighbours. Each node has its own exposure.

    Source: §3.1.1 names the five modalities; the models are not in the paper
    """
    times = sample_times(scenario)
    air, people, running = (
        weather(scenario, times),
        occupancy(scenario, cell, times),
        machines(scenario, cell, times),
    )
    exposure = (
        stream(scenario.seed, "cell", cell.number, "exposure")
        .normal(size=(len(cell.names), 5))
        .T[:, :, None]
    )
    temperature, vapour = climate_at(scenario, cell, times, air, people, running, exposure[0])
    own = people[cell.rooms]
    return Surroundings(
        times=times,
        temperature=temperature,
        vapour=vapour,
        light=light_at(scenario, cell, times, air, people, exposure[1:3]),
        sound=sound_at(scenario, cell, times, air, people, running) + exposure[3],
        motion=(own * DETECTIONS * np.exp(0.3 * exposure[4]) + FALSE_DETECTIONS)
        * scenario.sampling.period
        / 60,
    )


def with_events(
    scenario: Scenario, cell: Cell, surroundings: Surroundings, incidents: Sequence[Incident]
) -> Surroundings:
    """Surroundings in which the process events among the incidents take place; incidents of other
    types change nothing.

    The incident's nodes feel an event by their distance from it. It sets in smoothly, has no effect
    before its start, and ends with the incident, but for warmth and vapour, which fade.

    Returns: new arrays; rows of untouched nodes and samples before the start are bit for bit those
    given.

    Source: §3.1.6 names environmental causes; the model is not in the paper
    """
    changed = {
        name: getattr(surroundings, name).copy()
        for name in ("temperature", "vapour", "light", "sound", "motion")
    }
    felt_by_all = replace(surroundings, **changed)
    for incident in incidents:
        if incident.type == "process_event":
            _apply(scenario, cell, felt_by_all, incident, EFFECTS[incident.variant])
    return felt_by_all


def _apply(
    scenario: Scenario, cell: Cell, changed: Surroundings, incident: Incident, effect: Effect
) -> None:
    """Write one event into the arrays of `changed`."""
    first = int(np.searchsorted(changed.times, incident.start))
    times, part = changed.times[first:], (list(incident.nodes), slice(first, None))
    strength, fading = envelope(times, incident.start, incident.end)
    size = (incident.magnitude * felt(cell, incident))[:, None]
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
    added = (
        size
        * strength
        * (
            effect.sound * energy(climate.background_sound)
            + effect.people * energy(climate.person_sound)
        )
    )
    changed.sound[part] = np.where(
        added > 0, level(energy(changed.sound[part]) + added), changed.sound[part]
    )
    if effect.lamps:
        missing = np.maximum(climate.lamps - changed.light[part], 0.0)
        changed.light[part] += missing * strength * np.minimum(size / 2, 1.0)
