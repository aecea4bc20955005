"""The trials of a search in an Optuna storage: who works on which, and which holds which place.

A trial is written whole, with its values and its owner, before anything is run; killed at any
moment, a search leaves trials that say who has them and what they are. A place is held by the first
trial written for it, or by one that says that it replaces the holder."""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from anomalynet.errors import UsageError
from anomalynet.runs.folder import is_alive
from anomalynet.sweep.search.settings import SearchSettings
from anomalynet.sweep.search.space import Params

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

BEAT = 30.0  # seconds after which an owner says again that it lives
SILENCE = 120.0  # after which it counts as dead; one on this machine does when its process is gone


class Ledger:
    """One search in a storage: the study of this name, made where it is not there. The file `lock`
    keeps two commands on this machine from proposing at once."""

    def __init__(
        self, storage: BaseStorage, name: str, settings: SearchSettings, lock: Path
    ) -> None:
        import optuna

        self.storage, self.name = storage, name
        study = optuna.create_study(
            study_name=name, storage=storage, directions=settings.directions, load_if_exists=True
        )
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # experimental, and read by optuna-dashboard alone
                study.set_metric_names(list(settings.objectives))
        self._study = study._study_id
        self._lock = lock
        self._token = uuid.uuid4().hex
        self._beaten = time.monotonic()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Propose alone; the lock goes with the process."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock):
            yield

    def trials(self) -> list[FrozenTrial]:
        """The holder of each place, in order."""
        held: dict[int, FrozenTrial] = {}
        for trial in self.storage.get_all_trials(self._study, deepcopy=False):
            place = trial.user_attrs.get("place")
            if not isinstance(place, int):
                continue  # somebody else wrote it
            if place not in held or trial.user_attrs.get("replaces") == held[place].number:
                held[place] = trial
            elif not trial.state.is_finished():
                self.fail(trial, surplus=True)
        return [held[place] for place in sorted(held)]

    def add(
        self,
        place: int,
        params: Params,
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, object] | None = None,
    ) -> FrozenTrial | None:
        """Write a trial of ours; None where somebody on another machine took its place first."""
        from optuna.trial import TrialState, create_trial

        known = {"place": place, **self._owner(), **(attributes or {})}
        state, space = TrialState.RUNNING, dict(distributions)
        trial = create_trial(state=state, params=params, distributions=space, user_attrs=known)
        number = self.storage.get_trial(self.storage.create_new_trial(self._study, trial)).number
        return next((held for held in self.trials() if held.number == number), None)

    def adopt(self, trial: FrozenTrial) -> FrozenTrial:
        """Make a trial ours whose owner is dead."""
        for key, value in self._owner().items():
            self.storage.set_trial_user_attr(trial._trial_id, key, value)
        return self.storage.get_trial(trial._trial_id)

    def orphaned(self, trial: FrozenTrial) -> bool:
        """Whether a trial is under way and nobody works on it."""
        if trial.state.is_finished():
            return False
        owner = trial.user_attrs.get("owner") or {}
        if owner.get("token") == self._token:
            return False
        pid = int(owner.get("pid", 0))  # our own with another token was another process
        if owner.get("host") == socket.gethostname() and (pid == os.getpid() or not is_alive(pid)):
            return True
        return time.time() - float(trial.user_attrs.get("beat", 0.0)) > SILENCE

    def beat(self, trials: Sequence[FrozenTrial]) -> None:
        """Say that the owner of trials lives; cheap to call often."""
        if time.monotonic() - self._beaten < BEAT:
            return
        self._beaten = time.monotonic()
        for trial in trials:
            if not self.storage.get_trial(trial._trial_id).state.is_finished():
                self.storage.set_trial_user_attr(trial._trial_id, "beat", time.time())

    def complete(self, trial: FrozenTrial, values: Sequence[float], judged: Judged) -> None:
        """The runs of a trial are done."""
        self._end(trial, "COMPLETE", values, judged)

    def prune(self, trial: FrozenTrial, judged: Judged) -> None:
        """A trial was given up early; its last value is kept, as Optuna does."""
        last = [judged[0][max(judged[0])]] if judged[0] else None
        self._end(trial, "PRUNED", last, judged)

    def fail(self, trial: FrozenTrial, **why: object) -> None:
        """A trial has no value; `why` is kept with it."""
        self._end(trial, "FAIL", None, ({}, {}), why)

    def _end(
        self,
        trial: FrozenTrial,
        state: str,
        values: Sequence[float] | None,
        judged: Judged,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Note what is known, then the state; does nothing where another command was first."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        storage, number, (steps, marks) = self.storage, trial._trial_id, judged
        with suppress(UpdateFinishedTrialError):
            for step, value in steps.items():
                storage.set_trial_intermediate_value(number, step, value)
            for key, mark in marks.items():
                storage.set_trial_system_attr(number, key, mark)
            for key, attribute in (attributes or {}).items():
                storage.set_trial_user_attr(number, key, attribute)
            storage.set_trial_state_values(number, TrialState[state], values)

    def _owner(self) -> dict[str, object]:
        return {
            "owner": {"host": socket.gethostname(), "pid": os.getpid(), "token": self._token},
            "beat": time.time(),
        }


Judged = tuple[Mapping[int, float], Mapping[str, float]]
"""Values by step, and the pruner's own notes."""


def empty_storage() -> BaseStorage:
    """One of which nothing is kept."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.storages.InMemoryStorage()


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """A database, or by default a journal file; the file is locked for milliseconds at a time."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None:
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        journal.parent.mkdir(parents=True, exist_ok=True)
        # A process that is killed while it holds the lock blocks others for the grace period.
        lock = JournalFileOpenLock(str(journal), grace_period=5)
        try:
            return optuna.storages.JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
        except (ValueError, KeyError) as error:
            hint = "move it away; runs that are done are not repeated"
            raise UsageError(f"{journal}: no journal of trials: {error}", hint) from None
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None
    for attempt in range(3):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except Exception as error:  # each driver has its own errors
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if attempt == 2 or not ("UNIQUE" in reason or "exists" in reason):
                shown = re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", url)  # never the password
                hint = "an SQLAlchemy URL, such as sqlite:///search.db"
                what = f"--storage {shown}: cannot be opened: {reason}"
                raise UsageError(what, hint) from None
            time.sleep(1.0)  # another command was just making the tables
    raise AssertionError
