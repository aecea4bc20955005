"""Two detectors that see nothing, for every metric to be read beside: scores drawn at random, and
an alarm all the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalynet.reporting.range_metrics.stretches import Booleans, Floats


def random_detector(
    scores: Floats, alarms: Booleans, seed: int | Sequence[int]
) -> tuple[Floats, Booleans]:
    """Uniform scores on the steps that a model scored, and as many alarms as it raises, at the
    steps with the highest of them.

    The threshold is so that it alarms as often as the model: what the model's metrics say beyond
    its habit of alarming is the difference.

    Args:
        scores: (n,) the model's, NaN where a step was missed.
        alarms: (n,) bool, the model's.
        seed: of the scores: the same for the same steps, whichever model is beside them.

    Returns:
        scores and alarms.

    Source: not in the paper.
    """
    scored = ~np.isnan(scores)
    drawn = np.where(scored, np.random.default_rng(seed).random(len(scores)), np.nan)
    order = np.argsort(-np.where(scored, drawn, -1.0), kind="stable")
    raised = np.zeros(len(scores), dtype=np.bool_)
    raised[order[: int(alarms.sum())]] = True
    return drawn, raised


def always_on(scores: Floats) -> tuple[Floats, Booleans]:
    """One score for every step that a model scored, and an alarm at each. Source: not in the
    paper."""
    scored = ~np.isnan(scores)
    return np.where(scored, 1.0, np.nan), scored
