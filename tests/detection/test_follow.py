"""Lines of files that grow, rotate, are cut, and of pipes: each once, in order, bounded memory."""

from __future__ import annotations

import json
import os
import threading
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.data.importing.format import TableFormat
from anomalynet.detection.service.journal import Entry, Journal, batches
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sources import Raw
from anomalynet.detection.sources.follow import Followed, FollowedTable, Lines, Stdin
from anomalynet.errors import UsageError


def all_of(source: Followed) -> list[Raw]:
    found = []
    while batch := source.collect(2, 0.0):
        found += batch
    return found


def payloads(source: Followed) -> list[bytes | None]:
    return [raw.payload for raw in all_of(source)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.jsonl"


def followed(path: Path, position: bytes = b"", problems: ProblemLog | None = None) -> Followed:
    source = Followed(path, 100, problems or ProblemLog(lambda line: None))
    source.start(position)
    return source


def test_lines_as_they_are_appended_and_no_half_ones(path: Path) -> None:
    source = followed(path)
    assert payloads(source) == []
    assert not source.connected
    path.write_bytes(b"one\r\ntwo\n\nth")
    assert payloads(source) == [b"one", b"two"]
    assert source.connected
    with path.open("ab") as file:
        file.write(b"ree\n" + b"x" * 101 + b"\nfour\n")
    assert payloads(source) == [b"three", None, b"four"]


def test_a_rotated_file_is_read_to_its_end_then_the_new_one(path: Path) -> None:
    path.write_bytes(b"one\n")
    source = followed(path)
    assert payloads(source) == [b"one"]
    with path.open("ab") as file:
        path.rename(path.with_suffix(".1"))
        file.write(b"two\nlast")
    path.write_bytes(b"new\n")
    assert payloads(source) == [b"two", b"last", b"new"]


def test_a_truncated_file_begins_anew(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nhalf")
    source = followed(path)
    assert payloads(source) == [b"one", b"two"]
    path.write_bytes(b"new\n")
    assert payloads(source) == [b"new"]


def test_a_place_is_where_the_next_process_goes_on(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthree\n")
    positions = [raw.position for raw in all_of(followed(path))]
    assert payloads(followed(path, positions[0])) == [b"two", b"three"]
    assert payloads(followed(path, positions[2])) == []
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"new and longer than the position\n")
    assert payloads(followed(path, positions[2])) == [b"new and longer than the position"]


@pytest.mark.parametrize("length", [4, 1000])
def test_another_file_with_the_same_inode_is_read_from_its_start(path: Path, length: int) -> None:
    old = b"".join(b"%d\n" % number for number in range(length))
    path.write_bytes(old)
    position = all_of(followed(path))[-1].position
    path.write_bytes(old + b"more\n")
    assert payloads(followed(path, position)) == [b"more"]
    path.write_bytes(b"new\n" + old)  # written in position: the inode stays
    problems = ProblemLog(lambda line: None)
    assert payloads(followed(path, position, problems))[:2] == [b"new", b"0"]
    assert problems.counts == {"file replaced while the detector was not running": 1}


def test_a_folder_is_refused_and_a_file_that_cannot_be_read_is_waited_for_not_silently(
    path: Path,
) -> None:
    path.mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        followed(path).collect(1, 0.0)
    path.rmdir()
    path.symlink_to(path)
    told: list[str] = []
    source = followed(path, problems=ProblemLog(told.append))
    assert payloads(source) == []
    assert len(told) == 1 and told[0].startswith(f"file cannot be read: {path}"[:100])
    path.unlink()
    path.write_bytes(b"one\n")
    assert payloads(source) == [b"one"]


def test_a_name_that_is_not_text_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    path.write_bytes(b"one\n")
    (raw,) = all_of(followed(path))
    journal = Journal(tmp_path / "journal")
    journal.add([Entry("message", raw.source, b"one")])
    journal.close()
    (batch,) = batches(tmp_path / "journal", [])
    assert [entry.name for entry in batch] == ["caf\\xe9.jsonl"]


def table(path: Path, form: TableFormat | None = None) -> FollowedTable:
    problems = ProblemLog(lambda line: None)
    source = FollowedTable(path, Parser(("a", "b"), problems, 1000, form))
    source.start(b"")
    return source


def readings(source: FollowedTable) -> list[tuple[str, str, list[str]]]:
    found = [json.loads(payload or b"") for payload in payloads(source)]
    return [(each["device"], each["time"], each["values"]) for each in found]


def test_a_growing_table_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    source = table(path)
    path.write_bytes(b'\xef\xbb\xbfsep=;\r\nb;"time";note;a\r\n1;60;"x;y";2\r\n;;;\r\n3;')
    assert readings(source) == [("plant", "60", ["2", "1"]), ("plant", "", ["", ""])]
    with path.open("ab") as file:
        file.write(b"120;z;4\n5;180\n" + b"6" * 1001 + b"\n")
    assert payloads(source)[1:] == [None]
    assert source.connected
    path.write_bytes(b"time,device,a,b\n5,n1,1,2\n")  # shorter, with another header
    assert readings(source) == [("n1", "5", ["1", "2"])]


def test_cells_of_a_growing_table_are_counted_as_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    path.write_text("time,a,b\n1,2\n1,2,3,4\nnoon,1,2\n60,warm,\n")
    source = table(path)
    parser = source.parser
    found = [parser.parse(raw.source, raw.payload or b"") for raw in all_of(source)]
    (reading,) = [each.readings[0] for each in found if each is not None]
    assert (reading.device, reading.time) == ("plant", 60_000_000)
    wrong = {"wrong number of cells": 2, "bad time": 1, "not a number": 1}
    assert parser.problems.counts == wrong


def test_a_growing_table_without_header_has_the_columns_of_the_models(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    path.write_text("01.02.2024 10:00 1 2\n")
    columns = ("day", "clock", "b", "a")
    form = TableFormat(
        separator=" ", header=False, columns=columns, time="day,clock", channels=("b", "a")
    )
    assert readings(table(path, form)) == [("plant", "01.02.2024 10:00", ["2", "1"])]


@pytest.mark.parametrize("header", ["time,a", "a,b", "device,b,a"])
def test_a_growing_table_without_a_column_is_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "plant.csv"
    path.write_text(f"{header}\n1,2,3\n")
    with pytest.raises(UsageError, match=r"plant.csv:1: missing column '(b|time)'"):
        table(path).collect(1, 0.0)


def test_a_pipe_ends_with_its_last_line() -> None:
    reader, writer = os.pipe()
    source = Stdin(100, reader)

    def write() -> None:
        for part in (b"one\ntw", b"o\n", b"three"):
            os.write(writer, part)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    found: list[Raw] = []
    while not source.ended or found[-1:] == []:
        found += source.collect(2, 1.0)
    found += source.collect(2, 0.0)
    thread.join()
    os.close(reader)
    assert [raw.payload for raw in found] == [b"one", b"two", b"three"]


LINE = st.binary(max_size=12).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))


@given(lines=st.lists(LINE), data=st.data())
def test_chunks_do_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(content)))))
    cutter, found = Lines(8), []
    for first, last in zip([0, *cuts], [*cuts, len(content)], strict=True):
        found += cutter.feed(content[first:last])
    assert [line for line, _ in found] == [line if len(line) <= 8 else None for line in lines]
    offsets = accumulate(len(line) + 1 for line in lines)
    assert [offset for _, offset in found] == list(offsets)
    assert cutter.rest() == []
