"""When alarms are raised and cleared, what they say, and that the plain rule is the offline one."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.detection.contract import Reference
from anomalynet.detection.engine import scoring
from anomalynet.detection.engine.devices import Table
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.engine.pipeline import Alarms
from anomalynet.detection.records import Event, Message, Reading
from anomalynet.errors import UsageError
from anomalynet.metrics.events import AlarmRule, event_metrics
from tests.detection.graphs import SECOND, contract, model

NAN = float("nan")


def judge(
    scores: list[float], threshold: float = 1.0, ends: int | None = None, **rule: Any
) -> list[tuple[str, int, str]]:
    """(kind, second, reason) of what `events_of` makes."""
    found = events_of(scores, threshold, ends, **rule)
    return [(event.kind, event.time // SECOND, event.reason) for event in found]


def events_of(
    scores: list[float], threshold: float = 1.0, ends: int | None = None, **rule: Any
) -> list[Event]:
    """What a device's scores make, one a second; its segment ends before second `ends`."""
    table = Table()
    alarms = Alarms(AlarmRule(**rule), threshold, "r1", lambda row: "d", table)
    table.grow(1)
    row = np.zeros(1, np.int64)
    found: list[Event] = []
    for second, score in enumerate(scores):
        if second == ends:
            found += alarms.end(row, np.array([(second - 1) * SECOND]))
        time = np.array([second * SECOND])
        found += alarms.update(row, time, np.array([score]), lambda at: ("", (), ()))
    return found


def alarm(second: int) -> tuple[str, int, str]:
    return ("alarm", second, "")


def quiet(second: int) -> tuple[str, int, str]:
    return ("cleared", second, "quiet")


CASES: list[tuple[list[float], dict[str, Any], list[tuple[str, int, str]]]] = [
    # An alarm is a run of hits; a hit is at or above the threshold.
    ([0, 1, 2, 0.9, 1], {}, [alarm(1), quiet(3), alarm(4)]),
    ([1, 0, 1, 0, 1], {"k": 3, "n": 5}, [alarm(4)]),
    ([1, 0, 1, 0, 0, 1, 0, 0], {"k": 3, "n": 5}, []),
    # Five in a row below the threshold clear it.
    ([1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], {"k": 3, "n": 5}, [alarm(2), quiet(12)]),
    ([1, 0.9, 0.8, 0.79], {"clear": 0.8}, [alarm(0), quiet(3)]),
    # Of a threshold below 0 a share is no lower score: the same distance is.
    ([-1, -1.1, -1.2, -1.21], {"threshold": -1.0, "clear": 0.8}, [alarm(0), quiet(3)]),
    ([0, -0.1], {"threshold": 0.0, "clear": 0.8}, [alarm(0), quiet(1)]),
    ([1, 0, 1, 0, 1, 1], {"cool_down": 3}, [alarm(0), quiet(1), alarm(4)]),
    # The end of a segment clears and forgets.
    ([1, 1, 1], {"ends": 2}, [alarm(0), ("cleared", 1, "silent"), alarm(2)]),
    ([1, 1, 1, 1], {"ends": 2, "k": 2, "n": 2}, [alarm(1), ("cleared", 1, "silent"), alarm(3)]),
    ([0, 1, 0, 1], {"ends": 2, "k": 2, "n": 3}, []),
    # Scores that are no numbers are no hits and keep no alarm.
    ([NAN, 1, NAN, NAN, 1], {}, [alarm(1), quiet(2), alarm(4)]),
    ([1, 1, NAN, 1, NAN, NAN], {"k": 2, "n": 2, "clear": 0.8}, [alarm(1), quiet(5)]),
]


@pytest.mark.parametrize(("scores", "rule", "expected"), CASES)
def test_rules_by_hand(
    scores: list[float], rule: dict[str, Any], expected: list[tuple[str, int, str]]
) -> None:
    assert judge(scores, **rule) == expected


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=60))
def test_with_the_plain_rule_alarms_are_those_of_the_offline_metric(scores: list[float]) -> None:
    raised = sum(kind == "alarm" for kind, _, _ in judge(scores))
    nothing, zeros = np.full(len(scores), -1), np.zeros(len(scores), np.int64)
    steps: Any = {"labels": zeros, "incidents": nothing, "series": zeros}
    steps |= {"scores": np.array(scores, np.float64), "times": np.arange(len(scores))}
    metrics = event_metrics(**steps, threshold=1.0, step_seconds=86_400.0)
    assert raised == (round(metrics["false_alarms_per_device_day"] * len(scores)) if scores else 0)


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 6), st.integers(0, 5))
def test_k_of_n_against_a_rule_written_out(hits: list[bool], k: int, more: int) -> None:
    n, expected, standing = k + more, [], False
    for second in range(len(hits)):
        last = hits[max(0, second - n + 1) : second + 1]
        if not standing and hits[second] and sum(last) >= k:
            standing, since = True, second
            expected.append(("alarm", second, ""))
        elif standing and second - since >= n and not any(last):
            standing = False
            expected.append(("cleared", second, "quiet"))
    assert judge([float(hit) for hit in hits], k=k, n=n) == expected


@pytest.mark.parametrize(
    ("scores", "rule", "expected"),
    [
        ([1, 3, 2, 0], {}, [1, 3]),
        ([1, 3, 2, NAN], {}, [1, 3]),
        ([1, 3, 2], {"ends": 2}, [1, 3, 2]),  # the third step raises another
        ([4, 0, 1, 2, 0, 0, 0], {"k": 3, "n": 4}, [4]),  # a hit among those that raised it
        ([4, 0, 0, 1, 2, 3, 0, 0], {"k": 2, "n": 2}, [2, 3]),  # one that was over before
        ([1, 0.9, 5, 0.9, 0.1], {"clear": 0.5}, [1, 5]),
    ],
)
def test_the_score_of_an_alarm_is_its_highest_until_then(
    scores: list[float], rule: dict[str, Any], expected: list[float]
) -> None:
    assert [event.score for event in events_of(scores, **rule)] == expected


def test_json_has_null_for_a_score_that_is_no_number() -> None:
    for score in (NAN, float("inf")):
        event = Event("alarm", "0", "d", 0, score, 1.0)
        assert json.loads(event.to_json(), parse_constant=pytest.fail)["score"] is None


IMPOSSIBLE: list[dict[str, Any]] = [{"k": 2}, {"k": 0, "n": 3}, {"n": 64}, {"cool_down": -1.0}]
IMPOSSIBLE += [{"clear": 0.0}, {"clear": 1.1}, {"threshold": NAN}, {"threshold": -math.inf}]


@pytest.mark.parametrize("rule", IMPOSSIBLE)
def test_rules_that_mean_nothing_are_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        AlarmRule(**rule)


def sent(*values: tuple[float, float], first: int = 0) -> list[Message]:
    """One reading a second."""
    times = [second * SECOND for second in range(first, first + len(values))]
    return [Message("s", (Reading("d", *one),)) for one in zip(times, values, strict=True)]


def test_an_event_says_which_channels_and_steps(tmp_path: Path) -> None:
    engine = Engine(model(tmp_path, contract(mask=False)), AlarmRule(threshold=8.0))
    (event,) = engine.process(sent((1.0, 1.0), (1.0, 3.0), (2.0, 4.0))).events
    # Scores 2 + 4, 4 + 6; errors 4 and 16 at the last step; attention 4 and 6.
    name = hashlib.sha256(b"r1|d|2000000").hexdigest()[:16]
    one, two = "1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"
    about = {"kind": "alarm", "id": name, "device": "d", "time": two}
    assert json.loads(event.to_json()) == about | {
        "score": 10.0,
        "threshold": 8.0,
        "channels": [{"channel": "b", "share": 0.8}, {"channel": "a", "share": 0.2}],
        "steps": [
            {"first": two, "last": two, "share": 0.6},
            {"first": one, "last": one, "share": 0.4},
        ],
    }
    (cleared,) = engine.process(sent((0.0, 0.0), first=3)).events
    assert cleared == Event("cleared", name, "d", 3 * SECOND, 10.0, 8.0, "quiet")


def test_without_a_reconstruction_channels_are_those_that_raised_the_score(tmp_path: Path) -> None:
    usual = Reference(windows=((1.0, 0.0, 1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0, 0.0, 0.0)))
    engine = Engine(
        model(tmp_path, contract(form="statistics", reference=usual)), AlarmRule(threshold=4.0)
    )
    (event,) = engine.process(sent((1.0, 1.0), (1.0, 3.0), (2.0, 4.0))).events
    # Means 1.5 + 3.5. With a of the ordinary windows, whose means are 0.5 and 1, the score loses 1
    # and 0.5; with b, whose means are 0 and 0.5, 3.5 and 3: 0.75 and 3.25 in the mean.
    assert (event.score, event.channels) == (5.0, (("b", 0.8125), ("a", 0.1875)))


def test_channels_each_of_which_is_enough_are_named_by_what_they_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network whose score is the largest reading, at most 1: without either channel it is 1."""
    flat = (0.0,) * 6
    found = model(tmp_path, contract(form="statistics", reference=Reference(windows=(flat, flat))))
    largest = lambda _, x: {"score": np.minimum(x[:, :, :2].max(axis=(1, 2)), 1.0)}  # noqa: E731
    monkeypatch.setattr(scoring, "run_windows", largest)
    window = np.array([[0, 0, 0], [2, 4, 0]], np.float32)
    assert scoring.channel_parts(found, window).tolist() == [1.0, 1.0, 0.0]
    assert scoring.channel_parts(found, window * [1, 0.1, 1]).tolist() == [0.6, 0.0, 0.0]


def test_in_the_form_step_attention_names_the_times_of_states(tmp_path: Path) -> None:
    found = model(tmp_path, contract(form="step", mask=False, window=3))
    engine = Engine(found, AlarmRule(threshold=30.0))
    (event,) = engine.process(sent(*((float(size), 0.0) for size in (9, 1, 8, 3, 4, 6)))).events
    # The sum passes 30 at second 5; the last three states weigh 3, 4, 6.
    assert event.time == 5 * SECOND
    shares = [(step.first // SECOND, step.share) for step in event.steps]
    assert shares == [(5, round(6 / 13, 6)), (4, round(4 / 13, 6)), (3, round(3 / 13, 6))]


def test_an_alarm_of_a_step_without_a_reading_says_so(tmp_path: Path) -> None:
    engine = Engine(model(tmp_path, contract()), AlarmRule(threshold=9.0))
    assert engine.process(sent((1.0, 0.0), (6.0, 0.0))).events == []
    # The next step is missing and the sensor keeps its last value: 6 + 6.
    (event,) = engine.process([Message("s", (), 3 * SECOND)]).events
    facts = json.loads(event.to_json())
    assert (facts["time"], facts["score"], facts["reason"]) == (
        "1970-01-01T00:00:02Z",
        12.0,
        "no readings",
    )


def test_a_break_clears_at_the_last_step_before_it(tmp_path: Path) -> None:
    engine = Engine(model(tmp_path, contract()), AlarmRule(threshold=4.0))
    found = engine.process(sent((5.0, 0.0), (5.0, 0.0))).events
    assert [event.kind for event in found] == ["alarm"]
    # Three steps are laid; that the fourth is missing too ends the segment.
    (event,) = engine.process([Message("s", (), 6 * SECOND)]).events
    assert (event.kind, event.reason, event.time) == ("cleared", "silent", 4 * SECOND)
