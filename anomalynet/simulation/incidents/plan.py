"""Plans the incidents of a cell: which nodes they affect, when, and how strongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from anomalynet.simulation.incidents import disturbers
from anomalynet.simulation.incidents.taxonomy import TOUCHED, TYPES, Kind, chosen
from anomalynet.simulation.network.placement import cells
from anomalynet.simulation.radio.propagation import noise_dbm, to_gateway
from anomalynet.simulation.records import Bool, Cell, Float64, Incident, stream
from anomalynet.simulation.scenario import Scenario, frame_period, seconds

MARGIN = 300.0  # seconds between two incidents of one node
AFTERMATH = {"process_event": 1200.0}
"""Seconds until the effects of an event have faded (time constant 300 s)."""
ATTEMPTS = 60  # tries to find a free position and time for one incident
PER_CELL = 100_000  # incident numbers per cell
GOLDEN = (5**0.5 - 1) / 2
SECTOR = np.deg2rad(20)  # half the angle under which an obstacle is seen from the gateway
ROBUST = 8.0
"""Mean SINR in dB above which interference does not harm a link: fading seldom lowers it to 1 dB,
where bit errors begin."""


def plan(scenario: Scenario, cell: Cell) -> tuple[Incident, ...]:
    """Plan the incidents of one cell, sorted by time.

    Types of one cause affect nodes equally often; causes are weighted by the scenario. The
    incidents of a type are spread evenly over the simulated time (golden-ratio sequence over all
    cells), so that every part of it contains all types. Durations and magnitudes are log-uniform.
    No node has two incidents at once, and none starts in the quiet hours. An incident is left out
    if no free time is found for it.

    Source: §3.1.6; the schedule is not in the paper
    """
    settings, ideal = scenario.incidents, scenario.radio.kind == "ideal"
    # An ideal radio cannot be jammed, shadowed or flooded.
    kinds = {
        name: kind
        for name, kind in chosen(settings.only).items()
        if not (ideal and (kind.layer == "physical" or name == "flooding"))
    }
    first = settings.quiet_hours * 3600
    last = seconds(scenario.duration) - settings.minimum_minutes * 60
    if last <= first or settings.per_node_day <= 0:
        return ()
    causes = Counter(kind.cause for kind in kinds.values())
    shares = {
        name: getattr(settings, kind.cause) / causes[kind.cause] for name, kind in kinds.items()
    }
    total = sum(shares.values())
    touches = settings.per_node_day * len(cell.names) * (last - first) / 86400
    power = to_gateway(scenario, cell)
    busy: list[list[tuple[float, float]]] = [[] for _ in cell.names]
    placed: list[Incident] = []
    # Incidents that need many nodes at once are planned first, while most nodes are free.
    for name in sorted(kinds, key=lambda name: -_touched(kinds[name], cell)):
        expected = touches * shares[name] / total / _touched(kinds[name], cell) if total else 0.0
        rng = stream(scenario.seed, "cell", cell.number, "incidents", name)
        count = int(expected) + int(rng.random() < expected % 1)
        phase = float(stream(scenario.seed, "incidents", name).random())
        for number in range(count):
            even = (phase + (number * cells(scenario) + cell.number) * GOLDEN) % 1
            for attempt in range(ATTEMPTS):
                moment = (even + 0.02 * attempt * float(rng.normal())) % 1
                found = _draw(scenario, cell, name, rng, first + moment * (last - first), power)
                if all(_free(busy[node], found) for node in found.nodes):
                    placed.append(found)
                    for node in found.nodes:
                        busy[node].append((found.start, found.end + AFTERMATH.get(name, 0.0)))
                    break
    placed.sort(key=lambda incident: (incident.start, incident.type, incident.nodes))
    numbered = enumerate(placed, cell.number * PER_CELL)
    return tuple(replace(incident, number=number) for number, incident in numbered)


def _touched(kind: Kind, cell: Cell) -> float:
    return min(float(len(cell.names)), TOUCHED.get(kind.reach, float(len(cell.names))))


def _free(busy: list[tuple[float, float]], incident: Incident) -> bool:
    return all(
        incident.start >= end + MARGIN or incident.end + MARGIN <= start for start, end in busy
    )


def _draw(
    scenario: Scenario,
    cell: Cell,
    name: str,
    rng: np.random.Generator,
    start: float,
    power: Float64,
) -> Incident:
    """Draw an incident of a type that starts at about a given time; overlaps are not checked."""
    settings, kind = scenario.incidents, TYPES[name]
    shortest, longest = np.log(settings.minimum_minutes), np.log(settings.maximum_minutes)
    minutes = np.exp(rng.uniform(shortest, longest))
    magnitude = float(np.exp(rng.uniform(np.log(settings.subtle), np.log(settings.blunt))))
    period = frame_period(scenario)
    start = float(np.floor(start / period) * period)
    end = min(start + float(np.ceil(60 * minutes / period) * period), seconds(scenario.duration))
    variant = str(rng.choice(kind.variants))
    position = rng.random(2) * [scenario.deployment.width, scenario.deployment.height]
    node = int(rng.integers(len(cell.names)))
    count = int(rng.integers(1, 5))
    if kind.reach == "room":
        position = cell.room_positions[cell.rooms[node]] + rng.normal(0, 2.0, 2)
    at = (float(position[0]), float(position[1]))
    found = Incident(0, name, variant, cell.number, (), start, end, magnitude, at)
    part = power[:, int(start / period) : max(int(end / period), int(start / period) + 1)]
    nodes = _nodes(scenario, cell, kind, found, node, count, part.mean(axis=1))
    return replace(found, nodes=nodes)


def _nodes(
    scenario: Scenario,
    cell: Cell,
    kind: Kind,
    incident: Incident,
    node: int,
    count: int,
    power: Float64,
) -> tuple[int, ...]:
    """Indices of the affected nodes, at least one; `node` is the first one."""
    everyone = np.arange(len(cell.names))
    if incident.variant == "coordinated" or kind.reach == "neighbours":
        distance = np.hypot(*(cell.positions - cell.positions[node]).T)
        most = count + 2 if incident.variant == "coordinated" else count
        touched = np.sort(np.argsort(distance, kind="stable")[:most])
    elif kind.reach == "room":
        touched = everyone[cell.rooms == cell.rooms[node]]
    elif kind.reach == "sector":
        angle = np.arctan2(*(cell.positions - cell.gateway).T)
        away = np.abs((angle - angle[node] + np.pi) % (2 * np.pi) - np.pi)
        touched = everyone[away <= SECTOR]
    elif kind.reach == "radio":
        touched = everyone[in_reach(scenario, cell, incident, power)]
    else:
        touched = everyone if kind.reach == "cell" else everyone[[node]]
    return tuple(touched.tolist())


def in_reach(scenario: Scenario, cell: Cell, incident: Incident, power: Float64) -> Bool:
    """Nodes that interference can harm: the SINR of their link falls below `ROBUST`, or their
    carrier sense finds the channel busy.

    Args:
        power: float64 (node,), mean power at the gateway in dBm. The weakest link is always
            included.

    Returns: bool (node,).
    """
    sent = disturbers.power_of(incident)
    at_gateway, heard_by = disturbers.reach(scenario, cell, incident.position, sent)
    noise = noise_dbm(scenario.radio.bandwidth, scenario.radio.noise_figure)
    sinr = power - 10 * np.log10(10 ** (noise / 10) + 10 ** (at_gateway / 10))
    touched: Bool = sinr < ROBUST
    if incident.variant != "reactive":
        touched |= heard_by
    touched[int(np.argmin(sinr))] = True
    return touched
