"""Reads the steps around example incidents: the inputs of the network, its errors and attention,
other models' scores.

A run stores explanations of some incidents, each on one series. If several runs explain an
incident, only the first run counts, with its first series. A *part* of the window is what one
attention weight is for: one or several steps that convolution and pooling have joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import EXPLANATION_COLUMNS
from anomalynet.runs.scores import read, read_test_steps, reading_once

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BEST, MIDDLE, WORST = "best", "middle", "worst"


@dataclass(frozen=True, slots=True)
class Example:
    """An incident that a run explains."""

    record: RunRecord
    incident: int
    series: str
    kind: str  # type of the incident; "" if the data has no types
    alarmed_share: float  # share of `steps` that are alarmed
    margin: float  # mean of score minus threshold over `steps`
    steps: int  # number of its scored steps on that series that are labelled as attack


def read_explanations(record: RunRecord) -> pl.DataFrame | None:
    """The explanations that a run stored, columns as in `runs/schema.py`; None without any."""
    path = RunFolder(record.folder).explanations
    if not path.is_file():
        return None
    floats = pl.col("reading", "error", "attention").cast(pl.List(pl.Float32))
    return read(path, lambda frame: frame.select(EXPLANATION_COLUMNS).with_columns(floats))


def examples(model: ArmMetrics) -> list[Example]:
    """Every incident that the counted runs of an arm explain, best-detected first."""
    found: dict[tuple[int | None, int], Example] = {}
    for record in (record for repetition in model.arm.counted for record in repetition.records):
        table = read_explanations(record)
        if table is None:
            continue
        pairs = table.select("incident", "series").unique(maintain_order=True)
        with reading_once():
            for incident, series in pairs.iter_rows():
                key = (record.result.world, incident)
                if key not in found and (example := _example(record, incident, series)):
                    found[key] = example
    return sorted(found.values(), key=lambda example: (-example.alarmed_share, -example.margin))


def _example(record: RunRecord, incident: int, series: str) -> Example | None:
    """An incident as an example; None if none of its labelled steps was scored."""
    inside = (pl.col("series") == series) & (pl.col("incident") == incident)
    scored = (pl.col("label") == 1) & pl.col("score").is_not_null()
    own = read_test_steps(record).filter(inside & scored)
    if own.is_empty():
        return None
    over = (own["score"] - own["threshold"]).to_numpy()
    share, margin = float((over >= 0).mean()), float(over.mean())
    return Example(record, incident, series, own["kind"][0] or "", share, margin, own.height)


def choose(ranked: Sequence[Example]) -> dict[str, Example]:
    """The first, the middle and the last example; fewer if there are fewer than three."""
    last, middle = len(ranked) - 1, (len(ranked) - 1) // 2
    indexes = {BEST: 0} | ({MIDDLE: middle} if middle > 0 else {}) | ({WORST: last} if last else {})
    return {name: ranked[index] for name, index in indexes.items()} if ranked else {}


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The scores of one model at the steps of a timeline."""

    title: str
    probability: bool  # whether the scores are probabilities
    scores: Floats  # (step,) NaN if the step has no score
    alarms: Bools  # (step,)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The scored steps around an incident."""

    example: Example  # the incident
    channels: tuple[str, ...]  # names of the network's inputs
    seconds: Floats  # (step,) since the incident's first step
    during: Bools  # (step,) whether the step belongs to this incident and is labelled as attack
    labelled: Bools  # (step,) whether the step is labelled as attack, in any incident
    threshold: float  # of the subject's run
    subject: ModelScores  # the network that is explained
    others: tuple[ModelScores, ...]  # other models trained with the same seed, fold and world
    reading: Floats | None  # (step, channel), in standard deviations of the training data
    error: Floats | None  # (step, channel); None if the network has no autoencoder
    # (step, part), oldest part first; None without attention, or if it weights features
    attention: Floats | None


def read_timeline(example: Example, model: ArmMetrics, models: Sequence[ArmMetrics]) -> Timeline:
    """Read the steps around an example of an arm, and the other arms' scores from runs with the
    same seed, fold, assignment, world and split."""
    table = read_explanations(example.record)
    assert table is not None
    table = table.filter(pl.col("incident") == example.incident).sort("time")
    times, record = table["time"], example.record
    steps = _steps_at(times, record, example.series)
    during = _bools((steps["incident"] == example.incident) & (steps["label"] == 1))
    first = times.filter(pl.Series(during))[0] if during.any() else times[0]
    others = []
    for other in (other for other in models if other is not model):
        for run in (run for run in other.arm.records if _identity(run) == _identity(record)):
            scores = _scores(other.arm.title, run, _steps_at(times, run, example.series))
            others += [] if np.isnan(scores.scores).all() else [scores]
    section = record.config.get("model", {})
    by_feature = isinstance(section, dict) and section.get("attention_axis") == "channel"
    return Timeline(
        example=example,
        channels=record.result.channels,
        seconds=(times - first).dt.total_microseconds().to_numpy() / 1e6,
        during=during,
        labelled=_bools(steps["label"] == 1),
        threshold=record.result.threshold,
        subject=_scores(model.arm.title, record, steps),
        others=tuple(others),
        reading=_matrix(table["reading"]),
        error=_matrix(table["error"]),
        attention=None if by_feature else _matrix(table["attention"]),
    )


def _identity(record: RunRecord) -> tuple[object, ...]:
    own = record.result
    return own.seed, own.assignment, own.fold, own.world, own.split


def _steps_at(times: pl.Series, record: RunRecord, series: str) -> pl.DataFrame:
    """The steps of a run at given times, one row per time."""
    steps = read_test_steps(record).filter(pl.col("series") == series)
    return pl.DataFrame({"time": times}).join(steps, on="time", how="left", maintain_order="left")


def _scores(title: str, record: RunRecord, steps: pl.DataFrame) -> ModelScores:
    scores = steps["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    alarms = _bools(steps["score"] >= steps["threshold"])
    return ModelScores(title, record.result.probability, scores, alarms)


def _bools(column: pl.Series) -> Bools:
    return column.fill_null(False).to_numpy().astype(np.bool_)


def _matrix(column: pl.Series) -> Floats | None:
    return None if column.null_count() else np.array(column.to_list(), dtype=np.float64)


def delay(timeline: Timeline) -> float:
    """Seconds from the incident's first step to its first alarm; NaN without an alarm."""
    alarms = timeline.during & timeline.subject.alarms
    return float(timeline.seconds[alarms][0]) if alarms.any() else math.nan


def errors(timeline: Timeline) -> dict[str, tuple[float, float]]:
    """Channel → squared error, in squared standard deviations of the training data: its means over
    the steps before the incident, and over its own; NaN if there are none."""
    if timeline.error is None:
        return {}
    nothing = [math.nan] * len(timeline.channels)
    before, during = (
        timeline.error[mask].mean(axis=0).tolist() if mask.any() else nothing
        for mask in (timeline.seconds < 0, timeline.during)
    )
    return dict(zip(timeline.channels, zip(before, during, strict=True), strict=True))
