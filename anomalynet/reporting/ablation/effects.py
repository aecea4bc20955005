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
from anomalynet.reporting.ablation.arms import MeasuredArm, paired_differences
from anomalynet.reporting.ablation.contrasts import Contrast, SeriesKey, contrast, family
from anomalynet.reporting.ablation.design import Ablation, Crossing

NOT_RUN, NOT_COMPARED, NOT_IN_SWEEP = "not run", "not compared", "not in the sweep"

Differences = dict[SeriesKey, float]
Clusters = Mapping[SeriesKey, SeriesKey]


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
class Change:
    """A change from the reference's level of an axis to another level."""

    axis: str
    usual: str
    level: str


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
        return " × ".join(f"{change.axis}={change.level}" for change in self.changes)


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


def reference_of(arms: Sequence[MeasuredArm]) -> MeasuredArm | None:
    """The arm that the others are compared with, if there is one."""
    return next((arm for arm in arms if arm.design.reference), None)


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


def main_effects(
    ablation: Ablation, arms: Sequence[MeasuredArm], clusters: Clusters
) -> tuple[Effect, ...]:
    """The main effect of each level: the mean over pairs of arms that differ in this axis only."""
    by_crossing = _by_crossing(ablation, arms)
    found = []
    for axis, change in _changes(ablation):
        pairs = [
            _difference(by_crossing, crossing, axis, change)
            for crossing in by_crossing
            if crossing[axis] == change.level
        ]
        found.append(_effect((change,), pairs, clusters))
    return _correct(found)


def interactions(
    ablation: Ablation, arms: Sequence[MeasuredArm], clusters: Clusters
) -> tuple[Effect, ...]:
    """The interaction of each two changes on different axes: the effect of the first together with
    the second, minus its effect without the second."""
    by_crossing = _by_crossing(ablation, arms)
    found = []
    for (first, one), (second, other) in combinations(_changes(ablation), 2):
        if first == second:
            continue
        squares: list[Differences | None] = []
        for both in by_crossing:
            if (both[first], both[second]) == (one.level, other.level):
                joint = _difference(by_crossing, both, first, one)
                without = _with_level(both, second, other.usual)
                alone = _difference(by_crossing, without, first, one)
                if joint is None or alone is None:
                    squares.append(None)
                else:
                    keys = joint.keys() & alone.keys()
                    squares.append({key: joint[key] - alone[key] for key in keys})
        found.append(_effect((one, other), squares, clusters))
    return _correct(found)


def _changes(ablation: Ablation) -> list[tuple[int, Change]]:
    """(index of the axis, change) for every level except the reference's; empty without one."""
    return [
        (index, Change(axis, usual, level))
        for index, axis in enumerate(ablation.axes)
        if (usual := ablation.usual(axis)) is not None
        for level in ablation.levels(axis)
        if level != usual
    ]


def _by_crossing(ablation: Ablation, arms: Sequence[MeasuredArm]) -> dict[Crossing, MeasuredArm]:
    measured = {arm.name: arm for arm in arms}
    return {crossing: measured[arm.name] for crossing, arm in ablation.crossings.items()}


def _with_level(crossing: Crossing, axis: int, level: str) -> Crossing:
    return (*crossing[:axis], level, *crossing[axis + 1 :])


def _difference(
    arms: Mapping[Crossing, MeasuredArm], one: Crossing, axis: int, change: Change
) -> Differences | None:
    """The arm minus the one without the change; None without such arms, empty without pairs."""
    other = _with_level(one, axis, change.usual)
    if one not in arms or other not in arms:
        return None
    return paired_differences(arms[one].series, arms[other].series)


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
