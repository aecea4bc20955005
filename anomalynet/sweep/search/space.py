"""The space of a search: what Optuna is told of each axis, which points make sense, and which of
them is tried next: a function of the settings, of the trials before, and of nothing else. A sampler
is made for each proposal, seeded with the trial's place, and thrown away: one that is seeded once
and kept repeats its first trials after an interruption."""

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
from anomalynet.sweep.axes import Axis, Range, levels
from anomalynet.sweep.file import Sweep

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Params = dict[str, object]  # one value for each axis
ENUMERABLE = 20_000  # most points of a space of which a search can tell that it has tried all
ATTEMPTS = 20  # how often a sampler is asked again that proposes what was tried


def distributions(axes: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    """Each axis in Optuna's words; refuses levels that it cannot propose."""
    return {key: _distribution(key, axis) for key, axis in axes.items()}


def _distribution(key: str, axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Range):
        low, high, step = axis.low, axis.high, axis.step
        if step is not None:
            high = float(axis.levels()[-1])  # type: ignore[arg-type]  # the last that steps reach
        if axis.whole:
            return IntDistribution(int(low), int(high), step=int(step or 1), log=axis.log)
        return FloatDistribution(float(low), float(high), step=step, log=axis.log)
    strange = [level for level in axis if not isinstance(level, str | int | float | None)]
    if strange:
        what = f"axes.{key}: a search cannot propose {strange[0]!r}"
        raise UsageError(what, "levels are numbers, texts, true, false or null")
    return CategoricalDistribution(tuple(axis))  # type: ignore[arg-type]


def tidy(params: Mapping[str, object], axes: Mapping[str, Axis]) -> Params:
    """Proposed values in the order of the axes: six digits as people write them, in the range."""
    return {key: _tidied(params[key], axis) for key, axis in axes.items()}


def _tidied(value: object, axis: Axis) -> object:
    if not isinstance(axis, Range) or not isinstance(value, float):
        return value
    return min(max(float(f"{value:.{12 if axis.step else 6}g}"), float(axis.low)), float(axis.high))


def key_of(params: Mapping[str, object]) -> str:
    """A point as text: true is not 1 there."""
    return json.dumps(params, sort_keys=True)


def every(sweep: Sweep) -> Iterator[Params]:
    """The points of a grid in their order, the last axis fastest, without those that make no sense;
    refuses a range that has neither a step nor a count."""
    axes = {key: _stepped(axis) for key, axis in sweep.axes.items()}
    for key, axis in axes.items():
        if isinstance(axis, Range) and axis.step is None and axis.count is None:
            what = f"axes.{key}: a grid takes a range whole: give it a `step` or a `count`"
            raise UsageError(what, "or choose another search.sampler")
    product = itertools.product(*(levels(axis) for axis in axes.values()))
    points = (dict(zip(axes, point, strict=True)) for point in product)
    return (point for point in points if not sweep.excludes(sweep.experiments[0], point))


def _enumerable(sweep: Sweep) -> bool:
    """Whether the points can be listed: no axis is continuous, and they are few."""
    axes = [_stepped(axis) for axis in sweep.axes.values()]
    if any(isinstance(axis, Range) and axis.step is None for axis in axes):
        return False
    return math.prod(len(levels(axis)) for axis in axes) <= ENUMERABLE


def _stepped(axis: Axis) -> Axis:
    """Whole numbers are one apart unless the file says otherwise."""
    if isinstance(axis, Range) and axis.whole and axis.step is None and not axis.count:
        return replace(axis, step=1, log=False)
    return axis


def propose(sweep: Sweep, history: Sequence[FrozenTrial], place: int) -> Params | None:
    """The values of the trial at a place, which no trial before has had; None where all have been
    tried. `history`: every trial before it, in order; those whose values it must not know run."""
    if sweep.search.sampler == "grid":
        return next(itertools.islice(every(sweep), place, None), None)
    tried = {key_of(trial.params) for trial in history}
    for attempt in range(ATTEMPTS):
        point = tidy(_drawn(sweep, history, _seed(sweep, place, attempt)), sweep.axes)
        if key_of(point) not in tried and not sweep.excludes(sweep.experiments[0], point):
            return point
    return _untried(sweep, tried, _seed(sweep, place, ATTEMPTS))


def _seed(sweep: Sweep, place: int, attempt: int) -> int:
    """32 bits that no other proposal has."""
    text = f"{sweep.search.seed} {place} {attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _drawn(sweep: Sweep, history: Sequence[FrozenTrial], seed: int) -> Params:
    import optuna

    study = optuna.create_study(directions=sweep.search.directions, sampler=_sampler(sweep, seed))
    study.add_trials(history)
    return study.ask(distributions(sweep.axes)).params


def _sampler(sweep: Sweep, seed: int) -> BaseSampler:
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something is experimental is our business
        if sweep.search.sampler == "gp":
            return samplers.GPSampler(seed=seed)
        if sweep.search.sampler == "tpe":
            return samplers.TPESampler(seed=seed, constant_liar=True)
        return samplers.RandomSampler(seed=seed)


def _untried(sweep: Sweep, tried: set[str], seed: int) -> Params | None:
    """Any point that was not tried, for a sampler that has no other idea."""
    if _enumerable(sweep):
        left = [point for point in every(sweep) if key_of(point) not in tried]
        return random.Random(seed).choice(left) if left else None
    from optuna.samplers import RandomSampler
    from optuna.study import create_study

    study = create_study(sampler=RandomSampler(seed=seed))
    for _ in range(1000):
        point = tidy(study.ask(distributions(sweep.axes)).params, sweep.axes)
        if key_of(point) not in tried and not sweep.excludes(sweep.experiments[0], point):
            return point
    return None
