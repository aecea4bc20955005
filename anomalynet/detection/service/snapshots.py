"""A detector's state folder: snapshots, each with the journal of everything after it, so that a
killed detector continues exactly."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection.engine.table import DamagedError
from anomalynet.detection.service.journal import Entry, Journal, batches, next_step
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.documents import json_value
from anomalynet.errors import RunError, UsageError, first_line
from anomalynet.runs.files import read_json, replacing, write_json
from anomalynet.runs.files import sync as sync_folder

Arrays = dict[str, npt.NDArray[Any]]
OWN = "service"  # key of the array with the state of the service, JSON as bytes
SUFFIX = {"snapshot": ".npz", "journal": ".log"}
NAME = re.compile(r"(snapshot|journal)-([0-9]{8}|[1-9][0-9]{8,11})\.(npz|log)")
LAST = 500_000_000_000  # a larger number is of a stray file: those that follow must fit too
Restore = Callable[[Arrays, dict[str, Any]], None]


class State:
    """`snapshot-N.npz` is the state before the first batch of `journal-N.log`; two snapshots are
    kept. `folder`: created if missing, locked while this object exists; `model`: identity of the
    model, for which alone a state is valid; `sync`: see `Journal`. Outputs must be on disk before a
    snapshot that records them as done.

    Raises UsageError: another detector uses the folder, or it belongs to another model."""

    def __init__(self, folder: Path, model: str, problems: ProblemLog, sync: bool = False) -> None:
        self.folder, self._problems, self.sync = folder, problems, sync
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            how = "give the detector its own folder with --state"
            raise UsageError(f"{folder}: {error.strerror}", how) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            what = f"{folder}: another detector uses this state"
            raise UsageError(what, "stop it, or give each its own --state") from None
        owner = folder / "model.json"
        known = read_json(owner).get("model")
        if isinstance(known, str) and known != model:
            self.unlock()
            what = f"{folder}: belongs to another model: run {known.split(' ')[0]}"
            raise UsageError(what, "give each model its own --state")
        if not isinstance(known, str) and (owner.exists() or any(map(self._numbers, SUFFIX))):
            self.unlock()
            why = "damaged" if owner.exists() else "missing"
            what = f"{folder}: {owner.name} is {why}, so that the model of this state is unknown"
            raise UsageError(what, "restore it, or move the folder away to start without a state")
        try:
            if not owner.exists():
                write_json(owner, {"model": model})
                if sync:
                    sync_folder(folder.parent)
        except OSError as error:
            self.unlock()
            raise RunError(f"{owner}: {error.strerror}", next_step(error)) from None
        self._number = 0
        self._journal: Journal | None = None
        self._writing: threading.Thread | None = None

    def load(self, restore: Restore) -> tuple[bool, Iterator[list[Entry]]]:
        """Give the newest whole snapshot to `restore`: its arrays, and the state of the service. An
        error that this raises means damage, unless it is a UsageError and no DamagedError.

        Returns whether there was one, and the batches since then. Raises UsageError: all snapshots
        are damaged; RunError: a file is not of a state; OSError, MemoryError: a snapshot, which may
        be whole, cannot be read now.
        """
        for left in self.folder.glob(".*.tmp"):
            left.unlink()  # left by a process that was killed
        for path in (*self.folder.glob("snapshot-*.npz"), *self.folder.glob("journal-*.log")):
            name = NAME.fullmatch(path.name)
            if not name or int(name[2]) > LAST:
                raise RunError(f"{path}: not a file of a state folder", "move it away")
        snapshots, journals = self._numbers("snapshot"), self._numbers("journal")
        sizes = {number: self._path("journal", number).stat().st_size for number in journals}
        self._number = max(journals, default=0)
        if journals:  # what a killed process was writing is cut off: the next journal follows
            Journal(self._path("journal", self._number), self.sync).close()
        damaged: list[Path] = []
        for number in reversed(snapshots):
            path = self._path("snapshot", number)
            try:
                restore(*_read(path))
            except Exception as error:  # the libraries that read it raise many kinds
                another = isinstance(error, UsageError) and not isinstance(error, DamagedError)
                if another or isinstance(error, MemoryError):
                    raise
                if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                    error.filename = error.filename or str(path)
                    raise  # EINVAL: a damaged file says that it goes on before its begin
                what = f"{path.name}: {first_line(error)}"
                self._problems.add("snapshot damaged, using the previous one", what)
                damaged.append(path)
                continue
            for path in damaged:  # it is none of the two that are kept
                path.rename(path.with_suffix(".damaged"))
            self._number = max(self._number, number)
            if not sizes.get(number):  # it was begun before the snapshot
                journal = self._path("journal", number).name
                self._problems.add(f"{journal} is missing or empty, what it had is lost")
            return True, self._since(number)
        # From the start; the first snapshot may not have been written.
        whole = 0 in journals or (not snapshots and journals in ([], [1]))
        if not whole and (snapshots or any(sizes.values())):
            what = f"{self.folder}: all snapshots are damaged or missing"
            raise UsageError(what, "move the folder away to start without a state")
        return False, self._since(0)

    def append(self, batch: Sequence[Entry]) -> None:
        """Store a batch; call only after `load` and the replay."""
        if self._journal is None:
            self._journal = Journal(self._path("journal", self._number), self.sync)
        self._journal.add(batch)

    def snapshot(self, arrays: Arrays, own: Mapping[str, Any], wait: bool = False) -> None:
        """Write a snapshot in the background; skipped while the previous one is still being
        written. `arrays`: copies that are not changed afterwards; `own`: state of the service, for
        JSON; `wait`: wait until it is written."""
        if wait and self._writing is not None:
            self._writing.join()
        if self._writing is not None and self._writing.is_alive():
            return
        number = self._number + 1
        content = {**arrays, OWN: np.frombuffer(json.dumps(own).encode(), np.uint8)}
        journal = Journal(self._path("journal", number), self.sync)
        if self._journal is not None:
            self._journal.close()
        self._number, self._journal = number, journal
        write = partial(self._write, number, content)
        self._writing = threading.Thread(target=write, name="snapshot", daemon=True)
        self._writing.start()
        if wait:
            self._writing.join()

    def close(self) -> None:
        """Wait for an unfinished snapshot, and unlock the folder."""
        if self._writing is not None:
            self._writing.join()
        if self._journal is not None:
            self._journal.close()
        self.unlock()

    def _write(self, number: int, content: Arrays) -> None:
        try:
            path = self._path("snapshot", number)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **content)
        except OSError as error:
            self._problems.add("snapshot not written, the journal continues", error)
            return
        kept = self._numbers("snapshot")[-2:]
        if len(kept) == 2:  # what is older is not needed any more
            for kind in SUFFIX:
                for old in self._numbers(kind):
                    if old < kept[0]:
                        self._path(kind, old).unlink()

    def _since(self, first: int) -> Iterator[list[Entry]]:
        """Batches of the journals from this number on; logs what of them is lost."""
        journals = [number for number in self._numbers("journal") if number >= first]
        expected = first or min(journals, default=0)  # without a snapshot there may be no 0
        for number, before in zip(journals, [expected - 1, *journals], strict=False):
            path = self._path("journal", number)
            if missing := number - before - 1:
                self._problems.add(f"journals missing before {path.name}", count=missing)
            lost: list[tuple[int, int]] = []
            yield from batches(path, lost, closed=number < journals[-1])
            if lost:
                stretches = ", ".join(f"{start} to {stop}" for start, stop in lost)
                kind = f"{path.name} is damaged, the rest of it was kept"
                self._problems.add(kind, f"lost bytes {stretches}", len(lost))

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:08}{SUFFIX[kind]}"

    def _numbers(self, kind: str) -> list[int]:
        names = (NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(name[2]) for name in names if name and name[1] == kind)

    def unlock(self) -> None:
        """Let another process use the folder."""
        os.close(self._lock)


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if damaged := archive.zip.testzip():  # first: a damaged shape could need any memory
            raise ValueError(f"{damaged} is damaged")
        arrays = {name: archive[name] for name in archive.files}
    own: dict[str, Any] = json_value(arrays.pop(OWN).tobytes(), nan=True, limited=False)
    return arrays, own
