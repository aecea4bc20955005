"""The state folder: the newest whole snapshot and every batch since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalynet.detection.service.journal import Entry
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.snapshots import Arrays, State
from anomalynet.errors import UsageError


def open_state(folder: Path, model: str = "m") -> State:
    return State(folder, model, ProblemLog(lambda line: None))


def entry(number: int) -> Entry:
    return Entry("message", "t", str(number).encode())


def after(folder: Path) -> tuple[int | None, list[int]]:
    """Number in the snapshot that is loaded, numbers in the batches after it."""
    state, restored = open_state(folder), list[int]()

    def restore(arrays: Arrays, own: dict[str, Any]) -> None:
        assert own == {"own": int(arrays["a"])}
        restored.append(int(arrays["a"]))

    known, batches = state.load(restore)
    numbers = [int(each.content) for batch in batches for each in batch]
    state.close()
    assert known == bool(restored)
    return (restored[0] if known else None), numbers


def nothing(arrays: Arrays, own: dict[str, Any]) -> None:
    """For a state without a snapshot."""
    raise AssertionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Batches 0 … 9, a snapshot before every third."""
    state = open_state(tmp_path / "state")
    state.load(nothing)
    for number in range(10):
        if number % 3 == 0 and number:
            state.snapshot({"a": np.array(number)}, {"own": number}, wait=True)
        state.append([entry(number)])
    state.close()
    return tmp_path / "state"


def test_the_newest_snapshot_and_what_came_after_it(folder: Path) -> None:
    assert after(folder) == (9, [9])


def test_two_snapshots_are_kept_and_no_more(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    journals = [f"journal-{number:08}.log" for number in (2, 3)]
    assert names == [
        *journals,
        "lock",
        "model.json",
        *(f"snapshot-{number:08}.npz" for number in (2, 3)),
    ]


def test_without_any_whole_snapshot_it_is_refused_and_left_alone(folder: Path) -> None:
    for path in folder.glob("snapshot-*"):
        path.write_bytes(b"hello")
    before = sorted(folder.iterdir())
    with pytest.raises(UsageError, match="all snapshots are damaged"):
        open_state(folder).load(nothing)
    assert sorted(folder.iterdir()) == before


def test_a_state_that_never_had_a_snapshot_is_its_journal(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    state.load(nothing)
    state.append([entry(1)])
    state.append([entry(2)])
    state.close()
    assert after(tmp_path) == (None, [1, 2])


def test_killed_while_a_snapshot_is_written_both_journals_are_read(folder: Path) -> None:
    (folder / "snapshot-00000003.npz").rename(folder / ".snapshot-00000003.tmp")
    assert after(folder) == (6, [6, 7, 8, 9])
    assert not list(folder.glob(".*"))


def test_of_another_model_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="another model"):
        open_state(folder, "n")
    assert after(folder) == (9, [9])


def test_two_detectors_do_not_share_it(folder: Path) -> None:
    first = open_state(folder)
    with pytest.raises(UsageError, match="another detector uses this state"):
        open_state(folder)
    first.close()
    open_state(folder).close()


def test_a_snapshot_with_a_pickle_is_not_loaded(folder: Path) -> None:
    np.savez(folder / "snapshot-00000003.npz", a=np.array([{}], dtype=object), allow_pickle=True)
    assert after(folder) == (6, [6, 7, 8, 9])
