"""Each arm beside the reference, and why some cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from anomalynet.reporting.ablation.arms import MeasuredArm, series_differences
from anomalynet.reporting.ablation.clusters import SeriesKey
from anomalynet.reporting.ablation.contrasts import Contrast, contrast, family
from anomalynet.reporting.aggregate import Summary, summarise


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm that is not the reference.

    Attributes:
        arm: it.
        contrast: over clusters of series; None where nothing can be compared.
        why_not: then the reason.
        shared: runs that the two have in common.
    """

    arm: MeasuredArm
    contrast: Contrast | None
    why_not: str
    shared: int


NO_DIFFERENCE = Summary(float("nan"), float("nan"), 0)


def compare(
    arms: Sequence[MeasuredArm], clusters: Mapping[SeriesKey, SeriesKey]
) -> tuple[Comparison, ...]:
    """Compare every arm with the reference; Holm over those that can be."""
    reference = reference_of(arms)
    found = [_compare(arm, reference, clusters) for arm in arms if arm is not reference]
    contrasts = iter(family([one.contrast for one in found if one.contrast is not None]))
    return tuple(
        one if one.contrast is None else replace(one, contrast=next(contrasts)) for one in found
    )


def reference_of(arms: Sequence[MeasuredArm]) -> MeasuredArm | None:
    """The arm that the others are compared with, if there is one."""
    return next((arm for arm in arms if arm.design.reference), None)


def _compare(
    arm: MeasuredArm, reference: MeasuredArm | None, clusters: Mapping[SeriesKey, SeriesKey]
) -> Comparison:
    if not arm.runs:
        return Comparison(arm, None, "not run", 0)
    if reference is None or not reference.runs:
        return Comparison(arm, None, "not compared, the reference has not been run", 0)
    shared = len(arm.runs.keys() & reference.runs.keys())
    if not shared:
        return Comparison(
            arm,
            None,
            "not compared, no run has the seed, fold and world of one of the reference's",
            0,
        )
    return Comparison(arm, contrast(series_differences(arm, reference), clusters), "", shared)


def run_difference(arm: MeasuredArm, reference: MeasuredArm | None, metric: str) -> Summary:
    """The arm's run metric minus the reference's, mean ± spread over the runs that both have."""
    if reference is None or arm is reference:
        return NO_DIFFERENCE
    shared = sorted(arm.runs.keys() & reference.runs.keys(), key=str)
    return summarise(
        arm.run_metric(place, metric) - reference.run_metric(place, metric) for place in shared
    )
