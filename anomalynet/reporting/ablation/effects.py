"""Each arm beside the reference; main effects and interactions of a factorial: only arms that exist
and were run are matched, nothing is fitted.

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
    """An arm that is not the reference."""

    arm: MeasuredArm
    contrast: Contrast | None  # over clusters of series; None where nothing can be compared
    shared: int = 0  # runs that the two have in common
    reason: str = ""  # why the two are not compared, though the arm has been run

    def verdict(self, metric: str) -> str:
        """Of the contrast, or that there is none."""
        if self.contrast is not None:
            return self.contrast.verdict(metric)
        return NOT_COMPARED if self.arm.runs else NOT_RUN


@dataclass(frozen=True, slots=True)
class Change:
    """From the reference's level of an axis to another."""

    axis: str
    usual: str
    level: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What one change does, or how two changes depend on each other."""

    changes: tuple[Change, ...]  # one for a main effect, two for an interaction
    matched: int  # combinations of the other axes' levels that it is averaged over
    wanted: int  # combinations that the sweep has, run or not
    contrast: Contrast | None  # the effect; None where nothing is matched

    @property
    def label(self) -> str:
        """Its changes, each named as an arm that makes this change alone."""
        return " × ".join(f"{change.axis}={change.level}" for change in self.changes)


Tested = TypeVar("Tested", Comparison, Effect)


def _corrected(found: Sequence[Tested]) -> tuple[Tested, ...]:
    """Holm over those that can be compared."""
    contrasts = iter(family([one.contrast for one in found if one.contrast is not None]))
    return tuple(
        one if one.contrast is None else replace(one, contrast=next(contrasts)) for one in found
    )


def compare(arms: Sequence[MeasuredArm], clusters: Clusters) -> tuple[Comparison, ...]:
    """Compare every arm with the reference."""
    reference = reference_of(arms)
    return _corrected([_compare(arm, reference, clusters) for arm in arms if arm is not reference])


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
    """Of each level but the reference's: the mean over pairs of arms that differ in this axis
    only."""
    crossed = _crossed(ablation, arms)
    found = []
    for axis, change in _changes(ablation):
        pairs = [
            _difference(crossed, crossing, axis, change)
            for crossing in crossed
            if crossing[axis] == change.level
        ]
        found.append(_effect((change,), pairs, clusters))
    return _corrected(found)


def interactions(
    ablation: Ablation, arms: Sequence[MeasuredArm], clusters: Clusters
) -> tuple[Effect, ...]:
    """Of each two changes on different axes: what the first does beside the second, less what it
    does without it."""
    crossed = _crossed(ablation, arms)
    found = []
    for (first, one), (second, other) in combinations(_changes(ablation), 2):
        if first == second:
            continue
        squares: list[Differences | None] = []
        for both in crossed:
            if (both[first], both[second]) == (one.level, other.level):
                beside = _difference(crossed, both, first, one)
                alone = _difference(crossed, _moved(both, second, other.usual), first, one)
                if beside is None or alone is None:
                    squares.append(None)
                else:
                    keys = beside.keys() & alone.keys()
                    squares.append({key: beside[key] - alone[key] for key in keys})
        found.append(_effect((one, other), squares, clusters))
    return _corrected(found)


def _changes(ablation: Ablation) -> list[tuple[int, Change]]:
    """(index of the axis, change) for every level but the reference's; none without a reference."""
    return [
        (index, Change(axis, usual, level))
        for index, axis in enumerate(ablation.axes)
        if (usual := ablation.usual(axis)) is not None
        for level in ablation.levels(axis)
        if level != usual
    ]


def _crossed(ablation: Ablation, arms: Sequence[MeasuredArm]) -> dict[Crossing, MeasuredArm]:
    measured = {arm.name: arm for arm in arms}
    return {crossing: measured[arm.name] for crossing, arm in ablation.crossings.items()}


def _moved(crossing: Crossing, axis: int, level: str) -> Crossing:
    return (*crossing[:axis], level, *crossing[axis + 1 :])


def _difference(
    arms: Mapping[Crossing, MeasuredArm], one: Crossing, axis: int, change: Change
) -> Differences | None:
    """An arm less the one without the change; None where the sweep has no such arms, empty where
    the two share no run."""
    other = _moved(one, axis, change.usual)
    if one not in arms or other not in arms:
        return None
    return paired_differences(arms[one].series, arms[other].series)


def _effect(
    changes: tuple[Change, ...], found: Sequence[Differences | None], clusters: Clusters
) -> Effect:
    """Averaged over combinations; a series counts where each of them has it, else combinations
    would weigh differently by series."""
    wanted = [one for one in found if one is not None]
    run = [one for one in wanted if one]
    series = {key for one in run for key in one}
    values = {key: math.fsum(one.get(key, NAN) for one in run) / len(run) for key in series}
    return Effect(changes, len(run), len(wanted), contrast(values, clusters) if run else None)
