"""CMA-ES as a function of what is known, so that nothing but the trials need be stored.

Optuna's own sampler keeps its state pickled in the storage; here the generations are told anew
before each proposal, which takes milliseconds. Axes with a list of levels have no order: their
values are drawn at random.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from anomalynet.sweep.axes import Axis, Range
from anomalynet.sweep.search.space import Params

Told = tuple[Mapping[str, object], float]
"""A trial's values and its loss: the less, the better."""

WIDTH = 1 / 6
"""Standard deviation of the first generation, as a share of each range."""


def evolve(axes: Mapping[str, Axis], told: Sequence[Told], seed: int) -> Params:
    """The next point.

    Args:
        axes: the space.
        told: the finished trials in the order in which they were proposed; each population of them
        is one generation. seed: of this proposal alone.
    """
    import cmaes
    import numpy as np

    ranges = {key: axis for key, axis in axes.items() if isinstance(axis, Range)}
    draw = random.Random(seed)
    point: Params = {
        key: draw.choice(axis) for key, axis in axes.items() if not isinstance(axis, Range)
    }
    if not ranges:
        return point
    size = len(ranges)
    bounds = np.tile([0.0, 1.0], (size, 1))
    optimizer = cmaes.CMA(
        mean=np.full(size, 0.5),
        sigma=WIDTH,
        bounds=bounds,
        seed=seed % 2**32,
        n_max_resampling=10 * size,
    )
    population = optimizer.population_size
    for start in range(0, len(told) - population + 1, population):
        generation = told[start : start + population]
        optimizer.tell(
            [
                (np.array([_share(params[key], axis) for key, axis in ranges.items()]), loss)
                for params, loss in generation
            ]
        )
    shares = optimizer.ask()
    return point | {
        key: _number(float(share), axis)
        for share, (key, axis) in zip(shares, ranges.items(), strict=True)
    }


def _edges(axis: Range) -> tuple[float, float]:
    """What 0 and 1 stand for: half a step beyond the range, so that its ends are as likely as the
    rest; logarithms where it is one."""
    half = (axis.step or (1 if axis.whole else 0)) / 2
    low, high = (axis.low, float(axis.levels()[-1])) if axis.step else (axis.low, axis.high)  # type: ignore[arg-type]
    return (math.log(low - half), math.log(high + half)) if axis.log else (low - half, high + half)


def _share(value: object, axis: Range) -> float:
    assert isinstance(value, int | float)
    low, high = _edges(axis)
    return ((math.log(value) if axis.log else value) - low) / (high - low)


def _number(share: float, axis: Range) -> object:
    low, high = _edges(axis)
    value = low + (high - low) * min(max(share, 0.0), 1.0)
    value = math.exp(value) if axis.log else value
    if axis.step is not None:
        value = axis.low + axis.step * round((value - axis.low) / axis.step)
        low, high = axis.low, float(axis.levels()[-1])  # type: ignore[arg-type]
    else:
        low, high = axis.low, axis.high
    value = min(max(value, low), high)
    return round(value) if axis.whole else value
