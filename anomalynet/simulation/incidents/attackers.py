"""Attackers: radios that send their own frames on the same channel, and compromised relays behind
the gateway's radio, where frames are already acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from anomalynet.simulation.incidents.values import typical
from anomalynet.simulation.network.clocks import Life
from anomalynet.simulation.network.frames import LENGTH, builder, parse, sealed, tampered
from anomalynet.simulation.network.gateway import Heard
from anomalynet.simulation.radio.link import draws_needed
from anomalynet.simulation.radio.propagation import ATTACKER_POWER, between
from anomalynet.simulation.records import (
    Bool,
    Cell,
    Float64,
    Incident,
    Int64,
    Station,
    covered,
    stream,
)
from anomalynet.simulation.scenario import Scenario, frame_period

HELD = 10.0  # seconds at magnitude 1 for which a delaying relay holds a frame, ± 5 %
DROPPED, CHOSEN, REWRITTEN = 0.4, 1.0, 0.7
"""Rates of frames that a gray hole drops, that selective forwarding drops, and that tampering
changes: share 1 - exp(-rate · magnitude)."""
FLOOD = 12.0  # frames of 127 bytes per second at magnitude 1
FLOOD_BYTES = 127
REPLAYED = 0.7  # rate of replayed slots: share 1 - exp(-0.7 · magnitude)
BEHIND = (0.2, 1.0)
"""Seconds after the victim's frame at which an attacker sends: in the same slot, so that the
attacker's frame is the last one."""


def attacker(
    scenario: Scenario, cell: Cell, incident: Incident, life: Life, readings: Float64
) -> tuple[Station, Int64]:
    """The radio of a spoofing, replay or flooding incident, and the slots of the readings that it
    sends, int64 (frame,). It imitates the incident's first node; its activity and quantised
    readings, float64 (slot, 5), are known to it.

    - spoofing: after each frame of the victim, a frame with its address, the next sequence number
      and shifted readings; the victim's next frame then looks like a duplicate.
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
    imitate = partial(builder, int(cell.numbers[incident.nodes[0]]) + 1, cell.number + 1)
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
        wanted = wanted[life.alive[wanted - back]]
        times, slots_read = life.times[wanted] + behind[wanted - first], wanted - back
        recorded = imitate(life.sequence[slots_read], life.clock[slots_read], readings[slots_read])
        build = lambda frame, repetitions: recorded(frame, 0)  # noqa: E731
    else:
        ordinary = typical(scenario)
        touched = rng.random(ordinary.shape) < 0.6
        touched[int(rng.integers(len(touched)))] = True
        shift = touched * rng.choice([-1.0, 1.0], len(touched)) * incident.magnitude * ordinary
        times, slots_read = life.times[during] + behind, during
        sequence, clock = life.sequence[during] + 1, life.clock[during] + period
        build = imitate(sequence, clock, readings[during] + shift)
    origin = np.array([incident.position])
    power = np.full(len(times), between(scenario, origin, cell.gateway[None], ATTACKER_POWER)[0, 0])
    draws = stream(scenario.seed, "incident", incident.number, "radio").random(
        (len(times), draws_needed(scenario.radio)), np.float32
    )
    name = f"{incident.type}-{incident.number}"
    return Station(name, times, build, power, draws, polite=False), slots_read


RELAYED = ("tampering", "selective_forwarding", "black_hole", "gray_hole", "delay")


def forward(
    scenario: Scenario, heard: Heard, incidents: Sequence[Incident]
) -> tuple[Heard, dict[str, int]]:
    """Drop, delay and change frames as compromised relays do. Retransmissions of a frame are
    treated like the frame.

    - black hole: drops everything. Gray hole: drops frames at random. Selective forwarding: drops
      frames with motion, or with a sound level above the node's median.
    - delay: holds frames back. Tampering: changes readings and makes a new FCS; the node's CRC-32
      is then wrong.

    Returns: the frames by their new arrival, and the numbers of dropped, delayed and changed ones.
    Source: §3.1.6 names the types; how they work is not in the paper
    """
    kept, arrival = np.ones(len(heard.time), np.bool_), heard.time.copy()
    frames = heard.frames.copy()
    counts = dict.fromkeys(("dropped by a relay", "delayed by a relay", "tampered with"), 0)
    interesting: Bool | None = None
    for incident in (one for one in incidents if one.type in RELAYED):
        first = int(incident.start // frame_period(scenario))
        span = int(np.ceil(incident.end / frame_period(scenario))) - first + 2
        draws = stream(scenario.seed, "incident", incident.number, "relay").random(
            (len(incident.nodes), span, 2)
        )
        during = (heard.time >= incident.start) & (heard.time < incident.end)
        for position, node in enumerate(incident.nodes):
            rows = np.flatnonzero((heard.station == node) & during)
            own = draws[position, np.clip(heard.slot[rows] - first + 1, 0, span - 1)]
            if incident.type == "delay":
                arrival[rows] += HELD * incident.magnitude * (0.95 + 0.1 * own[:, 1])
                counts["delayed by a relay"] += len(rows)
            elif incident.type == "tampering":
                for row in rows[own[:, 0] < 1 - np.exp(-REWRITTEN * incident.magnitude)].tolist():
                    if len(frames[row]) == LENGTH:
                        path = ("incident", incident.number, node, int(heard.slot[row]))
                        frames[row] = tampered(frames[row], stream(scenario.seed, *path).bytes(8))
                        counts["tampered with"] += 1
            else:
                lost = np.ones(len(rows), np.bool_)
                if incident.type == "selective_forwarding":
                    interesting = _interesting(heard) if interesting is None else interesting
                    chosen = own[:, 0] < 1 - np.exp(-CHOSEN * incident.magnitude)
                    lost = interesting[rows] & chosen
                elif incident.type == "gray_hole":
                    lost = own[:, 0] < 1 - np.exp(-DROPPED * incident.magnitude)
                kept[rows[lost]] = False
                counts["dropped by a relay"] += int(lost.sum())
    order = np.flatnonzero(kept)[np.argsort(arrival[kept], kind="stable")]
    return heard._replace(time=arrival, frames=frames).take(order), counts


def _interesting(heard: Heard) -> Bool:
    """Frames with motion, or with a sound level above the median of their sender."""
    read = parse(heard.frames.tolist())
    motion, sound = np.asarray(read["motion"], np.float64), np.asarray(read["sound"], np.float64)
    found: Bool = motion > 0
    for station in np.unique(heard.station):
        own = heard.station == station
        # A frame of another format has NaN here, and NaN > x is False.
        found[own] |= sound[own] > np.median(sound[own])
    return found
