"""Incidents and alarms by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomalynet.detection.engine.devices import Table
from anomalynet.detection.engine.pipeline import Alarms
from anomalynet.detection.evaluation import Evaluation, Labels, Watch
from anomalynet.detection.records import ChannelShare, Event, Outcome, Steps
from anomalynet.metrics.events import (
    AlarmRule,
    EventOutcome,
    detection_delays,
    device_days,
    event_metrics,
    fleet_days,
    step_seconds,
)

SECOND = 1_000_000
Array = NDArray[Any]


def raised(
    rule: AlarmRule, threshold: float, scores: Array, series: Array, times: Array
) -> NDArray[np.bool_]:
    """Steps (n,) on which a detector raises an alarm; a step without a score ends a segment."""
    found, pause = np.zeros(len(scores), np.bool_), round(rule.cool_down * 1e6)
    limit = threshold if rule.threshold is None else rule.threshold
    for at in range(len(scores)):
        if at == 0 or series[at] != series[at - 1]:
            active, until, quiet, last = False, times[at], 0, list[bool]()
        if isnan(scores[at]):  # the segment ended with the step before
            until = times[at - 1] + pause if active else until
            active, last = False, []
            continue
        last = [*last, bool(scores[at] >= limit)][-rule.n :]
        if active:
            quiet = 0 if scores[at] >= rule.quiet_below(limit) else quiet + 1
            if quiet >= rule.n:
                active, until = False, times[at] + pause
        elif last[-1] and sum(last) >= rule.k and times[at] >= until:
            found[at] = active = True
            quiet = 0
    return found


def by_rule(rule: AlarmRule | None, **steps: Any) -> dict[str, float]:
    """`event_metrics` of the alarms that a detector raises by a rule, without one of runs of hits:
    an alarm that is active when an incident begins does not detect it."""
    if rule is None:
        return event_metrics(**steps)
    labels, scores, times = steps["labels"], steps["scores"], steps["times"]
    alarms, scored = raised(rule, 0.5, scores, steps["series"], times), ~np.isnan(scores)
    delays = detection_delays(labels, alarms, steps["incidents"], times)
    false, seconds = int((alarms & (labels == 0)).sum()), steps["step_seconds"]
    days = device_days(int(scored.sum()), seconds), fleet_days(times[scored], seconds)
    return EventOutcome(delays, int(alarms.sum()), false, *days).metrics()


def _metrics(
    scores: list[float],
    labels: list[int],
    incidents: list[int] | None = None,
    series: list[int] | None = None,
    period: float = 3600.0,
    times: list[int] | None = None,
    rule: AlarmRule | None = None,
) -> dict[str, float]:
    number = len(scores)
    return by_rule(
        rule,
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
    assert values["false_alarms_per_device_day"] == 0


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
    # the alarm of the last step, which has no label, is not judged
    assert _metrics(scores, labels)["false_alarms_per_device_day"] == pytest.approx(3 / (8 / 24))
    always = _metrics([0.9] * 8, labels)
    perfect = _metrics([float(label == 1) for label in labels], labels)
    assert always["false_alarms_per_device_day"] == pytest.approx(2 / (8 / 24))
    assert perfect["false_alarms_per_device_day"] == 0


def test_an_incident_that_is_not_the_positive_class_is_nothing_to_detect() -> None:
    #         attack 0: not detected   fault 1: alarmed, false      attack 2: detected at its second
    # step
    scores = [0.1, 0.1, 0.0, 0.9, 0.9, 0.9, 0.0, 0.1, 0.9]
    incidents = [0, 0, -1, 1, 1, 1, -1, 2, 2]
    labels = [1, 1, 0, 0, 0, 0, 0, 1, 1]
    values = _metrics(scores, labels, incidents)
    assert values["event_recall"] == 0.5
    assert values["detection_delay"] == 3600
    assert values["false_alarms_per_device_day"] == pytest.approx(1 / (9 / 24))


def test_faults_alone_leave_recall_undefined() -> None:
    values = _metrics([0.9, 0.9], [0, 0], [3, 3])
    assert isnan(values["event_recall"]) and isnan(values["detection_delay"])


def test_series_and_missed_steps_end_a_run() -> None:
    two, missed = _metrics([0.9, 0.9], [0, 0], series=[0, 1]), _metrics([0.9, nan, 0.9], [0, 0, 0])
    assert two["false_alarms_per_device_day"] == pytest.approx(2 / (2 / 24))
    # A missed step is no scored time.
    assert missed["false_alarms_per_device_day"] == pytest.approx(2 / (2 / 24))


def test_undefined_without_incidents_or_scored_time() -> None:
    values = _metrics([0.1], [0])
    assert isnan(values["event_recall"]) and isnan(values["detection_delay"])
    assert isnan(_metrics([nan], [0])["false_alarms_per_device_day"])
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
    assert values["false_alarms_per_device_day"] == pytest.approx(false / (len(steps) / 24))


HOURS = 24
DEVICES = 30


def _fleet(hit: dict[int, list[int]], **options: Any) -> dict[str, float]:
    """A day of hourly steps of 30 devices, without incidents; `hit`: device → hours of its hits."""
    devices = range(DEVICES)
    scores = [float(hour in hit.get(device, [])) for device in devices for hour in range(HOURS)]
    series = [device for device in devices for _ in range(HOURS)]
    times = [*range(HOURS)] * DEVICES
    return _metrics(scores, [0] * len(scores), series=series, times=times, **options)


@pytest.mark.parametrize(
    ("hit", "per_device", "per_fleet"),
    [
        ({device: [5] for device in range(DEVICES)}, 1.0, 30.0),  # the same alarm everywhere
        ({7: [5]}, 1 / 30, 1.0),
        ({7: [5, 6, 9], 8: [6]}, 3 / 30, 3.0),  # neighbouring hits are one alarm
        ({}, 0.0, 0.0),
    ],
)
def test_the_same_alarms_per_device_day_and_per_day_of_the_fleet(
    hit: dict[int, list[int]], per_device: float, per_fleet: float
) -> None:
    for rule in (None, AlarmRule()):
        found = _fleet(hit, rule=rule)
        assert found["false_alarms_per_device_day"] == pytest.approx(per_device)
        assert found["false_alarms_per_fleet_day"] == pytest.approx(per_fleet)


def test_a_day_is_time_that_was_scored() -> None:
    # One device is scored at 0, 1 and 5 h, the other at 1 and 3 h: 5 hours. The fleet: 0 to 6 h.
    found = _metrics(
        [0.0, 0.9, nan, nan, 0.0, nan, 0.9, nan, 0.9],
        [0] * 9,
        series=[0] * 5 + [1] * 4,
        times=[0, 1, 2, 3, 5, 0, 1, 2, 3],
    )
    assert found["false_alarms_per_device_day"] == pytest.approx(3 / (5 / 24))
    assert found["false_alarms_per_fleet_day"] == pytest.approx(3 / (6 / 24))


def test_k_of_n_with_cool_down_by_hand() -> None:
    #        incident 0: from 1 to 3      a fault: 7 and 8      incident 1: 10 and 11
    scores = [0.9, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0, 0.9, 0.9, 0.0, 0.9, 0.0, 0.0]
    incidents = [-1, 0, 0, 0, -1, -1, -1, 2, 2, -1, 1, 1, -1]
    labels = [int(number in (0, 1)) for number in incidents]
    plain, strict = (_metrics(scores, labels, incidents, rule=rule) for rule in RULES)
    # Plain: hits at 0, 2-3, 7-8 and 10 are alarms, those of 0 and 7 false.
    assert plain["event_recall"] == 1.0
    assert plain["detection_delay"] == pytest.approx((3600 + 0) / 2)
    assert plain["false_alarms_per_device_day"] == pytest.approx(2 / (13 / 24))
    # 2 of 3: raised at 2, cleared at 6, raised at 8, false, and still active at 10.
    assert strict["event_recall"] == 0.5
    assert strict["detection_delay"] == 3600
    assert strict["false_alarms_per_device_day"] == pytest.approx(1 / (13 / 24))
    # For four hours after 6 no other: 8 raises none, and at 10 there are two of three again.
    paused = _metrics(scores, labels, incidents, rule=AlarmRule(k=2, n=3, cool_down=4 * 3600))
    assert (paused["event_recall"], paused["detection_delay"]) == (1.0, 1800)
    assert paused["false_alarms_per_device_day"] == 0


RULES = (AlarmRule(), AlarmRule(k=2, n=3))


def test_an_alarm_that_is_active_when_an_incident_begins_detects_it_step_by_step_alone() -> None:
    scores, labels, incidents = [0.9, 0.9, 0.0], [0, 1, 1], [-1, 0, 0]
    by_step = _metrics(scores, labels, incidents)
    assert (by_step["event_recall"], by_step["detection_delay"]) == (1.0, 0.0)
    assert _metrics(scores, labels, incidents, rule=AlarmRule())["event_recall"] == 0.0


LEVELS = st.sampled_from([0.0, 0.4, 0.5, 1.0])
SEGMENTS = st.lists(st.lists(LEVELS, min_size=1, max_size=15), min_size=1, max_size=4)
PACE = st.builds(
    AlarmRule,
    k=st.integers(1, 3),
    n=st.integers(3, 4),
    clear=st.sampled_from([0.7, 1.0]),
    cool_down=st.sampled_from([0.0, 2.0, 5.0]),
) | st.just(AlarmRule())


@given(SEGMENTS, PACE)
def test_alarms_of_steps_are_those_of_the_detector(
    segments: list[list[float]], rule: AlarmRule
) -> None:
    """One device, a step a second, segments ended by a step that was missed."""
    scores = [score for segment in segments for score in (*segment, nan)]
    table = Table()
    alarms = Alarms(rule, 0.5, "r1", str, table)
    table.grow(1)
    row, events, times = np.zeros(1, np.int64), list[Event](), np.arange(len(scores)) * SECOND
    for time, score in zip(times, scores, strict=True):
        if isnan(score):
            events += alarms.end(row, np.array([time - SECOND]))
        else:
            events += alarms.update(
                row, np.array([time]), np.array([score]), lambda _: ("", (), ())
            )
    expected = [event.time for event in events if event.kind == "alarm"]
    series = np.zeros(len(scores), np.int64)
    assert times[raised(rule, 0.5, np.array(scores), series, times)].tolist() == expected


def _detected(hit: dict[int, list[int]]) -> Evaluation:
    """The evaluation of a detector that raises these alarms on the fleet of `_fleet`."""
    watch, labels = Watch(3600.0), Labels()
    for device, hour in product(range(DEVICES), range(HOURS)):
        labels.add(str(device), hour * 3600 * SECOND, 0)
    rows, hours = np.arange(DEVICES), np.full(DEVICES, 3600 * SECOND)
    for hour in range(HOURS):
        hits = [device for device in range(DEVICES) if hour in hit.get(device, [])]
        alarms = [
            Event("alarm", "0", str(device), hour * 3600 * SECOND, 1.0, 0.5) for device in hits
        ]
        values = np.zeros((DEVICES, 1), np.float32)
        observed = np.ones(DEVICES, np.bool_)
        steps = Steps(rows, hour * hours, observed, values, np.zeros(DEVICES))
        watch.add(Outcome(steps, alarms))
    return labels.evaluate(watch.alarms, *watch.days)


@pytest.mark.parametrize("hit", [{device: [5] for device in range(DEVICES)}, {7: [5], 8: [6, 9]}])
def test_a_detector_and_a_run_count_alike(hit: dict[int, list[int]]) -> None:
    of_detector = _detected(hit).to_json()
    for name, value in _fleet(hit).items():
        assert of_detector[name] == (None if isnan(value) else pytest.approx(value))


ROWS = st.lists(st.tuples(st.booleans(), st.integers(-1, 3)), min_size=1, max_size=30)


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_a_detector_and_a_run_judge_alike(devices: list[list[tuple[bool, int]]]) -> None:
    """Rows of devices: a hit, and -1 unlabelled, 0 normal, or 1 to 3 an incident of this number."""
    kept = Labels()
    rows = [(n, at, *row) for n, each in enumerate(devices) for at, row in enumerate(each)]
    series, steps, hits, numbers = (np.array(column) for column in zip(*rows, strict=True))
    for device, at, _, number in rows:
        label, name = (None if number < 0 else int(number > 0)), str(number)
        kept.add(str(device), at * SECOND, label, name if number > 0 else None)
    labels, times, scores = np.minimum(numbers, 1), steps * SECOND, hits.astype(np.float64)
    alarms = np.flatnonzero(raised(AlarmRule(), 0.5, scores, series, times))
    found = kept.evaluate(
        [(str(series[at]), int(times[at])) for at in alarms],
        device_days(len(rows), 1.0),
        fleet_days(times, 1.0),
    )
    run = by_rule(
        AlarmRule(),
        labels=labels,
        scores=scores,
        threshold=0.5,
        incidents=np.where(numbers > 0, numbers, -1),
        series=series,
        times=times,
        step_seconds=1.0,
    )
    assert found.outcome.metrics() == pytest.approx(run, nan_ok=True)
    assert found.unjudged == (labels[alarms] < 0).sum()


def test_steps_last_as_long_as_the_median_gap() -> None:
    series, times = np.array([0, 0, 0, 1, 1]), np.array([0, 2, 4, 0, 9]) * SECOND
    assert step_seconds(series, times) == 2.0
    assert isnan(step_seconds(series[3:4], times[3:4]))


def test_the_highest_stretches_are_those_with_readings_then_by_their_peaks_across_calls() -> None:
    watch = Watch(1.0, window=2, usual=0.0)

    def add(first: int, *steps: tuple[int, float, bool], alarms: Sequence[int] = ()) -> None:
        """Steps of devices, one a second each: device, score, and whether there was a reading."""
        rows, scores, observed = (np.array(column) for column in zip(*steps, strict=True))
        times = first + np.array([rows[:at].tolist().count(row) for at, row in enumerate(rows)])
        values = np.zeros((len(rows), 1), np.float32)
        events = [
            Event("alarm", "0", "ab"[rows[at]], int(times[at]) * SECOND, scores[at], 0.5, reason)
            for at in alarms
            for reason in (("" if observed[at] else "no readings"),)
        ]
        watch.add(
            Outcome(Steps(rows, times * SECOND, observed, values, scores), events), ["a", "b"]
        )

    assert watch.highest() == []
    # A peak of a at second 2, whose half is reached from second 1 to 4, across two calls; of b a
    # silent one at second 1, which raises an alarm.
    add(
        0,
        (0, 0.1, True),
        (0, 0.5, True),
        (0, 0.9, True),
        (1, 0.1, True),
        (1, 0.6, False),
        alarms=[4],
    )
    add(3, (0, 0.4, True), (0, 0.5, True), (0, 0.1, True), (0, 0.2, True), (0, nan, True))
    found = [list(one.values()) for one in watch.highest()]
    second = "1970-01-01T00:00:0{}Z".format
    peak = ["a", second(1), second(4), second(2), 0.9, 0, [], False]
    alarm = ["b", *[second(1)] * 3, 0.6, 1, [], True]
    assert found == [peak, alarm]
    # More than a window after second 4, others are of their own; silent ones come last.
    add(7, (0, 0.3, True), (0, 0.7, False), (0, 0.1, True), (0, 0.1, True), (0, 0.1, True))
    add(20, (0, 0.8, True))
    found = [list(one.values()) for one in watch.highest()]
    later = ["a", *[second(2)[:-3] + "20Z"] * 3, 0.8, 0, [], False]
    assert found[:2] == [peak, later] and alarm in found


@pytest.mark.parametrize(
    ("scores", "first", "peak", "last"),
    [
        ([0.5, 0.7, 0.8, 0.6, 0.9, 0.6, 0.85, 0.7, 0.6], 2, 4, 6),
        ([0.1, 0.9, 0.79, 0.79, 0.79, 0.79, 0.79, 0.79], 1, 1, 1),  # one, however long its tail
        ([0.5, 0.7, 0.6, 0.1], 0, 1, 2),  # below the threshold: down to half of the peak
    ],
)
def test_a_stretch_lasts_as_long_as_its_score_is_at_the_threshold(
    scores: list[float], first: int, peak: int, last: int
) -> None:
    watch, count = Watch(1.0, window=2, threshold=0.8), len(scores)
    shape = np.zeros(count, np.int64), np.arange(count) * SECOND, np.ones(count, bool)
    steps = Steps(*shape, np.zeros((count, 1), np.float32), np.array(scores))
    watch.add(Outcome(steps, []), ["a"])
    (one,) = watch.highest()
    found = [int(one[name][-3:-1]) for name in ("time", "peak", "until")]
    assert (found, one["score"]) == ([first, peak, last], max(scores))


def test_a_stretch_names_the_channels_of_its_peak() -> None:
    def explain(window: NDArray[np.floating]) -> tuple[str, ...]:
        seen.append(window.tolist())
        return ("peak",)

    seen: list[list[list[float]]] = []
    watch = Watch(1.0, window=2, explain=explain)
    scores = np.array([np.nan, 0.5, 0.9, 0.6])
    values = np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)
    steps = Steps(np.zeros(4, np.int64), np.arange(4) * SECOND, np.ones(4, bool), values, scores)
    alarm = Event("alarm", "0", "a", SECOND, 0.5, 0.5, "", (ChannelShare("alarm", 1.0),))
    watch.add(Outcome(steps, [alarm]), ["a"])
    (one,) = watch.highest()
    assert (one["channels"], seen) == (["peak"], [[[2.0], [3.0]]])
