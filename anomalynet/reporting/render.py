"""Writes a report: `report.md`, `tables/*.csv`, `figures/*`; the same runs give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.errors import NothingToCompareError
from anomalynet.reporting import prose
from anomalynet.reporting.aggregate import RULE, aggregate
from anomalynet.reporting.arms import ExpectedRuns, arms
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.findings import best_models, majority_sentence
from anomalynet.reporting.formats import markdown, write_files
from anomalynet.reporting.paper.audit import paper_audit_section
from anomalynet.reporting.paper.claims.section import claims_section
from anomalynet.reporting.sections import leakage as audits
from anomalynet.reporting.sections.ablations import AblationReport, ablations_section
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.sections.calibration import calibration_section
from anomalynet.reporting.sections.explanations.section import explanations_section
from anomalynet.reporting.sections.incidents import incident_section
from anomalynet.reporting.sections.model_tables import cost_section, model_section, paper_section
from anomalynet.reporting.sections.over_time.section import over_time_section
from anomalynet.reporting.sections.worlds import worlds_section
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import reading_once


@reading_once()
def write_report(
    records: Sequence[RunRecord],
    out: Path,
    expected: ExpectedRuns | None = None,
    audit: Mapping[str, Any] | None = None,
    title: str | None = None,
    ablations: Sequence[AblationReport] = (),
    command: str | None = None,
) -> Path:
    """Write the report of one data set's runs into the folder `out`, and return the path of its
    `report.md`.

    Everything is computed before the first file is replaced, and `report.md` is replaced last;
    other files in `out` stay as they are.

    Args:
        records: finished runs, all of one data set, in any order.
        expected: the (experiment, seed, fold, world) that a sweep wants; without it, every fold of
        every seed that has a run. audit: the leakage audit's result for this data set, None where
        it has not been run. title: heading; by default the name of the data set. ablations: what
        sweeps on the same data have found. command: what makes the report again, where that is
        known.
    Raises:
        NothingToCompareError: there is no run.
        UsageError: the runs are of several data sets.
        RunError: the scores or the incidents of a run cannot be read.
    """
    if not records:
        raise NothingToCompareError(
            "a report needs at least one finished run", "anomalynet train EXPERIMENT"
        )
    context = ReportContext.of(aggregate(arms(records, expected)))
    sections = [
        _opening(context, audit, title or f"Report on {context.data}", command),
        claims_section(context),
        paper_section(context),
        paper_audit_section(),
        model_section(context),
        over_time_section(context),
        incident_section(context),
        calibration_section(context),
        explanations_section(context),
        worlds_section(context),
        ablations_section(ablations),
        audits.audit_section(audit, context.models),
        cost_section(context),
        Section(["## Appendix: the runs", markdown.runs([one.arm for one in context.models])]),
    ]
    files = {path: content for section in sections for path, content in section.files.items()}
    text = "\n\n".join(part for section in sections for part in section.parts)
    return write_files(out, files | {"report.md": f"{text}\n".encode()})


def _opening(
    context: ReportContext, audit: Mapping[str, Any] | None, title: str, command: str | None
) -> Section:
    """What was run, what to be warned of, which model is ahead, and how to read the rest."""
    models, notes = context.models, list(context.notes(context.models))
    left_out = "Left out, because another run has their configuration, seed and fold:"
    notes += [f"{left_out} {', '.join(own)}." for one in models if (own := one.arm.duplicates)]
    findings = [f"- {sentence}" for sentence in best_models(context)] or [
        "Fewer than two models have a complete repetition: nothing to compare."
    ]
    findings += [f"- {sentence}"] if (sentence := majority_sentence(models)) else []
    return Section(
        [
            f"# {title}",
            prose.abstract(context, command),
            *(
                f"> **Warning.** {warning}"
                for warning in (*context.warnings(), *audits.warnings(audit, models))
            ),
            *(["\n".join(f"- {note}" for note in notes)] if notes else []),
            "## Which model is ahead",
            "\n".join(findings),
            "Differences are means over shared repetitions with their standard deviation; "
            "nothing here is a claim of significance.",
            "## How to read the tables",
            prose.HOW_TO_READ,
            RULE,
        ]
    )
