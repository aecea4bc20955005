"""Steps, ticks and refusals by hand; and that neither the grouping of messages nor a restart
changes anything."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.detection.contract import Contract
from anomalynet.detection.core.alarms import AlarmRule
from anomalynet.detection.core.engine import Engine
from anomalynet.detection.core.table import Array
from anomalynet.detection.records import Event, Message, Reading, Steps, joined
from anomalynet.errors import UsageError
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


def rows(engine: Engine, *messages: Message) -> list[Row]:
    """(device, second, observed, score) of the steps that messages make."""
    steps = engine.process(messages).steps
    facts = zip(
        steps.row.tolist(),
        steps.time.tolist(),
        steps.observed.tolist(),
        steps.score.tolist(),
        strict=True,
    )
    return [
        (engine.names[row], time / SECOND, seen, None if np.isnan(score) else score)
        for row, time, seen, score in facts
    ]


def test_scores_by_hand_in_the_form_window() -> None:
    engine = make()
    found = rows(
        engine,
        message("s", reading("d", 0, 1, 2)),
        message("s", reading("d", 1, 3, NAN)),
        message("s", reading("d", 3.2, 5, 6)),
    )
    # b is held: 1 + 2, 3 + 2, 3 + 2 at the step between, 5 + 6; the sum of two steps each.
    assert found == [
        ("d", 0, True, None),
        ("d", 1, True, 8),
        ("d", 2.1, False, 10),
        ("d", 3.2, True, 16),
    ]


def test_scores_by_hand_in_the_form_step() -> None:
    engine = make(contract(form="step"))
    found = rows(engine, *(message("s", reading("d", second, second)) for second in (1, 2, 3)))
    assert found == [("d", 1, True, None), ("d", 2, True, 3), ("d", 3, True, 6)]
    # A break of more than three steps starts with nothing.
    again = rows(engine, message("s", reading("d", 10, 10)), message("s", reading("d", 11, 11)))
    assert again == [("d", 10, True, None), ("d", 11, True, 21)]


def test_scores_by_hand_in_the_form_statistics() -> None:
    engine = make(contract(form="statistics"))
    assert rows(engine, message("s", reading("d", 0, 1, 5)), message("s", reading("d", 1, 2, 7)))[
        1
    ] == ("d", 1, True, 1.5 + 6)


def test_calibration_rows_are_not_scored_and_are_taken_off() -> None:
    engine = make(contract(calibration_rows=2, window=1))
    found = engine.process(
        [message("s", reading("d", second, value)) for second, value in enumerate([1.0, 3.0, 12.0])]
    )
    assert (
        np.isnan(found.steps.score).tolist() == [True, True, False] and found.steps.score[2] == 10
    )
    assert np.isnan(found.steps.values[:2]).all() and found.steps.values[2].tolist() == [10, 0, 0]


def test_a_clock_lays_missed_steps_and_a_break_ends_the_segment() -> None:
    engine = make()
    rows(engine, message("s", reading("d", 0)), message("s", reading("d", 1)))
    assert (
        rows(engine, message("s", clock=2.5)) == []
    )  # a reading 1.5 periods after the last one is in time
    assert rows(engine, message("s", clock=2.6)) == [("d", 2, False, 2)]
    assert rows(engine, message("s", clock=2.6)) == []
    assert engine.states()["silent"] == 1
    assert rows(engine, message("s", clock=4.6)) == [("d", 3, False, 2), ("d", 4, False, 2)]
    assert rows(engine, message("s", clock=100)) == []
    assert rows(engine, message("s", reading("d", 101))) == [("d", 101, True, None)]
    assert rows(engine, message("s", reading("d", 102)))[0][3] == 2


def test_a_reading_after_laid_steps_lays_what_is_still_missing() -> None:
    engine = make()
    rows(engine, message("s", reading("d", 0)), message("s", reading("d", 1), clock=1))
    assert rows(engine, message("s", clock=2.8)) == [("d", 2, False, 2)]
    # Three periods of 1.1 s: the second of two steps between lies at 1 + 2 · 1.1.
    assert rows(engine, message("s", reading("d", 4.3))) == [
        ("d", 3.2, False, 2),
        ("d", 4.3, True, 2),
    ]


def test_without_breaks_every_step_is_laid_however_long_the_silence() -> None:
    engine = make(contract(breaks=False))
    rows(engine, message("s", reading("d", 0)))
    laid = rows(engine, message("s", clock=50))
    assert [row[1] for row in laid] == list(range(1, 50)) and not any(row[2] for row in laid)
    # Held for three steps, then zero: the window of two sums 2, 2, 2, 1, 0, 0, …
    assert [row[3] for row in laid[:6]] == [2, 2, 2, 1, 0, 0]


def test_events_have_no_grid() -> None:
    engine = make(contract(period=None))
    found = rows(
        engine,
        message("s", reading("d", 0)),
        message("s", reading("d", 500)),
        message("s", clock=9000),
    )
    assert found == [("d", 0, True, None), ("d", 500, True, 2)]


def test_a_source_ticks_only_its_own_devices() -> None:
    engine = make()
    rows(engine, message("s", reading("d", 0)), message("t", reading("e", 0)))
    assert rows(engine, message("t", clock=2)) == [("e", 1, False, 2)]
    # d goes over to t.
    rows(engine, message("t", reading("d", 2)))
    assert rows(engine, message("s", clock=10)) == []
    assert [row[0] for row in rows(engine, message("t", clock=4))] == ["d", "e", "e"]


def test_lateness_waits_and_finish_does_not() -> None:
    engine = make(lateness=2.0)
    rows(engine, message("s", reading("d", 0), reading("e", 0)), message("s", reading("d", 3)))
    assert rows(engine, message("s", reading("e", 1))) == [("e", 1, True, 2)]
    steps = engine.finish().steps
    assert [
        (engine.names[row], time) for row, time in zip(steps.row, steps.time.tolist(), strict=True)
    ] == [("e", 2 * SECOND)]


def test_refused_readings_are_counted() -> None:
    engine = make(allowed=["d", "e", "x" * 129], max_devices=1)
    sent = [
        reading("d", 5),
        reading("d", 5),
        reading("d", 4),
        reading("e", 5),
        reading("f", 5),
        reading("x" * 129, 5),
    ]
    rows(
        engine,
        message("s", *sent, Reading("d", 6 * SECOND, (1.0,)), Reading("d", 1 << 70, (1.0, 1.0))),
    )
    assert rows(engine, message("s", clock=6.6)) == [("d", 6, False, 2)]
    assert rows(engine, message("s", reading("d", 6.1)), message("y" * 2000, reading("d", 7))) == []
    assert engine.counts == {
        "duplicate": 1,
        "time went back": 1,
        "too many devices": 1,
        "unknown device": 1,
        "device name too long": 1,
        "wrong number of values": 1,
        "impossible time": 1,
        "late": 1,
        "source name too long": 1,
    }


def test_three_readings_that_agree_set_a_device_back() -> None:
    engine = make()
    rows(engine, message("s", reading("d", 0)), message("s", reading("d", 1)))
    assert rows(engine, message("s", reading("d", 2 + 5 * DAY))) == [("d", 2 + 5 * DAY, True, None)]
    assert rows(engine, message("s", reading("d", 3)), message("s", reading("d", 4))) == []
    assert rows(engine, message("s", reading("d", 5)), message("s", reading("d", 6))) == [
        ("d", 5, True, None),
        ("d", 6, True, 2),
    ]
    assert engine.counts == {"time went back": 2}


@pytest.mark.parametrize("cool_down", [0.0, 60.0])
def test_an_alarm_in_a_wrong_future_is_no_cool_down_for_the_time_after(cool_down: float) -> None:
    engine = make(contract(window=1), AlarmRule(threshold=5, cool_down=cool_down))
    wrong = [message("s", reading("d", 5 * DAY + second, a)) for second, a in enumerate([9, 1])]
    assert [event.kind for event in engine.process(wrong).events] == ["alarm", "cleared"]
    found = engine.process(
        [message("s", reading("d", second, a)) for second, a in enumerate([1, 1, 1, 9, 1, 9])]
    ).events
    again = [("alarm", 5.0)] if not cool_down else []
    assert [(event.kind, event.time / SECOND) for event in found] == [
        ("alarm", 3.0),
        ("cleared", 4.0),
        *again,
    ]


def test_a_standing_alarm_in_a_wrong_future_ends_where_the_clock_is_set_back() -> None:
    engine = make(contract(window=1), AlarmRule(threshold=5, cool_down=60))
    found = engine.process(
        [message("s", reading("d", second, 9)) for second in (5 * DAY, 1, 2, 3)]
    ).events
    assert [(event.kind, event.time / SECOND) for event in found] == [
        ("alarm", 5 * DAY),
        ("cleared", 5 * DAY),
        ("alarm", 3.0),
    ]


def test_a_state_that_is_no_number_is_emptied_and_its_alarm_cleared() -> None:
    engine = make(contract(form="step"), AlarmRule(threshold=4))
    sent = [
        message("s", reading("d", second, a), reading("e", second, 1))
        for second, a in enumerate([2, 3, 3e38, 3e38, 1, 2, 3])
    ]
    outcome = engine.process(sent)
    scores = [outcome.steps.score[outcome.steps.row == row].tolist() for row in (0, 1)]
    # The sum of two readings of 3e38 is more than float32 holds; d begins again after it.
    assert [np.isfinite(scores[0]).tolist(), scores[0][5:]] == [
        [False, True, True, False, False, True, True],
        [3, 6],
    ]
    assert scores[1][1:] == [2, 3, 4, 5, 6, 7]
    found = [
        (event.kind, event.time // SECOND, event.reason)
        for event in outcome.events
        if event.device == "d"
    ]
    assert found == [
        ("alarm", 1, ""),
        ("cleared", 3, "lost"),
        ("alarm", 3, ""),
        ("cleared", 5, "quiet"),
        ("alarm", 6, ""),
    ]
    assert engine.counts == {"state lost": 1}


def test_one_wrong_time_ticks_nobody_and_three_that_agree_do() -> None:
    engine = make(contract(breaks=False))
    rows(engine, message("s", reading("d", 0), reading("e", 0)))
    assert rows(engine, message("s", reading("d", 3 * DAY))) == [("d", 3 * DAY, True, None)]
    assert engine.clocks() == {"s": 0}
    assert rows(engine, message("s", reading("e", 1))) == [("e", 1, True, 2)]
    assert engine.clocks() == {"s": SECOND}
    for ahead in (1, 2, 3):
        assert (
            rows(engine, message("s", clock=3 * DAY + ahead)) == []
        )  # a jump lays no steps, it ends segments
    assert engine.clocks() == {"s": round((3 * DAY + 3) * SECOND)}
    assert rows(engine, message("s", reading("e", 3 * DAY + 4))) == [("e", 3 * DAY + 4, True, None)]


def test_a_device_whose_clock_is_behind_is_not_silent() -> None:
    engine = make()
    rows(engine, message("s", reading("d", 100), reading("e", 40)))
    assert rows(engine, message("s", reading("d", 101), reading("e", 41))) == [
        ("d", 101, True, 2),
        ("e", 41, True, 2),
    ]
    rows(engine, message("s", reading("d", 102)))
    assert rows(engine, message("s", reading("d", 103))) == [
        ("d", 103, True, 2),
        ("e", 42, False, 2),
    ]
    assert engine.counts == {}


def test_states() -> None:
    engine = make(contract(calibration_rows=2), AlarmRule(threshold=5))
    before = [
        reading(name, second)
        for name, first in (("filling", 8), ("scoring", 7))
        for second in range(first, 10)
    ]
    alarm = [reading("alarm", 7), reading("alarm", 8), reading("alarm", 9, 9)]
    now = [reading(name, 10) for name in ("calibrating", "filling", "scoring", "alarm")]
    rows(engine, message("s", reading("silent", 5)), message("s", *before, *alarm, *now))
    assert engine.states() == {
        "alarm": 1,
        "silent": 1,
        "calibrating": 1,
        "filling": 1,
        "scoring": 1,
    }


Forms = Literal["window", "step", "statistics"]
SENT = st.lists(
    st.tuples(
        st.sampled_from(["s", "t"]),
        st.lists(
            st.builds(
                Reading,
                st.sampled_from(["d", "e", "f"]),
                st.sampled_from([*range(12), 30, 200_000]).map(lambda second: second * SECOND),
                st.tuples(st.sampled_from([0.0, 1.0, 5.0, NAN]), st.sampled_from([0.0, 2.0, NAN])),
            ),
            max_size=3,
        ),
        st.none() | st.sampled_from([*range(14), 200_000]).map(lambda second: second * SECOND),
    ).map(lambda parts: Message(parts[0], tuple(parts[1]), parts[2])),
    max_size=25,
)


def of_devices(engine: Engine, steps: Steps, events: list[Event]) -> dict[str, Any]:
    """Everything that became of each device, in order."""
    found: dict[str, Any] = {}
    columns = [steps.time, steps.observed, steps.values, steps.score, steps.error, steps.attention]
    for row, name in enumerate(engine.names):
        own = steps.row == row
        found[name] = (
            [b"" if column is None else column[own].tobytes() for column in columns],
            [e for e in events if e.device == name],
        )
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
    steps = joined([*parts, last_outcome.steps], 3)
    return of_devices(engine, steps, events + last_outcome.events) | {
        "counts": engine.counts,
        "clocks": engine.clocks(),
    }


@settings(max_examples=150, deadline=None)
@given(
    SENT,
    st.lists(st.integers(0, 25), max_size=8),
    st.sampled_from(["window", "step", "statistics"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 2]),
    st.booleans(),
)
def test_neither_grouping_nor_a_restart_changes_anything(
    sent: list[Message],
    cuts: list[int],
    form: Forms,
    restart: bool,
    breaks: bool,
    calibration: int,
    hampel: bool,
) -> None:
    settings = {"calibration_rows": calibration, "outliers": "hampel" if hampel else "keep"}
    found, rule = (
        contract(form=form, breaks=breaks, max_gap=2, **settings),
        AlarmRule(threshold=6.0, k=2, n=3, cool_down=2),
    )
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
    assert rows(engine, message("s", reading("d", 1)))[0][:3] == ("d", 1, True)


def test_no_message_makes_no_step() -> None:
    outcome = make().process([])
    assert len(outcome.steps) == 0 and outcome.events == []


def test_sources_that_no_device_belongs_to_are_forgotten() -> None:
    engine = make(max_devices=1)
    for second in range(1500):
        engine.process([message(f"session {second}", reading("d", second))])
    assert len(engine.clocks()) < 1010 and engine.clocks()["session 1499"] == 1499 * SECOND
    assert rows(engine, message("session 1499", clock=1501)) == [("d", 1500, False, 2)]
    assert engine.counts == {}


@pytest.mark.parametrize(
    "settings", [{"lateness": -1.0}, {"lateness": float("nan")}, {"max_devices": 0}]
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make(**settings)
