"""Stores the trials of a search in an Optuna storage, with the process that works on each.

A trial is written completely, with its values and its owner, before anything is trained. So a
search that is killed at any moment can be continued. Every trial has an index (attribute `place`):
the first trial written for an index is valid, until another one declares that it replaces it."""

from __future__ import annotations

import json
import os
import re
import socket
import time
import uuid
import warnings
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import optuna
from filelock import BaseFileLock, FileLock
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from anomalynet.documents import json_value
from anomalynet.errors import UsageError, first_line
from anomalynet.runs.files import is_alive
from anomalynet.sweep.search.pruning import Judge
from anomalynet.sweep.search.settings import SearchSettings
from anomalynet.sweep.search.space import Params

HEARTBEAT = 30.0  # seconds between two heartbeats of an owner
SILENCE = 120.0  # seconds without heartbeat after which an owner on another machine is dead


class TrialStore:
    """One search in a storage: the study of this name, created if missing. The file `lock` makes
    sure that only one command on this machine proposes trials at a time."""

    def __init__(
        self, storage: BaseStorage, name: str, settings: SearchSettings, lock: Path
    ) -> None:
        self.storage, self.name = storage, name
        study = optuna.create_study(
            study_name=name, storage=storage, directions=settings.directions, load_if_exists=True
        )
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # experimental; only optuna-dashboard reads it
                study.set_metric_names(list(settings.objectives))
        self._study = study._study_id
        self._lock = lock
        self._token = uuid.uuid4().hex
        self._last_heartbeat = time.monotonic()

    def lock(self) -> BaseFileLock:
        """The lock for proposing, to be held; it is released when the process ends."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._lock)

    def trials(self) -> list[FrozenTrial]:
        """The valid trial of each index, in order."""
        valid: dict[int, FrozenTrial] = {}
        for trial in self.storage.get_all_trials(self._study, deepcopy=False):
            index = trial.user_attrs.get("place")
            if not isinstance(index, int):
                continue  # not written by this program
            if index not in valid or trial.user_attrs.get("replaces") == valid[index].number:
                valid[index] = trial
            elif not trial.state.is_finished():
                self.end(trial, "FAIL", surplus=True)
        return [valid[index] for index in sorted(valid)]

    def add(
        self,
        index: int,
        params: Params,
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, object] | None = None,
    ) -> FrozenTrial | None:
        """Write a new trial; None if another machine wrote one with this index first."""
        user_attrs = {"place": index, **self._owner(), **(attributes or {})}
        state, space = TrialState.RUNNING, dict(distributions)
        trial = create_trial(state=state, params=params, distributions=space, user_attrs=user_attrs)
        number = self.storage.get_trial(self.storage.create_new_trial(self._study, trial)).number
        return next((valid for valid in self.trials() if valid.number == number), None)

    def adopt(self, trial: FrozenTrial) -> FrozenTrial:
        """Take over a trial whose owner is dead."""
        for key, value in self._owner().items():
            self.storage.set_trial_user_attr(trial._trial_id, key, value)
        return self.storage.get_trial(trial._trial_id)

    def orphaned(self, trial: FrozenTrial) -> bool:
        """Whether a trial is unfinished and its owner is dead."""
        if trial.state.is_finished():
            return False
        owner = trial.user_attrs.get("owner") or {}
        if owner.get("token") == self._token:
            return False
        pid = int(owner.get("pid", 0))  # our own pid with another token: an earlier process
        if owner.get("host") == socket.gethostname() and (pid == os.getpid() or not is_alive(pid)):
            return True
        return time.time() - float(trial.user_attrs.get("beat", 0.0)) > SILENCE

    def heartbeat(self, trials: Sequence[FrozenTrial]) -> None:
        """Store a heartbeat for unfinished trials; cheap to call often."""
        if time.monotonic() - self._last_heartbeat < HEARTBEAT:
            return
        self._last_heartbeat = time.monotonic()
        for trial in trials:
            if not self.storage.get_trial(trial._trial_id).state.is_finished():
                self.storage.set_trial_user_attr(trial._trial_id, "beat", time.time())

    def end(
        self,
        trial: FrozenTrial,
        state: Literal["COMPLETE", "PRUNED", "FAIL"],
        values: Sequence[float] | None = None,
        judge: Judge | None = None,
        **attributes: object,
    ) -> None:
        """Store what the pruner has seen and noted, the attributes, and then the state with the
        values; for a pruned trial its last value, as Optuna does. Does nothing if it has ended."""
        storage, number = self.storage, trial._trial_id
        seen = judge.seen if judge else {}
        if state == "PRUNED" and seen:
            values = [seen[max(seen)]]
        with suppress(UpdateFinishedTrialError):
            for step, value in seen.items():
                storage.set_trial_intermediate_value(number, step, value)
            for key, mark in (judge.marks if judge else {}).items():
                storage.set_trial_system_attr(number, key, mark)
            for key, attribute in attributes.items():
                storage.set_trial_user_attr(number, key, attribute)
            storage.set_trial_state_values(number, TrialState[state], values)

    def _owner(self) -> dict[str, object]:
        return {
            "owner": {"host": socket.gethostname(), "pid": os.getpid(), "token": self._token},
            "beat": time.time(),
        }


class CheckedJournal(JournalFileBackend):
    """Optuna's journal file with a checksum in each line. Lines without one are accepted."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs([{**log, "crc": _crc(log)} for log in logs])

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The lines from a number on. Raises ValueError: one was changed."""
        for number, log in enumerate(super().read_logs(log_number_from), log_number_from + 1):
            if log.pop("crc", None) not in (None, _crc(log)):
                raise ValueError(f"line {number} was changed")
            yield log


def _crc(log: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(log, sort_keys=True).encode())


def _remove_cut_line(journal: Path, lock: JournalFileOpenLock) -> None:
    """Remove a last line without end, which a kill or a full disk left: the next line would be
    added to it. Raises ValueError: the last line has an end, but is damaged."""
    if not journal.is_file():
        return
    if not journal.read_bytes().endswith(b"\n"):
        lock.acquire()
        try:  # once more, as another process may have been writing it
            os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)
        finally:
            lock.release()
    if last := journal.read_bytes()[:-1].rpartition(b"\n")[2]:
        json_value(last, values=False)  # Optuna would leave it out


def open_storage(url: str | None, journal: Path, *, create: bool = True) -> BaseStorage:
    """Open a database, or by default a journal file, which is locked only for milliseconds at a
    time; without `create`, a missing journal is not made. Raises UsageError: it cannot be
    opened."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None and not create and not journal.is_file():
        return optuna.storages.InMemoryStorage()
    if url is None:
        journal.parent.mkdir(parents=True, exist_ok=True)
        # A process that is killed while it holds the lock blocks the others for this time.
        lock = JournalFileOpenLock(str(journal), grace_period=5)
        try:
            _remove_cut_line(journal, lock)
            return optuna.storages.JournalStorage(CheckedJournal(str(journal), lock_obj=lock))
        except OSError:
            raise
        except Exception as error:  # whatever Optuna finds in damaged lines
            hint = "move it away; finished runs are not repeated"
            what = f"{journal}: not a valid journal of trials: {first_line(error)}"
            raise UsageError(what, hint) from None
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None
    for attempt in range(3):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except Exception as error:  # each driver has its own errors
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if attempt == 2 or not ("UNIQUE" in reason or "exists" in reason):
                shown = re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", url)  # never the password
                hint = "an SQLAlchemy URL, such as sqlite:///search.db"
                raise UsageError(f"--storage {shown}: cannot be opened: {reason}", hint) from None
            time.sleep(1.0)  # another command is just creating the tables
    raise AssertionError
