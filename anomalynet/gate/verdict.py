"""From trained runs to findings, and from findings to what the gate says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anomalynet.gate import golden, statistical
from anomalynet.gate.baseline import Baseline, Golden, Repeated, RunMetrics, Values
from anomalynet.gate.environment import match
from anomalynet.gate.finding import (
    FAILED,
    GONE,
    NEW,
    OTHER_RUN,
    REGRESSION,
    UNTESTABLE,
    Finding,
    noted,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was trained just now.

    Attributes:
        environment: of `key_of`.
        code: hash of the code that decides results.
        commit: None outside a checkout, `+` where it was changed.
        golden: experiment → (id of its run, values).
        statistical: experiment → (digest of its runs' ids, its runs).
        failed: runs that gave nothing.
    """

    environment: str
    code: str
    commit: str | None
    golden: Mapping[str, tuple[str, Values]]
    statistical: Mapping[str, tuple[str, Sequence[RunMetrics]]]
    failed: Sequence[Finding]


def findings(measured: Measured, baseline: Baseline) -> list[Finding]:
    """Every comparison of what was measured with the baseline, goldens first, each experiment in
    the order of its sweep.

    Args:
        measured: of this code.
        baseline: which lacks none of the experiments.
    """
    found = list(measured.failed)
    limits = baseline.tolerances
    for name, (run, values) in measured.golden.items():
        one = match(
            {
                key: own.golden[name]
                for key, own in baseline.environments.items()
                if name in own.golden
            },
            measured.environment,
        )
        if one is None:
            found.append(Finding("golden", name, "all values", NEW))
            continue
        found += golden.compare(name, one.record, values, limits, run, "" if one.exact else one.key)
    for name, (run, runs) in measured.statistical.items():
        other = match(
            {
                key: own.statistical[name]
                for key, own in baseline.environments.items()
                if name in own.statistical
            },
            measured.environment,
        )
        for metric, tolerance in limits.metrics.items():
            if other is None:
                found.append(Finding("statistical", name, metric, NEW))
                continue
            one_finding = statistical.compare(name, metric, other.record.runs, runs, tolerance)
            if run != other.record.run:
                one_finding = noted(one_finding, OTHER_RUN)
            found.append(one_finding if other.exact else noted(one_finding, f"against {other.key}"))
    return found


def exit_code(found: Sequence[Finding]) -> int:
    """3 with a regression, else 1 with a failed run, else 4 where something, or everything, could
    not be compared, else 0."""
    verdicts = {finding.verdict for finding in found}
    if REGRESSION in verdicts:
        return 3
    if FAILED in verdicts:
        return 1
    return 4 if verdicts & {GONE, NEW} or verdicts <= {UNTESTABLE} else 0


def record(measured: Measured, update: int) -> tuple[dict[str, Golden], dict[str, Repeated]]:
    """What was measured as a baseline keeps it, of the update of this number."""
    goldens = {
        name: Golden(update, measured.code, run, values)
        for name, (run, values) in measured.golden.items()
    }
    repeated = {
        name: Repeated(update, measured.code, run, list(runs))
        for name, (run, runs) in measured.statistical.items()
    }
    return goldens, repeated
