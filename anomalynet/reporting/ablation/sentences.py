"""The findings of an ablation in sentences that claim no more than the clusters allow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.ablation.contrasts import (
    BETTER,
    EXACT,
    FLIPS,
    INSUFFICIENT_DATA,
    LEVEL,
    NO_EVIDENCE,
    RESAMPLES,
    WORSE,
    Contrast,
)
from anomalynet.reporting.ablation.effects import NOT_IN_SWEEP, NOT_RUN, Comparison, Effect
from anomalynet.reporting.aggregate import RULE
from anomalynet.reporting.measures import MEASURES

SHORT = {"average_precision": "AP", "auroc": "AUROC", "mcc": "MCC"}

TOGETHER = {
    BETTER: "together better than the sum of both",
    WORSE: "together worse than the sum of both",
    NO_EVIDENCE: "no evidence of an interaction",
}
"""The meaning of a verdict for an interaction."""


def how_to_read(metric: str) -> str:
    """The rules of the tables, for one metric."""
    title = METRICS[metric].title
    better = "Higher" if MEASURES[metric].higher_is_better else "Lower"
    return f"""\
{RULE}

*Difference* of the arms: arm minus reference, paired by repetition if both have the same \
folds; mean ± sample standard deviation over those pairs.

*Test*: seeds repeat the training, not the data, so they are not independent units. \
{title} is computed again for each test series of each run, with the run's threshold, and averaged \
over the runs that both arms have; the difference is taken per series. A series for which it is \
undefined (only one class) is left out and counted. Series with the same incident are one \
cluster, whose value is the mean of its series. Over clusters: mean, 95 % bootstrap percentile \
interval ({RESAMPLES:,} resamples), and a two-sided sign-flip p (all assignments of signs up to \
{EXACT} clusters, else {FLIPS:,} random ones), with Holm's correction over the arms (and \
separately over main effects and over interactions). *n* clusters allow no p below 2/2ⁿ, and with \
few clusters the interval is too narrow as well. A verdict is *better* or *worse* only if Holm's p \
is below 0.05 and the interval excludes zero. This *mean over series* weights all \
clusters equally, so it differs from the difference of the arms. {better} is better."""


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


def contrast_text(label: str, one: Contrast, metric: str, verdict: str) -> str:
    """The sentence of one contrast, with as many numbers as its clusters allow."""
    if verdict == INSUFFICIENT_DATA:
        verdict += f", {counted(one.clusters, 'cluster')}"
    if not one.clusters:
        return f"{label}: {verdict}."
    number = f"{signed(one.mean, metric)} {unit_text(metric)}"
    if one.clusters < 2:
        return f"{label}: {number}: {verdict}."
    p, adjusted = p_text(one.p), p_text(one.adjusted)
    interval = f"{signed(one.low, metric)} to {signed(one.high, metric)}"
    equals = "" if p.startswith("<") else "= "
    return (
        f"{label}: {number}, 95 % interval {interval} (p {equals}{p}, Holm {adjusted}): {verdict}."
    )


def arm_sentence(one: Comparison, metric: str) -> str:
    """The sentence on an arm compared with the reference."""
    verdict = one.verdict(metric)
    if one.contrast is None:
        return f"{one.arm.name}: {verdict}{one.reason and f', {one.reason}'}."
    return contrast_text(one.arm.name, one.contrast, metric, verdict)


def effect_verdict(one: Effect, metric: str) -> str:
    """The verdict of an effect; for an interaction, what the two changes do together."""
    if one.contrast is None:
        return NOT_RUN if one.wanted else NOT_IN_SWEEP
    verdict = one.contrast.verdict(metric)
    return TOGETHER.get(verdict, verdict) if len(one.changes) > 1 else verdict


def effect_sentence(one: Effect, metric: str) -> str:
    """The sentence on a main effect or an interaction, with the combinations it averages over."""
    if one.contrast is None:
        return f"{one.label}: {effect_verdict(one, metric)}."
    over = f"{one.label}, mean over {counted(one.matched, 'combination')}"
    if one.matched < one.wanted:
        over += f" of {one.wanted}"
    return contrast_text(over, one.contrast, metric, effect_verdict(one, metric))


def contrasts_of(found: Iterable[Comparison | Effect]) -> list[Contrast]:
    """The contrasts of those that could be compared."""
    return [one.contrast for one in found if one.contrast is not None]


def base(contrasts: Sequence[Contrast], noun: str) -> str:
    """The largest number of clusters in a family of tests and the lowest p they allow, as text."""
    tested = [one for one in contrasts if one.clusters >= 2]
    if not tested:
        return ""
    most = max(tested, key=lambda one: one.clusters)
    series, cluster = counted(most.series, "series"), counted(most.clusters, "cluster")
    text = f"{series} in {cluster} allow no p below {_floor_text(most.smallest)}"
    if len(tested) > 1:
        lowest = _floor_text(min(one.reachable for one in tested))
        text += f"; Holm's correction over {len(tested)} {noun}s raises it to {lowest}"
    return f"{text}."


def _floor_text(p: float) -> str:
    return f"{p:.3g}" if p >= 0.0001 else f"{p:.5f}"


def notice(contrasts: Sequence[Contrast], noun: str) -> tuple[str, str] | None:
    """That no arm or effect could pass the test with any results, and why; None if one could."""
    if not contrasts or any(one.testable for one in contrasts):
        return None
    advice = (
        "More worlds, or more recordings that share no incident, could change that; more "
        "seeds cannot."
    )
    most = max(one.clusters for one in contrasts)
    if most < 2:
        form = f"the test series form {counted(most, 'cluster')}"
        return f"No {noun} can be tested", f"{form}. {advice}"
    return (
        f"No {noun} could pass {LEVEL} with any results",
        f"{base(contrasts, noun)} Intervals are shown, but nothing here is evidence. {advice}",
    )
