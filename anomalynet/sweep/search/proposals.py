"""What a search tries next: a function of its settings, of the trials before, and of nothing else.

A sampler is made for each proposal, seeded with the trial's place, and thrown away: whoever
continues an interrupted search proposes what it would have proposed. A sampler that is seeded once
and kept repeats its first trials after an interruption.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalynet.sweep.file import Sweep
from anomalynet.sweep.search import space
from anomalynet.sweep.search.evolution import evolve
from anomalynet.sweep.search.space import Params

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

ATTEMPTS = 20
"""How often a sampler is asked again that proposes what was tried."""


def propose(sweep: Sweep, history: Sequence[FrozenTrial], place: int) -> Params | None:
    """The values of the trial at a place, which no trial before has had; None where all have been
    tried.

    Args:
        sweep: a search.
        history: every trial before it, in order; those whose values it must not know are running
        ones. place: its own, from 0.

    Raises:
        UsageError: a space that cannot be searched so.
    """
    if sweep.search.sampler == "grid":
        return next(
            (point for number, point in enumerate(space.every(sweep)) if number == place), None
        )
    tried = {space.key_of(trial.params) for trial in history}
    for attempt in range(ATTEMPTS):
        point = space.tidy(_drawn(sweep, history, _seed(sweep, place, attempt)), sweep.axes)
        if space.key_of(point) not in tried and not sweep.excludes(sweep.experiments[0], point):
            return point
    return _untried(sweep, tried, _seed(sweep, place, ATTEMPTS))


def _seed(sweep: Sweep, place: int, attempt: int) -> int:
    """32 bits that no other proposal has."""
    text = f"{sweep.search.seed} {place} {attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _drawn(sweep: Sweep, history: Sequence[FrozenTrial], seed: int) -> Params:
    import optuna

    if sweep.search.sampler == "cmaes":
        sign = -1.0 if sweep.search.directions[0] == "maximize" else 1.0
        told = [
            (trial.params, sign * trial.values[0])
            for trial in history
            if trial.state.name == "COMPLETE"
        ]
        return evolve(sweep.axes, told, seed)
    study = optuna.create_study(directions=sweep.search.directions, sampler=_sampler(sweep, seed))
    study.add_trials(history)
    return study.ask(space.distributions(sweep.axes)).params


def _sampler(sweep: Sweep, seed: int) -> BaseSampler:
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that something is experimental is our business, not the user's
        if sweep.search.sampler == "gp":
            return samplers.GPSampler(seed=seed)
        if sweep.search.sampler == "tpe":
            return samplers.TPESampler(seed=seed, constant_liar=True)
        return samplers.RandomSampler(seed=seed)


def _untried(sweep: Sweep, tried: set[str], seed: int) -> Params | None:
    """Any point that was not tried, for a sampler that has no other idea."""
    draw = random.Random(seed)
    if space.enumerable(sweep):
        left = [point for point in space.every(sweep) if space.key_of(point) not in tried]
        return draw.choice(left) if left else None
    from optuna.samplers import RandomSampler
    from optuna.study import create_study

    study = create_study(sampler=RandomSampler(seed=seed))
    for _ in range(1000):
        point = space.tidy(study.ask(space.distributions(sweep.axes)).params, sweep.axes)
        if space.key_of(point) not in tried and not sweep.excludes(sweep.experiments[0], point):
            return point
    return None
