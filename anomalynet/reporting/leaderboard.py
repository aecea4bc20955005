"""The first screen of a report: which model is best, by how much, how sure that is, and what to
distrust; a table of all models beside detectors that read no sensor, and a forest plot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from anomalynet.reporting import figures
from anomalynet.reporting.ablation.contrasts import LEVEL, smallest_p
from anomalynet.reporting.aggregate import ArmMetrics, Summary, summarise
from anomalynet.reporting.captions import ReportContext, Section, deviation
from anomalynet.reporting.formats.markdown import emphasised, grid, metric_title
from anomalynet.reporting.measures import MEASURES, primary
from anomalynet.reporting.paper.claims.judge import Evidence, gather, share_interval
from anomalynet.reporting.sections.over_time import judge, judge_trivial, over
from anomalynet.reporting.tables import Row, csv_file, defined, metric_text, scaled

NAME, HEADLINE = "leaderboard", "f1_attack"
FALSE_ALARMS = primary("false_alarms_per_device_day")
METRICS: tuple[str, ...] = (HEADLINE, "accuracy", "balanced_accuracy", "auroc_fold_mean")
METRICS += ("average_precision_fold_mean", FALSE_ALARMS)
METRICS += ("event_recall_at_1",)
SHORT = {
    HEADLINE: "F1, %",
    "auroc_fold_mean": "AUROC, %",
    "average_precision_fold_mean": "AP, %",
    primary("false_alarms_per_device_day"): "False alarms per node and day",
    "event_recall_at_1": "Incidents at one false alarm, %",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """The best model's headline metric minus another's, fractions, with a 95 % interval over
    clusters of test series; NaN if there is none."""

    model: ArmMetrics
    mean: float
    low: float
    high: float
    clusters: int

    @property
    def sure(self) -> bool:
        """Whether enough clusters say that the other is behind."""
        return smallest_p(self.clusters) < LEVEL and self.low > 0


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The models of a report in order."""

    context: ReportContext
    ranked: tuple[ArmMetrics, ...]  # those that can be compared, the best first
    others: tuple[ArmMetrics, ...]  # incomplete, without a value, or on another split
    gaps: tuple[Gap, ...]  # to the others of `ranked`, in their order
    trivial: Mapping[str, Mapping[str, Summary]]  # detector → metric → its value

    @classmethod
    def of(cls, context: ReportContext) -> Leaderboard:
        """Rank the models with a complete repetition on the split that most of them have."""
        splits = [context[one].split for one in context.run]
        usual = max(splits, key=splits.count, default="")
        ranked = sorted(
            (
                one
                for one in context.run
                if context[one].split == usual
                and not any(each.missing for each in one.arm.counted)
                and not math.isnan(one.summary(HEADLINE).mean)
            ),
            key=lambda one: (-one.summary(HEADLINE).mean, one.arm.name),
        )
        evidence = gather(context.models)
        gaps = tuple(_gap(evidence, ranked[0], other) for other in ranked[1:])
        others = tuple(one for one in context.run if one not in ranked)
        return cls(context, tuple(ranked), others, gaps, _trivial(context))

    def value(self, one: ArmMetrics, metric: str) -> Summary:
        """A metric of the table over the repetitions."""
        return over(one.of(judge), metric) if metric == "event_recall_at_1" else one.summary(metric)


def _gap(evidence: Evidence, best: ArmMetrics, other: ArmMetrics) -> Gap:
    first, second = best.arm.name, other.arm.name
    both = evidence.tested(first) | evidence.tested(second)
    counts = [evidence.cluster_counts(name, both) for name in (first, second)]
    return Gap(other, *share_interval(HEADLINE, *counts), len(both))


def _trivial(context: ReportContext) -> dict[str, dict[str, Summary]]:
    """Detector without sensors → metric → its value on the test steps of one model."""
    if not context.run:
        return {}
    found = list(context.base.of(judge_trivial).values())
    return {
        who: {
            metric: summarise(one[who].values.get(metric, math.nan) for one in found)
            for metric in METRICS
        }
        for who in (found[0] if found else ())
    }


def verdict(board: Leaderboard) -> str:
    """What is best, by how much, and how sure that is, in a sentence or two."""
    if not board.ranked:
        return "**Nothing to compare:** no model has a complete repetition with labels."
    best = board.ranked[0]
    title, own = best.arm.title, metric_text(HEADLINE, best.summary(HEADLINE))
    if not board.gaps:
        return f"**{title} has an F1 of {own} %; there is nothing to compare it with.**"
    second = board.gaps[0]
    ahead = f"{100 * second.mean:.2f} points ahead of" if second.mean > 5e-5 else "level with"
    lead = f"{ahead} {second.model.arm.title}"
    open_ = [gap.model.arm.title for gap in board.gaps if not gap.sure]
    if not open_:
        each = f"each of the {len(board.gaps)} others by itself" if len(board.gaps) > 1 else "it"
        sure = f"**This is certain** (95 %) against {each}, on this test data"
        if best.summary(HEADLINE).n == 1:
            sure += "; another training may change it"
    elif smallest_p(second.clusters) < LEVEL:
        sure = (
            "**This is not certain**: the interval of its lead includes zero against "
            f"{', '.join(open_)}"
        )
    else:
        sure = (
            f"**This is not certain**: {second.clusters} independent parts of the data are too few"
        )
    ends = f"{100 * second.low:+.2f} to {100 * second.high:+.2f}".replace("-", "−")
    interval = "" if math.isnan(second.low) else f" ({ends} points, 95 % interval)"
    also = _rankings(board) + _unranked(board)
    return f"**{title} wins** by F1, {own} %, {lead}{interval}. {sure}.{also}"


def _unranked(board: Leaderboard) -> str:
    """The models that are in the table and not in the ranking."""
    names = [one.arm.title + board.context[one].sign for one in board.others]
    return f" Not in the ranking (see Conditions): {', '.join(names)}." if names else ""


def _rankings(board: Leaderboard) -> str:
    """Which other models are best without a threshold."""
    best, found = board.ranked[0], dict[str, list[str]]()
    for name, metric in (("AP", "average_precision_fold_mean"), ("AUROC", "auroc_fold_mean")):
        leader = max(board.ranked, key=lambda one: one.summary(metric).mean)
        if leader.summary(metric).mean > best.summary(metric).mean:
            reached = f"{name} ({metric_text(metric, leader.summary(metric))} %)"
            found.setdefault(leader.arm.title, []).append(reached)
    said = ", ".join(f"{title} by {' and '.join(own)}" for title, own in found.items())
    return f" Ranked without a threshold, the best is {said}." if said else ""


def doubts(board: Leaderboard) -> list[str]:
    """What to distrust, as short sentences computed from the runs."""
    context, found = board.context, []
    if board.ranked and board.ranked[0].summary(HEADLINE).n == 1:
        found.append("Each model was trained once: how much another seed changes is unknown.")
    shares = [
        summarise(max(share, 1 - share) for share in prevalences)
        for one in context.run
        if (prevalences := [own["prevalence"] for own in one.values.values()])
    ]
    if below := [one.arm.title for one in context.run if one.summary("auroc_fold_mean").mean < 0.5]:
        found.append(f"Ranked worse than by chance (AUROC below 50 %): {', '.join(below)}.")
    behind = [
        one.arm.title
        for one, share in zip(context.run, shares, strict=True)
        if one.summary("accuracy").mean < share.mean
    ]
    if behind:
        found.append(
            f"Less accurate than always naming the commoner class: {', '.join(behind)} "
            f"({len(behind)} of {len(context.run)} models)."
        )
    budget = [
        one.arm.title
        for one in context.run
        if all(record.result.threshold_rule == "alarm_budget" for record in one.arm.records)
    ]
    if 0 < len(budget) < len(context.run):
        found.append(
            f"The threshold of {', '.join(budget)} keeps an alarm budget, however frequent "
            "attacks are: compare AUROC and AP, not F1."
        )
    chance = board.trivial.get("random", {}).get("event_recall_at_1")
    if chance is not None and not math.isnan(chance.mean):
        ahead = [board.value(one, "event_recall_at_1").mean for one in context.run]
        if all(chance.mean > value for value in ahead if not math.isnan(value)):
            found.append(
                "A random detector finds more incidents at one false alarm per node and day "
                f"({100 * chance.mean:.2f} %) than every model."
            )
    return found


def leaderboard_section(board: Leaderboard) -> Section:
    """The table, the forest plot and their CSV."""
    context, lines, rows = board.context, list[list[str]](), list[Row]()
    models = (*board.ranked, *board.others)
    found = [{metric: board.value(one, metric) for metric in METRICS} for one in models]
    texts = [[metric_text(*pair) for pair in own.items()] for own in found]
    # few false alarms alone are no merit: a model that never alarms has none
    means = [
        [
            defined(value.mean) if one in board.ranked and name != FALSE_ALARMS else None
            for name, value in own.items()
        ]
        for one, own in zip(models, found, strict=True)
    ]
    for one, own, cells in zip(models, found, emphasised(texts, means, METRICS), strict=True):
        name = f"**{one.arm.title}**{context[one].sign}"
        lines.append([name, *cells, str(len(one.values))])
        rows += [_row(context, one.arm.name, *pair) for pair in own.items()]
    for who, values in board.trivial.items():
        cells = [metric_text(*pair) for pair in values.items()]
        lines.append([f"*{who.capitalize()}*", *cells, str(len(context.base.values))])
        rows += [_row(context, who, *pair) for pair in values.items()]
    titles = [SHORT.get(name, metric_title(name)) for name in METRICS]
    note = (
        f"{deviation([len(one.values) for one in models])} *Incidents at one false alarm*: share "
        "detected at one false alarm per node and day, with a threshold taken from the test part. "
        "*Random* alarms on as many steps as attacks have."
    )
    parts = [grid(["Model", *titles, "n"], lines, "l" + "r" * (len(titles) + 1))]
    parts.append(context.caption("All models", note, f"{NAME}.csv"))
    files = csv_file(NAME, rows)
    if board.gaps:
        title = f"F1 behind {board.ranked[0].arm.title}, percentage points"
        note = (
            f"95 % intervals over {board.gaps[0].clusters} clusters of the test data, which "
            "share neither incident nor radio cell (jackknife, each by itself)."
        )
        parts.append(context.figure(NAME, title, note, "differences.csv"))
        files |= csv_file("differences", (_gap_row(board, gap) for gap in board.gaps))
        files |= figures.drawn(NAME, title, context.facts(), lambda: _figure(board))
    return Section(parts, files)


def _row(context: ReportContext, model: str, metric: str, value: Summary) -> Row:
    mean, spread = scaled(value, MEASURES[metric].scale)
    head = {"table": NAME, "model": model, "data": context.data, "metric": metric}
    return head | {"mean": mean, "spread": spread, "n": value.n, "unit": MEASURES[metric].unit}


def _gap_row(board: Leaderboard, gap: Gap) -> Row:
    values = {"difference": gap.mean, "low": gap.low, "high": gap.high}
    names = {"model": gap.model.arm.name, "best": board.ranked[0].arm.name, "metric": HEADLINE}
    shares = {name: defined(value, 100) for name, value in values.items()}
    return {**names, **shares, "clusters": gap.clusters, "unit": "%"}


def _figure(board: Leaderboard) -> Figure:
    """A line per model that is behind: the distance to the best, with its interval."""
    height, looks = 0.9 + 0.27 * (len(board.gaps) + 1), figures.looks(board.context)
    figure, axes = figures.panel(6.4, height, "difference in F1, percentage points", lines="x")
    axes.axvline(0, color="#404040", linewidth=0.8)
    best = board.ranked[0].arm
    points = [(best, 0.0, math.nan, math.nan)]
    points += [(gap.model.arm, -gap.mean, -gap.high, -gap.low) for gap in board.gaps]
    for at, (arm, mean, low, high) in enumerate(points):
        look = looks[arm.name]
        if not math.isnan(low):
            axes.plot([100 * low, 100 * high], [at, at], color=look["color"], linewidth=1.6)
        axes.plot(100 * mean, at, marker=look["marker"], color=look["color"], markersize=6)
    names = figures.broken_names([arm for arm, *_ in points], board.context)
    axes.set_yticks(range(len(points)), names)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    return figure
