"""Metrics of detection over time on examples small enough for a pencil."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anomalynet.metrics.events import detection_delays
from anomalynet.metrics.ranges.affiliation import affiliation
from anomalynet.metrics.ranges.budget import (
    always_on,
    delay_quantile,
    event_recall_at_budgets,
    random_detector,
    undetected,
)
from anomalynet.metrics.ranges.ranges import (
    Value,
    adjusted,
    range_f1,
    range_precision,
    range_recall,
    ranges,
    stretches,
)
from anomalynet.metrics.ranges.vus import vus

NAN = math.nan


def steps(text: str) -> NDArray[np.int8]:
    return np.array(list(text), dtype=np.int8)


def alarms(text: str) -> NDArray[np.bool_]:
    return steps(text).astype(np.bool_)


def one(text: str) -> NDArray[np.int64]:
    return np.zeros(len(text), dtype=np.int64)


def test_a_stretch_ends_with_its_series_and_at_a_late_step() -> None:
    times = np.array([0, 10, 20, 40, 50, 0, 10]) * 1_000_000
    found = stretches(np.array([0, 0, 0, 0, 0, 1, 1]), times, 10.0)
    assert found.tolist() == [0, 0, 0, 1, 1, 2, 2]
    runs = ranges(alarms("0111111"), found)
    assert list(zip(runs.starts, runs.stops, strict=True)) == [(1, 3), (3, 5), (5, 7)]
    assert len(stretches(np.array([], dtype=int), np.array([], dtype=int), NAN)) == 0


def test_vus_of_one_step_and_its_buffers() -> None:
    """The attack is ranked third, its neighbours first and second. A buffer 1 wide reaches nowhere:
    twice the plain areas."""
    labels, scores = steps("0010"), np.array([0.0, 3.0, 1.0, 2.0])
    plain = vus(labels, scores, one("0010"), 0)
    assert [plain.pr.value, plain.roc.value] == pytest.approx([1 / 3, 1 / 3])
    r = math.sqrt(1 / 2)  # weight of a step 1 away in a buffer 2 wide
    recall = [r / (1 + r / 2), 2 * r / (1 + r), 1.0, 1.0, 1.0]
    false = [(1 - r) / (3 - r / 2), *[(2 - 2 * r) / (3 - r)] * 2, (3 - 2 * r) / (3 - r), 1.0]
    pr = recall[0] * r + (recall[1] - recall[0]) * r + (1 - recall[1]) * (1 + 2 * r) / 3
    roc = false[0] * recall[0] / 2 + float(np.trapezoid(recall, false))
    found = vus(labels, scores, one("0010"), 2)
    assert found.pr.value == pytest.approx((1 / 3 + 1 / 3 + pr) / 3)
    assert found.roc.value == pytest.approx((1 / 3 + 1 / 3 + roc) / 3)


def test_no_buffer_reaches_into_the_next_series() -> None:
    labels, scores = steps("10"), np.array([0.0, 1.0])
    apart = vus(labels, scores, np.array([0, 1]), 2)
    assert (apart.pr.value, apart.roc.value) == (0.5, 0.0)
    r = math.sqrt(1 / 2)
    first = r / (1 + r / 2)
    expected = (0.5 + 0.5 + first * r + (1 - first) * (1 + r) / 2) / 3
    assert vus(labels, scores, np.array([0, 0]), 2).pr.value == pytest.approx(expected)


def test_vus_needs_both_classes() -> None:
    for text, reason in (("000", "no step of attack"), ("111", "no normal step")):
        found = vus(steps(text), np.arange(3.0), one(text), 4)
        assert [value.reason for value in (found.pr, found.roc)] == [reason, reason]
        assert math.isnan(found.pr.value)


def test_ranges() -> None:
    labels, where = steps("0111100"), one("0111100")
    for metric in (range_recall, range_precision, range_f1):
        assert metric(labels, alarms("0110010"), where) == Value(0.5)
    assert range_recall(labels, alarms("0101000"), where) == Value(0.25)
    labels, raised = steps("1111"), alarms("1100")
    assert range_recall(labels, raised, np.array([0, 0, 0, 0])) == Value(0.5)
    apart = range_recall(labels, raised, np.array([0, 0, 0, 1]))  # a range ends with its stretch
    assert apart.value == pytest.approx((2 / 3 + 0) / 2)


def test_ranges_without_attack_or_alarm() -> None:
    where = one("000")
    assert range_recall(steps("000"), alarms("010"), where).reason == "no step of attack"
    assert range_precision(steps("000"), alarms("010"), where) == Value(0.0)
    assert range_precision(steps("010"), alarms("000"), where).reason == "no alarm"
    assert range_f1(steps("010"), alarms("000"), where) == Value(0.0)
    assert range_f1(steps("000"), alarms("000"), where).reason == "no step of attack"


def test_affiliation_of_an_alarm_two_steps_late() -> None:
    """J = [4, 6) in E = [0, 10): the alarm [8, 9) is 2 to 3 away, J is 2 to 4 away from it."""
    found = affiliation(steps("0000110000"), alarms("0000000010"), one("0" * 10))
    assert found.precision.value == pytest.approx(1 - 0.2 - 2 * 2.5 / 10)
    assert found.recall.value == pytest.approx(1 - 2 * 3 / 10)
    assert found.unjudged == Value(0.0)


def test_zones_end_with_their_stretch_and_alarms_elsewhere_are_told() -> None:
    labels, where = steps("0000110000" + "000"), np.repeat([0, 1], [10, 3])
    found = affiliation(labels, alarms("0000000010" + "110"), where)
    assert [found.precision.value, found.recall.value] == pytest.approx([0.3, 0.4])
    assert found.unjudged.value == pytest.approx(2 / 3)
    nowhere = affiliation(labels, alarms("0" * 10 + "110"), where)
    assert nowhere.precision.reason == "no alarm in a stretch with attack"
    silent = affiliation(labels, alarms("0" * 13), where)
    assert (silent.precision.reason, silent.unjudged.reason) == ("no alarm", "no alarm")
    assert nowhere.recall == silent.recall == Value(0.0)


def test_point_adjustment_pays_one_alarm_as_five() -> None:
    found = adjusted(steps("1111100000"), alarms("0010000100"), one("0" * 10))
    paid, unpaid = 10 / 11, 2 / 7
    assert found.f1.value == pytest.approx(paid)
    assert found.at_20.value == pytest.approx(unpaid)  # exactly 20 % is not more than 20 %
    area = (19 * paid + (paid + unpaid) / 2 + 80 * unpaid) / 100
    assert found.area.value == pytest.approx(area)
    assert adjusted(steps("11"), alarms("00"), one("00")).f1 == Value(0.0)
    assert adjusted(steps("00"), alarms("01"), one("00")).area.reason == "no step of attack"


def test_event_recall_by_budget() -> None:
    """Ten steps make a day. Normal steps at 5, 4 | 1, 4 in two series; incidents reach 6, 3 and
    0.5, the last is not scored. False alarms from each threshold on: above 5 none, at 5 one, at 4
    three, at 2 four, at 1 five, at 0 six."""
    known: dict[str, Any] = {
        "labels": np.array([0, 1, 0, 1, 0, 0, 1, 0, 1, 0]),
        "scores": np.array([5.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.5, 4.0, NAN, 0.0]),
        "incidents": np.array([-1, 0, -1, 1, 7, -1, 2, -1, 3, -1]),
        "series": np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
        "step_seconds": 86400 / 9,
    }
    found = event_recall_at_budgets(**known, budgets=[0, 1, 2.9, 3, 5, 6])
    assert [value.value for value in found] == [0.25, 0.25, 0.25, 0.25, 0.5, 0.75]
    (none,) = event_recall_at_budgets(**{**known, "incidents": np.full(10, -1)}, budgets=[1])
    assert none.reason == "no incident of the positive class"
    (blind,) = event_recall_at_budgets(**{**known, "scores": np.full(10, NAN)}, budgets=[1])
    assert blind.reason == "no scored step"


def test_alarms_that_merge_do_not_make_an_always_on_detector_cheap() -> None:
    """At 1 everything is one alarm, but at 3 there are two: a budget of one allows neither."""
    found = event_recall_at_budgets(
        labels=np.array([0, 0, 0, 1]),
        scores=np.array([3.0, 1.0, 3.0, 1.0]),
        incidents=np.array([-1, -1, -1, 0]),
        series=np.zeros(4, dtype=int),
        step_seconds=21600.0,
        budgets=[1, 2],
    )
    assert [value.value for value in found] == [0.0, 1.0]


def test_delays_over_series() -> None:
    """From the step at 5 s in the other series; the alarm at 0 is not on a step of attack."""
    labels = np.array([1, 1, 1, 0, 1, 1, 1])
    incidents = np.array([4, 4, 4, 4, 4, 9, 9])
    times = np.array([10, 20, 30, 0, 5, 50, 60]) * 1_000_000
    found = detection_delays(labels, alarms("0011000"), incidents, times)
    assert found.tolist() == [25.0, math.inf]
    assert undetected(found) == Value(0.5)
    assert delay_quantile(found, 0.9) == Value(25.0)
    assert delay_quantile(np.array([0.0, 10.0, 20.0, math.inf]), 0.5) == Value(10.0)
    assert delay_quantile(np.array([math.inf]), 0.5).reason == "no incident detected"
    assert undetected(np.array([])).reason == "no incident of the positive class"


def test_a_random_detector_alarms_as_often_and_an_always_on_one_always() -> None:
    scores = np.array([0.1, NAN, 0.7, 0.2, 0.9])
    drawn, raised = random_detector(scores, alarms("10001"), seed=3)
    assert raised.sum() == 2
    assert not raised[1]
    assert drawn[raised].min() > drawn[~raised & ~np.isnan(drawn)].max()
    other, all_of_them = random_detector(scores, alarms("10111"), seed=3)
    np.testing.assert_array_equal(other, drawn)
    level, on = always_on(scores)
    assert on.tolist() == all_of_them.tolist() == [True, False, True, True, True]
    assert len(np.unique(level[on])) == 1
