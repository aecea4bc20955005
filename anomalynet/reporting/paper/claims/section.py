"""The section "The paper's claims": which of them hold on this data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from anomalynet.reporting.ablation.tables import p_text, signed
from anomalynet.reporting.captions import ReportContext
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
from anomalynet.reporting.tables import Row, csv_file, defined

NUMBERS = ("Difference, points", "95 % interval", "p (Holm)", "Clusters")

FILES = "claims.csv claims_comparisons.csv"

NOTE = """\
A line shows the comparison that speaks most against the claim. Models are compared in each test \
series (*mean over series*, unlike the tables), numbers with the model's own value; series that \
share an incident are one cluster. At 71.37 % attack, the paper's share, values follow from the \
recalls found here."""


def claims_section(context: ReportContext) -> Section:
    """Every claim by each of its metrics."""
    found = judge.judge(judge.claims(), judge.gather(context.models))
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
        lines.append([name, f"**{one.verdict}**", _title(one.measured), *cells, one.rule])
        last = one.claim
    header = ["Claim", "Verdict", "Metric", "Decided by", *NUMBERS, "Rule"]
    return grid(header, lines, "llllrrrrl")


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
    tested = finding.why == ""
    return [
        compared,
        points(found.mean),
        "–" if math.isnan(found.low) else f"{points(found.low)} to {points(found.high)}",
        f"{p_text(found.p)} ({p_text(found.adjusted)})" if tested and finding.other else "–",
        str(found.clusters),
    ]


def _row(one: Judgement, finding: Finding, data: str) -> Row:
    """A comparison; numbers in percent or percentage points, p as a fraction."""
    found = finding.contrast
    return {
        "table": "claims",
        "data": data,
        "claim": one.claim.claim,
        "source": one.claim.source,
        "metric": one.measured,
        "verdict": one.verdict,
        "rule": one.rule,
        "subject": finding.subject,
        "other": finding.other,
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
