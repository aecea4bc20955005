"""Compares trained runs with the matching records of the baseline, and chooses the exit code; or
adds them to the baseline, which keeps the results of other environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from anomalynet.errors import RunError
from anomalynet.regression import finding, golden, statistical
from anomalynet.regression.baseline import (
    DEFAULTS,
    VERSION,
    Baseline,
    Entry,
    Environment,
    Golden,
    Repeated,
    RunMetrics,
    Values,
    write_baseline,
)
from anomalynet.regression.finding import Finding, Part, noted

R = TypeVar("R", Golden, Repeated)


@dataclass(frozen=True, slots=True)
class Measured:
    """Results of the runs that were just trained, by experiment."""

    environment: str  # as `measure.key_of` writes it
    code: str  # hash of the code that affects results
    commit: str | None  # None outside a checkout; ends in `+` with uncommitted changes
    golden: Mapping[str, tuple[str, Values]]  # id of its run, values
    statistical: Mapping[str, tuple[str, Sequence[RunMetrics]]]  # digest of its runs' ids, its runs
    failed: Sequence[Finding]  # failed runs


def match(records: Mapping[str, R], key: str) -> tuple[R, str] | None:
    """The record to compare with, and its environment if that is not `key`, else an empty text.
    `records`: of one experiment, by environment.

    Only records with the code, configuration and data of the latest update are candidates: older
    ones do not describe the current code. Among them the same environment is preferred; then the
    same torch, scikit-learn, CPU capability, and the latest update. None without records."""
    if not records:
        return None
    last = max(records.values(), key=lambda record: record.update)
    like = (last.code, last.run)
    candidates = {name: one for name, one in records.items() if (one.code, one.run) == like}

    def nearness(name: str) -> tuple[list[bool], int, str]:
        shared = [part in name.split(", ") for part in key.split(", ")]
        return shared, candidates[name].update, name

    chosen = max(candidates, key=nearness)
    return candidates[chosen], "" if chosen == key else chosen


def findings(measured: Measured, baseline: Baseline) -> list[Finding]:
    """All comparisons with the baseline: goldens first, experiments in the order of their sweep."""
    found, limits = list(measured.failed), baseline.tolerances
    stored, here = baseline.environments.items(), measured.environment
    for name, (run, values) in measured.golden.items():
        goldens = {key: own.golden[name] for key, own in stored if name in own.golden}
        one = match(goldens, here)
        if one is None:
            found.append(Finding("golden", name, "all values", finding.NEW))
        else:
            found += golden.compare(name, one[0], values, limits, run, elsewhere=one[1])
    for name, (run, runs) in measured.statistical.items():
        repeated = {key: own.statistical[name] for key, own in stored if name in own.statistical}
        other = match(repeated, here)
        for metric, tolerance in limits.metrics.items():
            if other is None:
                found.append(Finding("statistical", name, metric, finding.NEW))
                continue
            record, elsewhere = other
            new = statistical.compare(name, metric, record.runs, runs, tolerance)
            new = new if run == record.run else noted(new, finding.OTHER_RUN)
            found.append(noted(new, f"against {elsewhere}") if elsewhere else new)
    return found


def exit_code(found: Sequence[Finding]) -> int:
    """3 with a regression; else 1 if a run failed; 4 if anything is not compared; else 0."""
    verdicts = {one.verdict for one in found}
    if finding.REGRESSION in verdicts:
        return 3
    if finding.FAILED in verdicts:
        return 1
    lacking = verdicts & {finding.MISSING, finding.NEW}
    return 4 if lacking or verdicts <= {finding.INSUFFICIENT_DATA} else 0


def update_baseline(
    path: Path,
    old: Baseline | None,
    measured: Measured,
    reason: str,
    complete: Mapping[Part, Iterable[str]],
) -> int:
    """Write a baseline with one more update, and return that update's number. `complete`: see
    `add_update`. Raises RunError: a run failed."""
    if measured.failed:
        reasons = "\n".join(failure.sentence() for failure in measured.failed)
        raise RunError(reasons, f"{path} was not changed")
    new = add_update(old, measured, reason, f"{datetime.now(UTC):%Y-%m-%d}", complete)
    write_baseline(path, new)
    return len(new.history)


def add_update(
    baseline: Baseline | None,
    measured: Measured,
    reason: str,
    date: str,
    complete: Mapping[Part, Iterable[str]],
) -> Baseline:
    """A baseline with one more update. New results replace those of the same experiment and
    environment. `complete`: part → all experiments that it has now; others are removed from the
    baseline, and parts that are missing here are not changed."""
    old = baseline or Baseline(VERSION, DEFAULTS, {}, [])
    update, code, here = len(old.history) + 1, measured.code, measured.environment
    goldens = {
        name: Golden(update=update, code=code, run=run, values=values)
        for name, (run, values) in measured.golden.items()
    }
    repeated = {
        name: Repeated(update=update, code=code, run=run, runs=[*runs])
        for name, (run, runs) in measured.statistical.items()
    }
    before = old.environments.get(here, Environment())
    now = Environment(golden=before.golden | goldens, statistical=before.statistical | repeated)
    environments = {
        key: Environment(
            _kept(one.golden, complete.get("golden")),
            _kept(one.statistical, complete.get("statistical")),
        )
        for key, one in sorted({**old.environments, here: now}.items())
    }
    means = {name: statistical.means(runs) for name, (_, runs) in measured.statistical.items()}
    entry = Entry(date, measured.commit, reason, here, code, means)
    return Baseline(VERSION, old.tolerances, environments, [*old.history, entry])


def _kept(records: Mapping[str, R], names: Iterable[str] | None) -> dict[str, R]:
    """The records of the experiments `names`, sorted by name; all if `names` is None."""
    if names is None:
        return dict(records)
    return {name: records[name] for name in sorted(records.keys() & set(names))}
