"""Who holds a place of a search, and when a trial counts as left behind."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from anomalynet.errors import UsageError
from anomalynet.sweep.search import space
from anomalynet.sweep.search.trial_store import SILENCE, TrialStore, open_storage
from tests.sweep.search.fake import (
    FakeWorker,
    Quiet,
    carried_out,
    search_of,
    searched,
    story,
    sweep_of,
)

SETTINGS = "{trials: 3, sampler: random}"
PARAMS: space.Params = {
    "model.hidden": 32,
    "model.attention": True,
    "model.dropout": 0.1,
    "training.learning_rate": 0.001,
}


def test_of_two_machines_that_take_a_place_at_once_the_first_has_it(tmp_path: Path) -> None:
    """They share a database, and no lock."""
    sweep = sweep_of(tmp_path, SETTINGS)
    url = f"sqlite:///{tmp_path}/search.db"
    locks = (tmp_path / "a.lock", tmp_path / "b.lock")
    one, other = (
        TrialStore(open_storage(url, tmp_path), "same", sweep.search, lock) for lock in locks
    )
    known = space.distributions(sweep.axes)
    first, second = one.add(0, PARAMS, known), other.add(0, {**PARAMS, "model.hidden": 48}, known)
    assert first is not None
    assert second is None
    assert [trial.params["model.hidden"] for trial in other.trials()] == [32]
    states = {
        trial.number: (trial.state.name, trial.user_attrs.get("surplus"))
        for trial in one.storage.get_all_trials(one._study)
    }
    assert states == {0: ("RUNNING", None), 1: ("FAIL", True)}


@pytest.mark.parametrize(
    ("host", "pid", "silent", "left"),
    [
        ("elsewhere", 1, 0.0, False),
        ("elsewhere", 1, SILENCE + 5, True),
        (None, os.getppid(), 0.0, False),
        (None, 2**22 + 1, 0.0, True),
        (None, os.getpid(), 0.0, True),
    ],
    ids=["speaks elsewhere", "silent elsewhere", "alive", "gone", "our number reused"],
)
def test_a_trial_is_taken_over_only_from_the_dead(
    tmp_path: Path, host: str | None, pid: int, silent: float, left: bool
) -> None:
    search = search_of(tmp_path, sweep_of(tmp_path, SETTINGS))
    owner = {
        "owner": {"host": host or socket.gethostname(), "pid": pid, "token": "another"},
        "beat": time.time() - silent,
    }
    search.store.add(0, PARAMS, space.distributions(search.sweep.axes), owner)
    carried_out(search)
    states = [state for state, _, _ in story(search)]
    assert states == ["COMPLETE" if left else "RUNNING", "COMPLETE", "COMPLETE"]
    assert search.store.trials()[0].params == PARAMS


def test_a_live_owner_says_so_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalynet.sweep.search.trial_store.HEARTBEAT", 0.0)
    search = search_of(tmp_path, sweep_of(tmp_path, SETTINGS), total=1)
    beats: list[float] = []

    class Listener(Quiet):
        def look(self) -> None:
            beats.append(search.store.trials()[0].user_attrs["beat"])

    searched(search, FakeWorker(pause=0.2), Listener())
    assert len(set(beats[:3])) > 1


def test_a_journal_that_is_none_is_refused_and_left_alone(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    journal.write_text("garbage\nmore\n")
    with pytest.raises(UsageError, match="not a valid journal of trials"):
        open_storage(None, journal)
    assert journal.read_text() == "garbage\nmore\n"
