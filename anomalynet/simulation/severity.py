"""Severity 1-4 of an incident, measured from its effect (§3.1.6): what arrived, against the same
world without any incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from anomalynet.simulation.gateway import Heard
from anomalynet.simulation.records import Cell, Float64, Incident, covered
from anomalynet.simulation.scenario import SENSORS, Scenario, frame_period, slots
from anomalynet.simulation.values import typical

DEVIATION = (1.0, 3.0, 6.0)
"""Deviation of a sensor from what would have arrived, root mean square, worst sensor, in multiples
of its ordinary variation, at which severity 2, 3, 4 begin."""
LOSS = (0.1, 0.3, 0.7)
"""Likewise the share of readings that would have arrived and did not."""
LATENESS = (0.2, 0.7, 2.0)
"""Likewise the mean change of the age of readings at their arrival, in slots."""
OLDEST = 4.0
"""Slots at which the age of one reading stops to count, or one replayed frame would outweigh all
others."""
BRIEF, WIDE = 30.0, 120.0
"""Node-minutes below which no incident is of severity 4, and from which one is a step more
severe."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the last valid frame of each slot brought: readings float64 (node, slot, 5) and their
    age in slots float64 (node, slot), NaN where there was none."""

    readings: Float64
    age: Float64


def arrived(
    scenario: Scenario,
    cell: Cell,
    heard: Heard,
    columns: Mapping[str, npt.NDArray[np.generic] | list[bytes]],
) -> Arrived:
    """What a gateway log (`gateway.table` of `heard`) holds of each node and slot; frames of no
    node of the cell do not count."""
    count, period = slots(scenario), frame_period(scenario)
    source = np.asarray(columns["source"], np.int64) - 1
    node = np.searchsorted(cell.numbers, source).clip(max=len(cell.numbers) - 1)
    slot = (heard.time // period).astype(np.int64)
    good = (
        heard.intact
        & np.asarray(columns["checksum"], np.bool_)
        & (slot < count)
        & (cell.numbers[node] == source)
    )
    found = Arrived(
        np.full((len(cell.names), count, len(SENSORS)), np.nan),
        np.full((len(cell.names), count), np.nan),
    )
    read = np.stack([np.asarray(columns[name], np.float64) for name, _ in SENSORS], axis=1)
    found.readings[node[good], slot[good]] = read[good]
    found.age[node[good], slot[good]] = (heard.time / period - heard.slot)[good]
    return found


def measured(
    scenario: Scenario, incidents: tuple[Incident, ...], happened: Arrived, without: Arrived
) -> tuple[Incident, ...]:
    """The incidents with their severity: the worst of deviation, loss and lateness, and one step
    more where many nodes suffer for long.

    Args:
        without: what would have arrived without any incident.

    Source: not in the paper, which asks for groups by severity and gives no rule
    """
    ordinary = typical(scenario)
    found = []
    for incident in incidents:
        within = covered(scenario, incident)
        part = np.ix_(np.array(incident.nodes), np.arange(within.start, within.stop))
        there, expected = np.isfinite(happened.age[part]), np.isfinite(without.age[part])
        both = there & expected
        away = ((happened.readings[part] - without.readings[part]) / ordinary)[both]
        older = np.minimum(np.abs(happened.age[part] - without.age[part])[both], OLDEST)
        effects = (
            (float(np.sqrt((away**2).mean(axis=0)).max()) if len(away) else 0.0, DEVIATION),
            (float((expected & ~there).sum() / max(expected.sum(), 1)), LOSS),
            (float(older.mean()) if len(older) else 0.0, LATENESS),
        )
        worst = max(sum(value >= limit for limit in limits) for value, limits in effects)
        suffered = len(incident.nodes) * (incident.end - incident.start) / 60
        found.append(
            replace(
                incident,
                severity=min(
                    4 if suffered >= BRIEF else 3, 1 + worst + int(suffered >= WIDE and worst > 0)
                ),
            )
        )
    return tuple(found)
