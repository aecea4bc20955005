"""What is seen on a timeline, in numbers and one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from anomalynet.reporting.explanations.timeline import Bools, Floats, Timeline

NAMED = 2
"""Channels that a sentence names."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Means over the steps before the incident and over its own; NaN where there are none.

    Attributes:
        alarmed: share of the incident's steps that are alarmed.
        delay: seconds from its first step to its first alarm; NaN without an alarm.
        error: channel → squared error before and during, in deviations of the training part
        squared. newest, parts: attention is summed over the newest quarter of the parts of the
        window. attention: share of attention on that quarter before and during.
    """

    alarmed: float
    delay: float
    error: dict[str, tuple[float, float]]
    newest: int
    parts: int
    attention: tuple[float, float]


def numbers(line: Timeline) -> Numbers:
    """Compute them from a timeline."""
    alarms = line.during & line.subject.alarms
    parts = 0 if line.attention is None or line.by_feature else line.attention.shape[1]
    newest = max(1, round(parts / 4)) if parts else 0
    share = (
        line.attention[:, parts - newest :].sum(axis=1)
        if line.attention is not None and parts
        else None
    )
    error = (
        {}
        if line.error is None
        else dict(zip(line.channels, map(tuple, _both(line, line.error).T.tolist()), strict=True))
    )
    looked = _both(line, share) if share is not None else np.full(2, np.nan)
    return Numbers(
        alarmed=line.example.alarmed,
        delay=float(line.seconds[alarms][0]) if alarms.any() else math.nan,
        error=error,
        newest=newest,
        parts=parts,
        attention=(float(looked[0]), float(looked[1])),
    )


def _both(line: Timeline, values: Floats) -> Floats:
    """Mean over the steps before the incident, and over its own: (2, …)."""

    def mean(mask: Bools) -> Floats:
        found: Floats = (
            values[mask].mean(axis=0) if mask.any() else np.full(values.shape[1:], np.nan)
        )
        return found

    return np.stack([mean(line.before), mean(line.during)])


def sentence(line: Timeline, found: Numbers) -> str:
    """What the figure shows, no more."""
    shown = int(line.during.sum())
    cut = f" (the first {shown} are shown)" if shown < line.example.steps else ""
    first = (
        ""
        if math.isnan(found.delay)
        else f", the first {found.delay:g} s after its first scored step"
    )
    told = [
        f"{100 * found.alarmed:.0f} % of its {line.example.steps} scored steps{cut} are "
        f"alarmed{first}"
    ]
    rises = {
        name: after - before for name, (before, after) in found.error.items() if after > before
    }
    highest = sorted(rises, key=lambda name: -rises[name])[:NAMED]
    if highest:
        named = " and ".join(f"{name} ({_pair(*found.error[name])})" for name in highest)
        told.append(f"from before to during the incident the error rose most in {named}")
    elif found.error and not any(math.isnan(before) for before, _ in found.error.values()):
        told.append("no channel's error rose")
    if not math.isnan(found.attention[1]):
        share = (
            f"{100 * found.attention[1]:.0f} % of the attention falls on the newest "
            f"{found.newest} of {found.parts} parts of the window"
        )
        before = (
            "" if math.isnan(found.attention[0]) else f" (before: {100 * found.attention[0]:.0f} %)"
        )
        told.append(f"{share}{before}")
    return f"{'; '.join(told)}."


def _pair(before: float, after: float) -> str:
    return f"{before:.3g} → {after:.3g}"
