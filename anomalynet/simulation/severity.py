"""Severity 1-4 of an incident, measured from its effect (§3.1.6), never from its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from anomalynet.simulation.records import Bool, Cell, Float64, Incident
from anomalynet.simulation.scenario import SENSORS, Scenario, frame_period, slots
from anomalynet.simulation.values import typical

DEVIATION = (1.0, 3.0, 6.0)
"""Largest deviation of a sensor, root mean square, in multiples of its ordinary variation, at which severity 2, 3, 4 begin."""
LOSS = (0.1, 0.3, 0.7)
"""Likewise the share of readings lost beyond the node's usual loss."""
LATENESS = (0.25, 1.0, 2.5)
"""Likewise the median age of a reading at its arrival, by its own time stamp, in slots."""
BRIEF, WIDE = 30.0, 120.0
"""Node-minutes below which no incident is of severity 4, and from which one is a step more severe."""


def measured(
    scenario: Scenario,
    cell: Cell,
    incidents: tuple[Incident, ...],
    columns: Mapping[str, npt.NDArray[np.generic] | list[bytes]],
    expected: Float64,
) -> tuple[Incident, ...]:
    """The incidents with their severity: the worst of deviation, loss and lateness, and one step more where many nodes suffer for long.

    Args:
        columns: of the gateway log.
        expected: float64 (node, slot, 5), what would have been measured without any incident.

    Source: not in the paper, which asks for groups by severity and gives no rule
    """
    count, period = slots(scenario), frame_period(scenario)
    epoch = np.datetime64(scenario.start, "us").astype(np.int64)
    node = np.searchsorted(cell.numbers, np.asarray(columns["source"], np.int64) - 1)
    arrival = (np.asarray(columns["arrival"], np.int64) - epoch) / 1e6
    slot = (arrival // period).astype(np.int64)
    good = np.asarray(columns["fcs"], np.bool_) & np.asarray(columns["checksum"], np.bool_) & (slot < count)
    good &= cell.numbers[node.clip(max=len(cell.numbers) - 1)] == np.asarray(columns["source"], np.int64) - 1
    read = np.stack([np.asarray(columns[name], np.float64) for name, _ in SENSORS], axis=1)[good]
    node, slot, arrival = node[good], slot[good], arrival[good]
    delivered = np.zeros((len(cell.names), count), np.bool_)
    delivered[node, slot] = True
    usual = _usual(delivered, incidents, period)
    late = arrival - (np.asarray(columns["sent"], np.int64)[good] - epoch) / 1e6
    ordinary = typical(scenario)
    found = []
    for incident in incidents:
        span = slice(int(incident.start // period), int(np.ceil(incident.end / period)))
        during = np.isin(node, incident.nodes) & (arrival >= incident.start) & (arrival < incident.end)
        lost = max(float(usual[member] - delivered[member, span].mean()) for member in incident.nodes)
        away = (read[during] - expected[node[during], slot[during]]) / ordinary
        found.append(replace(incident, severity=_level(incident, lost, away, late[during] / period)))
    return tuple(found)


def _usual(delivered: Bool, incidents: tuple[Incident, ...], period: float) -> Float64:
    """Share of slots without an incident in which a node was heard: float64 (node,)."""
    free = np.ones_like(delivered)
    for incident in incidents:
        free[list(incident.nodes), int(incident.start // period) : int(np.ceil(incident.end / period))] = False
    return np.array([own[calm].mean() if calm.any() else 1.0 for own, calm in zip(delivered, free, strict=True)])


def _level(incident: Incident, lost: float, away: Float64, late: Float64) -> int:
    deviation = float(np.sqrt((away**2).mean(axis=0)).max()) if len(away) else 0.0
    lateness = float(np.median(np.abs(late))) if len(late) else 0.0
    worst = max(sum(value >= limit for limit in limits) for value, limits in ((deviation, DEVIATION), (lost, LOSS), (lateness, LATENESS)))
    suffered = len(incident.nodes) * (incident.end - incident.start) / 60
    return min(4 if suffered >= BRIEF else 3, 1 + worst + int(suffered >= WIDE and worst > 0))
