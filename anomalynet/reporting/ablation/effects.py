"""Main effects and interactions of a factorial: only arms that exist and were run are matched,
nothing is fitted.

Source: not in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from anomalynet.reporting.ablation.arms import MeasuredArm, series_differences
from anomalynet.reporting.ablation.clusters import SeriesKey
from anomalynet.reporting.ablation.contrasts import Contrast, contrast, family
from anomalynet.reporting.ablation.design import Ablation, Crossing, moved
from anomalynet.reporting.statistics import NAN

Differences = dict[SeriesKey, float]


@dataclass(frozen=True, slots=True)
class Change:
    """From the reference's level of an axis to another."""

    axis: str
    usual: str
    level: str

    @property
    def label(self) -> str:
        """As an arm would be named that makes this change alone."""
        return f"{self.axis}={self.level}"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one change does, or how two changes depend on each other.

    Attributes:
        changes: one for a main effect, two for an interaction.
        matched: combinations of the other axes' levels that it is averaged over.
        wanted: combinations that the sweep has, run or not.
        contrast: the effect; None where nothing is matched.
    """

    changes: tuple[Change, ...]
    matched: int
    wanted: int
    contrast: Contrast | None

    @property
    def label(self) -> str:
        """Its changes."""
        return " × ".join(change.label for change in self.changes)


def main_effects(
    ablation: Ablation, arms: Sequence[MeasuredArm], clusters: Mapping[SeriesKey, SeriesKey]
) -> tuple[Effect, ...]:
    """Of each level but the reference's: the mean over pairs of arms that differ in this axis
    only."""
    by_crossing = _crossed(ablation, arms)
    found = []
    for place, change in _changes(ablation):
        pairs = [
            _difference(by_crossing, crossing, moved(crossing, place, change.usual))
            for crossing in by_crossing
            if crossing[place] == change.level
        ]
        found.append(_effect((change,), pairs, clusters))
    return _corrected(found)


def interactions(
    ablation: Ablation, arms: Sequence[MeasuredArm], clusters: Mapping[SeriesKey, SeriesKey]
) -> tuple[Effect, ...]:
    """Of each two changes on different axes: what the first does beside the second, less what it
    does without it."""
    by_crossing = _crossed(ablation, arms)
    found = []
    for (first, one), (second, other) in combinations(_changes(ablation), 2):
        if first == second:
            continue
        squares = []
        for both in by_crossing:
            if (both[first], both[second]) == (one.level, other.level):
                beside = _difference(by_crossing, both, moved(both, first, one.usual))
                alone = moved(both, second, other.usual)
                without = _difference(by_crossing, alone, moved(alone, first, one.usual))
                squares.append(
                    None if beside is None or without is None else _minus(beside, without)
                )
        found.append(_effect((one, other), squares, clusters))
    return _corrected(found)


def _changes(ablation: Ablation) -> list[tuple[int, Change]]:
    """(place of the axis, change) for every level but the reference's; none without a reference."""
    return [
        (place, Change(axis, usual, level))
        for place, axis in enumerate(ablation.axes)
        if (usual := ablation.usual(axis)) is not None
        for level in ablation.levels(axis)
        if level != usual
    ]


def _crossed(ablation: Ablation, arms: Sequence[MeasuredArm]) -> dict[Crossing, MeasuredArm]:
    measured = {arm.name: arm for arm in arms}
    return {crossing: measured[arm.name] for crossing, arm in ablation.crossings.items()}


def _difference(
    arms: Mapping[Crossing, MeasuredArm], one: Crossing, other: Crossing
) -> Differences | None:
    """None where the sweep has no such arm; empty where the two share no run."""
    return series_differences(arms[one], arms[other]) if one in arms and other in arms else None


def _minus(one: Differences, other: Differences) -> Differences:
    return {key: one[key] - other[key] for key in one.keys() & other.keys()}


def _effect(
    changes: tuple[Change, ...],
    found: Sequence[Differences | None],
    clusters: Mapping[SeriesKey, SeriesKey],
) -> Effect:
    """Averaged over combinations; a series counts where each of them has it, else combinations
    would weigh differently by series."""
    wanted = [one for one in found if one is not None]
    run = [one for one in wanted if one]
    series = {key for one in run for key in one}
    values = {key: math.fsum(one.get(key, NAN) for one in run) / len(run) for key in series}
    return Effect(changes, len(run), len(wanted), contrast(values, clusters) if run else None)


def _corrected(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    contrasts = iter(family([one.contrast for one in effects if one.contrast is not None]))
    return tuple(
        one if one.contrast is None else replace(one, contrast=next(contrasts)) for one in effects
    )
