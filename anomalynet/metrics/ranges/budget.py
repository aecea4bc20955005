"""What is detected when the test part may raise so many false alarms a day, how long after its
start each incident is, and two detectors that see nothing, for every metric to be read beside.

The curve is a diagnosis: its thresholds are read from the test part, which no operator could do. It
is never the operating point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalynet.metrics import events
from anomalynet.metrics.ranges.ranges import Booleans, Floats, Integers, Value, undefined

NO_INCIDENT, NONE_DETECTED = "no incident of the positive class", "no incident detected"
NOTHING_SCORED = "no scored step"


def event_recall_at_budgets(
    *,
    labels: Integers,
    scores: Floats,
    incidents: Integers,
    series: Integers,
    step_seconds: float,
    budgets: Sequence[float],
) -> tuple[Value, ...]:
    """Share of the incidents with an alarmed step, at the lowest threshold from which on, upwards,
    none raises more than each budget.

    Alarms, days and incidents are those of `metrics/events.py`, thresholds those of its
    `lowest_thresholds`.

    Args:
        labels: (n,) 1 positive class, 0 the rest, -1 unlabelled; steps ordered by (series, time).
        scores: (n,) float64, NaN where a step was missed: never alarmed, and it ends an alarm.
        incidents: (n,) number of the event, -1 none. Series that share a number saw the same event.
        series: (n,) number of the series.
        step_seconds: seconds a step stands for.
        budgets: false alarms per device-day.
    Source: not in the paper.
    """
    scored = ~np.isnan(scores)
    positive = (labels == 1) & (incidents >= 0)
    numbers, of = np.unique(incidents[positive], return_inverse=True)
    days = events.device_days(int(scored.sum()), step_seconds)
    if len(numbers) == 0 or not days > 0:
        return tuple(undefined(NOTHING_SCORED if len(numbers) else NO_INCIDENT) for _ in budgets)
    highest = np.full(len(numbers), -np.inf)
    np.maximum.at(highest, of, np.where(scored, scores, -np.inf)[positive])
    level = np.where(scored & (labels != 1), scores, -np.inf)
    thresholds = events.lowest_thresholds(level, series, np.asarray(budgets) * days)
    lowest = -np.finfo(np.float64).max
    return tuple(Value(float((highest >= max(limit, lowest)).mean())) for limit in thresholds)


def delay_quantile(delays: Floats, share: float) -> Value:
    """The seconds within which a share, a fraction, of the *detected* incidents are; read it beside
    the share undetected. `delays`: (incident,), inf where undetected."""
    value = events.delay_quantile(delays, share)
    if np.isnan(value):
        return undefined(NONE_DETECTED if len(delays) else NO_INCIDENT)
    return Value(value)


def undetected(delays: Floats) -> Value:
    """Share of the incidents that no alarm meets."""
    return Value(float(np.isinf(delays).mean())) if len(delays) else undefined(NO_INCIDENT)


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
    Returns: scores and alarms.
    """
    scored = ~np.isnan(scores)
    drawn = np.where(scored, np.random.default_rng(seed).random(len(scores)), np.nan)
    order = np.argsort(-np.where(scored, drawn, -1.0), kind="stable")
    raised = np.zeros(len(scores), dtype=np.bool_)
    raised[order[: int(alarms.sum())]] = True
    return drawn, raised


def always_on(scores: Floats) -> tuple[Floats, Booleans]:
    """One score for every step that a model scored, and an alarm at each."""
    scored = ~np.isnan(scores)
    return np.where(scored, 1.0, np.nan), scored
