"""What a sweep file says of a search: how many trials, who proposes them, what they are judged
by."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from anomalynet.config.leaves import Leaf
from anomalynet.errors import Problem
from anomalynet.metrics.suite import METRICS

Sampler = Literal["tpe", "gp", "cmaes", "random", "grid"]
Pruner = Literal["none", "median", "hyperband", "wilcoxon"]

COSTS = ("latency", "parameters")
"""Objectives beside validation metrics: microseconds a window, and trained weights; both are
minimised."""
EPOCH_METRICS = ("validation/average_precision", "validation/auroc", "validation/loss")
"""What is known after each epoch, so that an epoch-wise pruner can watch it."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The section `search` of a sweep file."""

    trials: int = 20
    """Trials in all, those of earlier commands included."""
    sampler: Sampler = "tpe"
    pruner: Pruner = "none"
    """`median` and `hyperband` watch the epochs of a trial's first run; `wilcoxon` compares its
    finished runs with the best trial's."""
    objectives: tuple[str, ...] = ("validation/average_precision",)
    """Several make a Pareto front."""
    batch: int = 1
    """Trials that are proposed together, before any of them has ended: more keep many slots busy,
    and learn later."""
    seed: int = 0
    """Seeds the sampler."""

    @property
    def directions(self) -> tuple[Literal["maximize", "minimize"], ...]:
        """Optuna's word for each objective."""
        return tuple(
            "minimize" if minimised(objective) else "maximize" for objective in self.objectives
        )


def minimised(objective: str) -> bool:
    """Whether less is better."""
    metric = METRICS.get(objective.removeprefix("validation/"))
    return (
        objective in COSTS
        or objective == "validation/loss"
        or (metric is not None and metric.direction == "min")
    )


def read_search(leaves: Mapping[str, Leaf], used: bool) -> tuple[SearchSettings, list[Problem]]:
    """The settings, and what is wrong with them.

    Args:
        leaves: those below `search.`, by key.
        used: whether the design is a search; elsewhere the section is a mistake.
    """
    problems = (
        []
        if used
        else [
            Problem(leaf.where, f"{key} means something with `design: search` only")
            for key, leaf in leaves.items()
        ]
    )
    known = {field.name for field in fields(SearchSettings)}
    given = {
        name: leaf for key, leaf in leaves.items() if (name := key.removeprefix("search.")) in known
    }
    values: dict[str, Any] = {name: leaf.value for name, leaf in given.items()}
    for name in {"trials", "batch", "seed"} & values.keys():
        least = 0 if name == "seed" else 1
        if type(values[name]) is not int or values[name] < least:
            problems.append(
                Problem(
                    given[name].where,
                    f"search.{name}: expected a whole number of at least {least}, not "
                    f"{values[name]!r}",
                )
            )
    for name, kinds in (("sampler", get_args(Sampler)), ("pruner", get_args(Pruner))):
        if name in values and values[name] not in kinds:
            problems.append(_unknown(given[name], f"search.{name}", values[name], kinds))
    if "objectives" in values:
        named = (
            values["objectives"]
            if isinstance(values["objectives"], list)
            else [values["objectives"]]
        )
        values["objectives"] = tuple(named)
        problems += [
            problem
            for objective in named
            if (problem := _objective_problem(given["objectives"], objective))
        ]
    if problems:
        return SearchSettings(), problems
    settings = SearchSettings(**values)
    return settings, _pruner_problem(settings, given)


def _objective_problem(leaf: Leaf, objective: object) -> Problem | None:
    known = [
        *EPOCH_METRICS,
        *(f"validation/{name}" for name, metric in METRICS.items() if metric.direction),
        *COSTS,
    ]
    if str(objective).startswith("test/"):
        return Problem(
            leaf.where,
            f"search.objectives: {objective} would choose by the test part: a leak",
            f"validation/{str(objective)[5:]}",
        )
    return None if objective in known else _unknown(leaf, "search.objectives", objective, known)


def _pruner_problem(settings: SearchSettings, given: Mapping[str, Leaf]) -> list[Problem]:
    if settings.pruner == "none":
        return []
    where = given["pruner"].where
    if len(settings.objectives) > 1:
        return [Problem(where, "search.pruner: several objectives cannot be pruned; leave it out")]
    if settings.pruner != "wilcoxon" and settings.objectives[0] not in EPOCH_METRICS:
        return [
            Problem(
                where,
                f"search.pruner: {settings.pruner} watches epochs, and {settings.objectives[0]} "
                "is not known after each",
            )
        ]
    return []


def _unknown(leaf: Leaf, key: str, value: object, known: tuple[str, ...] | list[str]) -> Problem:
    near = difflib.get_close_matches(str(value), known, n=1)
    return Problem(
        leaf.where,
        f"{key}: unknown {value!r}; there are {', '.join(dict.fromkeys(known))}",
        near[0] if near else None,
    )
