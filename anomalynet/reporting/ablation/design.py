"""The design of an ablation: axes with levels, the arms at their crossings, and the reference that
all other arms are compared with."""

from __future__ import annotations

import json
from dataclasses import dataclass

from anomalynet.reporting.measures import RUN_METRICS
from anomalynet.runs.collect import RunRecord

# Metrics that are not computed from single steps, or that do not judge a model
NOT_OF_STEPS = (*RUN_METRICS, "prevalence")


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
    command: str = ""  # that makes the report again
    preset: str = ""  # of the sweep's file

    @property
    def reference(self) -> AblationArm | None:
        """The arm that the others are compared with; None if there is none."""
        return next((arm for arm in self.arms if arm.reference), None)

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


def level_text(level: object) -> str:
    """A level as a configuration shows it: `true`, `0.001`, `hybrid`."""
    return level if isinstance(level, str) else json.dumps(level)
