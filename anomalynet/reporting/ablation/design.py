"""The design of an ablation: axes with levels, the arms at their crossings, and the reference that
all other arms are compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from anomalynet.errors import UsageError
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.measures import RUN_METRICS
from anomalynet.runs.collect import RunRecord

# Metrics that are not computed from single steps, or that do not judge a model
NOT_OF_STEPS = (*RUN_METRICS, "prevalence")

Crossing = tuple[str, ...]  # a level of each axis, as text, in the order of the axes


@dataclass(frozen=True, slots=True)
class AblationArm:
    """One configuration of a sweep."""

    name: str  # unique label, such as `model.attention=false`
    # the level of every axis; outside the axes only the keys that it sets
    levels: dict[str, object]
    on_axes: bool  # False for an arm that is not a point of the axes, such as one of equal size
    reference: bool  # whether the others are compared with it
    records: tuple[RunRecord, ...]  # finished runs, in any order
    expected: int  # number of runs that the sweep wants
    failed: int = 0  # number of runs that failed

    def level(self, axis: str) -> str | None:
        """Its level of an axis as text, None if it sets none."""
        return level_text(self.levels[axis]) if axis in self.levels else None


@dataclass(frozen=True, slots=True)
class Ablation:
    """A sweep that measures the contribution of a part or a setting."""

    name: str  # the sweep's
    question: str  # one line
    design: str  # `one_at_a_time` or `factorial`
    axes: dict[str, list[object]]  # dotted key → levels, in order
    metric: str  # `test/` and the name of a metric that is computed from single steps
    arms: tuple[AblationArm, ...]  # in the order of the tables

    @property
    def measured(self) -> str:
        """The metric without `test/`.

        Raises: UsageError: not a test metric, or not computed from single steps.
        """
        part, _, name = self.metric.partition("/")
        known = [metric for metric in METRICS if metric not in NOT_OF_STEPS]
        if part != "test" or name not in known:
            what = f"{self.name}: arms cannot be compared by {self.metric!r}"
            raise UsageError(what, f"choose test/ and one of {', '.join(known)}")
        return name

    @property
    def reference(self) -> AblationArm | None:
        """The arm that the others are compared with; None if there is none.

        Raises: UsageError: several arms are marked as the reference.
        """
        found = [arm for arm in self.arms if arm.reference]
        if len(found) > 1:
            names = ", ".join(arm.name for arm in found)
            raise UsageError(
                f"{self.name}: several arms are the reference: {names}", "name one of them"
            )
        return found[0] if found else None

    def levels(self, axis: str) -> list[str]:
        """Levels of an axis as text, in its order. A level of the reference that the axis does not
        list comes first; other levels that only arms have come last."""
        listed = [level_text(level) for level in self.axes[axis]]
        usual = self.usual(axis)
        first = [] if usual is None or usual in listed else [usual]
        used = [level for arm in self.arms if arm.on_axes and (level := arm.level(axis))]
        return list(dict.fromkeys([*first, *listed, *used]))

    def usual(self, axis: str) -> str | None:
        """The reference's level of an axis as text."""
        return self.reference.level(axis) if self.reference else None

    @property
    def crossings(self) -> Mapping[Crossing, AblationArm]:
        """The arms on the axes by their levels."""
        return {
            tuple(level_text(arm.levels[axis]) for axis in self.axes): arm
            for arm in reversed(self.arms)
            if arm.on_axes
        }


def level_text(level: object) -> str:
    """A level as a configuration shows it: `true`, `0.001`, `hybrid`."""
    return level if isinstance(level, str) else json.dumps(level)
