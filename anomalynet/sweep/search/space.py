"""The space of a search: Optuna's distribution of each axis, the valid points, and the next
proposal.

A proposal depends only on the settings and on earlier trials. A new sampler is created for each
proposal and seeded with the trial's index: a sampler that is seeded only once would repeat its
first trials after an interruption."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from anomalynet.errors import UsageError
from anomalynet.sweep.axes import Axis, Range, levels, size
from anomalynet.sweep.file import Sweep

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Params = dict[str, object]  # one value for each axis
LARGEST_GRID = 1_000_000  # points of the sampler `grid`
ENUMERABLE = 20_000  # largest number of points that are listed to find untried ones
ATTEMPTS = 20  # proposals per trial until one was not tried before


def distributions(axes: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    """Optuna's distribution of each axis. Raises UsageError: a level that it cannot propose."""
    return {key: _distribution(key, axis) for key, axis in axes.items()}


def _distribution(key: str, axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Range):
        low, high, step = axis.low, axis.last, axis.step
        if axis.whole:
            return IntDistribution(int(low), int(high), step=int(step or 1), log=axis.log)
        return FloatDistribution(float(low), float(high), step=step, log=axis.log)
    strange = [level for level in axis if not isinstance(level, str | int | float | None)]
    if strange:
        what = f"axes.{key}: a search cannot propose {strange[0]!r}"
        raise UsageError(what, "use numbers, text, true, false or null as levels")
    return CategoricalDistribution(tuple(axis))  # type: ignore[arg-type]


def tidy(params: Mapping[str, object], axes: Mapping[str, Axis]) -> Params:
    """Proposed values in the order of the axes, rounded to six digits, within the range."""
    return {key: _tidied(params[key], axis) for key, axis in axes.items()}


def _tidied(value: object, axis: Axis) -> object:
    if not isinstance(axis, Range) or not isinstance(value, float):
        return value
    return min(max(float(f"{value:.{12 if axis.step else 6}g}"), float(axis.low)), float(axis.high))


def key_of(params: Mapping[str, object]) -> str:
    """A point as text. In JSON, unlike in Python, true differs from 1."""
    return json.dumps(params, sort_keys=True)


def every(sweep: Sweep) -> Iterator[Params]:
    """The points of a grid, last axis fastest, without excluded ones. Raises UsageError: a range
    has neither a step nor a count."""
    axes = {key: _stepped(axis) for key, axis in sweep.axes.items()}
    for key, axis in axes.items():
        if size(axis) == math.inf:
            what = f"axes.{key}: a grid needs a `step` or a `count` for a range"
            raise UsageError(what, "add one, or choose another search.sampler")
    if (points := math.prod(map(size, axes.values()))) > LARGEST_GRID:
        what = f"{sweep.name}: a grid of {points:,} points; at most {LARGEST_GRID:,} are tried"
        raise UsageError(what, "use larger steps, or choose another search.sampler")
    product = itertools.product(*(levels(axis) for axis in axes.values()))
    every_point = (dict(zip(axes, point, strict=True)) for point in product)
    return (point for point in every_point if not sweep.excludes(sweep.experiments[0], point))


def _stepped(axis: Axis) -> Axis:
    """An axis of whole numbers gets the step 1 unless the file sets one."""
    if isinstance(axis, Range) and axis.whole and axis.step is None and not axis.count:
        return replace(axis, step=1, log=False)
    return axis


def propose(sweep: Sweep, history: Sequence[FrozenTrial], index: int) -> Params | None:
    """Values of the trial with this index that no earlier trial has; None if all points were tried.
    `history`: all earlier trials in order; those with hidden results have the state RUNNING."""
    if sweep.search.sampler == "grid":
        return next(itertools.islice(every(sweep), index, None), None)
    tried = {key_of(trial.params) for trial in history}
    for attempt in range(ATTEMPTS):
        point = tidy(_drawn(sweep, history, _seed(sweep, index, attempt)), sweep.axes)
        if key_of(point) not in tried and not sweep.excludes(sweep.experiments[0], point):
            return point
    return _untried(sweep, tried, _seed(sweep, index, ATTEMPTS))


def _seed(sweep: Sweep, index: int, attempt: int) -> int:
    """A 32-bit seed for one proposal."""
    text = f"{sweep.search.seed} {index} {attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _drawn(sweep: Sweep, history: Sequence[FrozenTrial], seed: int) -> Params:
    import optuna

    study = optuna.create_study(directions=sweep.search.directions, sampler=_sampler(sweep, seed))
    study.add_trials(history)
    return study.ask(distributions(sweep.axes)).params


def _sampler(sweep: Sweep, seed: int) -> BaseSampler:
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings that a sampler is experimental
        if sweep.search.sampler == "gp":
            return samplers.GPSampler(seed=seed)
        if sweep.search.sampler == "tpe":
            return samplers.TPESampler(seed=seed, constant_liar=True)
        return samplers.RandomSampler(seed=seed)


def _untried(sweep: Sweep, tried: set[str], seed: int) -> Params | None:
    """A random point that was not tried, for a sampler that only repeats itself. They are listed
    unless an axis is continuous or there are too many."""
    axes = [_stepped(axis) for axis in sweep.axes.values()]
    continuous = any(isinstance(axis, Range) and axis.step is None for axis in axes)
    if not continuous and math.prod(map(size, axes)) <= ENUMERABLE:
        untried = [point for point in every(sweep) if key_of(point) not in tried]
        return random.Random(seed).choice(untried) if untried else None
    from optuna.samplers import RandomSampler
    from optuna.study import create_study

    study = create_study(sampler=RandomSampler(seed=seed))
    for _ in range(1000):
        point = tidy(study.ask(distributions(sweep.axes)).params, sweep.axes)
        if key_of(point) not in tried and not sweep.excludes(sweep.experiments[0], point):
            return point
    return None
