"""Which silent sources the wall clock ticks, when, and to what time."""

from __future__ import annotations

import pytest

from anomalynet.detection.service import silence
from anomalynet.detection.service.silence import SilenceWatch


def at(seconds: float) -> int:
    return int(seconds * 1e6)


def test_a_silent_source_is_ticked_from_its_patience_on_with_the_time_since() -> None:
    clocks = {"a": at(500), "b": at(700)}
    made = SilenceWatch(60.0, 10.0, lambda: clocks)
    made.heard("a", 1000.0)
    made.heard("b", 1030.0)
    assert made.due(1059.9) == []
    assert made.due(1060.25) == [("a", at(560.25))]
    clocks["a"] = at(560.25)  # the engine's clock follows the tick
    assert made.due(1065.1) == []  # half a period is not over
    assert made.due(1065.5) == [("a", at(565.5))]
    assert made.due(1090.0) == [("a", at(590)), ("b", at(760))]
    made.heard("a", 1095.0)
    clocks |= {"a": at(600), "b": at(760)}
    assert made.due(1100.0) == [("b", at(770))]
    assert made.due(1155.5) == [("b", at(825.5)), ("a", at(660.5))]


def test_a_source_that_the_engine_does_not_know_is_not_ticked() -> None:
    made = SilenceWatch(60.0, 10.0, lambda: {"b": -(1 << 62)})
    made.heard("a", 1000.0)
    made.heard("b", 1000.0)
    assert made.due(1100.0) == []
    assert made.to_json() == {}


def test_a_source_is_forgotten_after_the_longest_silence_that_matters() -> None:
    made = SilenceWatch(60.0, 10.0, lambda: {"a": 0}, most=100.0)
    made.heard("a", 1000.0)
    assert made.due(1160.0) == [("a", at(160))]
    assert made.due(1160.5) == []
    assert made.to_json() == {}


def test_another_process_knows_how_far_each_is_behind_but_waits_anew() -> None:
    first = SilenceWatch(60.0, 10.0, lambda: {"a": at(500)})
    first.heard("a", 1000.0)
    second = SilenceWatch(60.0, 10.0, lambda: {"a": at(2000)})
    second.restore(first.to_json())
    second.restarted(5000.0)
    assert second.due(5059.0) == []
    assert second.due(5060.0) == [("a", at(4560))]


def test_a_tick_of_the_journal_settles_how_far_it_is_behind() -> None:
    made = SilenceWatch(60.0, 10.0, lambda: {"a": at(570)})
    made.heard("a", 1000.0)
    made.ticked("a", at(570), 1070.0)
    made.restarted(5000.0)
    assert made.due(5060.0) == [("a", at(4560))]


def test_made_up_sources_are_forgotten_and_real_ones_are_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(silence, "SPARE", 10)
    clocks = {f"real {number}": at(500) for number in range(30)}
    made = SilenceWatch(60.0, 10.0, lambda: clocks)
    for turn in range(100):
        for number in range(100):
            made.heard(f"made up {turn} {number}", 1000.0 + turn)
        if turn < 30:
            made.heard(f"real {turn}", 1000.0 + turn)
        ticked = {name for name, _ in made.due(1000.0 + turn)}
        assert ticked <= set(clocks)
        assert len(made._sources) <= 2 * 30 + 10 + 101
    assert set(made.to_json()) == set(clocks)


def test_a_wall_clock_that_is_set_back_ticks_nobody() -> None:
    made = SilenceWatch(60.0, 10.0, lambda: {"a": at(500)})
    made.heard("a", 1000.0)
    assert made.due(1060.0) == [("a", at(560))]
    assert made.due(900.0) == []
    assert made.due(1066.0) == [("a", at(566))]
