"""Event recall at a given number of false alarms per day, quantiles of the detection delay, and two
trivial detectors to compare every metric with.

The recall is only for diagnosis: its thresholds are chosen on the test part, which no operator
could do. It is never the operating point."""

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
    """For each budget, the share of incidents with an alarmed step at the threshold that
    `events.lowest_thresholds` finds for it.

    Alarms, days and incidents are those of `metrics/events.py`.

    Args:
        labels: (n,) 1 positive class, 0 the rest, -1 unlabelled; steps ordered by (series, time).
        scores: (n,) float64, NaN if the step was missed: it is never alarmed, and ends an alarm.
        incidents: (n,) number of the incident, -1 none; one incident may span several series.
        series: (n,) number of the series.
        step_seconds: seconds per step.
        budgets: false alarms per device-day.
    Source: not in the paper.
    """
    scored = ~np.isnan(scores)
    positive = (labels == 1) & (incidents >= 0)
    numbers, index = np.unique(incidents[positive], return_inverse=True)
    days = events.device_days(int(scored.sum()), step_seconds)
    if len(numbers) == 0 or not days > 0:
        return tuple(undefined(NOTHING_SCORED if len(numbers) else NO_INCIDENT) for _ in budgets)
    highest = np.full(len(numbers), -np.inf)
    np.maximum.at(highest, index, np.where(scored, scores, -np.inf)[positive])
    level = np.where(scored & (labels == 0), scores, -np.inf)
    thresholds = events.lowest_thresholds(level, series, np.asarray(budgets) * days)
    lowest = -np.finfo(np.float64).max
    return tuple(Value(float((highest >= max(limit, lowest)).mean())) for limit in thresholds)


def delay_quantile(delays: Floats, share: float) -> Value:
    """The seconds within which this share (a fraction) of the *detected* incidents was detected;
    report the share `undetected` with it. `delays`: (incident,), inf if undetected."""
    value = events.delay_quantile(delays, share)
    if np.isnan(value):
        return undefined(NONE_DETECTED if len(delays) else NO_INCIDENT)
    return Value(value)


def undetected(delays: Floats) -> Value:
    """Share of the incidents that no alarm detects."""
    return Value(float(np.isinf(delays).mean())) if len(delays) else undefined(NO_INCIDENT)


def random_detector(
    scores: Floats, alarms: Booleans, seed: int | Sequence[int]
) -> tuple[Floats, Booleans]:
    """A detector with random scores that alarms as often as a model.

    Its scores are uniform on the steps that the model scored; its alarms are the steps with the
    highest scores. How much better the model is shows what it knows beyond its rate of alarms.

    Args:
        scores: (n,) the model's, NaN if the step was missed.
        alarms: (n,) bool, the model's.
        seed: of the random scores; use the same one for all models on the same steps.
    Returns: scores and alarms.
    """
    scored = ~np.isnan(scores)
    drawn = np.where(scored, np.random.default_rng(seed).random(len(scores)), np.nan)
    order = np.argsort(-np.where(scored, drawn, -1.0), kind="stable")
    raised = np.zeros(len(scores), dtype=np.bool_)
    raised[order[: int(alarms.sum())]] = True
    return drawn, raised


def always_on(scores: Floats) -> tuple[Floats, Booleans]:
    """A detector that alarms on every step that a model scored: its scores and alarms."""
    scored = ~np.isnan(scores)
    return np.where(scored, 1.0, np.nan), scored
