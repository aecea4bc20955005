"""What becomes of a radio signal on its way: path loss, shadowing, small-scale fading, thermal
noise."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from anomalynet.simulation.records import Draws, Float64

BOLTZMANN = 1.380649e-23
"""J/K."""
TEMPERATURE = 290.0
"""K, at which noise figures are defined."""
DEEPEST_FADE = 1e-12
"""Smallest power gain: keeps the logarithm of a uniform draw of exactly 0 finite."""


def path_loss(distance: Float64, exponent: float, reference: float) -> Float64:
    """Log-distance path loss in dB.

    Args:
        distance: any shape, metres; nearer than 1 m counts as 1 m, where the model's reference
        stands. exponent: 2 in free space, 1.8 (line of sight) to 3.5 (cluttered) for sensor
        networks. reference: loss at 1 m in dB (40.05 at 2.4 GHz).

    Source: not in the paper; log-distance model
    """
    return np.asarray(reference + 10.0 * exponent * np.log10(np.maximum(distance, 1.0)), np.float64)


def shadowing(
    rng: np.random.Generator, links: int, steps: int, sigma: float, correlation: float
) -> Float64:
    """Log-normal shadowing in dB of several links over time, float64 (link, step).

    A first-order autoregression with the same distribution at every step, the first one included.

    Args:
        rng: consumed by steps × links normal draws, step by step: a longer course begins like a
        shorter one. links: independent of each other. steps: equally spaced moments. sigma:
        standard deviation in dB. correlation: of neighbouring steps, exp(-step / time constant), in
        [0, 1].

    Source: not in the paper; Gudmundson's model in time
    """
    innovations = rng.standard_normal((steps, links)) * sigma
    innovations[1:] *= math.sqrt(1.0 - correlation**2)
    for step in range(1, steps):
        innovations[step] += correlation * innovations[step - 1]
    return np.ascontiguousarray(innovations.T)


def noise_dbm(bandwidth: float, noise_figure: float) -> float:
    """Thermal noise k·T·B·F in dBm (bandwidth in Hz, noise figure in dB): -106.99 for 5 MHz and 0
    dB.

    Source: not in the paper; Johnson-Nyquist
    """
    return 10.0 * math.log10(BOLTZMANN * TEMPERATURE * bandwidth * 1000.0) + noise_figure


def fading_gain(
    kind: Literal["none", "rayleigh", "rician"], k_factor: float, first: Draws, second: Draws
) -> Float64:
    """Power gain of small-scale fading, mean 1, from two uniform draws in [0, 1).

    Args:
        kind: `rayleigh` is exponential; `rician` has a direct path too.
        k_factor: direct over scattered power in dB (`rician` only).
        first: any shape; sets the scattered amplitude.
        second: same shape; sets its phase against the direct path.

    Returns:
        float64 of that shape, linear, never 0.

    Source: not in the paper; Rayleigh and Rice channel models
    """
    if kind == "none":
        return np.ones(np.shape(first))
    scattered = -np.log1p(-np.asarray(first, np.float64))
    if kind == "rayleigh":
        return _not_zero(scattered)
    ratio = 10.0 ** (k_factor / 10.0)
    direct, scattered = ratio / (ratio + 1.0), scattered / (ratio + 1.0)
    phase = np.cos(2.0 * np.pi * np.asarray(second, np.float64))
    return _not_zero(direct + scattered + 2.0 * np.sqrt(direct * scattered) * phase)


def _not_zero(gain: Float64) -> Float64:
    return np.maximum(gain, DEEPEST_FADE)
