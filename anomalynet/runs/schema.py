"""Schemas of a run: `result.json`, columns of `scores.parquet` and `explanations.parquet`."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

RESULT_VERSION = 1
NOTE = "threshold without labels"
"""What one of a result's `warnings` begins with that only reports: alarms beside their budget."""

SCORES_COLUMNS = (
    *("series", "time", "split", "label", "incident", "kind", "score", "threshold", "alarm"),
    *("other", "visibility", "silent"),
)
"""One row per step of the validation and test parts, sorted by (split, series, time). `incident`
and `kind` describe any incident, attack or not; `label` is 1 in incidents of the positive class
(`data.label`), null in incidents of another cause unless `evaluation.other_incidents` is `normal`:
there `other` is true. `score` is null if the step was not scored (warm-up, purge); `label` is null
without a label; `alarm` is score >= threshold, null without a score. `visibility` is the largest
`visible` of the steps of an attack step's window, null elsewhere and if it is unknown. `silent`:
nothing of the step's own device was received in its whole window. `score` and `threshold` are
Float64, `alarm`, `other` and `silent` are Boolean, the other types are those of
`data/telemetry.py`."""

EXPLANATION_COLUMNS = ("incident", "series", "time", "reading", "error", "attention")
"""`explanations.parquet`: one row per scored step around some incidents of the test part. `reading`
is the last reading of each channel in standard deviations of the training part, `error` the
squared reconstruction error of each channel over the window, `attention` the weight of each part
of the window; null if the network has no such part. Lists of Float32, the rest as in
`scores.parquet`."""


@dataclass(kw_only=True, slots=True, frozen=True)
class PartSummary:
    """One part of the split, as used by the run."""

    series: tuple[str, ...]
    windows: int
    steps: int
    labelled: int  # steps with a label, attack or normal
    attack: int
    missed: int  # labelled steps without a score (warm-up of the window, purge gaps)
    missed_attack: int


@dataclass(kw_only=True, slots=True, frozen=True)
class Result:
    """`result.json`, written last and atomically: a run without it is unfinished. It contains no
    timestamps or durations, so that equal runs give equal files."""

    id: str
    experiment: str
    model: str
    data: str  # data set, with its subset: `skab`, `ton_iot/fridge`
    fingerprint: str
    channels: tuple[str, ...]  # inputs of the model, in order; the mask channel, if any, is last
    seed: int
    split: str
    """The policy that was applied, never `auto`, with its details: `blocked (interleaved ×20)`."""
    folds: int
    fold: int
    assignment: int
    parts: dict[str, PartSummary]  # train, validation, test
    epochs: int | None  # epochs run; null for models without epochs
    best_epoch: int | None  # counted from 1
    parameters: int | None
    threshold: float
    threshold_rule: str
    probability: bool  # whether the score is a probability, so that 0.5 has a meaning
    world: int | None = None  # seed of the simulated world; null for other data
    metrics: dict[str, float | None]
    """`validation/<name>` and `test/<name>`, names of `metrics/suite.py`; null if undefined."""
    warnings: tuple[str, ...] = ()
    version: int = field(default=RESULT_VERSION)


def invalid_value(result: Result) -> str:
    """`key: what is wrong` of a value that no run can have, although its type is right; empty if
    there is none."""
    parts = {f"parts.{name}": part for name, part in result.parts.items()}
    counts = {"windows", "steps", "labelled", "attack", "missed", "missed_attack"}
    numbers = {f"{at}.{name}": getattr(part, name) for at, part in parts.items() for name in counts}
    names = ("seed", "folds", "fold", "assignment", "world", "epochs", "best_epoch", "parameters")
    for key, value in (numbers | {name: getattr(result, name) for name in names}).items():
        if value is not None and not 0 <= value < 2**63:
            return f"{key}: expected a number from 0 on, not {value}"
    if "test" not in result.parts:
        return "parts: test is missing"
    if result.fold >= result.folds:
        return f"fold: expected a number below {result.folds}, not {result.fold}"
    values: dict[str, float | None] = {"threshold": result.threshold, **result.metrics}
    for key, number in values.items():
        if number is not None and not isfinite(number):
            return f"{key}: expected a finite number, not {number}"
    return ""
