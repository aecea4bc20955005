"""Process events: a fire, a leak, a fall, a crowd, as the surroundings feel them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalynet.simulation.placement import distances
from anomalynet.simulation.records import Cell, Float64, Incident

DISTANCE = 10.0
"""Metres from an event at which half of its effect is felt."""
ONSET = 240.0
"""Seconds that an event needs to reach its strength; never more than a third of it."""
RECOVERY = 300.0
"""Time constant in seconds with which warmth and vapour vanish after it."""
BURST = 60.0
"""Seconds of noise and motion that a fall takes."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event of magnitude 1 does where it happens, at its full strength.

    Attributes:
        temperature: K.
        vapour: hPa.
        light: lx.
        sound: energy, as a multiple of the background's.
        motion: motions a minute.
        people: how many come.
        lamps: whether lamps that are off come on, to a share that grows with the magnitude.
        burst: multiple of sound and motion during the first `BURST` seconds; afterwards they cease
        and the place is still.
    """

    temperature: float = 0.0
    vapour: float = 0.0
    light: float = 0.0
    sound: float = 0.0
    motion: float = 0.0
    people: float = 0.0
    lamps: bool = False
    burst: float = 0.0


EFFECTS = {
    "fire": Effect(temperature=1.5, vapour=0.1, light=20.0, sound=5.0),
    "leak": Effect(temperature=-0.25, vapour=0.5, sound=1.0),
    "fall": Effect(sound=4.0, motion=0.4, burst=10.0),
    "crowd": Effect(temperature=0.15, vapour=0.1, people=2.0, lamps=True),
}
"""Effect of each variant per unit of magnitude: about the ordinary short-term variation of what it
changes most."""


def felt(cell: Cell, incident: Incident) -> Float64:
    """Share of an event's effect that its nodes feel, float64 (touched node,): 1 where it is, a
    half at `DISTANCE`."""
    nodes = cell.positions[list(incident.nodes)]
    return 1 / (1 + (distances(nodes, np.array([incident.position]))[:, 0] / DISTANCE) ** 2)


def envelope(times: Float64, start: float, end: float) -> tuple[Float64, Float64]:
    """Strength of an event, 0 … 1, float64 (sample,) each: of what ends with it, and of what fades
    after it."""
    onset = min(ONSET, (end - start) / 3)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((times - start) / onset, 0.0, 1.0))
    return rise * (times < end), rise * np.exp(-np.maximum(times - end, 0.0) / RECOVERY)
