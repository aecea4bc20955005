"""Which incidents a report shows, and the steps around one: what the network read, made of it and
looked at, what the other models said, and what is seen of it in numbers."""

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
from anomalynet.runs.scores import read, read_test_steps

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BEST, MIDDLE, WORST = "best", "middle", "worst"

NAMED = 2  # channels that a sentence names


@dataclass(frozen=True, slots=True)
class Example:
    """An incident that a run explains."""

    # record, incident, series: where it is
    record: RunRecord
    incident: int
    series: str
    kind: str  # type of the incident; "" where the data has none
    alarmed: float  # share of its labelled, scored steps on that series that are alarmed
    margin: float  # mean of score minus threshold over the same steps
    steps: int  # how many they are


def read_explanations(record: RunRecord) -> pl.DataFrame | None:
    """What a run kept around its incidents, columns as in `runs/schema.py`; None where it kept
    nothing.

    Raises: RunError: the file is damaged, or lacks a column.
    """
    path = RunFolder(record.folder).explanations
    return read(path, lambda frame: frame.select(EXPLANATION_COLUMNS)) if path.is_file() else None


def _read_series(record: RunRecord, series: str) -> pl.DataFrame:
    """The test steps of one series."""
    return read_test_steps(record).filter(pl.col("series") == series)


def examples(one: ArmMetrics) -> list[Example]:
    """Every incident that the counted runs of an arm explain, the one found best first."""
    found: dict[tuple[int | None, int], Example] = {}
    for record in (record for repetition in one.arm.counted for record in repetition.records):
        table = read_explanations(record)
        places = (
            []
            if table is None
            else table.select("incident", "series").unique(maintain_order=True).rows()
        )
        for incident, series in places:
            place = (record.result.world, incident)
            if place not in found and (example := _example(record, incident, series)):
                found[place] = example
    return sorted(found.values(), key=lambda example: (-example.alarmed, -example.margin))


def _example(record: RunRecord, incident: int, series: str) -> Example | None:
    """None where no labelled step of it was scored."""
    own = _read_series(record, series).filter(
        (pl.col("incident") == incident) & (pl.col("label") == 1) & pl.col("score").is_not_null()
    )
    if own.is_empty():
        return None
    over = (own["score"] - own["threshold"]).to_numpy()
    alarmed, margin = float((over >= 0).mean()), float(over.mean())
    return Example(record, incident, series, own["kind"][0] or "", alarmed, margin, own.height)


def choose(ranked: Sequence[Example]) -> dict[str, Example]:
    """The first, the middle and the last; fewer where there are fewer."""
    last, middle = len(ranked) - 1, (len(ranked) - 1) // 2
    places = {BEST: 0} | ({MIDDLE: middle} if middle > 0 else {}) | ({WORST: last} if last else {})
    return {name: ranked[place] for name, place in places.items()} if ranked else {}


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
    """The scored steps around an incident."""

    example: Example  # the incident
    channels: tuple[str, ...]  # names of what the network reads
    seconds: Floats  # (step,) since the incident's first step
    during: Bools  # (step,) bool, the incident's own steps that are labelled 1
    labelled: Bools  # (step,) bool, steps labelled 1 for whatever incident
    threshold: float  # of the subject's run
    # subject, others: scores of the network that is explained, and of other models in its place
    subject: Course
    others: tuple[Course, ...]
    # reading, error: (step, channel); None where the network has no such part
    reading: Floats | None
    error: Floats | None
    attention: Floats | None  # (step, part), oldest part of the window first
    by_feature: bool  # whether attention weighs features instead of steps

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
    times, record = table["time"], example.record
    steps = _at(times, record, example.series)
    during = _bools((steps["incident"] == example.incident) & (steps["label"] == 1))
    first = times.filter(pl.Series(during))[0] if during.any() else times[0]
    others = []
    for other in (other for other in models if other is not one):
        for its in (its for its in other.arm.records if _place(its) == _place(record)):
            course = _course(other.arm.title, its, _at(times, its, example.series))
            others += [] if np.isnan(course.scores).all() else [course]
    model = record.config.get("model", {})
    return Timeline(
        example=example,
        channels=record.result.channels,
        seconds=(times - first).dt.total_microseconds().to_numpy() / 1e6,
        during=during,
        labelled=_bools(steps["label"] == 1),
        threshold=record.result.threshold,
        subject=_course(one.arm.title, record, steps),
        others=tuple(others),
        reading=_matrix(table["reading"]),
        error=_matrix(table["error"]),
        attention=_matrix(table["attention"]),
        by_feature=isinstance(model, dict) and model.get("attention_axis") == "channel",
    )


def _place(record: RunRecord) -> tuple[object, ...]:
    own = record.result
    return own.seed, own.assignment, own.fold, own.world, own.split


def _at(times: pl.Series, record: RunRecord, series: str) -> pl.DataFrame:
    """The steps of a run at given times, one row each."""
    steps = _read_series(record, series)
    return pl.DataFrame({"time": times}).join(steps, on="time", how="left", maintain_order="left")


def _course(title: str, record: RunRecord, steps: pl.DataFrame) -> Course:
    scores = steps["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    alarms = _bools(steps["score"] >= steps["threshold"])
    return Course(title, record.result.probability, scores, alarms)


def _bools(column: pl.Series) -> Bools:
    return column.fill_null(False).to_numpy().astype(np.bool_)


def _matrix(column: pl.Series) -> Floats | None:
    return None if column.null_count() else np.array(column.to_list(), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is seen on a timeline: means over the steps before the incident and over its own; NaN
    where there are none."""

    alarmed: float  # share of the incident's steps that are alarmed
    delay: float  # seconds from its first step to its first alarm; NaN without an alarm
    # channel → squared error before and during, in deviations of the training part squared
    error: dict[str, tuple[float, float]]
    # newest, parts: attention is summed over the newest quarter of the parts of the window
    newest: int
    parts: int
    attention: tuple[float, float]  # share of attention on that quarter before and during


def numbers(line: Timeline) -> Numbers:
    """Compute them from a timeline."""
    alarms = line.during & line.subject.alarms
    delay = float(line.seconds[alarms][0]) if alarms.any() else math.nan
    error: dict[str, tuple[float, float]] = {}
    if line.error is not None:
        means = _both(line, line.error).T.tolist()
        error = dict(zip(line.channels, map(tuple, means), strict=True))
    parts = newest = 0
    looked = np.full(2, np.nan)
    if line.attention is not None and not line.by_feature:
        parts = line.attention.shape[1]
        newest = max(1, round(parts / 4))
        looked = _both(line, line.attention[:, parts - newest :].sum(axis=1))
    attention = (float(looked[0]), float(looked[1]))
    return Numbers(line.example.alarmed, delay, error, newest, parts, attention)


def _both(line: Timeline, values: Floats) -> Floats:
    """Mean over the steps before the incident, and over its own: (2, …)."""
    nothing = np.full(values.shape[1:], np.nan)
    parts = (line.before, line.during)
    return np.stack([values[part].mean(axis=0) if part.any() else nothing for part in parts])


def sentence(line: Timeline, found: Numbers) -> str:
    """What the figure shows, no more."""
    shown = int(line.during.sum())
    cut = f" (the first {shown} are shown)" if shown < line.example.steps else ""
    told = [
        f"{100 * found.alarmed:.0f} % of its {line.example.steps} scored steps{cut} are alarmed"
    ]
    if not math.isnan(found.delay):
        told[0] += f", the first {found.delay:g} s after its first scored step"
    rises = {
        name: after - before for name, (before, after) in found.error.items() if after > before
    }
    highest = sorted(rises, key=lambda name: -rises[name])[:NAMED]
    if highest:
        pairs = (
            f"{name} ({before:.3g} → {after:.3g})"
            for name in highest
            for before, after in [found.error[name]]
        )
        told.append(
            f"from before to during the incident the error rose most in {' and '.join(pairs)}"
        )
    elif found.error and not any(math.isnan(before) for before, _ in found.error.values()):
        told.append("no channel's error rose")
    before, during = found.attention
    if not math.isnan(during):
        part = f"the newest {found.newest} of {found.parts} parts of the window"
        known = "" if math.isnan(before) else f" (before: {100 * before:.0f} %)"
        told.append(f"{100 * during:.0f} % of the attention falls on {part}{known}")
    return f"{'; '.join(told)}."
