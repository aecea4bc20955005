"""What a figure of one axis shows: the metric at each level, the other axes held or averaged alike
for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anomalynet.reporting.ablation.arms import MeasuredArm
from anomalynet.reporting.ablation.design import Ablation, Crossing
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.arms import RepetitionKey


@dataclass(frozen=True, slots=True)
class Point:
    """A level of an axis, or an arm outside the axes that sets it.

    Attributes:
        label: the level, or the arm's name.
        values: of each repetition, averaged over the arms that are shown here; NaN where it is
        undefined. reference: whether this is the reference's level. extra: whether this is an arm
        outside the axes. incomplete: whether an arm that is shown here lacks runs.
    """

    label: str
    values: Mapping[RepetitionKey, float]
    reference: bool = False
    extra: bool = False
    incomplete: bool = False

    @property
    def summary(self) -> Summary:
        """Mean ± spread over repetitions."""
        return summarise(self.values.values())


@dataclass(frozen=True, slots=True)
class AxisView:
    """The points of one axis.

    Attributes:
        axis: dotted key.
        points: the levels in order, then arms outside the axes.
        shown: arms that the points are made from.
        combinations: of the other axes' levels, that each level is averaged over.
        balanced: whether these are the same for every level that has been run.
    """

    axis: str
    points: tuple[Point, ...]
    shown: tuple[MeasuredArm, ...]
    combinations: int
    balanced: bool


def axis_view(ablation: Ablation, axis: str, arms: Sequence[MeasuredArm], metric: str) -> AxisView:
    """Average each level over the combinations of other levels that every level has been run in;
    one at a time, that is the reference's."""
    place = list(ablation.axes).index(axis)
    measured = {arm.name: arm for arm in arms}
    by_level: dict[str, dict[Crossing, MeasuredArm]] = {
        level: {} for level in ablation.levels(axis)
    }
    for crossing, design in ablation.crossings.items():
        if measured[design.name].runs:
            by_level[crossing[place]][(*crossing[:place], *crossing[place + 1 :])] = measured[
                design.name
            ]
    run = [own for own in by_level.values() if own]
    shared = set.intersection(*(set(own) for own in run)) if run else set()
    usual, points, shown = ablation.usual(axis), [], []
    for level, own in by_level.items():
        group = [arm for rest, arm in sorted(own.items()) if rest in shared or not shared]
        points.append(
            Point(
                level,
                _averaged(group, metric),
                reference=level == usual,
                incomplete=_lacking(group),
            )
        )
        shown += group
    for arm in arms:
        if not arm.design.on_axes and axis in arm.design.levels:
            points.append(
                Point(arm.name, _averaged([arm], metric), extra=True, incomplete=_lacking([arm]))
            )
            shown.append(arm)
    return AxisView(axis, tuple(points), tuple(shown), len(shared), bool(shared) or not run)


def _lacking(arms: Sequence[MeasuredArm]) -> bool:
    return any(not arm.complete for arm in arms)


def _averaged(arms: Sequence[MeasuredArm], metric: str) -> dict[RepetitionKey, float]:
    """Mean over the arms, of each repetition that all of them have."""
    values = [arm.metrics.values for arm in arms]
    keys = set.intersection(*(set(own) for own in values)) if values else set()
    return {
        key: sum(own[key][metric] for own in values) / len(values) for key in sorted(keys, key=str)
    }
