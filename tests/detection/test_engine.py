"""Steps, ticks and refusals by hand; neither the grouping of messages nor a restart matters."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.detection.contract import Contract
from anomalynet.detection.engine.devices import Array
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.records import Event, Message, Reading, Steps, concatenate
from anomalynet.errors import UsageError
from anomalynet.metrics.events import AlarmRule
from tests.detection.graphs import SECOND, contract, model

NAN = float("nan")
DAY = 86_400.0

Row = tuple[str, float, bool, float | None]


def reading(device: str, second: float, a: float = 1.0, b: float = 0.0) -> Reading:
    return Reading(device, round(second * SECOND), (a, b))


def message(source: str, *readings: Reading, clock: float | None = None) -> Message:
    return Message(source, readings, None if clock is None else round(clock * SECOND))


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="anomalynet-test-"))


def make(found: Contract | None = None, rule: AlarmRule | None = None, **settings: Any) -> Engine:
    return Engine(model(_folder(), found or contract()), rule or AlarmRule(), **settings)


def rows(engine: Engine, *sent: Message | Reading) -> list[Row]:
    """(device, second, observed, score) of the steps that messages, or readings of `s`, make."""
    messages = [one if isinstance(one, Message) else message("s", one) for one in sent]
    steps = engine.process(messages).steps
    columns = (steps.row, steps.time, steps.observed, steps.score)
    return [
        (engine.names[row], time / SECOND, seen, None if np.isnan(score) else score)
        for row, time, seen, score in zip(*(column.tolist() for column in columns), strict=True)
    ]


def kinds(events: list[Event]) -> list[tuple[str, float]]:
    return [(event.kind, event.time / SECOND) for event in events]


def test_scores_by_hand_in_the_form_window() -> None:
    found = rows(make(), reading("d", 0, 1, 2), reading("d", 1, 3, NAN), reading("d", 3.2, 5, 6))
    # b is held: 1 + 2, 3 + 2, 3 + 2 at the step between, 5 + 6; the sum of two steps each.
    assert found == [
        ("d", 0, True, None),
        ("d", 1, True, 8),
        ("d", 2.1, False, 10),
        ("d", 3.2, True, 16),
    ]


def test_scores_by_hand_in_the_form_step() -> None:
    engine = make(contract(form="step"))
    found = rows(engine, *(reading("d", second, second) for second in (1, 2, 3)))
    assert found == [("d", 1, True, None), ("d", 2, True, 3), ("d", 3, True, 6)]
    # A break of more than three steps starts with nothing.
    again = rows(engine, reading("d", 10, 10), reading("d", 11, 11))
    assert again == [("d", 10, True, None), ("d", 11, True, 21)]


def test_scores_by_hand_in_the_form_statistics() -> None:
    found = rows(make(contract(form="statistics")), reading("d", 0, 1, 5), reading("d", 1, 2, 7))
    assert found[1] == ("d", 1, True, 1.5 + 6)


def test_calibration_rows_are_not_scored_and_are_taken_off() -> None:
    engine = make(contract(calibration_rows=2, window=1))
    sent = message("s", *(reading("d", second, a) for second, a in enumerate([1, 3, 12])))
    found = engine.process([sent]).steps
    assert np.isnan(found.score).tolist() == [True, True, False] and found.score[2] == 10
    assert np.isnan(found.values[:2]).all() and found.values[2].tolist() == [10, 0, 0]


def test_a_clock_lays_missed_steps_and_a_break_ends_the_segment() -> None:
    engine = make()
    rows(engine, reading("d", 0), reading("d", 1))
    # A reading 1.5 periods after the last one is in time.
    assert rows(engine, message("s", clock=2.5)) == []
    assert rows(engine, message("s", clock=2.6)) == [("d", 2, False, 2)]
    assert rows(engine, message("s", clock=2.6)) == []
    assert engine.states()["silent"] == 1
    assert rows(engine, message("s", clock=4.6)) == [("d", 3, False, 2), ("d", 4, False, 2)]
    assert rows(engine, message("s", clock=100)) == []
    assert rows(engine, reading("d", 101)) == [("d", 101, True, None)]
    assert rows(engine, reading("d", 102))[0][3] == 2


def test_a_reading_after_laid_steps_lays_what_is_still_missing() -> None:
    engine = make()
    rows(engine, reading("d", 0), message("s", reading("d", 1), clock=1))
    assert rows(engine, message("s", clock=2.8)) == [("d", 2, False, 2)]
    # Three periods of 1.1 s: the second of two steps between lies at 1 + 2 · 1.1.
    assert rows(engine, reading("d", 4.3)) == [("d", 3.2, False, 2), ("d", 4.3, True, 2)]


def test_without_breaks_every_step_is_laid_however_long_the_silence() -> None:
    engine = make(contract(breaks=False))
    rows(engine, reading("d", 0))
    laid = rows(engine, message("s", clock=50))
    assert [row[1] for row in laid] == list(range(1, 50)) and not any(row[2] for row in laid)
    # Held for three steps, then zero: the window of two sums 2, 2, 2, 1, 0, 0, …
    assert [row[3] for row in laid[:6]] == [2, 2, 2, 1, 0, 0]


def test_events_have_no_grid() -> None:
    sent = (reading("d", 0), reading("d", 500), message("s", clock=9000))
    found = rows(make(contract(period=None)), *sent)
    assert found == [("d", 0, True, None), ("d", 500, True, 2)]


def test_a_source_ticks_only_its_own_devices() -> None:
    engine = make()
    rows(engine, reading("d", 0), message("t", reading("e", 0)))
    assert rows(engine, message("t", clock=2)) == [("e", 1, False, 2)]
    # d goes over to t.
    rows(engine, message("t", reading("d", 2)))
    assert rows(engine, message("s", clock=10)) == []
    assert [row[0] for row in rows(engine, message("t", clock=4))] == ["d", "e", "e"]


def test_lateness_waits_and_finish_does_not() -> None:
    engine = make(lateness=2.0)
    rows(engine, message("s", reading("d", 0), reading("e", 0)), reading("d", 3))
    assert rows(engine, reading("e", 1)) == [("e", 1, True, 2)]
    steps = engine.finish().steps
    assert (engine.names[steps.row[0]], steps.time.tolist()) == ("e", [2 * SECOND])


def test_refused_readings_are_counted() -> None:
    engine = make(allowed=["d", "e", "x" * 129], max_devices=1)
    sent = [reading(name, time) for name, time in zip("dddef", (5, 5, 4, 5, 5), strict=True)]
    sent += [reading("x" * 129, 5), Reading("d", 6 * SECOND, (1.0,)), Reading("d", 1 << 70, (1, 1))]
    rows(engine, message("s", *sent))
    assert rows(engine, message("s", clock=6.6)) == [("d", 6, False, 2)]
    assert rows(engine, reading("d", 6.1), message("y" * 2000, reading("d", 7))) == []
    wrong = {"duplicate", "time went back", "impossible time", "late", "wrong number of values"}
    names = {"too many devices", "unknown device", "device name too long", "source name too long"}
    assert engine.counts == dict.fromkeys(wrong | names, 1)


def test_three_readings_that_agree_set_a_device_back() -> None:
    engine = make()
    rows(engine, reading("d", 0), reading("d", 1))
    assert rows(engine, reading("d", 2 + 5 * DAY)) == [("d", 2 + 5 * DAY, True, None)]
    assert rows(engine, reading("d", 3), reading("d", 4)) == []
    back = rows(engine, reading("d", 5), reading("d", 6))
    assert back == [("d", 5, True, None), ("d", 6, True, 2)]
    assert engine.counts == {"time went back": 2}


@pytest.mark.parametrize("cool_down", [0.0, 60.0])
def test_an_alarm_in_a_wrong_future_is_no_cool_down_for_the_time_after(cool_down: float) -> None:
    engine = make(contract(window=1), AlarmRule(threshold=5, cool_down=cool_down))
    wrong = [message("s", reading("d", 5 * DAY + second, a)) for second, a in enumerate([9, 1])]
    assert [event.kind for event in engine.process(wrong).events] == ["alarm", "cleared"]
    sent = [message("s", reading("d", second, a)) for second, a in enumerate([1, 1, 1, 9, 1, 9])]
    again = [("alarm", 5.0)] if not cool_down else []
    assert kinds(engine.process(sent).events) == [("alarm", 3.0), ("cleared", 4.0), *again]


def test_a_standing_alarm_in_a_wrong_future_ends_where_the_clock_is_set_back() -> None:
    engine = make(contract(window=1), AlarmRule(threshold=5, cool_down=60))
    sent = [message("s", reading("d", second, 9)) for second in (5 * DAY, 1, 2, 3)]
    found = kinds(engine.process(sent).events)
    assert found == [("alarm", 5 * DAY), ("cleared", 5 * DAY), ("alarm", 3.0)]


def test_a_state_that_is_no_number_is_emptied_and_its_alarm_cleared() -> None:
    engine = make(contract(form="step"), AlarmRule(threshold=4))
    sent = [
        message("s", reading("d", second, a), reading("e", second, 1))
        for second, a in enumerate([2, 3, 3e38, 3e38, 1, 2, 3])
    ]
    outcome = engine.process(sent)
    scores = [outcome.steps.score[outcome.steps.row == row].tolist() for row in (0, 1)]
    # The sum of two readings of 3e38 is more than float32 holds; d begins again after it.
    assert np.isfinite(scores[0]).tolist() == [False, True, True, False, False, True, True]
    assert (scores[0][5:], scores[1][1:]) == ([3, 6], [2, 3, 4, 5, 6, 7])
    own = [event for event in outcome.events if event.device == "d"]
    cleared, lost = ("cleared", 5), ("cleared", 3)
    assert kinds(own) == [("alarm", 1), lost, ("alarm", 3), cleared, ("alarm", 6)]
    assert [event.reason for event in own] == ["", "lost", "", "quiet", ""]
    assert engine.counts == {"state lost": 1}


def test_one_wrong_time_ticks_nobody_and_three_that_agree_do() -> None:
    engine = make(contract(breaks=False))
    rows(engine, message("s", reading("d", 0), reading("e", 0)))
    assert rows(engine, reading("d", 3 * DAY)) == [("d", 3 * DAY, True, None)]
    assert engine.clocks() == {"s": 0}
    assert rows(engine, reading("e", 1)) == [("e", 1, True, 2)]
    assert engine.clocks() == {"s": SECOND}
    for ahead in (1, 2, 3):  # a jump lays no steps, it ends segments
        assert rows(engine, message("s", clock=3 * DAY + ahead)) == []
    assert engine.clocks() == {"s": round((3 * DAY + 3) * SECOND)}
    assert rows(engine, reading("e", 3 * DAY + 4)) == [("e", 3 * DAY + 4, True, None)]


def test_a_device_whose_clock_is_behind_is_not_silent() -> None:
    engine = make()
    rows(engine, message("s", reading("d", 100), reading("e", 40)))
    both = rows(engine, message("s", reading("d", 101), reading("e", 41)))
    assert both == [("d", 101, True, 2), ("e", 41, True, 2)]
    rows(engine, reading("d", 102))
    assert rows(engine, reading("d", 103)) == [("d", 103, True, 2), ("e", 42, False, 2)]
    assert engine.counts == {}


def test_states() -> None:
    engine = make(contract(calibration_rows=2), AlarmRule(threshold=5))
    alarm = [reading("alarm", 7), reading("alarm", 8), reading("alarm", 9, 9), reading("alarm", 10)]
    scoring = [reading("scoring", second) for second in range(7, 11)]
    filling = [reading("filling", second) for second in range(8, 11)]
    now = [*alarm, *scoring, *filling, reading("calibrating", 10)]
    rows(engine, message("s", reading("silent", 5)), message("s", *now))
    states = ("alarm", "silent", "calibrating", "filling", "scoring")
    assert engine.states() == dict.fromkeys(states, 1)


VALUES = (st.sampled_from([0.0, 1.0, 5.0, NAN]), st.sampled_from([0.0, 2.0, NAN]))
TIMES = st.sampled_from([*range(12), 30, 200_000])
READING = st.builds(reading, st.sampled_from("def"), TIMES, *VALUES)
CLOCK = st.none() | st.sampled_from([*range(14), 200_000])
SENT = st.lists(
    st.tuples(st.sampled_from("st"), st.lists(READING, max_size=3), CLOCK).map(
        lambda parts: message(parts[0], *parts[1], clock=parts[2])
    ),
    max_size=25,
)


def of_devices(engine: Engine, steps: Steps, events: list[Event]) -> dict[str, Any]:
    """Everything that became of each device, in order."""
    found: dict[str, Any] = {}
    columns = [steps.time, steps.observed, steps.values, steps.score]
    for row, name in enumerate(engine.names):
        own = [column[steps.row == row].tobytes() for column in columns]
        found[name] = (own, [event for event in events if event.device == name])
    return found


def copied(engine: Engine, state: dict[str, Array], rule: AlarmRule) -> Engine:
    """A new engine that goes on from a snapshot, by way of a file."""
    file = io.BytesIO()
    np.savez(file, **state)  # type: ignore[arg-type]
    file.seek(0)
    other = Engine(engine.model, rule)
    other.restore(np.load(file, allow_pickle=False))
    return other


def became(
    engine: Engine, sent: list[Message], cuts: list[int], rule: AlarmRule, *, restart: bool
) -> dict[str, Any]:
    parts, events = [], []
    edges = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    for first, last in pairwise(edges):
        if restart:
            engine = copied(engine, engine.snapshot(), rule)
        outcome = engine.process(sent[first:last])
        parts.append(outcome.steps)
        events += outcome.events
    last_outcome = engine.finish()
    steps = concatenate([*parts, last_outcome.steps], 3)
    found = of_devices(engine, steps, events + last_outcome.events)
    return found | {"counts": engine.counts, "clocks": engine.clocks()}


FORMS = st.fixed_dictionaries(
    {
        "form": st.sampled_from(["window", "step", "statistics"]),
        "breaks": st.booleans(),
        "calibration_rows": st.sampled_from([0, 2]),
        "outliers": st.sampled_from(["hampel", "keep"]),
    }
)


@settings(max_examples=40, deadline=None)
@given(SENT, st.lists(st.integers(0, 25), max_size=8), FORMS, st.booleans())
def test_neither_grouping_nor_a_restart_changes_anything(
    sent: list[Message], cuts: list[int], form: dict[str, Any], restart: bool
) -> None:
    found, rule = contract(max_gap=2, **form), AlarmRule(threshold=6.0, k=2, n=3, cool_down=2)
    whole = became(make(found, rule), sent, [], rule, restart=False)
    pieces = became(make(found, rule), sent, cuts, rule, restart=restart)
    single = became(make(found, rule), sent, list(range(len(sent))), rule, restart=False)
    assert whole == pieces == single


def test_another_models_state_and_a_damaged_one_are_refused() -> None:
    engine = make(contract(calibration_rows=3))
    rows(engine, message("s", reading("d", 0), reading("e", 0)))
    state = engine.snapshot()
    with pytest.raises(UsageError, match="another model"):
        make(contract(calibration_rows=3, seed=1)).restore(state)
    damaged: list[dict[str, Array]] = [
        {name: value for name, value in state.items() if name != "last"},
        state | {"last": state["last"][:1]},
        state | {"last": state["last"].astype(np.float64)},
        state | {"about": state["about"][:-3]},
        state | {"owner": state["owner"] + 7},
        state | {"commissioning": state["commissioning"][:1]},
    ]
    for broken in damaged:
        with pytest.raises(UsageError, match="damaged"):
            engine.restore(broken)
    assert rows(engine, reading("d", 1))[0][:3] == ("d", 1, True)


def test_sources_that_no_device_belongs_to_are_forgotten() -> None:
    engine = make(max_devices=1)
    assert rows(engine) == []
    for second in range(1500):
        engine.process([message(f"session {second}", reading("d", second))])
    assert len(engine.clocks()) < 1010 and engine.clocks()["session 1499"] == 1499 * SECOND
    assert rows(engine, message("session 1499", clock=1501)) == [("d", 1500, False, 2)]
    assert engine.counts == {}


@pytest.mark.parametrize("wrong", [{"lateness": -1.0}, {"lateness": NAN}, {"max_devices": 0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make(**wrong)
