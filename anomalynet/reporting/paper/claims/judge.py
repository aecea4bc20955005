"""Does a claim of the paper hold on this data? Only where the clusters of series carry it, one way
or the other.

Source: not in the paper, which gives no test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from anomalynet.metrics.kernels import confusion
from anomalynet.reporting.ablation.arms import SeriesValues, paired_differences, place_of
from anomalynet.reporting.ablation.contrasts import (
    LEVEL,
    WORSE,
    Contrast,
    SeriesKey,
    clusters,
    contrast,
    family,
)
from anomalynet.reporting.ablation.resampling import smallest_p
from anomalynet.reporting.ablation.series_scores import read_steps
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.arms import RepetitionKey
from anomalynet.reporting.measures import series_mean
from anomalynet.reporting.paper.claims.shares import share_interval

Verdict = Literal["holds", "does not hold", "no evidence"]
HOLDS: Verdict = "holds"
FAILS: Verdict = "does not hold"
OPEN: Verdict = "no evidence"
FEW = "too few"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of `claims.yaml`: either pairs or a value."""

    claim: str  # in words
    source: str  # where the paper says so
    metrics: tuple[str, ...]  # it is judged once for each
    # (better, worse) experiments; the claim holds if it holds for every pair
    beats: tuple[tuple[str, str], ...] = ()
    model: str = ""  # the experiment that must reach `value`, empty where there are pairs
    value: float = 0.0  # a share, fraction


@cache
def claims() -> tuple[Claim, ...]:
    """The rows shipped with the package."""
    file = files("anomalynet.reporting.paper.claims").joinpath("claims.yaml")
    return tuple(_claim(**row) for row in yaml.safe_load(file.read_text(encoding="utf-8")))


def _claim(
    claim: str,
    source: str,
    metrics: list[str],
    beats: Sequence[Sequence[str]] = (),
    at_least: Mapping[str, Any] | None = None,
) -> Claim:
    return Claim(
        claim=claim,
        source=source,
        metrics=tuple(metrics),
        beats=tuple((better, worse) for better, worse in beats),
        model=at_least["model"] if at_least else "",
        value=at_least["value"] / 100 if at_least else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of a report, read once."""

    # experiment → metric → the metric of each series
    values: Mapping[str, Mapping[str, SeriesValues]]
    # experiment → repetition → series → (true negatives, false positives, false negatives, true
    # positives): int64 (4,)
    counts: Mapping[str, Mapping[RepetitionKey, Mapping[SeriesKey, NDArray[np.int64]]]]
    clusters: Mapping[SeriesKey, SeriesKey]  # series → its cluster

    def contrast(self, one: str, other: str, metric: str) -> Contrast:
        """The metric of `one` minus `other`'s, over clusters of series that both tested."""
        first, second = (self.values.get(name, {}).get(metric, {}) for name in (one, other))
        return contrast(paired_differences(first, second), self.clusters)

    def cluster_counts(self, experiment: str) -> NDArray[np.int64]:
        """Counts of the experiment's decisions over each cluster that it tested: int64 (repetition,
        cluster, 4)."""
        repetitions = self.counts.get(experiment, {})
        every = (key for own in repetitions.values() for key in own)
        tested = sorted({self.clusters[key] for key in every}, key=str)
        found = np.zeros((len(repetitions), len(tested), 4), np.int64)
        for place, own in enumerate(repetitions.values()):
            for key, counts in own.items():
                found[place, tested.index(self.clusters[key])] += counts
        return found


def gather(models: Sequence[ArmMetrics], metrics: Sequence[str]) -> Evidence:
    """Read the counted runs of every experiment that has one arm; of one with several it could not
    be said which the claim is of.

    Raises: RunError: the scores of a run cannot be read.
    """
    names = [one.arm.experiment for one in models if one.arm.records]
    values: dict[str, dict[str, dict[Any, dict[SeriesKey, float]]]] = {}
    counts: dict[str, dict[RepetitionKey, dict[SeriesKey, NDArray[np.int64]]]] = {}
    touched: set[tuple[SeriesKey, int]] = set()
    for arm in (one.arm for one in models if names.count(one.arm.experiment) == 1):
        if not arm.records:
            continue
        own = values[arm.experiment] = {metric: {} for metric in metrics}
        counts[arm.experiment] = {}
        for repetition, record in ((each, one) for each in arm.counted for one in each.records):
            place, steps, world = place_of(record), read_steps(record), record.result.world
            decided = counts[arm.experiment].setdefault(repetition.key, {})
            touched |= {((world, name), number) for name, number in steps.incidents}
            for metric in metrics:
                found = steps.metric(metric, record.result.probability)
                own[metric][place] = {(world, name): value for name, value in found.items()}
            for name, part in steps.series.items():
                of = confusion(part.labels, part.scores >= part.thresholds)
                cells = of.true_negatives, of.false_positives, of.false_negatives, of.true_positives
                before = decided.get((world, name), 0)
                decided[world, name] = before + np.array(cells, np.int64)
    every = {key for own in counts.values() for decided in own.values() for key in decided}
    return Evidence(values, counts, clusters(every, sorted(touched, key=str)))


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison that a claim rests on; fractions, NaN where nothing could be computed."""

    subject: str  # experiment that the claim favours
    other: str  # the experiment it is compared with, empty where it is compared with a number
    effect: float  # mean over clusters of the difference; with a number, the value minus it
    # low, high: 95 % interval over clusters: of pairs by bootstrap, of a number by jackknife
    low: float
    high: float
    # two-sided sign-flip p over clusters; NaN with a number, where the interval decides alone
    p: float
    adjusted: float  # the same after Holm's correction over the claim's comparisons
    clusters: int  # independent units
    verdict: Verdict  # of this comparison alone
    # why nothing could be found: `FEW` clusters to reach p < 0.05 whatever the data, or a model
    # that was not run, or in several configurations
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim by one metric."""

    claim: Claim
    metric: str  # of each step's decision or score, as `metrics.suite` names it
    findings: tuple[Finding, ...]

    @property
    def measured(self) -> str:
        """The name of what was compared: a number with the model's own value, models by series."""
        return series_mean(self.metric) if self.claim.beats else self.metric

    @property
    def verdict(self) -> Verdict:
        """Holds only if every comparison does; one that goes the other way is enough against it."""
        verdicts = {finding.verdict for finding in self.findings}
        return FAILS if FAILS in verdicts else HOLDS if verdicts == {HOLDS} else OPEN

    @property
    def weakest(self) -> Finding:
        """The comparison that speaks most against the claim: one that refutes it, else one that
        leaves it open, else the smallest."""

        def order(one: Finding) -> tuple[int, float]:
            effect = math.inf if math.isnan(one.effect) else one.effect
            return (FAILS, OPEN, HOLDS).index(one.verdict), effect

        return min(self.findings, key=order)


def judge(claims: Sequence[Claim], evidence: Evidence) -> tuple[Judgement, ...]:
    """Judge every claim by each of its metrics."""
    return tuple(
        Judgement(claim, metric, (_pairs if claim.beats else _value)(claim, metric, evidence))
        for claim in claims
        for metric in claim.metrics
    )


def _pairs(claim: Claim, metric: str, evidence: Evidence) -> tuple[Finding, ...]:
    """Paired by series. That *all* are better needs no correction: each must pass by itself. That
    *any* is worse does: Holm."""
    contrasts = family([evidence.contrast(*pair, metric) for pair in claim.beats])
    found = []
    for (better, worse), one in zip(claim.beats, contrasts, strict=True):
        verdict: Verdict = OPEN
        why = "" if one.smallest < LEVEL else FEW
        if one.p < LEVEL and one.low > 0:
            verdict = HOLDS
        elif one.verdict(metric) == WORSE:
            verdict = FAILS
        if missing := [name for name in (better, worse) if name not in evidence.values]:
            why = f"{' and '.join(missing)}: no single arm"
        found.append(
            Finding(
                subject=better,
                other=worse,
                effect=one.mean,
                low=one.low,
                high=one.high,
                p=one.p,
                adjusted=one.adjusted,
                clusters=one.clusters,
                verdict=verdict,
                why=why,
            )
        )
    return tuple(found)


def _value(claim: Claim, metric: str, evidence: Evidence) -> tuple[Finding, ...]:
    """A number is reached where the whole interval is at or above it, and missed where the whole
    interval is below it."""
    counts = evidence.cluster_counts(claim.model)
    value, low, high = share_interval(metric, counts)
    verdict: Verdict = OPEN
    why = ""
    if not counts.size:
        why = f"{claim.model}: no single arm"
    elif not smallest_p(counts.shape[1]) < LEVEL:
        why = FEW
    elif math.isnan(low):
        why = "undefined"
    elif low >= claim.value:
        verdict = HOLDS
    elif high < claim.value:
        verdict = FAILS
    finding = Finding(
        subject=claim.model,
        other="",
        effect=value - claim.value,
        low=low - claim.value,
        high=high - claim.value,
        p=math.nan,
        adjusted=math.nan,
        clusters=counts.shape[1],
        verdict=verdict,
        why=why,
    )
    return (finding,)
