"""What accuracy is worth where one class is much commoner: the share that needs no detector at
all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anomalynet.reporting.aggregate import ArmMetrics, summarise
from anomalynet.reporting.captions import summary_text


def majority_sentence(models: Sequence[ArmMetrics]) -> str:
    """How accurate always saying the commoner class is, and which models are less; empty without
    runs or labels.

    Each model is compared with the share in its own repetitions.

    Source: not in the paper.
    """
    shares = {
        one.arm.title: [max(share, 1 - share) for share in _prevalences(one)] for one in models
    }
    run = {one.arm.title: one for one in models if shares[one.arm.title]}
    if not run:
        return ""
    first = summarise(next(own for own in shares.values() if own))
    behind = [
        title
        for title, one in run.items()
        if one.summary("accuracy").mean < summarise(shares[title]).mean
    ]
    spread = None if math.isnan(first.spread) else 100 * first.spread
    told = (
        "no model is"
        if not behind
        else f"{len(behind)} of {len(run)} models are"
        if len(behind) < len(run)
        else "every model is"
    )
    named = f": {', '.join(behind)}" if 0 < len(behind) < len(run) else ""
    level = summary_text("accuracy", 100 * first.mean, spread)
    return (
        "Accuracy by itself says little here: always naming the commoner class is right in "
        f"{level} % of the steps, with a balanced accuracy of 50 %; {told} less accurate{named}."
    )


def _prevalences(one: ArmMetrics) -> list[float]:
    found = [values.get("prevalence", math.nan) for values in one.values.values()]
    return [share for share in found if not math.isnan(share)]
