"""Slow random fields in time and space, and the first-order recursion that they and the sensors'
lag have in common."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.placement import distances
from anomalynet.simulation.records import Cell, Float64
from anomalynet.simulation.scenario import Scenario, seconds
from anomalynet.simulation.streams import stream

STEP = 60.0
"""Seconds between the points of a field; between them it is interpolated."""


def recur(inputs: Float64, memory: Float64 | float) -> Float64:
    """y₀ = x₀, yₖ = memory·yₖ₋₁ + xₖ along the first axis.

    Args:
        inputs: float64 (step, …).
        memory: float64, broadcast against one step.

    Source: not in the paper
    """
    result = inputs.copy()
    for step in range(1, len(result)):
        result[step] += memory * result[step - 1]
    return result


def lag(inputs: Float64, period: float, constant: Float64 | float) -> Float64:
    """First-order response to inputs that are constant over a period: 63.2 % of a step after one
    time constant.

    Args:
        inputs: float64 (step, …).
        period: seconds between steps.
        constant: time constant in seconds, broadcast against one step.

    Source: not in the paper
    """
    memory: Float64 = np.exp(-period / np.asarray(constant, dtype=np.float64))
    shares = inputs * (1 - memory)
    shares[:1] = inputs[:1]
    return recur(shares, memory)


def wander(rng: np.random.Generator, steps: int, width: int, constant: float) -> Float64:
    """Independent AR(1) series of mean 0 and variance 1: float64 (step, width), correlation
    exp(−Δt/constant), Δt in units of `STEP`.

    Source: not in the paper
    """
    memory = float(np.exp(-STEP / constant))
    shocks = rng.standard_normal((steps, width))
    shocks[1:] *= np.sqrt(1 - memory**2)
    return recur(shocks, memory)


def grid(scenario: Scenario) -> Float64:
    """Seconds of the points of a field, float64 (step,): from 0 to the end of the simulated time or
    just behind it."""
    return np.arange(int(np.ceil(seconds(scenario.duration) / STEP)) + 1, dtype=np.float64) * STEP


def resample(values: Float64, times: Float64) -> Float64:
    """A field (step, n) at other times: float64 (n, sample), linear between the points."""
    left = np.minimum((times / STEP).astype(np.int64), len(values) - 2)
    weight = (times / STEP - left)[:, None]
    between: Float64 = values[left] * (1 - weight) + values[left + 1] * weight
    return np.ascontiguousarray(between.T)


def over_nodes(
    scenario: Scenario, cell: Cell, times: Float64, name: str, constant: float
) -> Float64:
    """A field of mean 0 and variance 1 over a cell's nodes: neighbours agree, with correlation
    exp(−distance/correlation_length).

    Args:
        name: of the field; another name is another, independent field.
        constant: seconds after which it has forgotten 63 %.

    Returns: float64 (node, sample).

    Source: not in the paper
    """
    together = np.exp(
        -distances(cell.positions, cell.positions) / scenario.climate.correlation_length
    )
    root = np.linalg.cholesky(
        together + 1e-9 * np.eye(len(together))
    )  # two nodes may stand on one spot
    rng = stream(scenario.seed, "cell", cell.number, name)
    field: Float64 = root @ resample(wander(rng, len(grid(scenario)), len(root), constant), times)
    return field
