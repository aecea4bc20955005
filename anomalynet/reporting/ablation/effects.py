"""Compares each arm with the reference, and computes main effects and interactions of a factorial.
Only arms that exist and were run are matched; no model is fitted.

Source: not in the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting.ablation.arms import (
    Ablation,
    Crossing,
    MeasuredArm,
    crossings,
    paired_differences,
    reference_of,
)
from anomalynet.reporting.ablation.contrasts import Contrast, SeriesKey, contrast, family

NOT_RUN, NOT_COMPARED, NOT_IN_SWEEP = "not run", "not compared", "not in the sweep"

Differences = dict[SeriesKey, float]
Clusters = Mapping[SeriesKey, SeriesKey]
Change = tuple[str, str, str]  # an axis, the reference's level of it, and another level


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm that is not the reference, compared with it."""

    arm: MeasuredArm
    contrast: Contrast | None  # over clusters of series; None if nothing can be compared
    shared: int = 0  # number of run keys that both have
    reason: str = ""  # why the two are not compared although the arm has been run

    def verdict(self, metric: str) -> str:
        """The verdict of the contrast, or why there is none."""
        if self.contrast is not None:
            return self.contrast.verdict(metric)
        return NOT_COMPARED if self.arm.runs else NOT_RUN


@dataclass(frozen=True, slots=True)
class Effect:
    """The main effect of one change, or the interaction of two."""

    changes: tuple[Change, ...]  # one for a main effect, two for an interaction
    matched: int  # combinations of the other axes' levels that it is averaged over
    wanted: int  # combinations that the sweep has, run or not
    contrast: Contrast | None  # the effect; None if nothing is matched

    @property
    def label(self) -> str:
        """Its changes, each named like an arm that makes only this change."""
        return " × ".join(f"{axis}={level}" for axis, _, level in self.changes)


Tested = TypeVar("Tested", Comparison, Effect)


def _correct(found: Sequence[Tested]) -> tuple[Tested, ...]:
    """Apply Holm's correction over those that can be compared."""
    contrasts = iter(family([one.contrast for one in found if one.contrast is not None]))
    return tuple(
        one if one.contrast is None else replace(one, contrast=next(contrasts)) for one in found
    )


def compare(arms: Sequence[MeasuredArm], clusters: Clusters) -> tuple[Comparison, ...]:
    """Compare every arm with the reference."""
    reference = reference_of(arms)
    return _correct([_compare(arm, reference, clusters) for arm in arms if arm is not reference])


def _compare(arm: MeasuredArm, reference: MeasuredArm | None, clusters: Clusters) -> Comparison:
    if not arm.runs:
        return Comparison(arm, None)
    if reference is None or not reference.runs:
        return Comparison(arm, None, reason="the reference has not been run")
    shared = len(arm.runs.keys() & reference.runs.keys())
    if not shared:
        why = "no run has the seed, fold and world of one of the reference's"
        return Comparison(arm, None, reason=why)
    differences = paired_differences(arm.series, reference.series)
    return Comparison(arm, contrast(differences, clusters), shared=shared)


def effects(
    ablation: Ablation, arms: Sequence[MeasuredArm], clusters: Clusters, order: int
) -> tuple[Effect, ...]:
    """Effects of changes from the reference's levels; none without a reference. Of order 1: the
    main effect of each change, the mean over pairs of arms that differ in this axis only. Of order
    2: the interaction of each two changes on different axes, the effect of the first together with
    the second, minus its effect without the second."""
    by_crossing = crossings(ablation, arms)
    single = [
        (index, (axis, usual, level))
        for index, axis in enumerate(ablation.axes)
        if (usual := ablation.usual(axis)) is not None
        for level in ablation.levels(axis)
        if level != usual
    ]
    found = []
    for changes in combinations(single, order):
        if len({index for index, _ in changes}) == order:
            differences = [
                _difference(by_crossing, crossing, changes)
                for crossing in by_crossing
                if all(crossing[index] == level for index, (_, _, level) in changes)
            ]
            found.append(_effect(tuple(change for _, change in changes), differences, clusters))
    return _correct(found)


def _difference(
    arms: Mapping[Crossing, MeasuredArm], one: Crossing, changes: Sequence[tuple[int, Change]]
) -> Differences | None:
    """The effect of the changes except the last at a crossing, minus the same without the last; of
    a single change, the arm minus the one without it. None without such arms, empty without
    pairs."""
    *others, (index, (_, usual, _)) = changes
    without = (*one[:index], usual, *one[index + 1 :])
    if not others:
        if one not in arms or without not in arms:
            return None
        return paired_differences(arms[one].series, arms[without].series)
    joint, alone = _difference(arms, one, others), _difference(arms, without, others)
    if joint is None or alone is None:
        return None
    return {key: joint[key] - alone[key] for key in joint.keys() & alone.keys()}


def _effect(
    changes: tuple[Change, ...], found: Sequence[Differences | None], clusters: Clusters
) -> Effect:
    """The effect averaged over combinations. Only series that each combination has count: otherwise
    the weights of combinations would depend on the series."""
    wanted = [differences for differences in found if differences is not None]
    run = [differences for differences in wanted if differences]
    series = {key for differences in run for key in differences}
    values = {key: math.fsum(own.get(key, NAN) for own in run) / len(run) for key in series}
    return Effect(changes, len(run), len(wanted), contrast(values, clusters) if run else None)
