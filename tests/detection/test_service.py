"""The loop: killed or not, each event is delivered, each payload acknowledged once it is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.detection.records import Event
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.service import Service
from anomalynet.detection.service.silence import SilenceWatch
from anomalynet.detection.service.snapshots import State
from anomalynet.detection.sinks import Sink, key_of
from anomalynet.detection.sinks.files import JsonLines, ScoresFile
from anomalynet.detection.sources import Raw
from anomalynet.errors import RunError
from tests.detection.fake import FakeEngine


class Scripted:
    """Gives one list of payloads a turn, and notes what is acknowledged."""

    connected = True
    ended = False

    def __init__(self, turns: Sequence[Sequence[bytes | None]]) -> None:
        self.turns = [list(turn) for turn in turns]
        self.acknowledged: list[bytes | None] = []
        self.closed = False

    def start(self, position: bytes) -> None:
        self.position = position

    def collect(self, limit: int, seconds: float) -> list[Raw]:
        return [Raw("t", payload, 0.0) for payload in (self.turns.pop(0) if self.turns else [])]

    def acknowledge(self, batch: Sequence[Raw]) -> None:
        self.acknowledged += [raw.payload for raw in batch]

    def close(self) -> None:
        self.closed = True


class Kept(Sink):
    """A sink that delivers when told to."""

    def __init__(self, name: str = "kept") -> None:
        self.name = name
        self.waiting: dict[str, str] = {}
        self.sent: list[str] = []
        self.fresh: list[str] = []

    def put(self, events: Sequence[Event]) -> None:
        self.waiting |= {event.key: event.to_json() for event in events}

    def forget(self, key: str) -> None:
        self.waiting.pop(key, None)

    def pending(self) -> list[str]:
        return list(self.waiting.values())

    def restore(self, pending: Sequence[str]) -> None:
        for text in pending:
            self.waiting[key_of(text)] = text

    def delivered(self) -> list[str]:
        fresh, self.fresh = self.fresh, []
        return fresh

    def undelivered(self) -> int:
        return len(self.waiting)

    def deliver(self) -> None:
        self.fresh += self.waiting
        self.sent += self.waiting
        self.waiting.clear()

    def close(self) -> None: ...


def payload(device: str, time: int, value: float) -> bytes:
    return json.dumps({"device": device, "time": time, "values": [value]}).encode()


def service(
    folder: Path,
    turns: Sequence[Sequence[bytes | None]],
    sink: Any = None,
    state: bool = True,
    sync: bool = False,
    **more: Any,
) -> Service:
    problems, engine = ProblemLog(lambda line: None), cast(Any, FakeEngine())
    more["sinks"] = [JsonLines(folder / "alarms.jsonl"), *([sink] if sink else [])]
    more["state"] = State(folder / "state", "m", problems, sync) if state else None
    more |= {"scores": ScoresFile(folder / "scores.csv"), "parser": Parser(("a",), problems)}
    return Service(engine=engine, source=Scripted(turns), redelivers=True, **more)


def run(made: Service, turns: int) -> None:
    made.resume()
    for _ in range(turns):
        made.turn()


def kill(made: Service) -> None:
    """What the system does for a killed process: locks go, files stay as they are."""
    assert made.state is not None
    if made.state._writing is not None:
        made.state._writing.join()
    made.state.unlock()


STEPS = [payload(device, time, 20.0 * (time % 3 == 0)) for time in range(12) for device in "ab"]


def outcome(folder: Path) -> tuple[str, str]:
    return (folder / "alarms.jsonl").read_text(), (folder / "scores.csv").read_text()


KILL = st.tuples(st.integers(0, 4), st.booleans(), st.booleans())
"""Turns until then; whether the last one's acknowledgement was lost; whether snapshots are
taken."""


@settings(deadline=None, max_examples=20)
@given(cuts=st.sets(st.integers(1, len(STEPS) - 1), max_size=8), kills=st.lists(KILL, max_size=5))
def test_killed_anywhere_it_goes_on_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, cuts: set[int], kills: list[tuple[int, bool, bool]]
) -> None:
    turns = [STEPS[first:last] for first, last in pairwise([0, *sorted(cuts), len(STEPS)])]
    undisturbed, disturbed = (tmp_path_factory.mktemp(name) for name in ("whole", "disturbed"))
    run(whole := service(undisturbed, turns), len(turns))
    whole.close()

    left = list(turns)
    for wanted, unheard, snapshots in kills:
        done = min(wanted, len(left))
        run(made := service(disturbed, left, snapshot_every=0.0 if snapshots else 1e9), done)
        kill(made)
        # A broker sends again what it does not know to be kept.
        left = left[max(0, done - unheard) :]
    run(final := service(disturbed, left), len(left))
    final.close()
    assert outcome(disturbed) == outcome(undisturbed)
    assert len((undisturbed / "alarms.jsonl").read_text().splitlines()) == 8


def test_payloads_are_acknowledged_after_they_are_kept_and_not_when_they_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service(tmp_path, [[STEPS[0]], [STEPS[1]]])
    run(made, 1)
    source: Any = made.source
    assert source.acknowledged == [STEPS[0]]
    monkeypatch.setattr("os.pwrite", lambda file, content, at: 0)
    with pytest.raises(Exception, match="journal"):
        made.turn()
    assert source.acknowledged == [STEPS[0]]


def test_alarms_and_scores_are_on_the_disk_before_the_snapshot_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().name)
        real(file)

    monkeypatch.setattr("os.fsync", fsync)
    made = service(tmp_path, [[STEPS[0]], []], sync=True, snapshot_every=1e9)
    run(made, 1)
    synced.clear()
    made.snapshot_every = 0.0
    made.turn()
    made.close()
    first = synced.index(next(name for name in synced if name.endswith(".tmp")))
    assert {"alarms.jsonl", "scores.csv", tmp_path.name} <= set(synced[:first])
    assert "state" in synced[first:]  # its new name


def test_without_a_state_what_comes_twice_is_scored_once_and_the_end_is_the_end(
    tmp_path: Path,
) -> None:
    made = service(tmp_path, [[STEPS[0], STEPS[0]], [STEPS[0], None, STEPS[1]]], state=False)
    run(made, 2)
    source: Any = made.source
    assert source.acknowledged == [STEPS[0], STEPS[0], STEPS[0], None, STEPS[1]]
    assert made.parser.problems.counts == {"repeated": 2, "too large": 1}
    assert made.status.readings == 2
    made.close()
    engine: Any = made.engine
    assert engine.finished and source.closed


@pytest.mark.parametrize("snapshot_every", [0.0, 1e9])
@pytest.mark.parametrize("delivered", [True, False])
def test_an_event_is_delivered_by_the_next_process_only_if_it_was_not(
    tmp_path: Path, delivered: bool, snapshot_every: float
) -> None:
    first = Kept()
    made = service(tmp_path, [[STEPS[0]], [], []], first, snapshot_every=snapshot_every)
    run(made, 1)
    assert len(first.waiting) == 1
    if delivered:
        first.deliver()
    made.turn()
    made.turn()
    kill(made)
    second = Kept()
    service(tmp_path, [], second).resume()
    assert len(second.waiting) == (0 if delivered else 1)


def test_what_one_sink_delivered_another_one_still_has_to_deliver(tmp_path: Path) -> None:
    first, second = Kept("one"), Kept("another")
    made = service(tmp_path, [[STEPS[0]], [], []], first, snapshot_every=1e9)
    made.sinks = [first, second]
    run(made, 1)
    first.deliver()
    made.turn()
    assert len(second.waiting) == 1
    kill(made)
    again = service(tmp_path, [])
    again.sinks = first, second = [Kept("one"), Kept("another")]
    again.resume()
    assert (len(first.waiting), len(second.waiting)) == (0, 1)


def test_a_delivery_is_forgotten_only_by_the_process_after_it(tmp_path: Path) -> None:
    sink = Kept()
    made = service(tmp_path, [[STEPS[0]], []], sink)
    run(made, 1)
    sink.fresh += sink.waiting  # delivered, and the same event waits again
    made.turn()
    assert len(sink.waiting) == 1


def test_a_silent_source_is_ticked_and_a_replay_ticks_it_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("anomalynet.detection.service.service.time.time", lambda: now)
    heard: Any = lambda self, *_: [Raw("t", each, now) for each in self.turns.pop(0)]  # noqa: E731
    monkeypatch.setattr(Scripted, "collect", heard)
    late: Any = {"silence": SilenceWatch(60.0, 10.0, lambda: {"t": 500_000_000})}
    made = service(tmp_path, [[payload("a", 500, 1.0)], [], [], []], **late)
    run(made, 1)
    for now in (1059.0, 1060.0, 1062.0):  # noqa: B007  read by the clock
        made.turn()
    engine: Any = made.engine
    assert engine.ticks == [("t", 560_000_000)]
    kill(made)
    late["silence"] = SilenceWatch(60.0, 10.0, lambda: {"t": 500_000_000})
    again = service(tmp_path, [[], [], []], **late)
    now = 2000.0
    again.resume()
    replayed: Any = again.engine
    assert replayed.ticks == [("t", 560_000_000)]
    again.turn()
    assert replayed.ticks[1:] == []  # what waits at the broker may still come
    now = 2060.0
    again.turn()
    assert replayed.ticks[1:] == [("t", 1_560_000_000)]


def test_without_a_state_alarms_that_were_not_delivered_are_a_failure(tmp_path: Path) -> None:
    made = service(tmp_path, [[STEPS[0]]], Kept(), state=False)
    run(made, 1)
    with pytest.raises(RunError, match="kept: 1 alarms were not delivered"):
        made.close()
    source: Any = made.source
    assert source.closed
