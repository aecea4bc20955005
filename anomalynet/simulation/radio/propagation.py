"""Radio propagation: path loss, shadowing, small-scale fading, thermal noise, and the mean received
powers between the radios of a cell."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from anomalynet.simulation.environment.weather import recur
from anomalynet.simulation.network.placement import distances
from anomalynet.simulation.records import Bool, Cell, Draws, Float64, stream
from anomalynet.simulation.scenario import Scenario, frame_period, slots

ATTACKER_POWER = 0.0  # transmit power in dBm of an attacker's radio, as of a node
BOLTZMANN = 1.380649e-23  # J/K
TEMPERATURE = 290.0  # K, at which noise figures are defined
DEEPEST_FADE = 1e-12
"""Smallest power gain: keeps the logarithm of a uniform draw of exactly 0 finite."""


def path_loss(distance: Float64, exponent: float, reference: float) -> Float64:
    """Log-distance path loss in dB.

    Args:
        distance: any shape, metres; nearer than 1 m counts as 1 m.
        exponent: 2 in free space, 1.8 (line of sight) to 3.5 (cluttered) for sensor networks.
        reference: loss at 1 m in dB (40.05 at 2.4 GHz).

    Source: log-distance model
    """
    return np.asarray(reference + 10.0 * exponent * np.log10(np.maximum(distance, 1.0)), np.float64)


def shadowing(
    rng: np.random.Generator, links: int, steps: int, sigma: float, correlation: float
) -> Float64:
    """Log-normal shadowing in dB of several links over time, float64 (link, step).

    A first-order autoregression with the same distribution at every step, the first one included.

    Args:
        rng: steps × links normal draws are taken, step by step, so a longer series begins like a
            shorter one.
        sigma: standard deviation in dB.
        correlation: of neighbouring steps, exp(-step / time constant), in [0, 1].

    Source: Gudmundson's model in time
    """
    innovations = rng.standard_normal((steps, links)) * sigma
    innovations[1:] *= math.sqrt(1.0 - correlation**2)
    return np.ascontiguousarray(recur(innovations, correlation).T)


def noise_dbm(bandwidth: float, noise_figure: float) -> float:
    """Thermal noise k·T·B·F in dBm (bandwidth in Hz, noise figure in dB): -106.99 for 5 MHz and 0
    dB.

    Source: Johnson-Nyquist
    """
    return 10.0 * math.log10(BOLTZMANN * TEMPERATURE * bandwidth * 1000.0) + noise_figure


def fading_gain(
    kind: Literal["none", "rayleigh", "rician"], k_factor: float, first: Draws, second: Draws
) -> Float64:
    """Power gain of small-scale fading, linear, mean 1, never 0, from two uniform draws in [0, 1).

    Args:
        kind: `rayleigh` is exponential; `rician` has a direct path too.
        k_factor: direct over scattered power in dB (`rician` only).
        first: any shape; sets the scattered amplitude.
        second: same shape; sets its phase against the direct path.

    Source: Rayleigh and Rice channel models
    """
    if kind == "none":
        return np.ones(np.shape(first))
    gain = -np.log1p(-np.asarray(first, np.float64))
    if kind == "rician":
        ratio = 10.0 ** (k_factor / 10.0)
        direct, scattered = ratio / (ratio + 1.0), gain / (ratio + 1.0)
        phase = np.cos(2.0 * np.pi * np.asarray(second, np.float64))
        gain = direct + scattered + 2.0 * np.sqrt(direct * scattered) * phase
    return np.maximum(gain, DEEPEST_FADE)


def between(scenario: Scenario, first: Float64, second: Float64, transmit_power: float) -> Float64:
    """Received power in dBm, without shadowing, at `second` (m, 2) of transmitters at `first`
    (n, 2): float64 (n, m)."""
    radio, apart = scenario.radio, distances(first, second)
    return transmit_power - path_loss(apart, radio.exponent, radio.reference_loss)


def to_gateway(scenario: Scenario, cell: Cell) -> Float64:
    """Mean power at the gateway in dBm, float64 (node, slot): path loss and slow shadowing,
    Gudmundson's AR(1)."""
    radio = scenario.radio
    mean = between(scenario, cell.positions, cell.gateway[None], radio.transmit_power)
    rng = stream(scenario.seed, "cell", cell.number, "shadowing")
    memory = float(np.exp(-frame_period(scenario) / radio.shadowing_time))
    return mean - shadowing(rng, len(cell.names), slots(scenario), radio.shadowing, memory)


def audible(scenario: Scenario, cell: Cell, others: Float64) -> Bool:
    """Which stations a station's carrier sense detects: bool (station, station), the cell's nodes
    first, then `others` (n, 2) in metres.

    The shadowing between two nodes is one draw per pair, equal in both directions.
    """
    nodes = len(cell.names)
    positions = np.concatenate([cell.positions, others.reshape(-1, 2)])
    power = between(scenario, positions, positions, 0.0)
    sent = np.where(
        np.arange(len(positions)) < nodes, scenario.radio.transmit_power, ATTACKER_POWER
    )
    power += sent[None]
    pairs = stream(scenario.seed, "cell", cell.number, "pairs").normal(size=(nodes, nodes))
    draws = np.triu(pairs, 1)
    power[:nodes, :nodes] -= scenario.radio.shadowing * (draws + draws.T)
    heard: Bool = power > scenario.radio.carrier_sense
    np.fill_diagonal(heard, False)
    return heard
