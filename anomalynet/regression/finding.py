"""What the gate says of one number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Part = Literal["golden", "statistical"]
PARTS: tuple[Part, ...] = ("golden", "statistical")

REGRESSION, IMPROVEMENT = "regression", "improvement"
SAME, NO_EVIDENCE = "same", "no evidence of a change"
UNTESTABLE, GONE, NEW, FAILED = "cannot be tested", "gone", "not in the baseline", "failed"

OTHER_RUN = "its configuration or data changed, too"
"""Note of a comparison of runs whose ids differ."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One experiment and metric, then and now: means, or of a golden with several values the one
    that differs most."""

    part: Part
    experiment: str
    metric: str  # of a golden a quantity such as `train/loss by epoch`
    verdict: str  # one of this module's words
    before: float | None = None
    now: float | None = None
    low: float | None = None  # 95 % interval of the difference, where there is one
    high: float | None = None
    tolerance: float | None = None  # what was allowed
    note: str = ""  # what else a reader must know

    @property
    def difference(self) -> float | None:
        """Now less before."""
        return None if self.before is None or self.now is None else self.now - self.before

    def sentence(self) -> str:
        """For a message: experiment, metric and size."""
        size = note = ""
        if self.difference is not None:
            facts = [f"{self.difference:+.3g}"]
            facts += [f"interval {interval(self)}"] if self.low is not None else []
            facts += [f"tolerance {self.tolerance:g}"] if self.tolerance is not None else []
            size = f" {number(self.before)} → {number(self.now)} ({', '.join(facts)})"
        if self.note:
            note = f" ({self.note})"
        return f"{self.experiment}: {self.metric}{size}: {self.verdict}{note}"


def noted(finding: Finding, note: str) -> Finding:
    """A finding with something more to know."""
    return replace(finding, note="; ".join(filter(None, [finding.note, note])))


def number(value: float | None) -> str:
    """A value with five digits; `undefined` for none."""
    return "undefined" if value is None else f"{value:.5g}"


def interval(finding: Finding) -> str:
    """`[low, high]`, empty where there is none."""
    if finding.low is None or finding.high is None:
        return ""
    return f"[{finding.low:+.3g}, {finding.high:+.3g}]"
