"""Sentences on which model is best, computed from the tables; the hybrid is the subject, because
its claim to be best is checked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anomalynet.reporting.aggregate import ArmMetrics, difference, summarise
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import scaled

# A metric that favours attack, one that favours no class, and one that needs no threshold
JUDGED = ("f1_attack", "balanced_accuracy", "average_precision_fold_mean")


def _comparable(context: ReportContext, subject: ArmMetrics | None) -> list[ArmMetrics]:
    """The models with a complete repetition; if there is a subject, only those with its split,
    because results of different splits cannot be compared."""
    run = [one for one in context.run if not any(each.missing for each in one.arm.counted)]
    if subject is None:
        return run
    return [one for one in run if context[one].split == context[subject].split]


def _value(one: ArmMetrics, metric: str) -> str:
    summary = one.summary(metric)
    return f"{MEASURES[metric].text(*scaled(summary, MEASURES[metric].scale))} %, n = {summary.n}"


def _gap(one: ArmMetrics, other: ArmMetrics, metric: str) -> float:
    """The mean of one minus the mean of another, over shared repetitions if there are any."""
    paired = difference(one, other, metric)
    return paired.mean if paired.n else one.summary(metric).mean - other.summary(metric).mean


def _lead(ahead: ArmMetrics, behind: ArmMetrics, metric: str) -> str:
    """By how much one is ahead, over shared repetitions if there are any, as text."""
    paired, scale = difference(ahead, behind, metric), MEASURES[metric].scale
    gap = f"{_gap(ahead, behind, metric) * scale:.2f}".replace("-", "−")
    if not paired.n:
        return f"{ahead.arm.title} by {gap} points (no shared repetition)"
    spread = "" if math.isnan(paired.spread) else f" ± {paired.spread * scale:.2f}"
    return (
        f"{ahead.arm.title} by {gap}{spread} points over {paired.n} shared "
        f"repetition{'s' if paired.n > 1 else ''}"
    )


def _sentence(metric: str, ranked: Sequence[ArmMetrics], subject: ArmMetrics | None) -> str:
    """Which model has the best mean, and which are ahead of the subject, as a sentence."""
    title, best = MEASURES[metric].title, ranked[0]
    found = f"{best.arm.title} ({_value(best, metric)})."
    text = f"**{title}**: best of {len(ranked)} models is {found}"
    if subject is None or subject not in ranked:
        return text
    gaps = {one.arm.name: _gap(one, subject, metric) for one in ranked if one is not subject}
    rest = [one for one in ranked if one is not subject]
    others = sorted(rest, key=lambda one: (-gaps[one.arm.name], one.arm.name))
    ahead = [one for one in others if gaps[one.arm.name] > 0]
    own = "" if best is subject else f" {subject.arm.title} has {_value(subject, metric)}"
    if not ahead:
        second = f"{others[0].arm.title}, has {_value(others[0], metric)}"
        nearest = f"the next, {second}; ahead of it: {_lead(subject, others[0], metric)}."
        return f"{text}{own}; {nearest}" if own else f"{text} T{nearest[1:]}"
    shared = f" {subject.arm.title} **is behind** over shared repetitions"
    behind = f"{own} and **is behind**" if own else shared
    leads = "; ".join(_lead(one, subject, metric) for one in ahead)
    return f"{text}{behind}; ahead of it: {leads}."


def best_models(context: ReportContext) -> tuple[str, ...]:
    """One sentence per judged metric, with the models that the hybrid is behind. It contains means
    and spreads, no claim of significance."""
    hybrids = (one for one in context.run if one.arm.experiment == "hybrid")
    subject = next((one for one in hybrids if one.arm.kind == "paper"), None)
    candidates = _comparable(context, subject)
    sentences = []
    for metric in JUDGED:
        ranked = [one for one in candidates if not math.isnan(one.summary(metric).mean)]
        ranked.sort(key=lambda one: (-one.summary(metric).mean, one.arm.name))
        if len(ranked) > 1:
            sentences.append(_sentence(metric, ranked, subject))
    if subject is not None and subject not in candidates:
        sentences.append(
            f"{subject.arm.title} has no complete repetition and is left out of this comparison."
        )
    return tuple(sentences)


def majority_sentence(models: Sequence[ArmMetrics]) -> str:
    """The accuracy of always predicting the more common class, and the models that are less
    accurate in their own repetitions; empty without runs or labels."""
    run = []
    for one in models:
        found = (values.get("prevalence", math.nan) for values in one.values.values())
        shares = [max(share, 1 - share) for share in found if not math.isnan(share)]
        run += [(one, summarise(shares))] if shares else []
    if not run:
        return ""
    behind = [one.arm.title for one, share in run if one.summary("accuracy").mean < share.mean]
    worse = f"{len(behind)} of {len(run)} models are less accurate: {', '.join(behind)}."
    if len(behind) in (0, len(run)):
        worse = f"{'every model is' if behind else 'no model is'} less accurate."
    return (
        "Accuracy alone means little here: always predicting the more common class is right in "
        f"{MEASURES['accuracy'].text(*scaled(run[0][1], 100))} % of the steps, with a balanced "
        f"accuracy of 50 %; {worse}"
    )
