"""Damage within a detector's journal costs the damaged batches alone: the rest is kept, what was
lost is counted and named. A torn end, which a kill leaves, is not damage."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.detection.service.journal import FRAME, MAGIC, Entry, Journal, batches
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.snapshots import State
from tests.detection.conftest import echo
from tests.detection.graphs import content

BATCHES = [[Entry("message", "t", b'{"device": "d%d"}' % number, 1.5)] for number in range(6)]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    journal = Journal(tmp_path / "journal")
    for batch in BATCHES:
        journal.add(batch)
    journal.close()
    return tmp_path / "journal"


def starts(whole: bytes) -> list[int]:
    """Where each frame begins, and the end."""
    found = [len(MAGIC)]
    while found[-1] < len(whole):
        found.append(found[-1] + FRAME.size + FRAME.unpack_from(whole, found[-1])[0])
    return found


def test_a_flipped_bit_anywhere_costs_the_batch_that_it_is_in(written: Path) -> None:
    whole = written.read_bytes()
    begins = starts(whole)
    generator = random.Random(0)
    for at in range(len(whole)):
        written.write_bytes(
            bytes([*whole[:at], whole[at] ^ 1 << generator.randrange(8), *whole[at + 1 :]])
        )
        hit = sum(begin <= at for begin in begins) - 1  # -1: the magic
        lost: list[tuple[int, int]] = []
        found = list(batches(written, lost))
        if hit >= 0 and at < begins[hit] + 4:  # of its length, which the next frame or the end says
            assert found == BATCHES and lost == []
        else:
            assert found == [batch for number, batch in enumerate(BATCHES) if number != hit]
            assert lost == [(0 if hit < 0 else begins[hit], begins[hit + 1])]


@pytest.mark.parametrize("bit", range(32))
def test_a_flipped_length_of_the_last_batch_loses_nothing_when_it_is_continued(
    written: Path, bit: int
) -> None:
    content_ = bytearray(written.read_bytes())
    content_[starts(bytes(content_))[-2] + bit // 8] ^= 1 << bit % 8
    written.write_bytes(content_)
    journal = Journal(written)
    journal.add(BATCHES[0])
    journal.close()
    lost: list[tuple[int, int]] = []
    assert list(batches(written, lost)) == [*BATCHES, BATCHES[0]] and lost == []


@pytest.mark.parametrize("damage", ["zeroed", "removed", "noise"])
def test_damage_over_several_batches_ends_where_the_next_whole_one_begins(
    written: Path, damage: str
) -> None:
    whole = written.read_bytes()
    begins = starts(whole)
    first, last = begins[1] + 5, begins[4] - 3
    middle = {
        "zeroed": bytes(last - first),
        "removed": b"",
        "noise": random.Random(1).randbytes(last - first),
    }[damage]
    written.write_bytes(whole[:first] + middle + whole[last:])
    lost: list[tuple[int, int]] = []
    assert list(batches(written, lost)) == [BATCHES[0], *BATCHES[4:]]
    assert [start for start, _ in lost] == [begins[1]]


def test_it_is_continued_behind_the_last_whole_batch_not_before_the_damage(written: Path) -> None:
    whole = bytearray(written.read_bytes())
    whole[starts(bytes(whole))[2] + 20] ^= 1
    written.write_bytes(whole + b"\x99\x00\x00\x00torn")
    journal = Journal(written)
    journal.add(BATCHES[0])
    journal.close()
    assert list(batches(written, [])) == [*BATCHES[:2], *BATCHES[3:], BATCHES[0]]


def test_a_zeroed_end_and_a_file_of_something_else_are_damage(written: Path) -> None:
    whole = written.read_bytes()
    for content_, kept in ((whole + bytes(10_000), BATCHES), (b"something else" * 50, [])):
        written.write_bytes(content_)
        lost: list[tuple[int, int]] = []
        assert list(batches(written, lost)) == kept
        assert lost == [(len(whole) if kept else 0, len(content_))]


def test_a_torn_end_of_a_journal_that_was_closed_is_damage(written: Path) -> None:
    whole = written.read_bytes()
    begins = starts(whole)
    for length in range(begins[-2] + 1, len(whole)):
        written.write_bytes(whole[:length])
        for closed in (True, False):
            lost: list[tuple[int, int]] = []
            assert list(batches(written, lost, closed=closed)) == BATCHES[:-1]
            assert lost == ([(begins[-2], length)] if closed else [])


def test_a_missing_journal_between_others_is_named(tmp_path: Path) -> None:
    problems = ProblemLog(lambda line: None)
    state = State(tmp_path, "m", problems)
    for number in (0, 1, 4):
        journal = Journal(tmp_path / f"journal-{number:08}.log")
        journal.add(BATCHES[number])
        journal.close()
    _, found = state.load(lambda arrays, own: None)
    assert list(found) == [BATCHES[0], BATCHES[1], BATCHES[4]]
    assert problems.counts == {"journals missing before journal-00000004.log": 2}


def test_detect_raises_the_alarms_behind_the_damage_and_logs_what_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, state, alarms = tmp_path / "m.onnx", tmp_path / "state", tmp_path / "alarms.jsonl"
    model.write_bytes(content(echo()))
    command = ["detect", "--follow", "-", "--model", str(model), "--state", str(state), "--json"]
    assert main(command) == 0  # nothing comes; it makes the folder
    for path in (*state.glob("snapshot-*"), *state.glob("journal-*")):
        path.unlink()
    journal = Journal(state / "journal-00000000.log")
    for at in range(20):
        reading = {"device": "d", "time": 60 * at, "values": [20.0 * (at % 2)]}
        journal.add([Entry("message", "stdin", json.dumps(reading).encode())])
    journal.close()
    whole = bytearray((state / "journal-00000000.log").read_bytes())
    whole[starts(bytes(whole))[7] + FRAME.size + 40] ^= 4  # one bit of the reading at 7, an alarm
    (state / "journal-00000000.log").write_bytes(whole)
    capsys.readouterr()
    assert main([*command, "--alarms", str(alarms)]) == 0
    captured = capsys.readouterr()
    events = map(json.loads, alarms.read_text().splitlines())
    times = [event["time"] for event in events if event["kind"] == "alarm"]
    assert len(times) == 9 and times[-1] == "1970-01-01T00:19:00Z"
    kind = "journal-00000000.log is damaged, the rest of it was kept"
    assert json.loads(captured.out)["rejected"][kind] == 1
    assert f"{kind}: lost bytes" in captured.err
