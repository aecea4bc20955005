"""The space of a search: what Optuna is told of each axis, how many points there are, and which of
them make sense."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from anomalynet.errors import UsageError
from anomalynet.sweep.axes import Axis, Range
from anomalynet.sweep.file import Sweep

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Params = dict[str, object]
"""One value for each axis."""

ENUMERABLE = 20_000
"""Spaces of at most so many points are counted, so that a search can tell that it has tried all."""


def distributions(axes: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    """Each axis in Optuna's words.

    Raises:
        UsageError: a level that is neither a number, a text, a truth value nor null.
    """
    return {key: _distribution(key, axis) for key, axis in axes.items()}


def _distribution(key: str, axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Range):
        low, high, step = axis.low, _last(axis), axis.step
        if axis.whole:
            return IntDistribution(int(low), int(high), step=int(step or 1), log=axis.log)
        return FloatDistribution(float(low), float(high), step=step, log=axis.log)
    strange = [level for level in axis if not isinstance(level, str | int | float | None)]
    if strange:
        raise UsageError(
            f"axes.{key}: a search cannot propose {strange[0]!r}",
            "levels are numbers, texts, true, false or null",
        )
    return CategoricalDistribution(tuple(axis))  # type: ignore[arg-type]


def _last(axis: Range) -> float:
    """The last number that the steps reach."""
    return axis.high if axis.step is None else float(axis.levels()[-1])  # type: ignore[arg-type]


def tidy(params: Mapping[str, object], axes: Mapping[str, Axis]) -> Params:
    """Proposed values as people write them: six digits, inside the range; in the order of the
    axes."""
    return {key: _tidied(params[key], axis) for key, axis in axes.items()}


def _tidied(value: object, axis: Axis) -> object:
    if not isinstance(axis, Range) or not isinstance(value, float):
        return value
    return min(max(float(f"{value:.{12 if axis.step else 6}g}"), float(axis.low)), float(axis.high))


def key_of(params: Mapping[str, object]) -> str:
    """A point as text: true is not 1 there."""
    return json.dumps(params, sort_keys=True)


def every(sweep: Sweep) -> Iterator[Params]:
    """The points of a grid in their order, the last axis fastest, without those that make no sense.

    Raises:
        UsageError: a range that has neither a step nor a count.
    """
    levels = []
    for key, axis in sweep.axes.items():
        whole = _stepped(axis)
        if isinstance(whole, Range) and whole.step is None and whole.count is None:
            raise UsageError(
                f"axes.{key}: a grid takes a range whole: give it a `step` or a `count`",
                "or choose another search.sampler",
            )
        levels.append(whole.levels() if isinstance(whole, Range) else whole)
    points = (dict(zip(sweep.axes, point, strict=True)) for point in itertools.product(*levels))
    return (point for point in points if not sweep.excludes(sweep.experiments[0], point))


def enumerable(sweep: Sweep) -> bool:
    """Whether the points can be listed: no axis is continuous, and they are few."""
    axes = [_stepped(axis) for axis in sweep.axes.values()]
    if any(isinstance(axis, Range) and axis.step is None for axis in axes):
        return False
    return (
        math.prod(len(axis.levels() if isinstance(axis, Range) else axis) for axis in axes)
        <= ENUMERABLE
    )


def _stepped(axis: Axis) -> Axis:
    """Whole numbers are one apart unless the file says otherwise."""
    return (
        replace(axis, step=1, log=False)
        if isinstance(axis, Range) and axis.whole and axis.step is None and not axis.count
        else axis
    )
