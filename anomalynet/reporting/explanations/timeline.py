"""The steps around one incident: what the network read, made of it and looked at, and what the
other models said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.explanations.examples import Example, read_explanations, read_series
from anomalynet.runs.collect import RunRecord

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Course:
    """Scores of one model at the steps of a timeline, float64 (step,), NaN where it has none, and
    where they are alarms."""

    title: str
    probability: bool
    scores: Floats
    alarms: Bools


@dataclass(frozen=True, slots=True)
class Timeline:
    """The scored steps around an incident.

    Attributes:
        example: the incident.
        channels: names of what the network reads.
        seconds: (step,) since the incident's first step.
        during: (step,) bool, the incident's own steps that are labelled 1.
        labelled: (step,) bool, steps labelled 1 for whatever incident.
        threshold: of the subject's run.
        subject, others: scores of the network that is explained, and of other models in the same
        place. reading, error: (step, channel); None where the network has no such part. attention:
        (step, part), oldest part of the window first. by_feature: whether attention weighs features
        instead of steps.
    """

    example: Example
    channels: tuple[str, ...]
    seconds: Floats
    during: Bools
    labelled: Bools
    threshold: float
    subject: Course
    others: tuple[Course, ...]
    reading: Floats | None
    error: Floats | None
    attention: Floats | None
    by_feature: bool

    @property
    def before(self) -> Bools:
        """(step,) bool, the steps before the incident."""
        return self.seconds < 0


def timeline(example: Example, one: ArmMetrics, models: Sequence[ArmMetrics]) -> Timeline:
    """Read the steps around an example of an arm, and the other arms' scores of the same seed,
    fold, assignment and world."""
    table = read_explanations(example.record)
    assert table is not None
    table = table.filter(pl.col("incident") == example.incident).sort("time")
    times = table["time"]
    steps = _at(times, example.record, example.series)
    during = _bools((steps["incident"] == example.incident) & (steps["label"] == 1))
    first = times.filter(pl.Series(during))[0] if during.any() else times[0]
    model = example.record.config.get("model", {})
    return Timeline(
        example=example,
        channels=example.record.result.channels,
        seconds=(times - first).dt.total_microseconds().to_numpy() / 1e6,
        during=during,
        labelled=_bools(steps["label"] == 1),
        threshold=example.record.result.threshold,
        subject=_course(one.arm.title, example.record, steps),
        others=tuple(_others(example, times, [other for other in models if other is not one])),
        reading=_matrix(table["reading"]),
        error=_matrix(table["error"]),
        attention=_matrix(table["attention"]),
        by_feature=isinstance(model, dict) and model.get("attention_axis") == "channel",
    )


def _at(times: pl.Series, record: RunRecord, series: str) -> pl.DataFrame:
    """The steps of a run at given times, one row each."""
    return pl.DataFrame({"time": times}).join(
        read_series(record, series), on="time", how="left", maintain_order="left"
    )


def _others(example: Example, times: pl.Series, models: Sequence[ArmMetrics]) -> list[Course]:
    own = example.record.result
    place = (own.seed, own.assignment, own.fold, own.world, own.split)
    found = []
    for other in models:
        for record in other.arm.records:
            its = record.result
            if (its.seed, its.assignment, its.fold, its.world, its.split) == place:
                course = _course(other.arm.title, record, _at(times, record, example.series))
                found += [] if np.isnan(course.scores).all() else [course]
    return found


def _course(title: str, record: RunRecord, steps: pl.DataFrame) -> Course:
    alarms = _bools(steps["score"] >= steps["threshold"])
    return Course(
        title,
        record.result.probability,
        steps["score"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        alarms,
    )


def _bools(column: pl.Series) -> Bools:
    return column.fill_null(False).to_numpy().astype(np.bool_)


def _matrix(column: pl.Series) -> Floats | None:
    return None if column.null_count() else np.array(column.to_list(), dtype=np.float64)
