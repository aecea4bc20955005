"""Which study a search is, what is refused before it begins, and what it has found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.config.leaves import read_overrides
from anomalynet.config.load import load
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.sweep.arms import Arm
from anomalynet.sweep.axes import Range
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.plan import plan
from anomalynet.sweep.search import space

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOLDER = ".search"
"""Below the folder of the runs: journals and locks."""


def check(sweep: Sweep, overrides: Sequence[str]) -> None:
    """Refuse a search that cannot be carried out as its file or the command says.

    Raises:
        UsageError, ConfigError: says what, and what instead.
    """
    settings = sweep.search
    if len(sweep.experiments) != 1:
        raise UsageError(
            f"{sweep.name}: a search tunes one experiment, not {len(sweep.experiments)}",
            "write one file for each",
        )
    if not sweep.axes:
        raise UsageError(f"{sweep.name}: a search without `axes` has nothing to try")
    if sweep.extras:
        raise UsageError(
            f"{sweep.name}: a search has no `arms`",
            "another sweep of `design: factorial` compares them with its best",
        )
    if settings.sampler == "cmaes" and len(settings.objectives) > 1:
        raise UsageError(
            f"{sweep.name}: search.sampler: cmaes knows one objective",
            "tpe, gp, random and grid know several",
        )
    taken = [leaf.key for leaf in read_overrides(overrides) if leaf.key in sweep.axes]
    if taken:
        raise UsageError(
            f"{taken[0]}: it is an axis of {sweep.name}: every trial would have this value",
            "take it from the sweep's axes",
        )
    space.distributions(sweep.axes)
    if settings.sampler == "grid":
        space.every(sweep)
    problems = [problem for key in sweep.axes for problem in _axis_problems(sweep, overrides, key)]
    if problems:
        raise ConfigError(problems)


def _axis_problems(sweep: Sweep, overrides: Sequence[str], key: str) -> list[Problem]:
    """What is wrong with an axis of which neither end makes a configuration."""
    axis, found = sweep.axes[key], []
    for end in (axis.low, axis.high) if isinstance(axis, Range) else (axis[0], axis[-1]):
        try:
            load(sweep.experiments[0], overrides, {**sweep.settings, key: end}, sweep.places)
        except ConfigError as error:
            found.append(list(error.problems))
        else:
            return []
    return found[0]


def base_jobs(sweep: Sweep, overrides: Sequence[str], runs: Path) -> list[Job]:
    """The runs of the experiment as it is, which stand for those of every trial: same data, seeds
    and folds."""
    return jobs_of(plan(sweep, overrides, wanted=[Arm("base", sweep.experiments[0], {}, {})]), runs)


def files_of(runs: Path, label: str) -> tuple[Path, Path]:
    """The journal of a search, and the lock that lets one command at a time propose."""
    folder = runs / FOLDER
    return folder / f"{label}.journal", folder / f"{label}.lock"


def study_name(sweep: Sweep, base: Sequence[Job]) -> str:
    """The sweep, and ten digits of what decides which trials come: the space, the settings, and the
    experiment's runs by identity.

    Neither the number of trials nor the batch is in it: they may change while a search goes on.
    """
    settings = sweep.search
    axes = {key: asdict(axis) if is_dataclass(axis) else axis for key, axis in sweep.axes.items()}
    decides = [
        axes,
        sweep.exclude,
        settings.objectives,
        settings.sampler,
        settings.pruner,
        settings.seed,
    ]
    runs = sorted(f"{job.folder.path.parent.name}/{job.folder.path.name}" for job in base)
    return f"{sweep.name}-{hashlib.sha256(json.dumps([decides, runs]).encode()).hexdigest()[:10]}"


def best(trials: Sequence[FrozenTrial], directions: Sequence[str]) -> list[int]:
    """The places of the best trial, the earlier of equals, or with several objectives of all that
    no other beats in everything.

    Args:
        trials: in order of place.
        directions: Optuna's word for each objective.
    """
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    losses = {
        place: [sign * value for sign, value in zip(signs, trial.values, strict=True)]
        for place, trial in enumerate(trials)
        if trial.state.name == "COMPLETE"
    }
    if len(directions) == 1:
        return [min(losses, key=lambda place: (losses[place], place))] if losses else []

    def beaten(one: list[float]) -> bool:
        return any(
            other != one and all(a <= b for a, b in zip(other, one, strict=True))
            for other in losses.values()
        )

    return sorted(
        (place for place, one in losses.items() if not beaten(one)),
        key=lambda place: (losses[place], place),
    )
