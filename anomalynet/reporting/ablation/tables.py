"""Makes an ablation's findings: sentences that claim no more than the clusters allow, and tables of
arms, tests and effects, as rows for CSV and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from anomalynet.errors import counted
from anomalynet.metrics.kernels import NAN
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.ablation.arms import (
    MeasuredArm,
    ModelsView,
    gap,
    level_text,
    reference_of,
    shown_metrics,
)
from anomalynet.reporting.ablation.contrasts import BETTER, LEVEL, NO_EVIDENCE, WORSE, Contrast
from anomalynet.reporting.ablation.effects import NOT_IN_SWEEP, NOT_RUN, Comparison, Effect
from anomalynet.reporting.arms import title_of
from anomalynet.reporting.captions import NAMED, ReportContext
from anomalynet.reporting.formats.markdown import grid, metric_title
from anomalynet.reporting.measures import MEASURES, primary, series_mean
from anomalynet.reporting.prose import capital
from anomalynet.reporting.tables import Row, defined, metric_text, parameters_text, scaled

SHORT = {"average_precision": "AP", "auroc": "AUROC", "mcc": "MCC"}

TOGETHER = {
    BETTER: "together better than the sum of both",
    WORSE: "together worse than the sum of both",
    NO_EVIDENCE: "no evidence of an interaction",
}
"""The meaning of a verdict for an interaction."""


def how_to_read(metric: str) -> str:
    """How the tests are made, for one metric."""
    better = "Higher" if MEASURES[metric].higher_is_better else "Lower"
    return (
        f"*Tests*: {METRICS[metric].title} is computed for each test series and averaged over the "
        "runs that both arms have; seeds repeat the training, not the data, and are no "
        "independent units. Series that share an incident or a radio cell are one cluster, and "
        "each cluster weighs the same (`tables/clusters.csv`); cells of one "
        "deployment still share its weather, and the training that scores them. Mean over "
        "clusters, 95 % bootstrap interval, two-sided sign-flip p, Holm's correction over the arms "
        "(apart from that over main effects and over interactions). *Better* or *worse* needs "
        "Holm's p below 0.05 and an interval without 0. "
        f"{better} is better. The means of the arms above are of "
        "whole test parts, not of series: they differ by other amounts, perhaps in sign."
    )


def unit_text(metric: str) -> str:
    """The unit of a difference: `points AP`, `MCC`."""
    short = SHORT.get(metric, METRICS[metric].title)
    return f"points {short}" if MEASURES[metric].unit == "%" else short


def signed(value: float, metric: str) -> str:
    """A difference with its sign, shares in percentage points; a dash if undefined."""
    measure = MEASURES[metric]
    if math.isnan(value):
        return "–"
    text = measure.text(abs(value) * measure.scale)
    return text if float(text) == 0 else ("+" if value > 0 else "−") + text


def p_text(p: float) -> str:
    """p with two decimals, below 0.1 with three digits; it is never rounded across the level."""
    if math.isnan(p):
        return "–"
    text = "< 0.0001" if p < 0.0001 else f"{p:.2f}" if p >= 0.1 else f"{p:.3g}"
    return f"< {LEVEL}" if text == str(LEVEL) and p < LEVEL else text


def effect_verdict(one: Effect, metric: str) -> str:
    """The verdict of an effect; for an interaction, what the two changes do together."""
    if one.contrast is None:
        return NOT_RUN if one.wanted else NOT_IN_SWEEP
    verdict = one.contrast.verdict(metric)
    return TOGETHER.get(verdict, verdict) if len(one.changes) > 1 else verdict


def contrasts_of(found: Iterable[Comparison | Effect]) -> list[Contrast]:
    """The contrasts of those that could be compared."""
    return [one.contrast for one in found if one.contrast is not None]


def what_can_be_seen(contrasts: Sequence[Contrast], noun: str, metric: str) -> str:
    """The lowest p that any data could give for an arm or effect, and the smallest difference that
    would be found; or that no test could pass, and why. Empty without a contrast."""
    if not contrasts:
        return ""
    most = max(contrasts, key=lambda one: one.clusters)
    form = f"{counted(most.series, 'series')} in {counted(most.clusters, 'cluster')}"
    form += f" ({most.left_out} more have no value: no attack, as a rule)" * (most.left_out > 0)
    least = "" if math.isnan(most.reachable) else f" allow no p below {p_text(most.reachable)}"
    corrected = f" after Holm's correction over {counted(len(contrasts), noun)}" if least else ""
    if not any(one.testable for one in contrasts):
        text = (
            f"**No {noun} could be told from the reference by any result**: "
            f"{form}{least}{corrected}."
        )
        hint = (
            " Nothing is tested; differences and intervals only describe. More worlds, or "
            "recordings of other incidents, could change that; more seeds cannot."
        )
        return text + hint * (noun == "arm")  # once in a report
    sizes = [one.detectable for one in contrasts if not math.isnan(one.detectable)] or [math.nan]
    ends = [MEASURES[metric].text(end(sizes) * MEASURES[metric].scale) for end in (min, max)]
    span = f"{ends[0]} to {ends[1]} (by {noun})" if len({*ends}) > 1 else ends[0]
    return (
        f"{capital(form)}{least}{corrected}; a true difference of {span} "
        f"{unit_text(metric)} would be found with 80 % probability."
    )


def verdict_sentence(found: Sequence[Comparison], metric: str) -> str:
    """Which arms are better and worse than the reference, the largest difference first."""
    if not found:
        return "**There is no arm besides the reference.**"
    groups: dict[str, list[tuple[float, str, str]]] = {}
    for one in found:
        mean = math.nan if one.contrast is None else one.contrast.mean
        entry = (mean, one.arm.name, _brief(one.contrast, metric))
        groups.setdefault(one.verdict(metric), []).append(entry)
    title = f"{MEASURES[series_mean(metric)].title}, {unit_text(metric)}"
    parts = []
    for verdict in (BETTER, WORSE):
        own = sorted(groups.pop(verdict, ()), key=lambda entry: -abs(entry[0]))
        names = [f"{name}, {numbers}" for _, name, numbers in own[:NAMED]]
        names += [f"{len(own) - NAMED} more"] if len(own) > NAMED else []
        parts += [f"**{verdict.capitalize()} than the reference:** {'; '.join(names)}"] * bool(own)
    start = "" if parts else "**No arm is shown to differ from the reference**; "
    largest = "" if parts else _largest(found, metric)
    parts += [f"{verdict}: {counted(len(own), 'arm')}" for verdict, own in groups.items()]
    return f"{start}{'; '.join(parts)} ({title}).{largest}"


def _largest(found: Sequence[Comparison], metric: str) -> str:
    """The arm that differs most, as a sentence; empty without an interval."""
    known = [
        (abs(own.mean), one.arm.name, own)
        for one in found
        if (own := one.contrast) is not None and not math.isnan(own.low)
    ]
    if not known:
        return ""
    _, name, most = max(known, key=lambda each: each[0])
    return f" The largest difference: {name}, {_brief(most, metric)}."


def _brief(one: Contrast | None, metric: str) -> str:
    """A difference with its interval and the p that decides, for a sentence."""
    if one is None:
        return "–"
    mean, low, high = (signed(value, metric) for value in (one.mean, one.low, one.high))
    p = f", p {p_text(one.adjusted)} after correction" if one.testable else ""
    return f"{mean} ({low} to {high}{p})"


CHANGES = ("axis", "usual", "level", "axis_2", "usual_2", "level_2")


def arm_rows(arms: Sequence[MeasuredArm], metric: str, context: ReportContext) -> Iterator[Row]:
    """One line per arm and metric; shares in percent, differences of them in points."""
    reference, names = reference_of(arms), shown_metrics(metric)
    return (_arm_row(arm, reference, name, context) for arm in arms for name in names)


def _arm_row(
    arm: MeasuredArm, reference: MeasuredArm | None, metric: str, context: ReportContext
) -> Row:
    one, scale, facts = arm.metrics, MEASURES[metric].scale, context[arm.metrics]
    levels = (f"{key}={level_text(level)}" for key, level in arm.design.levels.items())
    summary, between = one.summary(metric), gap(arm, reference, metric)
    mean, spread = scaled(summary, scale)
    row: Row = {"arm": arm.name, "levels": "; ".join(levels)}
    row |= {key: level_text(getattr(arm.design, key)) for key in ("on_axes", "reference")}
    row |= {"data": facts.data, "metric": metric, "mean": mean, "spread": spread, "n": summary.n}
    row["difference"], row["difference_spread"] = scaled(between, scale)
    row |= {"pairs": between.n, "unit": MEASURES[metric].unit, "runs": len(arm.runs)}
    row |= {"expected": arm.design.expected, "failed": arm.design.failed}
    row["undefined"] = arm.undefined(metric.removesuffix("_fold_mean"))
    return row | {"parameters": parameters_text(one.arm), **facts.cells()}


def _contrast(one: Contrast | None, metric: str) -> Row:
    """A contrast's columns, the same without any."""
    scale = MEASURES[metric].scale
    one = one or Contrast(NAN, NAN, NAN, p=NAN, smallest=NAN, clusters=0, series=0, left_out=0)
    ends = {"difference": one.mean, "low": one.low, "high": one.high}
    row: Row = {name: defined(value, scale) for name, value in ends.items()}
    row |= {"p": _p(one.p), "p_holm": _p(one.adjusted), "clusters": one.clusters}
    row |= {"series": one.series, "left_out": one.left_out, "smallest_p": _p(one.smallest)}
    row |= {"smallest_p_holm": _p(one.reachable), "detectable": defined(one.detectable, scale)}
    return row | {"unit": MEASURES[metric].unit}


def _p(value: float) -> str:
    """A p with six digits; four decimals would round a small p to zero."""
    return "" if math.isnan(value) else f"{value:.6g}"


def comparison_row(one: Comparison, metric: str) -> Row:
    """The line of an arm in CSV."""
    last = {"pairs": one.shared, "verdict": one.verdict(metric), "reason": one.reason}
    head = {"arm": one.arm.name, "metric": series_mean(metric)}
    return {**head, **_contrast(one.contrast, metric), **last}


def cluster_rows(one: Comparison, metric: str) -> Iterator[Row]:
    """An arm's difference in each cluster, which is named by its first series, in CSV."""
    for (world, series), value in one.contrast.each if one.contrast is not None else ():
        cluster = series if world is None else f"world {world}: {series}"
        head: Row = {"arm": one.arm.name, "metric": series_mean(metric), "cluster": cluster}
        yield head | {"difference": defined(value, MEASURES[metric].scale)}


def effect_row(one: Effect, metric: str) -> Row:
    """The line of a main effect or interaction in CSV."""
    kind = "main" if len(one.changes) == 1 else "interaction"
    changes = [cell for change in one.changes for cell in change]
    head = {"effect": kind, **dict(zip_longest(CHANGES, changes, fillvalue=""))}
    last = {"matched": one.matched, "wanted": one.wanted, "verdict": effect_verdict(one, metric)}
    return {**head, "metric": series_mean(metric), **_contrast(one.contrast, metric), **last}


def arms_table(arms: Sequence[MeasuredArm], metric: str, signs: Mapping[str, str]) -> str:
    """One line per arm: runs, the metric, other metrics, parameters. Its differences are in
    `arms.csv` alone: beside those of the tests, which average otherwise, they would confuse."""
    reference, names = reference_of(arms), shown_metrics(metric)
    lines = []
    for arm in arms:
        one = arm.metrics
        texts = (metric_text(name, one.summary(name), len(one.values)) for name in names)
        mark = " (reference)" if arm is reference and arm.name != "reference" else ""
        label = f"**{arm.name}**{signs[arm.name]}{mark}"
        runs, n = f"{len(arm.runs)} of {arm.design.expected}", str(len(one.values))
        parameters = parameters_text(one.arm) or "–"
        lines.append([label, runs, n, *texts, parameters])
    header = ["Arm", "runs", "n", *map(metric_title, names), "parameters"]
    return grid(header, lines, "l" + "r" * (len(header) - 1))


def models_table(view: ModelsView, metric: str, signs: Mapping[str, str]) -> str:
    """One line per model, one column per level of the other axis."""
    name, lines = primary(metric), []
    for experiment, own in view.arms.items():
        texts = [
            metric_text(name, arm.metrics.summary(name), view.n) + signs[arm.name]
            if (arm := own.get(level))
            else "–"
            for level in view.levels
        ]
        lines.append([f"**{title_of(experiment)}**", *texts])
    return grid(["Model", *view.levels.values()], lines, "l" + "r" * len(view.levels))


def _numbers(one: Contrast | None, metric: str, tested: bool) -> list[str]:
    """Difference, interval, p if anything is tested, and clusters of a line."""
    if one is None:
        return ["–"] * (5 if tested else 3)
    interval = f"{signed(one.low, metric)} to {signed(one.high, metric)}"
    return [
        signed(one.mean, metric),
        "–" if math.isnan(one.low) else interval,
        *([p_text(one.p), p_text(one.adjusted)] if tested else []),
        f"{one.ahead(metric)} of {one.clusters}",
    ]


def _header(first: Sequence[str], metric: str, tested: bool) -> list[str]:
    names = [f"difference, {unit_text(metric)}", "95 % interval", *(["p", "Holm"] * tested)]
    return [*first, *names, "clusters ahead", *(["verdict"] * tested)]


def comparisons_table(
    comparisons: Sequence[Comparison], metric: str, signs: Mapping[str, str]
) -> str:
    """One line per arm; without p and verdicts if no arm could pass."""
    tested = any(one.contrast is not None and one.contrast.testable for one in comparisons)
    lines = [
        [
            f"**{one.arm.name}**{signs[one.arm.name]}",
            *_numbers(one.contrast, metric, tested),
            *([", ".join(filter(None, (one.verdict(metric), one.reason)))] * tested),
        ]
        for one in comparisons
    ]
    header = _header(["Arm"], metric, tested)
    return grid(header, lines, "l" + "r" * (len(header) - 1 - tested))


def effects_table(effects: Sequence[Effect], metric: str) -> str:
    """One line per main effect or interaction that could pass its test."""
    lines = [
        [
            f"**{one.label}**",
            f"{one.matched} of {one.wanted}",
            *_numbers(one.contrast, metric, tested=True),
            effect_verdict(one, metric),
        ]
        for one in effects
    ]
    header = _header(["Effect", "combinations"], metric, tested=True)
    return grid(header, lines, "l" + "r" * (len(header) - 2))
