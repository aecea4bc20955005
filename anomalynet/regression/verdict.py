"""Compares trained runs with the matching records of the baseline, and chooses the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from anomalynet.regression import golden, statistical
from anomalynet.regression.baseline import Baseline, Golden, Repeated, RunMetrics, Values
from anomalynet.regression.finding import (
    FAILED,
    INSUFFICIENT_DATA,
    MISSING,
    NEW,
    OTHER_RUN,
    REGRESSION,
    Finding,
    noted,
)

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


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """The record of the baseline that is compared with."""

    record: R
    key: str  # its environment
    exact: bool  # whether that is the requested environment


def match(records: Mapping[str, R], key: str) -> Match[R] | None:
    """The record to compare with. `records`: of one experiment, by environment.

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
    return Match(candidates[chosen], chosen, chosen == key)


def findings(measured: Measured, baseline: Baseline) -> list[Finding]:
    """All comparisons with the baseline: goldens first, experiments in the order of their sweep."""
    found, limits = list(measured.failed), baseline.tolerances
    stored, here = baseline.environments.items(), measured.environment
    for name, (run, values) in measured.golden.items():
        goldens = {key: own.golden[name] for key, own in stored if name in own.golden}
        one = match(goldens, here)
        if one is None:
            found.append(Finding("golden", name, "all values", NEW))
        else:
            elsewhere = "" if one.exact else one.key
            found += golden.compare(name, one.record, values, limits, run, elsewhere)
    for name, (run, runs) in measured.statistical.items():
        repeated = {key: own.statistical[name] for key, own in stored if name in own.statistical}
        other = match(repeated, here)
        for metric, tolerance in limits.metrics.items():
            if other is None:
                found.append(Finding("statistical", name, metric, NEW))
                continue
            new = statistical.compare(name, metric, other.record.runs, runs, tolerance)
            new = new if run == other.record.run else noted(new, OTHER_RUN)
            found.append(new if other.exact else noted(new, f"against {other.key}"))
    return found


def exit_code(found: Sequence[Finding]) -> int:
    """3 with a regression; else 1 if a run failed; 4 if anything is not compared; else 0."""
    verdicts = {finding.verdict for finding in found}
    if REGRESSION in verdicts:
        return 3
    if FAILED in verdicts:
        return 1
    return 4 if verdicts & {MISSING, NEW} or verdicts <= {INSUFFICIENT_DATA} else 0
