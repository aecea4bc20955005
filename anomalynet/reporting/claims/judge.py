"""Does a claim hold on this data? Only where the clusters of series carry it, one way or the other.

Source: not in the paper, which gives no test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from anomalynet.reporting.ablation.contrasts import LEVEL, WORSE, Contrast, contrast, family
from anomalynet.reporting.ablation.resampling import smallest_p
from anomalynet.reporting.claims.evidence import Evidence
from anomalynet.reporting.claims.ledger import Claim
from anomalynet.reporting.claims.shares import share_interval

Verdict = Literal["holds", "does not hold", "no evidence"]
HOLDS: Verdict = "holds"
FAILS: Verdict = "does not hold"
OPEN: Verdict = "no evidence"
FEW = "too few"


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison that a claim rests on; fractions, NaN where nothing could be computed.

    Attributes:
        subject: experiment that the claim favours.
        other: the experiment it is compared with, empty where it is compared with a number.
        effect: mean over clusters of the difference; with a number, the value minus it.
        low, high: 95 % interval over clusters: of pairs by bootstrap, of a number by jackknife.
        p: two-sided sign-flip p over clusters; NaN with a number, where the interval decides alone.
        adjusted: the same after Holm's correction over the claim's comparisons.
        clusters: witnesses.
        verdict: of this comparison alone.
        why: why nothing could be found: `FEW` clusters to reach p < 0.05 whatever the data, or a
        model that was not run, or in several
            configurations.
    """

    subject: str
    other: str
    effect: float
    low: float
    high: float
    p: float
    adjusted: float
    clusters: int
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim by one metric."""

    claim: Claim
    metric: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Holds only if every comparison does; one that goes the other way is enough against it."""
        verdicts = {finding.verdict for finding in self.findings}
        return FAILS if FAILS in verdicts else HOLDS if verdicts == {HOLDS} else OPEN

    @property
    def weakest(self) -> Finding:
        """The comparison that speaks most against the claim: one that refutes it, else one that
        leaves it open, else the smallest."""
        order = (FAILS, OPEN, HOLDS)
        return min(
            self.findings,
            key=lambda one: (
                order.index(one.verdict),
                math.inf if math.isnan(one.effect) else one.effect,
            ),
        )


def judge(claims: Sequence[Claim], evidence: Evidence) -> tuple[Judgement, ...]:
    """Judge every claim by each of its metrics."""
    return tuple(
        Judgement(
            claim,
            metric,
            _pairs(claim, metric, evidence) if claim.beats else (_value(claim, metric, evidence),),
        )
        for claim in claims
        for metric in claim.metrics
    )


def _pairs(claim: Claim, metric: str, evidence: Evidence) -> tuple[Finding, ...]:
    """Paired by series. That *all* are better needs no correction: each must pass by itself. That
    *any* is worse does: Holm."""
    contrasts = family(
        [contrast(evidence.differences(*pair, metric), evidence.clusters) for pair in claim.beats]
    )
    return tuple(
        _compared(*pair, one, metric, evidence)
        for pair, one in zip(claim.beats, contrasts, strict=True)
    )


def _compared(subject: str, other: str, one: Contrast, metric: str, evidence: Evidence) -> Finding:
    missing = [name for name in (subject, other) if name not in evidence.values]
    verdict, why = OPEN, ""
    if one.p < LEVEL and one.low > 0:
        verdict = HOLDS
    elif one.verdict(metric) == WORSE:
        verdict = FAILS
    if missing:
        why = f"{' and '.join(missing)}: no single arm"
    elif not one.smallest < LEVEL:
        why = FEW
    return Finding(
        subject, other, one.mean, one.low, one.high, one.p, one.adjusted, one.clusters, verdict, why
    )


def _value(claim: Claim, metric: str, evidence: Evidence) -> Finding:
    """A number is reached where the whole interval is at or above it, and missed where the whole
    interval is below it."""
    counts = evidence.cluster_counts(claim.model)
    value, low, high = share_interval(metric, counts)
    verdict, why = OPEN, ""
    if not len(counts):
        why = f"{claim.model}: no single arm"
    elif not smallest_p(len(counts)) < LEVEL:
        why = FEW
    elif math.isnan(low):
        why = "undefined"
    elif low >= claim.value:
        verdict = HOLDS
    elif high < claim.value:
        verdict = FAILS
    effect, low, high = (one - claim.value for one in (value, low, high))
    return Finding(
        claim.model, "", effect, low, high, math.nan, math.nan, len(counts), verdict, why
    )
