"""A detector's state folder: snapshots, each with the journal of everything after it, so that a
killed detector continues exactly."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection.service.journal import Entry, Journal, batches, sync_folder
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.errors import RunError, UsageError
from anomalynet.runs.files import read_json, write_json

Arrays = dict[str, npt.NDArray[Any]]

OWN = "service"  # key of the array with the state of the service, JSON as bytes

DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class State:
    """`snapshot-N.npz` is the state before the first batch of `journal-N.log`; two snapshots are
    kept.

    Args:
        folder: created if missing; locked while this object exists.
        model: identity of the model; a state is only valid for the same model.
        sync: see `Journal`. Outputs must be on disk before a snapshot that records them as done.

    Raises UsageError: another detector uses the folder, or it belongs to another model.
    """

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
        if owner.exists() and read_json(owner).get("model") != model:
            self._unlock()
            what = f"{folder}: belongs to another model"
            raise UsageError(what, "give each model its own --state")
        if not owner.exists():
            write_json(owner, {"model": model})
            if sync:
                sync_folder(folder.parent)
        self._number = 0
        self._journal: Journal | None = None
        self._writing: threading.Thread | None = None

    def load(self) -> tuple[Arrays, dict[str, Any], Iterator[list[Entry]]]:
        """The newest valid snapshot (empty without one), the state of the service, and the batches
        since then. Raises UsageError: all snapshots are damaged."""
        for left in self.folder.glob(".snapshot-*.tmp"):
            left.unlink()  # left by a process that was killed
        snapshots, journals = self._numbers("snapshot-*.npz"), self._numbers("journal-*.log")
        last = max([0, *journals, *snapshots])
        self._number = last
        for number in reversed(snapshots):
            try:
                arrays, own = _read(self._snapshot(number))
            except DAMAGE as error:
                what = f"{self._snapshot(number)}: {error}"
                self._problems.add("snapshot damaged, using the previous one", what)
                continue
            return arrays, own, self._since(number, last)
        if snapshots and 0 not in journals:
            self._unlock()
            what = f"{self.folder}: all snapshots are damaged"
            raise UsageError(what, "move the folder away to start without a state")
        return {}, {}, self._since(0, last)

    def append(self, batch: Sequence[Entry]) -> None:
        """Store a batch; call only after `load` and the replay."""
        if self._journal is None:
            self._journal = Journal(self._file(self._number), self.sync)
        self._journal.add(batch)

    def snapshot(self, arrays: Arrays, own: Mapping[str, Any], wait: bool = False) -> None:
        """Write a snapshot in the background. Skipped while the previous one is still being
        written.

        Args:
            arrays: copies that are not changed afterwards.
            own: state of the service, for JSON.
            wait: wait until it is written.
        """
        if wait and self._writing is not None:
            self._writing.join()
        if self._writing is not None and self._writing.is_alive():
            return
        number = self._number + 1
        content = {**arrays, OWN: np.frombuffer(json.dumps(own).encode(), np.uint8)}
        journal = Journal(self._file(number), self.sync)
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
        self._unlock()

    def _write(self, number: int, content: Arrays) -> None:
        temporary = self.folder / f".snapshot-{number:08}.tmp"
        try:
            with temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._snapshot(number))
            if self.sync:
                sync_folder(self.folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            self._problems.add("snapshot not written, the journal continues", error)
            return
        kept = self._numbers("snapshot-*.npz")[-2:]
        if len(kept) == 2:
            for path in (*self.folder.glob("snapshot-*.npz"), *self.folder.glob("journal-*.log")):
                if _number(path) < kept[0]:  # older than both kept snapshots
                    path.unlink()

    def _since(self, first: int, last: int) -> Iterator[list[Entry]]:
        for number in range(first, last + 1):
            yield from batches(self._file(number))

    def _snapshot(self, number: int) -> Path:
        return self.folder / f"snapshot-{number:08}.npz"

    def _file(self, number: int) -> Path:
        return self.folder / f"journal-{number:08}.log"

    def _numbers(self, pattern: str) -> list[int]:
        return sorted(_number(path) for path in self.folder.glob(pattern))

    def _unlock(self) -> None:
        os.close(self._lock)


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    if not digits.isdigit():
        raise RunError(f"{path}: not a file of a state folder", "move it away")
    return int(digits)


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    own: dict[str, Any] = json.loads(arrays.pop(OWN).tobytes())
    return arrays, own
