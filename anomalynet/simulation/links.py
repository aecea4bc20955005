"""Mean received powers between the radios of a cell; fading is drawn for each transmission."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.propagation import path_loss, shadowing
from anomalynet.simulation.records import Bool, Cell, Float64
from anomalynet.simulation.scenario import Scenario, frame_period, slots
from anomalynet.simulation.streams import stream

ATTACKER_POWER = 0.0
"""Transmit power of an attacker's radio, dBm: a node like the others."""


def between(scenario: Scenario, first: Float64, second: Float64, transmit_power: float) -> Float64:
    """Power in dBm without shadowing that transmitters at `first` (n, 2) are received with at
    `second` (m, 2): float64 (n, m)."""
    distance = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
    return transmit_power - path_loss(
        np.maximum(distance, 1.0), scenario.radio.exponent, scenario.radio.reference_loss
    )


def to_gateway(scenario: Scenario, cell: Cell) -> Float64:
    """Mean power at the gateway in dBm, float64 (node, slot): path loss and slow shadowing,
    Gudmundson's AR(1)."""
    radio = scenario.radio
    mean = between(scenario, cell.positions, cell.gateway[None], radio.transmit_power)
    rng = stream(scenario.seed, "cell", cell.number, "shadowing")
    memory = float(np.exp(-frame_period(scenario) / radio.shadowing_time))
    return mean - shadowing(rng, len(cell.names), slots(scenario), radio.shadowing, memory)


def audible(scenario: Scenario, cell: Cell, others: Float64) -> Bool:
    """Which stations a station's carrier sense notices: bool (station, station), the cell's nodes
    first, then `others` (n, 2) in metres.

    The shadowing between two nodes is one draw a pair, the same in both directions.
    """
    nodes = len(cell.names)
    places = np.concatenate([cell.positions, others.reshape(-1, 2)])
    power = between(scenario, places, places, 0.0)
    power += np.where(
        np.arange(len(places)) < nodes, scenario.radio.transmit_power, ATTACKER_POWER
    )[None]  # of who sends
    draws = np.triu(
        stream(scenario.seed, "cell", cell.number, "pairs").normal(size=(nodes, nodes)), 1
    )
    power[:nodes, :nodes] -= scenario.radio.shadowing * (draws + draws.T)
    heard: Bool = power > scenario.radio.carrier_sense
    np.fill_diagonal(heard, False)
    return heard
