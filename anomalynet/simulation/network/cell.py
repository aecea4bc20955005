"""Simulates one radio cell, from the positions of its nodes to the gateway's log. A world consists
of independent cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anomalynet.simulation.environment.sensors import NOISE, measure, quantise
from anomalynet.simulation.environment.surroundings import Surroundings, surroundings, with_events
from anomalynet.simulation.incidents import disturbers
from anomalynet.simulation.incidents.attackers import attacker, forward
from anomalynet.simulation.incidents.plan import plan
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.incidents.values import distort
from anomalynet.simulation.network.clocks import Life, live
from anomalynet.simulation.network.frames import builder
from anomalynet.simulation.network.gateway import Heard, arrived, grade, hear, in_service, table
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.radio.link import draws_needed, on_air
from anomalynet.simulation.radio.propagation import audible, to_gateway
from anomalynet.simulation.records import (
    Cell,
    CellResult,
    Float64,
    Incident,
    Int64,
    RadioLog,
    Station,
    covered,
    stream,
)
from anomalynet.simulation.scenario import Scenario, seconds, slots

OBSTACLE = 6.0  # dB of loss at magnitude 1 on the links behind an obstacle


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation of a cell."""

    lives: list[Life]  # activity of each node
    log: RadioLog
    heard: Heard  # the gateway's log
    power: Float64  # of the links in dBm, (node, slot)
    counts: dict[str, int]


def simulate_cell(
    scenario: Scenario,
    number: int,
    *,
    incidents: Sequence[Incident] | None = None,
    progress: Callable[[float], None] | None = None,
) -> CellResult:
    """Simulate one cell, and again without incidents: their severity follows from the difference.

    Args:
        number: number of the cell, from 0. Cells share only the weather.
        incidents: they replace the planned ones; empty: no incidents. Everything that an incident
            does not affect is equal with and without it.
        progress: called with the simulated seconds.

    Returns: gateway log, incidents with severity, nodes, counts, and the log without incidents.
    """
    cell = place_nodes(scenario, number)
    chosen = plan(scenario, cell) if incidents is None else tuple(incidents)
    world = surroundings(scenario, cell)
    half = seconds(scenario.duration) / 2
    first = progress and (lambda moment: progress(moment / 2 if chosen else moment))
    disturbed = _simulate(scenario, cell, world, chosen, first)
    columns, twin = table(scenario, disturbed.heard), None
    if chosen:
        second = progress and (lambda moment: progress(half + moment / 2))
        undisturbed = _simulate(scenario, cell, world, (), second)
        twin = table(scenario, undisturbed.heard)
        without = arrived(scenario, cell, undisturbed.heard, twin)
        happened = arrived(scenario, cell, disturbed.heard, columns)
        chosen = grade(scenario, chosen, happened, without)
    nodes = _nodes(scenario, cell, disturbed)
    return CellResult(cell, columns, chosen, nodes, disturbed.counts, twin)


def _simulate(
    scenario: Scenario,
    cell: Cell,
    world: Surroundings,
    incidents: Sequence[Incident],
    progress: Callable[[float], None] | None,
) -> Simulation:
    """Simulate the cell with the given incidents."""
    lives = [
        live(scenario, cell, node, [one for one in incidents if node in one.nodes])
        for node in range(len(cell.names))
    ]
    ideal = measure(scenario, cell, with_events(scenario, cell, world, incidents))
    readings = distort(scenario, ideal, incidents)
    readings = quantise(_noisy(scenario, cell, readings, lives))
    power = to_gateway(scenario, cell)
    for one in incidents:
        if one.type == "shadowing_outage":
            power[list(one.nodes), covered(scenario, one)] -= OBSTACLE * one.magnitude
    stations = [
        _node(scenario, cell, node, life, readings[node], power[node])
        for node, life in enumerate(lives)
    ]
    frame_slots = [np.flatnonzero(life.alive) for life in lives]
    hostile = [one for one in incidents if TYPES[one.type].layer == "link"]
    for one in hostile:
        node = one.nodes[0]
        station, read = attacker(scenario, cell, one, lives[node], readings[node])
        stations.append(station)
        frame_slots.append(read)
    until = seconds(scenario.duration)
    noise = [*disturbers.background(scenario, cell, until)]
    for one in incidents:
        if TYPES[one.type].layer == "physical" and one.type != "shadowing_outage":
            noise.append(disturbers.disturber_of(scenario, cell, one))
    hears = audible(scenario, cell, np.array([one.position for one in hostile]))

    def corrupt(station: int, frame: int, attempt: int) -> np.random.Generator:
        name = stations[station].name
        return stream(scenario.seed, "cell", cell.number, "bits", name, frame, attempt)

    log = on_air(scenario.radio, stations, hears, noise, until, corrupt, progress)
    heard = hear(log, frame_slots)
    up = in_service(scenario, cell, heard.time)
    heard, relayed = forward(scenario, heard.take(np.flatnonzero(up)), incidents)
    heard = heard.take(np.flatnonzero(heard.time < until))
    counts = {**log.counts, **relayed, "lost while the gateway restarted": int((~up).sum())}
    return Simulation(lives, log, heard, power, counts)


def _noisy(scenario: Scenario, cell: Cell, readings: Float64, lives: Sequence[Life]) -> Float64:
    """Readings (node, slot, 5) with additional noise if the battery is low."""
    found = readings.copy()
    for node, life in enumerate(lives):
        extra = np.sqrt(np.maximum(life.noise**2 - 1, 0))
        if extra.any():
            path = ("cell", cell.number, "node", int(cell.numbers[node]), "low battery")
            draws = stream(scenario.seed, *path).normal(size=(len(extra), len(NOISE)))
            found[node] += draws * extra[:, None] * NOISE
    return found


def _node(
    scenario: Scenario, cell: Cell, node: int, life: Life, readings: Float64, power: Float64
) -> Station:
    sent, number = life.alive, int(cell.numbers[node])
    draws = stream(scenario.seed, "cell", cell.number, "node", number, "radio").random(
        (slots(scenario), draws_needed(scenario.radio)), np.float32
    )
    build = builder(
        number + 1, cell.number + 1, life.sequence[sent], life.clock[sent], readings[sent]
    )
    return Station(cell.names[node], life.times[sent], build, power[sent], draws[sent])


def _nodes(
    scenario: Scenario, cell: Cell, simulation: Simulation
) -> dict[str, Float64 | Int64 | list[str]]:
    """The columns of the table of nodes; see `store.NODES`."""
    count, heard, lives = len(cell.names), simulation.heard, simulation.lives
    own = heard.intact & (heard.station < count)
    pairs = np.unique(np.stack([heard.station[own], heard.slot[own]], axis=1), axis=0)
    return {
        "node": list(cell.names),
        "number": cell.numbers,
        "cell": np.full(count, cell.number),
        "x": cell.positions[:, 0],
        "y": cell.positions[:, 1],
        "distance": np.hypot(*(cell.positions - cell.gateway).T),
        "room": cell.rooms,
        "gateway_x": np.full(count, cell.gateway[0]),
        "gateway_y": np.full(count, cell.gateway[1]),
        "link": simulation.power.mean(axis=1),
        "expected": np.full(count, slots(scenario)),
        "sent": np.array([int((own >= 0).sum()) for own in simulation.log.retries[:count]]),
        "received": np.bincount(pairs[:, 0], minlength=count),
        "clock_error": np.array([life.error for life in lives]),
        "battery_start": np.array([life.battery[0] for life in lives]),
        "battery_end": np.array([life.battery[1] for life in lives]),
    }
