"""Radios of attackers: they send frames of their own over the same air."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anomalynet.simulation.clocks import Life
from anomalynet.simulation.frames import builder, sealed
from anomalynet.simulation.links import ATTACKER_POWER, between
from anomalynet.simulation.radio import draws_needed
from anomalynet.simulation.records import Cell, Float64, Incident, Int64, Station, covered
from anomalynet.simulation.scenario import Scenario, frame_period
from anomalynet.simulation.streams import stream
from anomalynet.simulation.values import typical

FLOOD = 12.0
"""Frames of 127 bytes a second at magnitude 1."""
FLOOD_BYTES = 127
REPLAYED = 0.7
"""Rate of replayed slots: share 1 - exp(-0.7 magnitude)."""
BEHIND = (0.2, 1.0)
"""Seconds after its victim's frame at which an attacker sends: within the same slot, so that its
frame is the newer one."""


@dataclass(frozen=True, slots=True)
class Victim:
    """The node that an attacker imitates: its number in the cell, its life, its quantised readings
    float64 (slot, 5)."""

    node: int
    life: Life
    readings: Float64


def attacker(
    scenario: Scenario, cell: Cell, incident: Incident, victim: Victim
) -> tuple[Station, Int64]:
    """The radio behind a spoofing, replay or flooding incident, and int64 (frame,), the slots that
    its readings are of.

    - spoofing: after each frame of the victim, one under its address with the next sequence number
      and shifted readings; the victim's own next frame then looks like a duplicate.
    - replay: the bytes of an earlier frame of the victim, sequence and clock included.
    - flooding: long frames at random moments, without listening.

    Source: §3.1.6 names the types; how they work is not in the paper
    """
    period = frame_period(scenario)
    rng = stream(scenario.seed, "incident", incident.number, "attacker")
    slots_within = covered(scenario, incident)
    first = slots_within.start
    during = np.arange(first, slots_within.stop)
    behind = rng.uniform(*BEHIND, len(during))
    build: Callable[[int, int], bytes]
    if incident.type == "flooding":
        count = int(FLOOD * incident.magnitude * (incident.end - incident.start))
        times = np.sort(rng.uniform(incident.start, incident.end, count))
        junk = sealed(rng.bytes(FLOOD_BYTES - 2))
        build = lambda frame, repetitions: junk  # noqa: E731
        slots_read = (times // period).astype(np.int64)
    elif incident.type == "replay":
        wanted = during[rng.random(len(during)) < 1 - np.exp(-REPLAYED * incident.magnitude)]
        back = int(rng.integers(min(len(during), first), first + 1))
        wanted = wanted[victim.life.alive[wanted - back]]
        times = victim.life.times[wanted] + behind[wanted - first]
        build, slots_read = _replaying(cell, victim, wanted - back), wanted - back
    else:
        ordinary = typical(scenario)
        touched = rng.random(ordinary.shape) < 0.6
        touched[int(rng.integers(len(touched)))] = True
        shift = touched * rng.choice([-1.0, 1.0], len(touched)) * incident.magnitude * ordinary
        times, slots_read = victim.life.times[during] + behind, during
        build = builder(
            _address(cell, victim.node),
            cell.number + 1,
            victim.life.sequence[during] + 1,
            victim.life.clock[during] + period,
            victim.readings[during] + shift,
        )
    power = between(scenario, np.array([incident.position]), cell.gateway[None], ATTACKER_POWER)[
        0, 0
    ]
    draws = stream(scenario.seed, "incident", incident.number, "radio").random(
        (len(times), draws_needed(scenario.radio)), np.float32
    )
    return Station(
        f"{incident.type}-{incident.number}",
        times,
        build,
        np.full(len(times), power),
        draws,
        polite=False,
    ), slots_read


def _address(cell: Cell, node: int) -> int:
    return int(cell.numbers[node]) + 1


def _replaying(cell: Cell, victim: Victim, sources: Int64) -> Callable[[int, int], bytes]:
    life = victim.life
    recorded = builder(
        _address(cell, victim.node),
        cell.number + 1,
        life.sequence[sources],
        life.clock[sources],
        victim.readings[sources],
    )
    return lambda frame, repetitions: recorded(frame, 0)
