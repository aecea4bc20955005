"""Writes the report of an ablation: `report.md`, `findings.md`, `cost.md`, `tables/*.csv` and
`figures/*`. The same runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anomalynet.errors import NothingToCompareError
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.ablation import figures, sentences, tables
from anomalynet.reporting.ablation.arms import MeasuredArm, measure, reference_of
from anomalynet.reporting.ablation.design import Ablation, AblationArm, level_text
from anomalynet.reporting.ablation.effects import (
    Comparison,
    Effect,
    compare,
    effects,
)
from anomalynet.reporting.ablation.figures import AxisView, axis_view
from anomalynet.reporting.aggregate import ESTIMAND
from anomalynet.reporting.captions import INCOMPLETE, ReportContext
from anomalynet.reporting.figures import drawn
from anomalynet.reporting.formats import markdown, write_files
from anomalynet.reporting.measures import MEASURES, primary, series_mean
from anomalynet.reporting.sections.model_tables import cost_section
from anomalynet.runs.scores import reading_once

__all__ = ["FINDINGS", "Ablation", "AblationArm", "write_ablation"]

FINDINGS = "findings.md"
"""The findings, in the sentences of the report; other reports quote this file."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that the report contains, before it is written."""

    ablation: Ablation
    metric: str
    context: ReportContext
    arms: tuple[MeasuredArm, ...]
    comparisons: tuple[Comparison, ...]
    main: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    views: tuple[AxisView, ...]

    @property
    def title(self) -> str:
        """The title of the metric that the tests compare."""
        return MEASURES[series_mean(self.metric)].title


@reading_once()
def write_ablation(ablation: Ablation, out: Path, title: str) -> Path:
    """Write the report of an ablation into the folder `out`, and return the path of its
    `report.md`.

    Only `cost.md` and `tables/cost.csv` contain durations, so every other file is the same after an
    interruption. Everything is computed before the first file is replaced; other files in `out` are
    kept.

    Args:
        ablation: arms in the order of the tables, their runs in any order.
        out: folder, created if missing.
        title: heading.
    Raises:
        NothingToCompareError: no arm has a run.
        RunError: the scores of a run cannot be read.
    """
    if not any(arm.records for arm in ablation.arms):
        what = f"{ablation.name}: a report needs at least one finished run"
        raise NothingToCompareError(what, f"anomalynet sweep {ablation.name}")
    found = _find(ablation)
    costs = cost_section(found.context)
    texts = {
        "tables/arms.csv": tables.arms_csv(found.arms, found.metric, found.context),
        "tables/tests.csv": tables.comparisons_csv(found.comparisons, found.metric),
        "cost.md": "\n\n".join([f"# {title}: cost", *costs.parts[1:], "[Report](report.md)\n"]),
        FINDINGS: _quotable(found),
    }
    if ablation.design == "factorial":
        every = (*found.main, *found.interactions)
        texts["tables/effects.csv"] = tables.effects_csv(every, found.metric)
    texts["report.md"] = _document(found, title)
    metric, context, files = found.metric, found.context, dict(costs.files)
    for view in found.views:
        files |= drawn(view.file, partial(figures.axis_figure, view, metric, context))
    if own := found.comparisons:
        draw = partial(figures.difference_figure, own, metric, context)
        files |= drawn(figures.DIFFERENCES, draw)
    files |= {name: text.encode() for name, text in texts.items()}  # the report is written last
    return write_files(out, files)


def _find(ablation: Ablation) -> _Found:
    metric = ablation.metric.removeprefix("test/")
    arms, clusters = measure(ablation)
    factorial = ablation.design == "factorial"
    status = {arm.name: arm.status for arm in arms}
    return _Found(
        ablation,
        metric,
        ReportContext.of([arm.metrics for arm in arms], status),
        arms,
        compare(arms, clusters),
        effects(ablation, arms, clusters, 1) if factorial else (),
        effects(ablation, arms, clusters, 2) if factorial else (),
        tuple(axis_view(ablation, axis, arms, metric) for axis in ablation.axes),
    )


def _notes(found: _Found) -> list[str]:
    """Explanations of the signs, and what was left out."""
    arms, title = [arm.metrics.arm for arm in found.arms], METRICS[found.metric].title
    incomplete = "; ".join(f"{arm.name} ({arm.status})" for arm in found.arms if not arm.complete)
    undefined = "; ".join(
        f"{arm.name} ({count})" for arm in found.arms if (count := arm.undefined(found.metric))
    )
    notes = [f"{INCOMPLETE} Not all runs are finished: {incomplete}."] if incomplete else []
    notes += found.context.code_notes(found.context.models)
    reference = reference_of(found.arms)
    if not (reference and reference.runs):
        notes.append("The reference has not been run: no differences can be computed.")
    if undefined:
        notes.append(f"Runs whose {title} is undefined: {undefined}.")
    left_out = "left out, because another run has their seed and fold"
    notes += [
        f"{arm.name}: {left_out}: {', '.join(arm.duplicates)}." for arm in arms if arm.duplicates
    ]
    # Pairs have the same seed, fold and world, but other data if an axis changes the data.
    prints: dict[int | None, set[str]] = {}
    for record in (record for arm in found.arms for record in arm.runs.values()):
        prints.setdefault(record.result.world, set()).add(record.result.fingerprint)
    if any(len(own) > 1 for own in prints.values()):
        notes.append(
            "The arms do not share one version of the data (see the appendix): differences "
            "between them may come from the data."
        )
    return notes


def _bullets(lines: Iterable[str]) -> list[str]:
    text = "\n".join(f"- {line}" for line in lines)
    return [text] if text else []


def _notice(tested: Iterable[Comparison | Effect], noun: str) -> list[str]:
    found = sentences.notice(sentences.contrasts_of(tested), noun)
    return [f"> **{found[0]}:** {found[1]}"] if found else []


def _against(found: _Found) -> str:
    reference = reference_of(found.arms)
    if reference is None:
        return "There is no reference."
    levels = ", ".join(
        f"{axis}={level_text(level)}" for axis, level in reference.design.levels.items()
    )
    name = "the reference" if reference.name == "reference" else reference.name
    named = f"{name} ({levels})" if levels and levels != name else name
    return f"Against {named}, by {found.title}:"


def _findings(found: _Found) -> list[str]:
    """The question, and one sentence per arm and effect."""
    metric, question = found.metric, found.ablation.question
    parts = [
        *([f"*{question}*"] if question else []),
        _against(found),
        *_bullets(sentences.arm_sentence(one, metric) for one in found.comparisons),
        *_notice(found.comparisons, "arm"),
    ]
    for noun, own in (("main effect", found.main), ("interaction", found.interactions)):
        if own:
            lines = (sentences.effect_sentence(one, metric) for one in own if one.wanted)
            parts += [f"{noun.capitalize()}s:", *_bullets(lines), *_notice(own, noun)]
    return parts


def _quotable(found: _Found) -> str:
    """The findings with the facts, notes and warnings that are needed to understand them."""
    notes = [*_notes(found), *(f"⚠ {warning}" for warning in found.context.warnings())]
    quoted = "\n>\n".join(f"> {line}" for line in (found.context.facts(), *notes))
    return "\n\n".join([*_findings(found), quoted]) + "\n"


def _document(found: _Found, title: str) -> str:
    metric, arms = found.metric, found.arms
    context, signs = found.context, found.context.signs
    parts = [
        f"# {title}",
        *_findings(found),
        *(f"> **Warning.** {warning}" for warning in context.warnings()),
        *_bullets(_notes(found)),
        "## Arms",
        tables.arms_table(arms, metric, signs),
        context.caption("Arms", csv="arms.csv", note=ESTIMAND),
        "## Tests over series",
        tables.comparisons_table(found.comparisons, metric, signs)
        if found.comparisons
        else "There is no arm besides the reference.",
        sentences.base(sentences.contrasts_of(found.comparisons), "arm"),
        context.caption(f"{found.title}, arm minus reference", csv="tests.csv"),
    ]
    if found.comparisons:
        title = f"{found.title}: each arm against the reference"
        parts.append(context.figure(figures.DIFFERENCES, title))
    if found.ablation.design == "factorial":
        parts += [
            "## Main effects and interactions",
            tables.effects_table((*found.main, *found.interactions), metric),
            sentences.base(sentences.contrasts_of(found.main), "main effect"),
            context.caption(f"{found.title}: effects", csv="effects.csv"),
        ]
    parts.append("## Axes")
    for view in found.views:
        shown = [arm.metrics for arm in view.shown]
        title = f"{MEASURES[primary(metric)].title} by {view.axis}, {view.note}"
        parts += [f"### {view.axis}", context.figure(view.file, title, shown)]
    parts += [
        "## How to read this",
        sentences.how_to_read(metric),
        "## Appendix: the runs",
        markdown.runs([arm.metrics.arm for arm in arms]),
        "Durations: [cost.md](cost.md).",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
