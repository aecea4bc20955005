"""`reports/baseline.json`: what the code last proved, on which machines, with which tolerances, and
how it came there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.metrics.suite import METRICS
from anomalynet.runs.codec import build, dump, parse
from anomalynet.runs.files import write_text

VERSION = 2

PARTS_OF_DATA = ("validation", "test")
"""Those that have metrics."""

Values = dict[str, list[float | None]]
"""Quantity → its values, in the order of the pipeline; null where undefined."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far a number may lie from the baseline's."""

    golden: float  # absolute and relative, for goldens of the same environment
    elsewhere: float  # the same for another environment, whose kernels add in another order
    metrics: dict[str, float]
    """Of the statistical part: metric → the mean loss that is no regression yet, in its unit."""


DEFAULTS = Tolerances(
    golden=1e-5,
    elsewhere=1e-3,
    metrics={
        "test/average_precision": 0.03,
        "test/auroc": 0.03,
        "test/f1_attack": 0.03,
        "test/false_alarms_per_device_day": 10.0,
    },
)
"""Of a first baseline; from then on those that stand in the file. What they leave of false alarms:
`statistical.py`."""


@dataclass(frozen=True, slots=True)
class Golden:
    """An experiment after exactly 20 optimiser steps. `update` is the number of the entry in
    `history` that brought it, from 1."""

    update: int
    code: str
    run: str
    values: Values


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """One run of the statistical part; `metrics` by full name, null where undefined."""

    seed: int
    fold: int
    world: int | None
    metrics: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The runs of one experiment in the statistical part; `run` stands for the ids of all, ten hex
    digits."""

    update: int
    code: str
    run: str
    runs: list[RunMetrics]


@dataclass(frozen=True, slots=True)
class Environment:
    """What was measured under one version of torch and of scikit-learn and one CPU capability, by
    experiment."""

    golden: dict[str, Golden] = field(default_factory=dict)
    statistical: dict[str, Repeated] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One update: when (a date), at which commit, why, where, by which code, and the metrics' means
    by experiment."""

    date: str
    commit: str | None
    reason: str
    environment: str
    code: str
    means: dict[str, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The whole file."""

    version: int
    tolerances: Tolerances
    environments: dict[str, Environment]
    history: list[Entry]


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises NothingToCompareError: there is none; UsageError: it is damaged; says
    where, with the line where it is no JSON."""
    repair = (
        f"`git checkout -- {path}` brings the committed one back; `anomalynet check --update "
        "REASON` makes another once it is moved away"
    )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = '`anomalynet check --update "first baseline"` makes one'
        raise NothingToCompareError(f"{path}: there is no baseline", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", repair) from None
    try:
        value = parse(text, str(path))
        version = value.get("version") if isinstance(value, dict) else VERSION
        if version != VERSION:
            told = f"its version is {version!r}, this program reads {VERSION}"
            raise UsageError(f"{path}: {told}")
        baseline: Baseline = build(Baseline, value, str(path))
        for place, problem in _problems(baseline):
            raise UsageError(f"{path}: {place}: {problem}")
    except UsageError as error:
        raise UsageError(error.message, repair) from None
    return baseline


def _problems(baseline: Baseline) -> Iterator[tuple[str, str]]:
    """(place, what types alone do not say)."""
    own = baseline.tolerances
    for name, limit in {"golden": own.golden, "elsewhere": own.elsewhere, **own.metrics}.items():
        if not limit >= 0:
            yield "tolerances", f"{name} must be at least 0, not {limit}"
    known = [f"{part}/{metric}" for part in PARTS_OF_DATA for metric in METRICS]
    for name in own.metrics:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield "tolerances.metrics", f"there is no metric {name!r}{hint}"
        elif METRICS[name.partition("/")[2]].direction is None:
            told = f"{name} describes the data, and is neither better nor worse"
            yield "tolerances.metrics", told
    updates = len(baseline.history)
    for key, environment in baseline.environments.items():
        records: list[tuple[str, Golden | Repeated]] = [*environment.golden.items()]
        for experiment, record in [*records, *environment.statistical.items()]:
            if not 1 <= record.update <= updates:
                told = f"update {record.update} is none of the {updates} in history"
                yield f"environments.{key}", f"{experiment}: {told}"


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Replace the file whole."""
    try:
        write_text(path, dump(baseline))
    except OSError as error:
        told = f"{path}: cannot be written: {error.strerror}"
        raise UsageError(told, "--against names another file") from None
