"""The section "The paper's claims": judges which of them hold on this data. A claim is confirmed or
refuted only if enough clusters of series support that.

Source: not in the paper, which gives no test."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from anomalynet.metrics.kernels import NAN, Confusion, decision_metrics, ratio
from anomalynet.metrics.suite import PAPER_PREVALENCE
from anomalynet.reporting.ablation.arms import (
    IncidentKey,
    SeriesValues,
    by_series,
    paired_differences,
)
from anomalynet.reporting.ablation.contrasts import (
    LEVEL,
    WORSE,
    Contrast,
    SeriesKey,
    clusters,
    contrast,
    family,
    smallest_p,
)
from anomalynet.reporting.ablation.tables import p_text, signed
from anomalynet.reporting.aggregate import ArmMetrics, jackknife, summarise
from anomalynet.reporting.arms import RepetitionKey, title_of
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.measures import MEASURES, series_mean
from anomalynet.reporting.tables import Row, csv_file, defined

Counts = NDArray[np.int64]
Interval = tuple[float, float, float]

JUDGED = ("f1_attack", "accuracy", "average_precision")
"""The metrics by which claims compare models, for each test series."""

AT_PAPER_PREVALENCE = {
    "accuracy_at_paper_prevalence": "Accuracy at 71.37 % attack",
    "precision_attack_at_paper_prevalence": "Precision (attack) at 71.37 % attack",
    "precision_normal_at_paper_prevalence": "Precision (normal) at 71.37 % attack",
}
"""Metrics from both recalls at 71.37 % attack, as in the paper's test set: name → title."""

Verdict = Literal["holds", "does not hold", "no evidence"]
HOLDS: Verdict = "holds"
FAILS: Verdict = "does not hold"
OPEN: Verdict = "no evidence"
FEW = "too few"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of `claims.yaml`: either pairs or a value."""

    claim: str  # as a sentence
    source: str  # section or table of the paper
    metrics: Sequence[str]  # it is judged once for each
    # (better, worse) experiments; the claim holds if it holds for every pair
    beats: Sequence[Sequence[str]] = ()
    model: str = ""  # the experiment that must reach `value`, empty if there are pairs
    value: float = 0.0  # a share, fraction


@cache
def claims() -> tuple[Claim, ...]:
    """The rows shipped with the package."""
    file = files("anomalynet.reporting.paper.claims").joinpath("claims.yaml")
    return tuple(Claim(**row) for row in yaml.safe_load(file.read_text(encoding="utf-8")))


def shares(counts: Counts) -> dict[str, float]:
    """Every metric that is computed from the confusion matrix, NaN if undefined; counts (4,) in the
    order of the fields of `Confusion`."""
    found = decision_metrics(Confusion(*counts.tolist()))
    normal, attack = found["recall_normal"], found["recall_attack"]
    kept = (1 - PAPER_PREVALENCE) * normal
    return found | {
        "accuracy_at_paper_prevalence": PAPER_PREVALENCE * attack + kept,
        "precision_attack_at_paper_prevalence": found["precision_at_paper_prevalence"],
        "precision_normal_at_paper_prevalence": ratio(kept, kept + PAPER_PREVALENCE * (1 - attack)),
    }


def share_interval(metric: str, counts: Counts, minus: Counts | None = None) -> Interval:
    """A share as in the tables, pooled within repetitions and averaged over them, or the difference
    of two models' shares, and its 95 % interval: value, low, high, NaN if undefined.

    A percentile bootstrap over so few clusters is too narrow: for recalls that differ between 8
    clusters it misses the truth on either side in 6 % of cases instead of 2.5 %, the jackknife in
    3 % (a test repeats it). `metric`: a key of `shares`; `counts`, `minus`: int64 (repetition,
    cluster, 4), zeros if a repetition does not test a cluster; both have the same clusters."""
    both = [counts] if minus is None else [counts, minus]

    def value_of(pools: Sequence[Counts]) -> float:
        means = [summarise(shares(pool)[metric] for pool in own).mean for own in pools]
        return means[0] - sum(means[1:])

    totals = [own.sum(axis=1) for own in both]
    value = value_of(totals)
    rest = (
        value_of([total - own[:, cluster] for total, own in zip(totals, both, strict=True)])
        for cluster in range(counts.shape[1])
    )
    return value, *jackknife(value, list(rest))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The results of a report's runs by series and cluster."""

    values: Mapping[str, Mapping[str, SeriesValues]]  # experiment → metric → values by series
    # experiment → repetition → series → (true negatives, false positives, false negatives, true
    # positives): int64 (4,)
    counts: Mapping[str, Mapping[RepetitionKey, Mapping[SeriesKey, Counts]]]
    clusters: Mapping[SeriesKey, SeriesKey]  # series → its cluster

    def contrast(self, one: str, other: str, metric: str) -> Contrast:
        """The metric of `one` minus `other`'s, over clusters of series that both tested."""
        first, second = (self.values.get(name, {}).get(metric, {}) for name in (one, other))
        return contrast(paired_differences(first, second), self.clusters)

    def cluster_counts(self, experiment: str, among: Collection[SeriesKey] = ()) -> Counts:
        """Counts of decisions over each tested cluster, or over those named: int64 (repetition,
        cluster, 4)."""
        repetitions = self.counts.get(experiment, {})
        tested = sorted(among or self.tested(experiment), key=str)
        found = np.zeros((len(repetitions), len(tested), 4), np.int64)
        for index, own in enumerate(repetitions.values()):
            for key, counts in own.items():
                if self.clusters[key] in tested:
                    found[index, tested.index(self.clusters[key])] += counts
        return found

    def tested(self, experiment: str) -> set[SeriesKey]:
        """The clusters that a model was tested on."""
        return {
            self.clusters[key] for own in self.counts.get(experiment, {}).values() for key in own
        }


def gather(models: Sequence[ArmMetrics], metrics: tuple[str, ...] = JUDGED) -> Evidence:
    """The results of the counted runs by series. `values` and `counts` have the name of the arm,
    and that of the experiment if it has one arm; of several, none is the one that is meant."""
    names = [one.arm.experiment for one in models if one.arm.records]
    values: dict[str, dict[str, SeriesValues]] = {}
    counts: dict[str, dict[RepetitionKey, Mapping[SeriesKey, Counts]]] = {}
    touched: set[tuple[SeriesKey, IncidentKey]] = set()
    for one in (one for one in models if one.arm.records):
        parts = one.of(by_series(metrics))
        touched.update(*(part.touched for part in parts.values()))
        own: dict[str, SeriesValues] = {
            metric: {run: of for part in parts.values() for run, of in part.values[metric].items()}
            for metric in metrics
        }
        single = [one.arm.experiment] * (names.count(one.arm.experiment) == 1)
        for name in (one.arm.name, *single):
            values[name] = own
            counts[name] = {key: part.counts for key, part in parts.items()}
    every = {series for own in counts.values() for decided in own.values() for series in decided}
    return Evidence(values, counts, clusters(every, sorted(touched, key=str)))


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison that a claim is based on: of two models, or of a model with a number."""

    subject: str  # the experiment that the claim favours
    other: str  # the experiment it is compared with; empty for a number
    # Over clusters, as fractions. For a number: the model's value minus it, with the jackknife's
    # interval and no p, because only the interval decides
    contrast: Contrast
    verdict: Verdict  # of this comparison
    # Why there is no verdict: `FEW` clusters, which cannot reach p < 0.05 with any data, or a model
    # that was not run, or only in several configurations
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim by one metric."""

    claim: Claim
    metric: str  # of each step's decision or score, as `metrics.suite` names it
    findings: tuple[Finding, ...]

    @property
    def measured(self) -> str:
        """The name of the compared value: by series between models, else the model's own."""
        return series_mean(self.metric) if self.claim.beats else self.metric

    @property
    def verdict(self) -> Verdict:
        """Holds only if it holds in every comparison; one comparison can refute it."""
        verdicts = {finding.verdict for finding in self.findings}
        return FAILS if FAILS in verdicts else HOLDS if verdicts == {HOLDS} else OPEN

    @property
    def rule(self) -> str:
        """By what the verdict was reached."""
        one = self.weakest
        if one.why:
            least = f": p ≥ {one.contrast.smallest:.3g}" if one.contrast.clusters > 1 else ""
            return f"too few clusters{least}" if one.why == FEW else one.why
        if not self.claim.beats:
            where = {HOLDS: "at or above", FAILS: "below", OPEN: "around"}[self.verdict]
            return f"interval {where} the number"
        if self.verdict == FAILS:
            return "one is worse: Holm < 0.05, interval below 0"
        if self.verdict == HOLDS:
            return "all are better: p < 0.05, interval above 0"
        return "not all better: " + ("p ≥ 0.05" if one.contrast.p >= LEVEL else "interval around 0")

    @property
    def weakest(self) -> Finding:
        """The comparison that speaks most against the claim: one that refutes it, else one without
        evidence; of several, the one with the smallest effect."""

        def order(one: Finding) -> tuple[int, float]:
            effect = math.inf if math.isnan(one.contrast.mean) else one.contrast.mean
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
    """Compare models, paired by series. That *all* comparisons are better needs no correction,
    because each must pass. That *any* is worse needs Holm's correction."""
    contrasts = family([evidence.contrast(one, two, metric) for one, two in claim.beats])
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
        found.append(Finding(better, worse, one, verdict, why))
    return tuple(found)


def _value(claim: Claim, metric: str, evidence: Evidence) -> tuple[Finding, ...]:
    """Compare a model with a number: it is reached if the whole interval is at or above it, and
    missed if the whole interval is below it."""
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
    found = Contrast(
        mean=value - claim.value,
        low=low - claim.value,
        high=high - claim.value,
        p=NAN,
        smallest=smallest_p(counts.shape[1]),
        clusters=counts.shape[1],
        series=0,
        left_out=0,
    )
    return (Finding(claim.model, "", found, verdict, why),)


NUMBERS = ("Difference, points", "95 % interval", "p (Holm)", "Clusters")

FILES = "claims.csv claims_comparisons.csv"

NOTE = """\
A line shows the comparison that speaks most against the claim. Models are compared in each test \
series (*mean over clusters*, unlike the tables), numbers with the model's own value; series that \
share an incident or a radio cell are one cluster. At 71.37 % attack, the paper's share, values \
follow from the recalls found here."""


def claims_section(context: ReportContext) -> Section:
    """Every claim by each of its metrics."""
    found = judge(claims(), gather(context.models))
    titles = {one.arm.experiment: one.arm.title for one in context.run}
    caption = context.caption(
        "The paper's claims on this data", "Every comparison is in the second file.", FILES
    )
    files = csv_file("claims", (_row(one, one.weakest, context.data) for one in found))
    every = ((one, finding) for one in found for finding in one.findings)
    files |= csv_file("claims_comparisons", (_row(*own, context.data) for own in every))
    parts = ["## The paper's claims", _summary(found), _claims_table(found, titles), caption, NOTE]
    return Section(parts, files)


def _summary(found: Sequence[Judgement]) -> str:
    hold, fail, open_ = (
        sum(one.verdict == verdict for one in found) for verdict in (HOLDS, FAILS, OPEN)
    )
    few = sum(one.verdict == OPEN and one.weakest.why == FEW for one in found)
    missing = sum(one.verdict == OPEN and one.weakest.why not in ("", FEW) for one in found)
    reasons = [f"{few} because of too few clusters"] if few else []
    reasons += [f"{missing} because of a missing model"] if missing else []
    why = f" ({', '.join(reasons)})" if reasons else ""
    return (
        f"{len({one.claim.claim for one in found})} claims, each by one or several metrics, are "
        f"{len(found)} questions: **{hold} hold, {fail} do not hold, and for {open_} there is no "
        f"evidence**{why}."
    )


def _title(metric: str) -> str:
    return AT_PAPER_PREVALENCE.get(metric) or MEASURES[metric].title


def _claims_table(found: Sequence[Judgement], titles: Mapping[str, str]) -> str:
    """One line per claim and metric, with the comparison that speaks most against the claim."""
    lines, last = [], None
    for one in found:
        name = "" if last is one.claim else f"**{one.claim.claim}** ({one.claim.source})"
        cells = _cells(one.weakest, one, titles)
        lines.append([name, f"**{one.verdict}**", _title(one.measured), *cells, one.rule])
        last = one.claim
    header = ["Claim", "Verdict", "Metric", "Decided by", *NUMBERS, "Rule"]
    return grid(header, lines, "llllrrrrl")


def _cells(finding: Finding, one: Judgement, titles: Mapping[str, str]) -> list[str]:
    def title(experiment: str) -> str:
        return titles.get(experiment, title_of(experiment))

    def points(value: float) -> str:
        return signed(value, "accuracy")

    found = finding.contrast
    if finding.other:
        compared = f"{title(finding.subject)} − {title(finding.other)}"
    else:
        reached = 100 * (found.mean + one.claim.value)
        shown = "–" if math.isnan(reached) else f"{reached:.2f}"
        compared = f"{title(finding.subject)} {shown} against {100 * one.claim.value:.2f}"
    tested = not finding.why and finding.other
    return [
        compared,
        points(found.mean),
        "–" if math.isnan(found.low) else f"{points(found.low)} to {points(found.high)}",
        f"{p_text(found.p)} ({p_text(found.adjusted)})" if tested else "–",
        str(found.clusters),
    ]


def _row(one: Judgement, finding: Finding, data: str) -> Row:
    """A comparison; numbers in percent or percentage points, p as a fraction."""
    found = finding.contrast
    row: Row = {"table": "claims", "data": data, "claim": one.claim.claim}
    row |= {"source": one.claim.source, "metric": one.measured, "verdict": one.verdict}
    row |= {"rule": one.rule, "subject": finding.subject, "other": finding.other}
    return row | {
        "claimed": None if finding.other else 100 * one.claim.value,
        "value": None if finding.other else defined(found.mean + one.claim.value, 100),
        "effect": defined(found.mean, 100),
        "low": defined(found.low, 100),
        "high": defined(found.high, 100),
        "p": defined(found.p),
        "clusters": found.clusters,
        "comparison_verdict": finding.verdict,
        "why": finding.why,
        "holm": defined(found.adjusted),
    }
