"""The findings of an ablation in sentences that claim no more than the clusters allow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.ablation.contrasts import BETTER, LEVEL, NO_EVIDENCE, WORSE, Contrast
from anomalynet.reporting.ablation.effects import NOT_IN_SWEEP, NOT_RUN, Comparison, Effect
from anomalynet.reporting.measures import MEASURES, series_mean

SHORT = {"average_precision": "AP", "auroc": "AUROC", "mcc": "MCC"}

NAMED = 4  # most arms that the verdict names

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
        "independent units. Series that share an incident are one cluster. Mean over clusters, 95 "
        "% bootstrap interval, two-sided sign-flip p, Holm's correction over the arms (apart from "
        "that over main effects and over interactions). *Better* or *worse* needs Holm's p below "
        f"0.05 and an interval without 0. {better} is better."
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


def counted(number: int, noun: str) -> str:
    """`1 cluster`, `2 clusters`; a noun that ends in s is not changed."""
    return f"{number} {noun}" + ("" if number == 1 or noun.endswith("s") else "s")


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
    least = "" if math.isnan(most.reachable) else f" allow no p below {p_text(most.reachable)}"
    corrected = f" after Holm's correction over {len(contrasts)} {noun}s" if least else ""
    if not any(one.testable for one in contrasts):
        return (
            f"**No {noun} could be told from the reference by any result**: "
            f"{form}{least}{corrected}. Nothing is tested; differences and intervals only "
            "describe. More worlds, or recordings that share no incident, could change that; more "
            "seeds cannot."
        )
    sizes = [one.detectable for one in contrasts if not math.isnan(one.detectable)]
    size = MEASURES[metric].text(max(sizes, default=math.nan) * MEASURES[metric].scale)
    return (
        f"{form[0].upper()}{form[1:]}{least}{corrected}; a true difference of {size} "
        f"{unit_text(metric)} would be found with 80 % probability."
    )


def verdict_sentence(found: Sequence[Comparison], metric: str) -> str:
    """Which arms are better and worse than the reference, the largest difference first."""
    if not found:
        return "**There is no arm besides the reference.**"
    groups: dict[str, list[tuple[float, str]]] = {}
    for one in found:
        mean = math.nan if one.contrast is None else one.contrast.mean
        groups.setdefault(one.verdict(metric), []).append((mean, one.arm.name))
    title = f"{MEASURES[series_mean(metric)].title}, {unit_text(metric)}"
    parts = []
    for verdict in (BETTER, WORSE):
        own = sorted(groups.pop(verdict, ()), key=lambda pair: -abs(pair[0]))
        names = [f"{name} ({signed(mean, metric)})" for mean, name in own[:NAMED]]
        names += [f"{len(own) - NAMED} more"] if len(own) > NAMED else []
        parts += [f"**{verdict.capitalize()} than the reference:** {', '.join(names)}"] * bool(own)
    start = "" if parts else "**No arm is shown to differ from the reference.** "
    parts += [f"{verdict}: {counted(len(own), 'arm')}" for verdict, own in groups.items()]
    return f"{start}{'; '.join(parts)} ({title})."
