"""The section `search` of a sweep file: number of trials, sampler, pruner, objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from anomalynet.config.leaves import Leaf
from anomalynet.config.load import nearest
from anomalynet.errors import Problem
from anomalynet.metrics.suite import METRICS

Sampler = Literal["tpe", "gp", "random", "grid"]
Pruner = Literal["none", "median", "hyperband", "wilcoxon"]

MOST = 1_000_000  # trials of a search, and of a batch

COSTS = ("latency", "parameters")
"""Objectives besides validation metrics: microseconds per window, trained weights; minimised."""
EPOCH_METRICS = ("validation/average_precision", "validation/auroc", "validation/loss")
"""Metrics that are known after each epoch, as pruning by epoch needs."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The section `search` of a sweep file."""

    trials: int = 20  # total, including those of earlier commands
    sampler: Sampler = "tpe"
    pruner: Pruner = "none"
    """`median` and `hyperband` use the epochs of a trial's first run; `wilcoxon` compares its
    finished runs with those of the best trial."""
    objectives: tuple[str, ...] = ("validation/average_precision",)  # several: a Pareto front
    batch: int = 1
    """Number of trials that are proposed together. A larger batch keeps more slots busy, but its
    proposals know fewer results."""
    seed: int = 0  # of the sampler

    @property
    def directions(self) -> tuple[Literal["maximize", "minimize"], ...]:
        """Optuna's direction of each objective."""
        names = (name.removeprefix("validation/") for name in self.objectives)
        least = {*COSTS, "loss"} | {name for name, one in METRICS.items() if one.direction == "min"}
        return tuple("minimize" if name in least else "maximize" for name in names)


def read_search(leaves: Mapping[str, Leaf], used: bool) -> tuple[SearchSettings, list[Problem]]:
    """The settings in the leaves below `search.`, and the problems with them. If the section is not
    `used`, because the design is not a search, every key is a problem."""
    problems = []
    if not used:
        what = "search.{} needs `design: search`"
        problems = [Problem(leaf.where, what.format(name)) for name, leaf in leaves.items()]
    known = {field.name for field in fields(SearchSettings)}
    values: dict[str, Any] = {key: leaf.value for key, leaf in leaves.items() if key in known}
    for name in {"trials", "batch", "seed"} & values.keys():
        least, value, what = 0 if name == "seed" else 1, values[name], ""
        if type(value) is not int or value < least:
            what = f"search.{name}: expected a whole number of at least {least}, not {value!r}"
        elif name != "seed" and value > MOST:
            what = f"search.{name}: at most {MOST:,}, not {value:,}"
        problems += [Problem(leaves[name].where, what)] if what else []
    for name, kinds in (("sampler", get_args(Sampler)), ("pruner", get_args(Pruner))):
        if name in values and values[name] not in kinds:
            problems.append(_unknown(leaves[name], f"search.{name}", values[name], kinds))
    if "objectives" in values:
        given = values["objectives"]
        values["objectives"] = tuple(given) if given and isinstance(given, list) else (given,)
        for objective in values["objectives"]:
            problems += _objective_problem(leaves["objectives"], objective)
    if problems:
        return SearchSettings(), problems
    settings = SearchSettings(**values)
    return settings, _pruner_problem(settings, leaves)


def _objective_problem(leaf: Leaf, objective: object) -> list[Problem]:
    metrics = (f"validation/{name}" for name, metric in METRICS.items() if metric.direction)
    known = (*EPOCH_METRICS, *metrics, *COSTS)
    if str(objective).startswith("test/"):
        what = f"search.objectives: {objective} would select by the test part, which is a leak"
        return [Problem(leaf.where, what, f"validation/{str(objective)[5:]}")]
    return [] if objective in known else [_unknown(leaf, "search.objectives", objective, known)]


def _pruner_problem(settings: SearchSettings, given: Mapping[str, Leaf]) -> list[Problem]:
    first, what = settings.objectives[0], ""
    if settings.pruner == "none":
        return []
    if len(settings.objectives) > 1:
        what = "pruning needs a single objective; remove it"
    elif settings.pruner != "wilcoxon" and first not in EPOCH_METRICS:
        what = f"{settings.pruner} needs a value per epoch, and {first} has none"
    return [Problem(given["pruner"].where, f"search.pruner: {what}")] if what else []


def _unknown(leaf: Leaf, key: str, value: object, known: Sequence[str]) -> Problem:
    what = f"{key}: unknown {value!r}; known are {', '.join(dict.fromkeys(known))}"
    return Problem(leaf.where, what, nearest(str(value), known))
