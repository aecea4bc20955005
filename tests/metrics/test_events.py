"""Incidents and alarms by hand."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.metrics.events import event_metrics

SECOND = 1_000_000


def _metrics(
    scores: list[float],
    labels: list[int],
    incidents: list[int] | None = None,
    series: list[int] | None = None,
    period: float = 3600.0,
    times: list[int] | None = None,
) -> dict[str, float]:
    number = len(scores)
    return event_metrics(
        labels=np.array(labels, dtype=np.int8),
        scores=np.array(scores, dtype=np.float64),
        threshold=0.5,
        incidents=np.array(incidents or [-1] * number, dtype=np.int32),
        series=np.array(series or [0] * number, dtype=np.int32),
        times=(np.array(times) if times else np.arange(number)) * int(period * SECOND),
        step_seconds=period,
    )


def test_recall_and_delay_of_three_incidents() -> None:
    #          normal  incident 0: third step  incident 1: missed  incident 2: at once
    scores = [0.0, 0.1, 0.2, 0.9, 0.9, 0.0, 0.1, 0.1, 0.0, 0.5, 0.0]
    incidents = [-1, 0, 0, 0, 0, -1, 1, 1, -1, 2, 2]
    labels = [int(number >= 0) for number in incidents]
    values = _metrics(scores, labels, incidents)
    assert values["event_recall"] == pytest.approx(2 / 3)
    assert values["detection_delay"] == pytest.approx((2 * 3600 + 0) / 2)
    assert values["false_alarms_per_day"] == 0


def test_an_incident_without_a_scored_step_is_missed() -> None:
    values = _metrics([nan, nan, 0.9], [1, 1, 1], [0, 0, 1])
    assert values["event_recall"] == 0.5


def test_an_incident_that_several_series_share_is_one() -> None:
    series, times = [0, 0, 1, 1], [0, 1, 0, 1]
    values = _metrics([0.0, 0.0, 0.0, 0.9], [1] * 4, [7] * 4, series, times=times)
    assert values["event_recall"] == 1.0
    assert values["detection_delay"] == 3600


def test_false_alarms_are_runs_outside_attacks_so_a_constant_alarm_is_not_perfect() -> None:
    scores = [0.9, 0.9, 0.0, 0.9, 0.9, 0.9, 0.0, 0.9]
    labels = [0, 0, 0, 0, 1, 0, 0, -1]
    assert _metrics(scores, labels)["false_alarms_per_day"] == pytest.approx(4 / (8 / 24))
    always = _metrics([0.9] * 8, labels)
    perfect = _metrics([float(label == 1) for label in labels], labels)
    assert always["false_alarms_per_day"] == pytest.approx(2 / (8 / 24))
    assert perfect["false_alarms_per_day"] == 0


def test_an_incident_that_is_not_the_positive_class_is_nothing_to_detect() -> None:
    #         attack 0: not detected   fault 1: alarmed, false      attack 2: detected at its second
    # step
    scores = [0.1, 0.1, 0.0, 0.9, 0.9, 0.9, 0.0, 0.1, 0.9]
    incidents = [0, 0, -1, 1, 1, 1, -1, 2, 2]
    labels = [1, 1, 0, 0, 0, 0, 0, 1, 1]
    values = _metrics(scores, labels, incidents)
    assert values["event_recall"] == 0.5
    assert values["detection_delay"] == 3600
    assert values["false_alarms_per_day"] == pytest.approx(1 / (9 / 24))


def test_faults_alone_leave_recall_undefined() -> None:
    values = _metrics([0.9, 0.9], [0, 0], [3, 3])
    assert isnan(values["event_recall"]) and isnan(values["detection_delay"])


def test_series_and_missed_steps_end_a_run() -> None:
    two, missed = _metrics([0.9, 0.9], [0, 0], series=[0, 1]), _metrics([0.9, nan, 0.9], [0, 0, 0])
    assert two["false_alarms_per_day"] == pytest.approx(2 / (2 / 24))
    # A missed step is no scored time.
    assert missed["false_alarms_per_day"] == pytest.approx(2 / (2 / 24))


def test_undefined_without_incidents_or_scored_time() -> None:
    values = _metrics([0.1], [0])
    assert isnan(values["event_recall"]) and isnan(values["detection_delay"])
    assert isnan(_metrics([nan], [0])["false_alarms_per_day"])
    assert isnan(_metrics([0.1], [1], [0])["detection_delay"])


STEP = st.tuples(st.integers(0, 1), st.booleans(), st.booleans())
STEPS = st.lists(STEP, min_size=1, max_size=40)


@given(STEPS)
def test_false_alarms_equal_a_plain_loop(steps: list[tuple[int, bool, bool]]) -> None:
    steps = sorted(steps, key=lambda step: step[0])
    series, alarmed, attack = ([step[part] for step in steps] for part in range(3))
    false, before = 0, None
    for i in range(len(steps)):
        mine = series[i] if alarmed[i] and not attack[i] else None
        false += mine is not None and mine != before
        before = mine
    values = _metrics(list(map(float, alarmed)), list(map(int, attack)), series=list(series))
    assert values["false_alarms_per_day"] == pytest.approx(false / (len(steps) / 24))
