"""Reads, checks and writes `reports/baseline.json`: the expected results per environment, the
tolerances, and the history of updates."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anomalynet.documents import read_text
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.metrics.suite import METRICS
from anomalynet.runs.codec import build, dump, parse
from anomalynet.runs.files import write_text

VERSION = 2
PARTS_OF_DATA = ("validation", "test")  # the parts of a split that have metrics
Values = dict[str, list[float | None]]
"""Quantity → its values, in the order of the pipeline; null if undefined."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Allowed differences from the baseline."""

    golden: float  # absolute and relative, for goldens in the same environment
    elsewhere: float  # the same in another environment, where sums round differently
    metrics: dict[str, float]  # statistical part: metric → largest mean loss, in its unit


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
"""Tolerances of a new baseline, later its file's; `statistical.py` has their false alarm rates."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Results of an experiment after exactly 20 optimiser steps."""

    update: int  # number, from 1, of the entry in `history` that added it
    code: str
    run: str  # id
    values: Values


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """One run of the statistical part."""

    seed: int
    fold: int
    world: int | None
    metrics: dict[str, float | None]  # by full name, null if undefined


@dataclass(frozen=True, slots=True)
class Repeated:
    """The runs of one experiment in the statistical part."""

    update: int
    code: str
    run: str  # hash of all run ids, ten hex digits
    runs: list[RunMetrics]


@dataclass(frozen=True, slots=True)
class Environment:
    """Results by experiment with one version of torch and scikit-learn and one CPU capability."""

    golden: dict[str, Golden] = field(default_factory=dict)
    statistical: dict[str, Repeated] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One update: date, commit, reason, environment, code hash, and mean metrics by experiment."""

    date: str
    commit: str | None
    reason: str
    environment: str
    code: str
    means: dict[str, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The content of the baseline file."""

    version: int
    tolerances: Tolerances
    environments: dict[str, Environment]
    history: list[Entry]


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises NothingToCompareError: it is missing; UsageError: it is damaged;
    names the key, or the line if it is not valid JSON."""
    repair = f"`git checkout -- {path}` restores the committed one; or move it away and make a "
    repair += "new one with `anomalynet check --update REASON`"
    try:
        text = read_text(path)
    except FileNotFoundError:
        hint = '`anomalynet check --update "first baseline"` makes one'
        raise NothingToCompareError(f"{path}: baseline is missing", hint) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", repair) from None
    try:
        value = parse(text, str(path))
        version = value.get("version") if isinstance(value, dict) else VERSION
        if version != VERSION:
            raise UsageError(f"{path}: version {version!r}, but this program reads {VERSION}")
        baseline: Baseline = build(Baseline, value, str(path))
        for key, problem in _problems(baseline):
            raise UsageError(f"{path}: {key}: {problem}")
    except UsageError as error:
        raise UsageError(error.message, repair) from None
    return baseline


def _problems(baseline: Baseline) -> Iterator[tuple[str, str]]:
    """(key, problem) of every value that is invalid although its type is right."""
    own = baseline.tolerances
    for name, limit in {"golden": own.golden, "elsewhere": own.elsewhere, **own.metrics}.items():
        if not limit >= 0:
            yield "tolerances", f"{name} must be at least 0, not {limit}"
    known = [f"{part}/{metric}" for part in PARTS_OF_DATA for metric in METRICS]
    for name in own.metrics:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield "tolerances.metrics", f"unknown metric {name!r}{hint}"
        elif METRICS[name.partition("/")[2]].direction is None:
            yield "tolerances.metrics", f"{name} has no direction: it describes the data"
    updates = len(baseline.history)
    for key, environment in baseline.environments.items():
        records: list[tuple[str, Golden | Repeated]] = [*environment.golden.items()]
        for experiment, record in [*records, *environment.statistical.items()]:
            if not 1 <= record.update <= updates:
                problem = f"update {record.update} is not in history (1 to {updates})"
                yield f"environments.{key}", f"{experiment}: {problem}"


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Replace the baseline file atomically. Raises UsageError: it cannot be written."""
    try:
        write_text(path, dump(baseline))
    except OSError as error:
        what = f"{path}: cannot be written: {error.strerror}"
        raise UsageError(what, "give another file with --against") from None
