"""Computes mean ± spread from the scores of an arm's runs, in the same way for every table:
decisions are pooled over the folds of a repetition, each labelled step once with the threshold of
its own fold, and repetitions are averaged.

AUROC and average precision are the mean over the folds (`…_fold_mean`): the networks of two folds
do not share a scale of scores, so a ranking over both has no meaning. The ranking of the pooled
scores is named `…_pooled`; it is computed because the leakage audit ranks its probes so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.metrics.kernels import NAN, point_metrics, ranking_metrics
from anomalynet.reporting.arms import Arm, Repetition, RepetitionKey
from anomalynet.reporting.measures import RANKING, RUN_METRICS, primary
from anomalynet.reporting.paper.published import eq13
from anomalynet.runs.scores import read_test_steps, reading_once

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of the defined values of a metric."""

    mean: float  # NaN without values
    spread: float  # sample standard deviation; NaN with fewer than two values
    n: int  # number of values


@dataclass(frozen=True, slots=True)
class ArmMetrics:
    """An arm with the metrics of each counted repetition: shares as fractions, times in seconds."""

    arm: Arm
    values: dict[RepetitionKey, dict[str, float]]
    # what sections of a report measured besides: function → counted repetition → its result
    parts: dict[Callable[[Repetition], Any], Mapping[RepetitionKey, Any]] = field(
        default_factory=dict
    )

    def of(self, measure: Callable[[Repetition], T]) -> Mapping[RepetitionKey, T]:
        """What a function measures in each counted repetition; it is called once for each, unless
        `aggregate` has done that."""
        if measure not in self.parts:
            self.parts[measure] = {one.key: measure(one) for one in self.arm.counted}
        return self.parts[measure]

    def summary(self, metric: str) -> Summary:
        """The metric over this arm's counted repetitions."""
        return summarise(values.get(metric, NAN) for values in self.values.values())


def summarise(values: Iterable[float]) -> Summary:
    """Mean ± sample standard deviation of the defined values."""
    defined = np.array([value for value in values if not math.isnan(value)])
    mean = float(defined.mean()) if len(defined) else NAN
    spread = float(defined.std(ddof=1)) if len(defined) > 1 else NAN
    return Summary(mean, spread, len(defined))


def jackknife(value: float, rest: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a value by the jackknife with Student's t, NaN with fewer than two
    clusters. `rest`: the value without each of the clusters. Source: not in the paper; Tukey
    (1958)."""
    from scipy.special import stdtrit

    n = len(rest)
    if n < 2:
        return NAN, NAN
    pseudo = n * value - (n - 1) * np.array(rest)
    half = float(stdtrit(n - 1, 0.975) * pseudo.std(ddof=1) / np.sqrt(n))
    return float(pseudo.mean()) - half, float(pseudo.mean()) + half


@dataclass(frozen=True, slots=True)
class Scored:
    """The labelled, scored test steps of one run or several: arrays of shape (steps,)."""

    labels: NDArray[np.int8]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(cls, *parts: pl.DataFrame) -> Scored:
        """The steps of `runs.scores.read_test_steps` that have a label and a score."""
        return cls.without_gaps(pl.concat(parts).drop_nulls(["label", "score"]))

    @classmethod
    def without_gaps(cls, steps: pl.DataFrame) -> Scored:
        """Steps that all have a label and a score."""
        return cls(*(steps[name].to_numpy() for name in ("label", "score", "threshold")))


def _mean(values: Iterable[float]) -> float:
    return summarise(values).mean


def repetition_metrics(repetition: Repetition) -> dict[str, float]:
    """Every metric of one repetition: of pooled decisions, of the ranking in each fold and pooled,
    of incidents, and by the paper's recipe."""
    parts = [read_test_steps(record) for record in repetition.records]
    results = [record.result for record in repetition.records]
    pool, probability = Scored.of(*parts), all(one.probability for one in results)
    pooled = point_metrics(pool.labels, pool.scores, pool.thresholds, probability)
    ranked = [ranking_metrics(fold.labels, fold.scores) for fold in map(Scored.of, parts)]
    run_means = {
        primary(name): _mean(NAN if value is None else value for value in values)
        for name in RUN_METRICS
        if (values := [result.metrics.get(f"test/{name}") for result in results])
    }
    recipe = eq13(100 * pooled["precision_normal"], 100 * pooled["precision_attack"])
    return {
        **{name: value for name, value in pooled.items() if name not in RANKING},
        **{f"{name}_pooled": pooled[name] for name in RANKING},
        **{primary(name): _mean(fold[name] for fold in ranked) for name in RANKING},
        **run_means,
        **{name: value / 100 for name, value in recipe.items()},
        "missed": float(sum(result.parts["test"].missed for result in results)),
        "missed_attack": float(sum(result.parts["test"].missed_attack for result in results)),
    }


Measures = Sequence[Callable[[Repetition], Any]]


def aggregate(
    arms: Iterable[Arm], measures: Measures = (), of_base: Measures = ()
) -> tuple[ArmMetrics, ...]:
    """Compute the metrics of every arm, and whatever the `measures` of a report's sections need, in
    one pass: each file of scores is read once, and only one repetition is in memory. `of_base` are
    only measured of the arm that `base` names."""
    arms, found = tuple(arms), []
    chosen = base([arm for arm in arms if arm.counted])
    for arm in arms:
        wanted = (*measures, *(of_base if arm is chosen else ()))
        values: dict[RepetitionKey, dict[str, float]] = {}
        parts: dict[Any, Any] = {measure: {} for measure in wanted}
        for one in arm.counted:
            with reading_once():
                values[one.key] = repetition_metrics(one)
                for measure, own in parts.items():
                    own[one.key] = measure(one)
        found.append(ArmMetrics(arm, values, parts))
    return tuple(found)


def base(arms: Sequence[Arm]) -> Arm | None:
    """The arm on whose test steps detectors without sensors are judged: the first of those with the
    most runs."""
    return max(arms, key=lambda arm: len(arm.records), default=None)


def in_world(metrics: ArmMetrics, world: int, metric: str) -> Summary:
    """A metric over the repetitions of one simulated world."""
    return summarise(
        values.get(metric, NAN) for (_, _, own), values in metrics.values.items() if own == world
    )


def difference(one: ArmMetrics, other: ArmMetrics, metric: str) -> Summary:
    """`one` minus `other` over the repetitions with the same folds in both; n = 0 without any."""
    folds, other_folds = (
        {repetition.key: repetition.folds for repetition in arm.counted}
        for arm in (one.arm, other.arm)
    )
    return summarise(
        one.values[key].get(metric, NAN) - other.values[key].get(metric, NAN)
        for key in sorted(one.values.keys() & other.values.keys(), key=str)
        if folds[key] == other_folds[key]
    )
