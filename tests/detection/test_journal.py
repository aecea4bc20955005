"""A journal gives back what was written whole, whatever happened to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.detection.service.journal import MAGIC, Entry, Journal, batches
from anomalynet.errors import RunError

BATCHES = [
    [Entry("message", "sensors/ä", b'{"device": "a"}', 1.5), Entry("tick", "g1", b"17", 2.0)],
    [Entry("position", "", b"{}"), Entry("message", "t", b"\xff\x01\xff\x00\xff\xff")],
    [Entry("delivered", "webhook host", b"abc-alarm"), Entry("message", "t", b"", 3.25)],
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    journal = Journal(path)
    for batch in BATCHES:
        journal.add(batch)
    journal.close()
    return path


def test_batches_come_back_as_they_were(written: Path) -> None:
    assert list(batches(written, [])) == BATCHES


def test_torn_at_every_byte_the_whole_batches_before_it_remain_and_it_goes_on(
    written: Path,
) -> None:
    content = written.read_bytes()
    ends = [len(MAGIC)]
    for batch in BATCHES:
        alone = Journal(written.with_name("alone"))
        alone.add(batch)
        ends.append(ends[-1] + alone.size - len(MAGIC))
        alone.close()
        written.with_name("alone").unlink()
    assert ends[-1] == len(content)
    for length in range(len(content) + 1):
        written.write_bytes(content[:length])
        whole = max(0, sum(end <= length for end in ends) - 1)
        assert list(batches(written, [])) == BATCHES[:whole]
        journal = Journal(written)
        journal.add(BATCHES[0])
        journal.close()
        assert list(batches(written, [])) == [*BATCHES[:whole], BATCHES[0]]


def test_what_does_not_fit_on_the_disk_is_not_half_written(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(written)
    monkeypatch.setattr("os.pwrite", lambda file, frame, at: len(frame) - 1)
    with pytest.raises(RunError, match="journal"):
        journal.add(BATCHES[0])
    monkeypatch.undo()
    journal.add(BATCHES[1])
    journal.close()
    assert list(batches(written, [])) == [*BATCHES, BATCHES[1]]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert list(batches(tmp_path / "none", [])) == []
