"""Damage within a detector's journal costs the damaged batches alone: the rest is kept, what was
lost is counted and named. A torn end, which a kill leaves, is not damage."""

from __future__ import annotations

import json
import random
import struct
import zlib
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.detection.service.journal import (
    ENTRY,
    FRAME,
    HEAD,
    MAGIC,
    MARK,
    Entry,
    Journal,
    batches,
)
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.snapshots import State
from anomalynet.errors import UsageError
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
        found.append(found[-1] + FRAME.size + FRAME.unpack_from(whole, found[-1])[1])
    return found


def frame(body: bytes, at: int) -> bytes:
    """A frame with right checks, for this offset."""
    head = HEAD.pack(MARK, len(body), zlib.crc32(body, at))
    return head + struct.pack("<I", zlib.crc32(head, at)) + body


def journal_of(*bodies: bytes) -> bytes:
    """A journal with right checks, whatever is in the bodies."""
    whole = MAGIC
    for body in bodies:
        whole += frame(body.replace(b"\xff", b"\xff\0"), len(whole))
    return whole


def packed(code: bytes, content: bytes, name: bytes = b"t", time: float = 1.5) -> bytes:
    """An entry as in the file."""
    return ENTRY.pack(code, time, len(name), len(content)) + name + content


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
        head = range(begins[hit], begins[hit] + FRAME.size)
        if hit >= 0 and at in head and at - begins[hit] not in range(6, 10):
            # Where it ends, the next frame or the end says; at 6 is the check of its body.
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
    # A frame is none where it was not written.
    kept = [] if damage == "removed" else BATCHES[4:]
    assert list(batches(written, lost)) == [BATCHES[0], *kept]
    assert [start for start, _ in lost] == [begins[1]]


def test_it_is_continued_behind_the_last_whole_batch_not_before_the_damage(written: Path) -> None:
    whole = bytearray(written.read_bytes())
    whole[starts(bytes(whole))[2] + 20] ^= 1
    written.write_bytes(whole + frame(b"m torn", len(whole))[:-1])
    journal = Journal(written)
    journal.add(BATCHES[0])
    journal.close()
    assert list(batches(written, [])) == [*BATCHES[:2], *BATCHES[3:], BATCHES[0]]


def test_a_zeroed_end_and_a_file_of_something_else_are_damage(written: Path) -> None:
    whole = written.read_bytes()
    for begin, end in (
        *((whole, bytes(10_000)), (whole, b"\xff" * 4096), (MAGIC, b"\xff" * 4096)),
        *((whole, b"\x10\x00"), (b"", b"something else" * 50)),
    ):
        written.write_bytes(begin + end)
        lost: list[tuple[int, int]] = []
        assert list(batches(written, lost)) == (BATCHES if begin == whole else [])
        assert lost == [(len(begin), len(begin + end))]
        Journal(written).close()
        assert written.read_bytes() == begin + end


IMPOSSIBLE = {
    "kind": packed(b"x", b""),
    "no head": b"m",
    "short name": packed(b"m", b"")[:-1],
    "short content": packed(b"m", b"{}")[:-1],
    "name": packed(b"m", b"{}", name=b"\xc3"),
    "tick": packed(b"t", b"soon"),
    "long tick": packed(b"t", b"9" * 400),
    "key": packed(b"d", b"\xfe"),
    "position": packed(b"p", b"{"),
    "position of another kind": packed(b"p", b"[]"),
    "time": packed(b"m", b"{}", time=float("nan")),
    "late time": packed(b"m", b"{}", time=1e300),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_entry_that_cannot_be_costs_its_batch_though_the_checks_are_right(
    tmp_path: Path, name: str
) -> None:
    good = packed(b"m", b'{"device": "d0"}')
    whole = journal_of(good, good + IMPOSSIBLE[name], good)
    (tmp_path / "journal").write_bytes(whole)
    begins, lost = starts(whole), list[tuple[int, int]]()
    assert list(batches(tmp_path / "journal", lost)) == [BATCHES[0], BATCHES[0]]
    assert lost == [(begins[1], begins[2])]


def test_what_a_payload_has_is_never_taken_for_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    forged, names = packed(b"d", b"key", name=b"sink"), b"m" * 8
    begin = len(MAGIC) + FRAME.size + ENTRY.size + len(names)
    for shift in range(4):  # what is escaped before it moves it
        journal = Journal(path)
        payload = frame(forged, begin + shift)
        journal.add([Entry("message", names.decode(), payload), Entry("tick", "g", b"17")])
        journal.add(BATCHES[1])
        journal.close()
        whole = path.read_bytes()
        for bit in range(8 * FRAME.size):
            harmed = bytearray(whole)
            harmed[len(MAGIC) + bit // 8] ^= 1 << bit % 8
            path.write_bytes(harmed)
            for batch in batches(path, []):
                assert not any(entry.kind == "delivered" for entry in batch)
        path.unlink()


def test_a_frame_that_stands_elsewhere_is_none(written: Path) -> None:
    whole = written.read_bytes()
    begins = starts(whole)
    again = whole[begins[2] : begins[3]]
    written.write_bytes(whole + again)
    lost: list[tuple[int, int]] = []
    assert list(batches(written, lost)) == BATCHES
    assert lost == [(len(whole), len(whole + again))]


def test_a_journal_of_the_version_before_is_refused_and_left_alone(tmp_path: Path) -> None:
    path, whole = tmp_path / "journal-00000000.log", b"anomalynet journal 1\n\x10\0\0\0torn"
    path.write_bytes(whole)
    (tmp_path / "model.json").write_text('{"model": "m"}')
    state = State(tmp_path, "m", ProblemLog(lambda line: None))
    with pytest.raises(UsageError, match=r"00000000\.log.*another version") as raised:
        state.load(lambda arrays, own: None)
    state.close()
    assert raised.value.next_step == "start without it" and path.read_bytes() == whole


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
