"""The section "The paper's claims": which of them hold on this data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from anomalynet.reporting.ablation.sentences import p_text, signed
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.findings import majority_sentence
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.paper.claims import judge
from anomalynet.reporting.paper.claims.judge import (
    AT_PAPER_PREVALENCE,
    FEW,
    OPEN,
    Finding,
    Judgement,
)
from anomalynet.reporting.paper.published import TITLES
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import defined, to_csv

NUMBERS = ("Difference, points", "95 % interval", "p", "Holm", "Clusters")

NOTE = """\
The paper's claims, judged on this data; a line shows the comparison that speaks most against the \
claim. *Holds* and *does not hold* are only written if the data support it; everything else is *no \
evidence*, which is not a refutation. A comparison of models is the difference of the metric in \
each test series, averaged over the runs that both models have (*mean over series*, which is not \
the difference of two rows of the tables); series with the same incident are one cluster. A claim \
holds if every comparison has a sign-flip p below 0.05 and a 95 % bootstrap interval over clusters \
above zero; because all must pass, no correction is needed. One comparison that is as clear in the \
other direction, after Holm's correction over the claim's comparisons, refutes it. A claimed \
number is compared with the model's own value in the tables below: decisions pooled over the folds \
of a repetition, mean over repetitions. Its interval comes from leaving out one cluster at a time \
(jackknife, Student's t): the number is reached if the whole interval is at or above it, missed if \
the interval is below it. Precision and accuracy at 71.37 % attack (the paper's share) are \
computed from the recalls found here. *Too few*: these clusters cannot reach p < 0.05 with any \
data; *no single arm*: a model was not run, or only in several configurations. Average precision \
is not a metric of the paper; it needs no threshold."""


def claims_section(context: ReportContext) -> Section:
    """Every claim by each of its metrics; then every comparison that they are based on.

    Raises: RunError: the scores of a run cannot be read.
    """
    rows = judge.claims()
    needed = dict.fromkeys(metric for row in rows if row.beats for metric in row.metrics)
    found = judge.judge(rows, judge.gather(context.models, tuple(needed)))
    titles = {one.arm.experiment: one.arm.title for one in context.run}
    return Section(
        [
            "## The paper's claims",
            _summary(found),
            _claims_table(found, titles),
            context.caption("The paper's claims on this data", context.run, "claims.csv"),
            "Each comparison of models that these are based on:",
            _comparisons(found, titles),
            NOTE,
            *([majority] if (majority := majority_sentence(context.models)) else []),
        ],
        {"tables/claims.csv": _csv(found, context.data).encode()},
    )


def _summary(found: Sequence[Judgement]) -> str:
    hold, fail, open_ = (
        sum(one.verdict == verdict for one in found) for verdict in (judge.HOLDS, judge.FAILS, OPEN)
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
        lines.append([name, f"**{one.verdict}**", _title(one.measured), *cells])
        last = one.claim
    return grid(["Claim", "Verdict", "Metric", "Decided by", *NUMBERS], lines, "llllrrrrr")


def _comparisons(found: Sequence[Judgement], titles: Mapping[str, str]) -> str:
    lines = [
        [_title(one.measured) * (at == 0), *_cells(finding, one, titles), finding.verdict]
        for one in found
        if one.claim.beats
        for at, finding in enumerate(one.findings)
    ]
    return grid(["Metric", "Comparison", *NUMBERS, "this alone"], lines, "llrrrrrl")


def _cells(finding: Finding, one: Judgement, titles: Mapping[str, str]) -> list[str]:
    def title(experiment: str) -> str:
        usual = TITLES.get(experiment, experiment.replace("_", " ").capitalize())
        return titles.get(experiment, usual)

    def points(value: float) -> str:
        return signed(value, "accuracy")

    found = finding.contrast
    if finding.other:
        compared = f"{title(finding.subject)} − {title(finding.other)}"
    else:
        reached = 100 * (found.mean + one.claim.value)
        shown = "–" if math.isnan(reached) else f"{reached:.2f}"
        compared = f"{title(finding.subject)} {shown} against {100 * one.claim.value:.2f}"
    return [
        compared,
        points(found.mean),
        "–" if math.isnan(found.low) else f"{points(found.low)} to {points(found.high)}",
        p_text(found.p),
        p_text(found.adjusted),
        str(found.clusters) + (f" ({finding.why})" if finding.why else ""),
    ]


def _csv(found: Sequence[Judgement], data: str) -> str:
    """One line per comparison; numbers in percent or percentage points, p as a fraction."""
    rows = [_row(one, finding, data) for one in found for finding in one.findings]
    return to_csv(rows[0], (row.values() for row in rows))


def _row(one: Judgement, finding: Finding, data: str) -> dict[str, object]:
    found = finding.contrast
    return {
        "table": "claims",
        "data": data,
        "claim": one.claim.claim,
        "source": one.claim.source,
        "metric": one.measured,
        "verdict": one.verdict,
        "subject": finding.subject,
        "other": finding.other,
        "claimed": None if finding.other else 100 * one.claim.value,
        "effect": defined(found.mean, 100),
        "low": defined(found.low, 100),
        "high": defined(found.high, 100),
        "p": defined(found.p),
        "clusters": found.clusters,
        "comparison_verdict": finding.verdict,
        "why": finding.why,
        "holm": defined(found.adjusted),
    }
