"""Writes the report of an ablation: `report.md`, `cost.md`, `tables/*.csv`, `figures/*`; the same
runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.errors import NothingToCompareError
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting import captions, markdown
from anomalynet.reporting.ablation import figures, sentences, tables
from anomalynet.reporting.ablation.arms import MeasuredArm, measure
from anomalynet.reporting.ablation.axes import AxisView, axis_view
from anomalynet.reporting.ablation.comparison import Comparison, compare, reference_of
from anomalynet.reporting.ablation.design import Ablation, AblationArm, level_text
from anomalynet.reporting.ablation.effects import Effect, interactions, main_effects
from anomalynet.reporting.ablation.findings import findings_csv
from anomalynet.reporting.arms import odd_code
from anomalynet.reporting.forms import write_files
from anomalynet.reporting.tables import COST_COLUMNS, COSTS, cost_rows, to_csv

__all__ = ["Ablation", "AblationArm", "write_ablation"]


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that the report says, before it is written."""

    ablation: Ablation
    metric: str
    arms: tuple[MeasuredArm, ...]
    comparisons: tuple[Comparison, ...]
    main: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    views: tuple[AxisView, ...]

    @property
    def signs(self) -> dict[str, str]:
        """Signs behind the name of an arm that lacks runs, or holds runs of other code."""
        _, other = odd_code([arm.metrics.arm for arm in self.arms])
        return {
            arm.name: ("" if arm.complete else captions.INCOMPLETE)
            + (captions.OTHER_CODE if arm.name in other else "")
            for arm in self.arms
        }


def write_ablation(ablation: Ablation, out: Path, title: str) -> Path:
    """Write the report of an ablation into the folder `out`, and return the path of its
    `report.md`.

    Durations stand in `cost.md` and `tables/cost.csv` alone, so that every other file is the same
    after an interruption. Everything is computed before the first file is replaced; other files in
    `out` stay as they are.

    Args:
        ablation: arms in the order of the tables, their runs in any order.
        out: folder, made where it is absent.
        title: heading.

    Raises:
        NothingToCompareError: no arm has a run.
        UsageError: the metric is none that single steps determine, or several arms are the
        reference. RunError: the scores of a run cannot be read.
    """
    if not any(arm.records for arm in ablation.arms):
        raise NothingToCompareError(
            f"{ablation.name}: a report needs at least one finished run",
            f"anomalynet sweep {ablation.name}",
        )
    found = _find(ablation)
    costs = cost_rows([arm.metrics for arm in found.arms])
    files = {
        "tables/arms.csv": tables.arms_csv(found.arms, found.metric).encode(),
        "tables/tests.csv": tables.comparisons_csv(found.comparisons, found.metric).encode(),
    }
    told = (found.main, found.interactions, _against(found), _notes(found))
    files["tables/findings.csv"] = findings_csv(
        ablation, found.arms, found.comparisons, *told
    ).encode()
    if ablation.design == "factorial":
        files["tables/effects.csv"] = tables.effects_csv(
            (*found.main, *found.interactions), found.metric
        ).encode()
    files |= {f"figures/{name}": content for name, content in _drawn(found).items()}
    files |= {
        "tables/cost.csv": _cost_csv(found, costs).encode(),
        "cost.md": _cost(title, costs).encode(),
    }
    return write_files(out, files | {"report.md": _document(found, title).encode()})


def _find(ablation: Ablation) -> _Found:
    metric = ablation.measured
    arms, clusters = measure(ablation)
    factorial = ablation.design == "factorial"
    return _Found(
        ablation,
        metric,
        arms,
        compare(arms, clusters),
        main_effects(ablation, arms, clusters) if factorial else (),
        interactions(ablation, arms, clusters) if factorial else (),
        tuple(axis_view(ablation, axis, arms, metric) for axis in ablation.axes),
    )


def _drawn(found: _Found) -> dict[str, bytes]:
    by_axis = {
        name: content
        for view in found.views
        for name, content in figures.draw_axis(view, found.metric).items()
    }
    return by_axis | (
        figures.draw_differences(found.comparisons, found.metric) if found.comparisons else {}
    )


def _cost_csv(found: _Found, costs: Sequence[Mapping[str, str]]) -> str:
    data = {arm.name: captions.data_text(arm.metrics.arm) for arm in found.arms}
    priced = [{**row, "data": data[row["model"]]} for row in costs]
    return to_csv(COST_COLUMNS, ([row[column] for column in COST_COLUMNS] for row in priced))


def _cost(title: str, costs: Sequence[Mapping[str, str]]) -> str:
    table = markdown.cost(costs, {row["model"]: row["model"] for row in costs}, COSTS)
    note = (
        "Mean ± standard deviation over runs, on the machine that ran them, and the sum over "
        "runs; nothing in [report.md](report.md) "
        "depends on it. Numbers: [cost.csv](tables/cost.csv)."
    )
    return f"# {title}: cost\n\n{table}\n\n{note}\n"


def _notes(found: _Found) -> list[str]:
    """What the signs mean, and what was left out."""
    arms = [arm.metrics.arm for arm in found.arms]
    lacking = "; ".join(f"{arm.name} ({arm.status})" for arm in found.arms if not arm.complete)
    undefined = "; ".join(
        f"{arm.name} ({arm.undefined(found.metric)})"
        for arm in found.arms
        if arm.undefined(found.metric)
    )
    reference = reference_of(found.arms)
    return [
        *([f"{captions.INCOMPLETE} Not all runs are there: {lacking}."] if lacking else []),
        *(note for note in captions.notes(arms, arms) if not note.startswith(captions.INCOMPLETE)),
        *(
            []
            if reference and reference.runs
            else ["The reference has not been run: there is nothing to take a difference from."]
        ),
        *(
            [f"Runs whose {METRICS[found.metric].title} is undefined: {undefined}."]
            if undefined
            else []
        ),
        *(
            f"{arm.name}: left out, because another run has their seed and fold: "
            f"{', '.join(arm.duplicates)}."
            for arm in arms
            if arm.duplicates
        ),
        *_other_data(found),
    ]


def _other_data(found: _Found) -> list[str]:
    """Pairs are of one seed, fold and world, but not of the same data where an axis changes it."""
    prints: dict[int | None, set[str]] = {}
    for record in (record for arm in found.arms for record in arm.runs.values()):
        prints.setdefault(record.result.world, set()).add(record.result.fingerprint)
    if all(len(own) == 1 for own in prints.values()):
        return []
    return [
        "The arms do not share one version of the data (see the appendix): a difference between "
        "them is also one between data."
    ]


def _caption(title: str, arms: Iterable[MeasuredArm], csv: str | None = None) -> str:
    shown = list(arms)
    source = f" Numbers: [{csv}](tables/{csv})." if csv else ""
    facts = captions.facts([arm.metrics for arm in shown])
    lines = [
        f"**{title}.** {facts}{source}",
        *(f"⚠ {warning}" for warning in captions.warnings(arm.metrics.arm for arm in shown)),
    ]
    return "\n>\n".join(f"> {line}" for line in lines)


def _bullets(lines: Iterable[str]) -> list[str]:
    text = "\n".join(f"- {line}" for line in lines)
    return [text] if text else []


def _notice(contrasts: Iterable[Comparison] | Iterable[Effect], noun: str) -> list[str]:
    text = sentences.notice([one.contrast for one in contrasts if one.contrast is not None], noun)
    claim, _, reason = text.partition(": ")
    return [f"> **{claim}:** {reason}"] if text else []


def _base(contrasts: Iterable[Comparison] | Iterable[Effect], noun: str) -> list[str]:
    text = sentences.base([one.contrast for one in contrasts if one.contrast is not None], noun)
    return [text] if text else []


def _named(reference: MeasuredArm) -> str:
    levels = ", ".join(
        f"{axis}={level_text(level)}" for axis, level in reference.design.levels.items()
    )
    name = "the reference" if reference.name == "reference" else reference.name
    return f"{name} ({levels})" if levels and levels != name else name


def _against(found: _Found) -> str:
    reference = reference_of(found.arms)
    return (
        f"Against {_named(reference)}, by {METRICS[found.metric].title}:"
        if reference
        else "There is no reference."
    )


def _findings(found: _Found) -> list[str]:
    """The sentences that a reader came for."""
    metric = found.metric
    parts = [
        _against(found),
        *_bullets(sentences.arm_sentence(one, metric) for one in found.comparisons),
        *_notice(found.comparisons, "arm"),
    ]
    for heading, noun, effects in (
        ("Main effects", "main effect", found.main),
        ("Interactions", "interaction", found.interactions),
    ):
        if effects:
            parts += [
                f"{heading}:",
                *_bullets(sentences.effect_sentence(one, metric) for one in effects if one.wanted),
                *_notice(effects, noun),
            ]
    return parts


def _figure(name: str, title: str, arms: Sequence[MeasuredArm]) -> list[str]:
    return [
        f"![{title}, {captions.short_facts([arm.metrics for arm in arms])}](figures/{name}.svg)",
        _caption(title, arms),
    ]


def _document(found: _Found, title: str) -> str:
    metric, arms, effects = found.metric, found.arms, (*found.main, *found.interactions)
    name, run_warnings = METRICS[metric].title, captions.warnings(arm.metrics.arm for arm in arms)
    parts = [
        f"# {title}",
        *([f"*{found.ablation.question}*"] if found.ablation.question else []),
        *_findings(found),
        *(f"> **Warning.** {warning}" for warning in run_warnings),
        *_bullets(_notes(found)),
        "## Arms",
        tables.arms_table(arms, metric, found.signs),
        _caption("Arms", arms, "arms.csv"),
        "## Tests over series",
        tables.comparisons_table(found.comparisons, metric, found.signs)
        if found.comparisons
        else "There is no arm beside the reference.",
        *_base(found.comparisons, "arm"),
        _caption(f"{name} of each test series, arm minus reference", arms, "tests.csv"),
        *(
            _figure(figures.DIFFERENCES, f"{name}: each arm against the reference", arms)
            if found.comparisons
            else []
        ),
    ]
    if found.ablation.design == "factorial":
        parts += [
            "## Main effects and interactions",
            tables.effects_table(effects, metric),
            *_base(found.main, "main effect"),
            _caption("Effects", arms, "effects.csv"),
        ]
    parts.append("## Axes")
    for view in found.views:
        parts += [
            f"### {view.axis}",
            *_figure(
                figures.axis_name(view.axis),
                f"{name} by {view.axis}, {figures.axis_note(view)}",
                view.shown,
            ),
        ]
    parts += [
        "## How to read this",
        sentences.how_to_read(metric),
        "## Appendix: the runs",
        markdown.runs([arm.metrics.arm for arm in arms]),
        "Durations: [cost.md](cost.md).",
    ]
    return "\n\n".join(parts) + "\n"
