"""Threshold rules against brute force over every candidate."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from anomalynet.config.schema import EvaluationConfig
from anomalynet.errors import DataError
from anomalynet.metrics.threshold import (
    MOST_ALARMED,
    alarm_budget,
    best_balanced_accuracy,
    best_f1,
    choose_threshold,
)

VALUES = [0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0, 1000.0]
LABELLED = st.lists(
    st.tuples(st.sampled_from([0, 1, -1]), st.sampled_from([*VALUES, nan])), min_size=1, max_size=25
)
SERIES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, -1]), st.sampled_from([*VALUES, nan])),
    min_size=1,
    max_size=30,
)


def _known(steps: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    known = [(label, score) for label, score in steps if label >= 0 and not isnan(score)]
    return np.array([label for label, _ in known]), np.array([score for _, score in known])


@given(LABELLED)
def test_f1_and_balanced_accuracy_are_the_best_there_are(steps: list[tuple[int, float]]) -> None:
    labels, scores = (
        np.array([label for label, _ in steps]),
        np.array([score for _, score in steps]),
    )
    truth, known = _known(steps)
    if len(set(truth.tolist())) < 2:
        return
    for rule, quality in ((best_f1, f1_score), (best_balanced_accuracy, balanced_accuracy_score)):
        candidates = np.unique(known)
        values = [quality(truth, known >= candidate) for candidate in candidates]
        chosen = rule(labels, scores)
        assert quality(truth, known >= chosen) == pytest.approx(max(values))
        smallest = min(
            candidate
            for candidate, value in zip(candidates, values, strict=True)
            if value >= max(values) - 1e-12
        )
        assert np.array_equal(known >= chosen, known >= smallest), (
            "of equally good ones the smallest"
        )


def test_the_threshold_stands_in_the_middle_of_the_gap() -> None:
    assert best_f1(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])) == 0.5
    assert best_balanced_accuracy(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])) == 0.5


def test_without_attacks_no_alarm_is_right_and_without_labels_the_rule_is_refused() -> None:
    scores = np.array([0.1, 0.7])
    assert best_f1(np.array([0, 0]), scores) == 0.7 + 1e-6
    assert best_f1(np.array([1, 1]), scores) == 0.1
    with pytest.raises(DataError, match="no labelled step"):
        best_f1(np.array([-1, -1]), scores)


def _alarms(series: np.ndarray, labels: np.ndarray, scores: np.ndarray, threshold: float) -> int:
    count, before = 0, None
    for number, label, score in zip(series, labels, scores, strict=True):
        alarmed = label != 1 and score >= threshold
        count += bool(alarmed and before != (number, True))
        before = (number, bool(alarmed))
    return count


@given(SERIES, st.integers(0, 6))
def test_alarm_budget_equals_brute_force(steps: list[tuple[int, int, float]], budget: int) -> None:
    steps = sorted(steps, key=lambda step: step[0])
    series, labels, scores = (np.array([step[part] for step in steps]) for part in range(3))
    admitted = (labels != 1) & ~np.isnan(scores)
    if not admitted.any():
        with pytest.raises(DataError, match="alarm budget"):
            alarm_budget(labels, scores, series, 60.0, 1.0)
        return
    days = np.sum(~np.isnan(scores)) * 86400.0 / 86400.0 / len(np.unique(series))
    known = scores[admitted]
    allowed = [
        candidate
        for candidate in np.unique(known)
        if (known >= candidate).mean() <= MOST_ALARMED
        and all(
            _alarms(series, labels, scores, other) <= budget
            for other in np.unique(known)
            if other >= candidate
        )
    ]
    found = alarm_budget(labels, scores, series, 86400.0, budget / days)
    if not allowed:
        assert np.max(known) < found <= np.max(known) + 1e-6 * max(1, np.max(known))
        return
    assert np.array_equal(known >= found, known >= min(allowed))
    below = known[known < min(allowed)]
    assert not len(below) or found == (np.max(below) + min(allowed)) / 2


def _quiet_then(*peaks: float, steps: int = 100) -> np.ndarray:
    """Scores of `steps` steps of 0, every second of the last ones a peak."""
    scores = np.zeros(steps)
    scores[steps - 2 * len(peaks) :: 2] = peaks
    return scores


def test_an_alarm_budget_is_that_of_the_whole_fleet() -> None:
    # Two series of half a day each are half a day of a fleet of two. Four peaks.
    scores = np.concatenate([_quiet_then(0.9, 0.8), _quiet_then(0.7, 0.6)])
    series, labels, period = np.repeat([0, 1], 100), np.full(200, -1), 86400 / 200
    assert alarm_budget(labels, scores, series, period, 4.0) == pytest.approx(0.75)
    assert alarm_budget(labels, scores, series, period, 1.0) == 0.9 + 1e-6
    # Of a fleet of six, they are a day of one device: a sixth of the alarms of a day.
    assert alarm_budget(labels, scores, series, period, 18.0, 6) == pytest.approx(0.65)
    assert alarm_budget(labels, scores, series, period, 17.0, 6) == pytest.approx(0.75)


def test_an_alarm_budget_caps_the_share_of_steps_where_runs_are_few() -> None:
    # 100 hours of scores that rise: one run at any threshold, 24 a day are never reached.
    scores = np.arange(100.0)
    few = alarm_budget(np.full(100, -1), scores, np.zeros(100, int), 3600.0, 24.0)
    assert few == 94.5 and (scores >= few).sum() == 5
    # 19 steps have no step that is a twentieth of them
    none = alarm_budget(np.full(19, -1), scores[:19], np.zeros(19, int), 3600.0, 24.0)
    assert none == 18.0 + 18e-6
    # of equal scores all or none
    flat = np.repeat([0.0, 1.0], [94, 6])
    assert alarm_budget(np.full(100, -1), flat, np.zeros(100, int), 3600.0, 24.0) > 1.0


def test_an_alarm_budget_scales_with_the_step() -> None:
    # 400 steps with 5 peaks: of a minute each they last 0.278 days, of an hour 16.7 days.
    scores = _quiet_then(0.9, 0.8, 0.7, 0.6, 0.5, steps=400)
    labels, series = np.full(400, -1), np.zeros(400, int)
    assert alarm_budget(labels, scores, series, 60.0, 10.8) == pytest.approx(0.65)  # 3.0 alarms
    assert alarm_budget(labels, scores, series, 3600.0, 10.8) == pytest.approx(0.25)


def test_more_alarms_below_a_broken_run_are_not_overlooked() -> None:
    # At 0.1 everything is one alarm; at 0.5 the run has broken into three. One alarm a day: 0.1
    # would do, but not from there on.
    scores = np.concatenate([np.zeros(95), [0.5, 0.1, 0.6, 0.1, 0.7]])
    found = alarm_budget(np.zeros(100, int), scores, np.zeros(100, int), 864.0, 1.0)
    assert found == pytest.approx(0.65)


def test_an_unknown_period_is_refused() -> None:
    with pytest.raises(DataError, match="how long a step lasts"):
        alarm_budget(np.zeros(2, int), np.zeros(2), np.zeros(2, int), nan, 1.0)


def test_rules_by_their_configured_name() -> None:
    labels, scores, series = (
        np.array([0, 1, 1, 0]),
        np.array([0.1, 0.6, 0.8, 0.7]),
        np.zeros(4, int),
    )
    chosen = {
        rule: choose_threshold(
            EvaluationConfig(threshold=rule, fixed_threshold=0.42, alarms_per_day=0),
            labels,
            scores,
            series,
            1.0,
        )
        for rule in ("f1", "balanced_accuracy", "fixed", "alarm_budget")
    }
    assert chosen == {
        "f1": pytest.approx(0.35),
        "balanced_accuracy": pytest.approx(0.35),
        "fixed": 0.42,
        "alarm_budget": 0.7 + 1e-6,
    }
