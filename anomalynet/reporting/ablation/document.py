"""Writes the report of an ablation: `report.md`, `findings.md`, `cost.md`, `tables/*.csv` and
`figures/*`. The same runs give the same bytes. Also the section by which other reports quote the
findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from anomalynet.errors import NothingToCompareError, RunError
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting import figures as drawing
from anomalynet.reporting import prose
from anomalynet.reporting.ablation import figures, tables
from anomalynet.reporting.ablation.arms import (
    Ablation,
    MeasuredArm,
    ModelsView,
    level_text,
    measure,
    models_view,
    reference_of,
)
from anomalynet.reporting.ablation.effects import Comparison, Effect, compare, effects
from anomalynet.reporting.ablation.figures import AxisView, axis_view
from anomalynet.reporting.captions import (
    INCOMPLETE,
    ReportContext,
    Section,
    bullets,
    deviation,
    named_or_counted,
)
from anomalynet.reporting.formats.files import write_files
from anomalynet.reporting.measures import MEASURES, primary, series_mean
from anomalynet.reporting.sections.model_tables import cost_section
from anomalynet.reporting.tables import csv_file, runs_file
from anomalynet.runs.files import read_json
from anomalynet.runs.sweeps import SweepRecord, read_sweeps

FINDINGS = "findings.md"
"""The verdict, in the sentences of the report; other reports quote this file."""


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
    models: ModelsView | None
    views: tuple[AxisView, ...]  # none with `models`, which shows both axes

    @property
    def title(self) -> str:
        """The title of the metric that the tests compare."""
        return MEASURES[series_mean(self.metric)].title


def write_ablation(ablation: Ablation, out: Path, title: str) -> Path:
    """Write the report of an ablation into the folder `out`, and return the path of its
    `report.md`.

    Only `cost.md` and `tables/cost.csv` contain durations, so every other file is the same after an
    interruption. Other files in `out` are kept. Raises NothingToCompareError: no arm has a run."""
    if not any(arm.records for arm in ablation.arms):
        what = f"{ablation.name}: a report needs at least one finished run"
        raise NothingToCompareError(what, f"anomalynet sweep {ablation.name}")
    found = _find(ablation)
    metric, context, facts = found.metric, found.context, found.context.facts()
    costs = cost_section(context)
    files = {
        **csv_file("arms", tables.arm_rows(found.arms, metric, context)),
        **runs_file([arm.metrics.arm for arm in found.arms]),
        **costs.files,
    }
    if found.comparisons:
        files |= csv_file(
            "tests", (tables.comparison_row(one, metric) for one in found.comparisons)
        )
        each = (tables.cluster_rows(one, metric) for one in found.comparisons)
        if by_cluster := list(chain.from_iterable(each)):
            files |= csv_file("clusters", by_cluster)
        draw = partial(figures.difference_figure, found.comparisons, metric)
        files |= drawing.drawn(figures.DIFFERENCES, found.title, facts, draw)
    if every := (*found.main, *found.interactions):
        files |= csv_file("effects", (tables.effect_row(one, metric) for one in every))
    if found.models:
        draw = partial(figures.models_figure, found.models, metric)
        files |= drawing.drawn(figures.MODELS, _models_title(found, found.models), facts, draw)
    for view in found.views:
        draw = partial(figures.axis_figure, view, metric)
        files |= drawing.drawn(view.file, view.axis, facts, draw)
    texts = {
        "cost.md": "\n\n".join([f"# {title}: cost", *costs.parts[1:], "[Report](report.md)\n"]),
        FINDINGS: f"{_verdict(found)} {_seen(found.comparisons, 'arm', found)}".strip() + "\n",
        "report.md": _document(found, title),  # written last
    }
    return write_files(out, files | {name: text.encode() for name, text in texts.items()})


def _find(ablation: Ablation) -> _Found:
    metric = ablation.metric.removeprefix("test/")
    arms, clusters = measure(ablation)
    factorial = ablation.design == "factorial"
    status = {arm.name: arm.status for arm in arms}
    models = models_view(ablation, arms)
    single = () if models else tuple(ablation.axes)
    return _Found(
        ablation,
        metric,
        ReportContext.of([arm.metrics for arm in arms], status),
        arms,
        compare(arms, clusters),
        effects(ablation, arms, clusters, 1) if factorial else (),
        effects(ablation, arms, clusters, 2) if factorial else (),
        models,
        tuple(axis_view(ablation, axis, arms, metric) for axis in single),
    )


def _notes(found: _Found) -> list[str]:
    """Explanations of the signs, and what was left out."""
    arms, title = [arm.metrics.arm for arm in found.arms], METRICS[found.metric].title
    lacking: dict[str, list[str]] = {}
    for arm in (arm for arm in found.arms if not arm.complete):
        lacking.setdefault(arm.status, []).append(arm.name)
    incomplete = "; ".join(
        f"{named_or_counted(own, 'arm')} ({status})" for status, own in lacking.items()
    )
    undefined = "; ".join(
        f"{arm.name} ({count})" for arm in found.arms if (count := arm.undefined(found.metric))
    )
    notes = [f"{INCOMPLETE} Not all runs are finished: {incomplete}."] if incomplete else []
    notes += found.context.code_notes()
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
            "The arms do not share one version of the data (see runs.csv): differences "
            "between them may come from the data."
        )
    return notes


def _seen(tested: Iterable[Comparison | Effect], noun: str, found: _Found) -> str:
    return tables.what_can_be_seen(tables.contrasts_of(tested), noun, found.metric)


def _verdict(found: _Found) -> str:
    return tables.verdict_sentence(found.comparisons, found.metric)


def _models_title(found: _Found, models: ModelsView) -> str:
    return f"{MEASURES[primary(found.metric)].title} by {models.title}"


def _reference(found: _Found) -> str:
    reference = reference_of(found.arms)
    if reference is None:
        return "There is no reference."
    models = {record.result.experiment for record in reference.design.records}
    beside = [arm for arm in found.arms if arm is not reference and not arm.design.on_axes]
    own = [f"*{arm.name}* is {_levels(arm)}" for arm in beside]
    levels = _levels(reference) or ", ".join(sorted(models)) or reference.name
    return f"Reference: {levels}. {'; '.join(own)}{'.' if own else ''}".strip()


def _levels(arm: MeasuredArm) -> str:
    """What an arm sets."""
    return ", ".join(f"{axis}={level_text(level)}" for axis, level in arm.design.levels.items())


def _once(arms: Sequence[MeasuredArm]) -> list[str]:
    """That there is one repetition, if so."""
    once = max((len(arm.metrics.values) for arm in arms), default=0) == 1
    return ["Each arm was trained once: how much another seed changes is unknown."] * once


def _document(found: _Found, title: str) -> str:
    metric, arms, context, ablation = found.metric, found.arms, found.context, found.ablation
    signs, facts = context.signs, prose.conditions(context, timed=False)
    question = f"*{prose.capital(ablation.question)}* " if ablation.question else ""
    again = f" `{ablation.command}` makes this report again." if ablation.command else ""
    preset = f", preset {ablation.preset}" if ablation.preset else ""
    parts = [
        f"# {title}",
        _verdict(found),
        f"{question}{_reference(found)}",
        bullets([*context.warnings(), *_once(arms)]),
        _seen(found.comparisons, "arm", found),
    ]
    if found.models:
        name = _models_title(found, found.models)
        note = "Mean ± standard deviation over repetitions."
        parts += [
            context.figure(figures.MODELS, name, note),
            tables.models_table(found.models, metric, signs),
            context.caption("In numbers", f"n = {found.models.n} unless noted.", "arms.csv"),
        ]
    if found.comparisons:
        name = f"{found.title}: each arm against the reference"
        note = "Filled: better or worse, after Holm's correction. 95 % interval over clusters of "
        note += "test series, each by itself."
        parts.append(context.figure(figures.DIFFERENCES, name, note))
    parts += [
        f"**Run:** {sum(len(arm.runs) for arm in arms)} runs of {len(arms)} arms on "
        f"{context.data}{preset}.{again}",
        "## Arms",
        tables.arms_table(arms, metric, signs),
        context.caption("Arms", deviation([len(arm.metrics.values) for arm in arms]), "arms.csv"),
    ]
    if found.comparisons:
        parts += [
            tables.comparisons_table(found.comparisons, metric, signs),
            context.caption(f"{found.title}, arm minus reference", csv="tests.csv"),
            tables.how_to_read(metric),
        ]
    if found.main:
        parts += _effects(found)
    parts += ["## Axes"] * bool(found.views)
    for view in found.views:
        name = f"{MEASURES[primary(metric)].title} by {view.axis}"
        note = f"{prose.capital(view.note)}; mean ± spread, a line per repetition."
        parts.append(context.figure(view.file, name, note))
    notes = "\n".join(f"- {line}" for line in _notes(found))
    parts += ["## Conditions", *facts[:3], notes, "Durations: [cost.md](cost.md)."]
    return "\n\n".join(filter(None, parts)) + "\n"


def _effects(found: _Found) -> list[str]:
    """The effects of a factorial that could pass their tests, and why others are not shown."""
    parts, shown = ["## Main effects and interactions"], list[Effect]()
    for noun, own in (("main effect", found.main), ("interaction", found.interactions)):
        able = [one for one in own if one.contrast is not None and one.contrast.testable]
        shown += able
        parts.append(f"{noun.capitalize()}s: {_seen(own, noun, found)}")
    if shown:
        parts.append(tables.effects_table(shown, found.metric))
    caption = found.context.caption(f"{found.title}: effects", csv="effects.csv")
    return [*parts, caption if shown else caption.removeprefix("> ")]


TITLE = "Ablations"
PAPER = "paper_models"  # the sweep that this report is about

NOTE = (
    "Sweeps on the same data, each with its own repetitions and preset, so that their numbers "
    "differ from those above."
)


@dataclass(frozen=True, slots=True)
class AblationReport:
    """A sweep that was started on some data."""

    label: str
    sweep: str  # name or path of its file
    folder: Path | None  # of its report; None if there is none
    link: str  # from the report that quotes it; empty if its folder is not next to that report's


def ablation_reports(runs: Path, out: Path, data: str) -> tuple[AblationReport, ...]:
    """The ablations on a data set that have a finished run, by name.

    A report is first looked for next to `out`, then in the folder that the sweep recorded; only one
    next to `out` gets a link."""
    found = []
    for record in read_sweeps(runs):
        if record.trials is not None or record.sweep == PAPER or data not in _data(record, runs):
            continue
        neighbour, recorded = out.parent / record.label, Path(record.report)
        folder = next((path for path in (neighbour, recorded) if (path / FINDINGS).is_file()), None)
        link = f"../{record.label}/report.md" if folder == neighbour else ""
        found.append(AblationReport(record.label, record.sweep, folder, link))
    return tuple(sorted(found, key=lambda one: one.label))


def _data(record: SweepRecord, runs: Path) -> set[str]:
    """The data sets of a sweep's finished runs."""
    return {
        str(read_json(run.folder(runs).path / "result.json").get("data", "")) for run in record.runs
    }


def ablations_section(reports: Sequence[AblationReport]) -> Section:
    """The verdict of each ablation, with a link; empty if none was started."""
    if not reports:
        return Section()
    lines = "\n".join(f"- **{one.label}**: {_findings(one)}" for one in reports)
    return Section([f"## {TITLE}", NOTE, lines])


def _findings(one: AblationReport) -> str:
    if one.folder is None:
        return f"no report that can be quoted; `anomalynet report {one.sweep}` writes it."
    path = one.folder / FINDINGS
    try:
        text = " ".join(path.read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read: {error}",
            f"delete {one.folder} and give `anomalynet report` with the sweep's name",
        ) from None
    return f"{text} [Its report]({one.link})." if one.link else text
