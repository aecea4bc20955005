"""The result of comparing one number with the baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Part = Literal["golden", "statistical"]
REGRESSION, IMPROVEMENT = "regression", "improvement"
SAME, NO_EVIDENCE = "same", "no evidence of a change"
INSUFFICIENT_DATA, MISSING = "cannot be tested", "missing"
NEW, FAILED = "not in the baseline", "failed"
OTHER_RUN = "its configuration or data also changed"  # note where the runs have different ids


@dataclass(frozen=True, slots=True)
class Finding:
    """A metric of an experiment before and now: its mean, or a golden's most different value."""

    part: Part
    experiment: str
    metric: str  # or a quantity of a golden, such as `train/loss by epoch`
    verdict: str  # one of the verdicts above
    before: float | None = None
    now: float | None = None
    low: float | None = None  # 95 % interval of the difference, if known
    high: float | None = None
    tolerance: float | None = None  # allowed difference
    note: str = ""  # additional information

    @property
    def difference(self) -> float | None:
        """The value now minus the value before."""
        return None if self.before is None or self.now is None else self.now - self.before

    def sentence(self) -> str:
        """Text for a message: experiment, metric, size, verdict, note."""
        size, note = "", f" ({self.note})" if self.note else ""
        if self.difference is not None:
            facts = [f"{self.difference:+.3g}"]
            facts += [f"interval {interval(self)}"] if self.low is not None else []
            facts += [f"tolerance {self.tolerance:g}"] if self.tolerance is not None else []
            size = f" {number(self.before)} → {number(self.now)} ({', '.join(facts)})"
        return f"{self.experiment}: {self.metric}{size}: {self.verdict}{note}"


def noted(finding: Finding, note: str) -> Finding:
    """A finding with a further note."""
    return replace(finding, note="; ".join(filter(None, [finding.note, note])))


def number(value: float | None) -> str:
    """A value with five digits; `undefined` for None."""
    return "undefined" if value is None else f"{value:.5g}"


def interval(finding: Finding) -> str:
    """The interval of a finding as `[low, high]`; empty without one."""
    if finding.low is None or finding.high is None:
        return ""
    return f"[{finding.low:+.3g}, {finding.high:+.3g}]"
