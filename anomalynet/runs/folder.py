"""A run's folder: the paths of its files, and a lock for the process that works in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from anomalynet.documents import json_value
from anomalynet.errors import RunError, UsageError
from anomalynet.runs import checksums, codec, files
from anomalynet.runs.code import made_by_other_code
from anomalynet.runs.files import json_bytes, read_json, sync, write_bytes, write_json
from anomalynet.runs.schema import RESULT_VERSION, Result, invalid_value

SILENCE = 3600.0  # seconds without an epoch after which a run on another host is assumed dead
LAST = "checkpoints/last.ckpt"


class BusyError(RunError):
    """Another process holds the lock of this run's folder."""


class Listener(Protocol):
    """Who wants to know how training goes."""

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """An epoch of at most `epochs` is done; `line` is its line of progress.jsonl."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """A step of an epoch is done."""


class File:
    """A file of a run's folder; as an attribute of a folder, its path."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, folder: RunFolder, owner: object = None) -> Path:
        return folder.path / self.name


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`runs/<experiment>/<id>/` and its files."""

    path: Path

    config = File("config.yaml")  # the resolved configuration, origins as comments
    environment = File("environment.json")  # versions, hardware, data and code of the run
    progress = File("progress.jsonl")  # one JSON line per epoch
    last = File(LAST)  # checkpoint after the last finished epoch, to resume from
    # the model of the epoch that validation chose, with its threshold in result.json
    best = File("checkpoints/best.ckpt")
    classical = File("checkpoints/best.skops")  # a classical model, in skops' format
    # copy of the user's own model file; missing for models of the package
    model_file = File("model.py")
    scores = File("scores.parquet")  # a score for each step of the validation and test parts
    # the incidents of the test part; missing in runs of earlier versions
    incidents = File("incidents.json")
    # the network's parts, shapes and parameters; missing for classical models
    architecture = File("architecture.json")
    # attention and reconstruction error around some incidents; missing without both
    explanations = File("explanations.parquet")
    # durations; separate from the result, so that results can be compared byte by byte
    timings = File("timings.json")
    # why the run failed in a sweep; removed as soon as it is tried again
    failed = File("failed.json")
    stop = File(".stop")  # if this file exists, the run stops after the current epoch

    # size and SHA-256 of every file that a result vouches for; some earlier versions wrote none
    checksums = File(checksums.FILE)
    result = File("result.json")  # written last: a run without it is unfinished

    @property
    def finished(self) -> bool:
        """Whether the run has a result that this version can read, and the files that belong to it
        have the size that they had; `damage` compares their contents."""
        known = read_json(self.result).get("version") == RESULT_VERSION
        return known and not self.damage(contents=False)

    @property
    def intact(self) -> bool:
        """Whether the run is `finished` and has no `damage`."""
        return self.finished and not self.damage()

    def damage(self, *, contents: bool = True) -> dict[str, str]:
        """What happened to the files of a finished run since it ended: name → what is wrong. Empty
        for an intact run and an unfinished one. Other versions of the code may have written no
        checksums: then configuration and scores must be there. `contents`: compare them too, not
        only the sizes."""
        if not self.result.exists():
            return {}
        if not self.checksums.exists():
            if not made_by_other_code(self.environment):
                return {self.checksums.name: "is missing"}
            always = self.config, self.scores
            return {path.name: "is missing" for path in always if not path.exists()}
        found = checksums.verify(self.path, [self.result.name], contents=contents)
        if not self.last.exists():
            found.pop(LAST, None)  # deleted to save space: the result does not need it
        return found

    def repair(self) -> dict[str, str]:
        """Prepare a damaged run for `train`, and return its `damage`. What a checkpoint can give
        again is evaluated again; otherwise the run is trained again, and its files are moved to
        `runs/<experiment>/damaged/`. Call it with the lock held. Raises RunError: only the
        checksums are known to be damaged."""
        damage, known = self.damage(), read_json(self.checksums)
        if self.checksums.name in damage:
            hint = "move the run's folder away and repeat the command: nothing else shows whether "
            hint += "its files are as they were written"
            raise RunError(f"{self.checksums}: {damage[self.checksums.name]}", hint)
        again = {self.scores, self.incidents, self.architecture, self.explanations, self.result}
        again |= {self.config, self.progress, self.timings}
        lost = damage.keys() - {path.name for path in again}
        resumable = LAST not in known or self.last.exists()
        if damage.keys() == {LAST}:
            self.last.unlink()  # the result does not need it
        elif lost or (damage and (not resumable or made_by_other_code(self.environment))):
            aside = self._set_aside()
            return {name: f"{what}, moved to {aside}" for name, what in damage.items()}
        elif damage:
            for name in (self.result.name, *damage):
                (self.path / name).unlink(missing_ok=True)
        return damage

    def write_result(self, result: Result) -> None:
        """Write the result, which marks the run as finished; see `seal`."""
        self.seal(json_bytes(asdict(result)))

    def seal(self, result: bytes) -> None:
        """Write the bytes of result.json, last: all files that it vouches for, their names and
        their checksums are on the disk before it is."""
        models = self.best, self.last, self.classical, self.model_file
        tables = self.scores, self.incidents, self.architecture, self.explanations
        paths = self.config, self.environment, self.progress, *models, *tables, self.timings
        names = [path.relative_to(self.path).as_posix() for path in paths if path.exists()]
        if self.best.parent.exists():
            sync(self.best.parent)
        own = [len(result), hashlib.sha256(result).hexdigest()]
        checksums.write(self.path, names, {self.result.name: own})
        (self.path / ".holder.json").unlink(missing_ok=True)  # before: a kill leaves none for ever
        write_bytes(self.result, result)

    def read_result(self, *, checked: bool = False) -> Result:
        """The result of the run; `checked`: its `damage` is known to be none. Raises RunError: not
        finished, written by another version, or one of its files is missing or damaged."""
        if damage := {} if checked else self.damage():
            name, what = next(iter(damage.items()))
            hint = "the command that trained the run repairs it; or move its folder away"
            raise RunError(f"{self.path / name}: {what}", hint)
        raw = read_json(self.result)
        if raw.get("version") != RESULT_VERSION:
            what = f"{self.path}: not a finished run"
            raise RunError(what, "give the command that started it again: it continues the run")
        try:
            result = codec.read(Result, raw, "result")
            if problem := invalid_value(result):
                raise UsageError(f"result.{problem}")
        except UsageError as error:
            what = f"{self.result}: not a result: {error.message}"
            raise RunError(what, "delete the run's folder and train again") from None
        return result

    def append_progress(self, line: dict[str, object]) -> None:
        """Add one epoch to progress.jsonl."""
        with self.progress.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_progress(self) -> list[dict[str, Any]]:
        """The epochs so far; an incomplete last line, left by a kill, is skipped."""
        lines = []
        with suppress(FileNotFoundError, UnicodeDecodeError):
            for text in self.progress.read_text(encoding="utf-8").splitlines():
                try:
                    line = json_value(text, nan=True)  # such as the loss of a diverged epoch
                except ValueError:  # cut by a kill; the epoch is trained again
                    break
                if not isinstance(line, dict):
                    break
                lines.append(line)
        return lines

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """Hold the folder's lock; it is released even if the process is killed. Raises BusyError:
        another process holds it and `wait` is False; names the process."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"{self.path}: cannot be created: {error.strerror}"
            raise UsageError(what, "give a writable folder with --runs") from None
        lock = FileLock(self.path / ".lock", timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(f"{self.path}: {self.holder()} works on this run") from None
        try:
            for left in self.path.glob("**/.*.tmp"):  # of a process that was killed
                left.unlink()
            own = {"pid": os.getpid(), "host": socket.gethostname()}
            write_json(self.path / ".holder.json", own)
            yield
        finally:
            (self.path / ".holder.json").unlink(missing_ok=True)
            lock.release()

    def renew(self, *, finished: bool) -> None:
        """Empty the folder if another version of the code made it. An unfinished run is always
        removed, a finished one only if `finished`; a damaged one is left to `repair`. Raises
        BusyError: another process uses it."""
        with self.locked(wait=False):
            kept = not finished and (self.finished or self.damage(contents=False))
            if made_by_other_code(self.environment) and not kept:
                self._clear()

    def _set_aside(self) -> Path:
        """Move all files to a new folder below `damaged` and return it. The result is moved nearly
        last: after an interruption the run is still damaged."""
        parent = self.path.parent / "damaged"
        names = (parent / f"{self.path.name}-{number}" for number in count(1))
        aside = next(path for path in names if not path.exists())
        aside.mkdir(parents=True)
        last = [self.result, self.checksums]
        for path in [*(path for path in self.path.iterdir() if path not in last), *last]:
            if path.name not in (".lock", ".holder.json"):
                path.rename(aside / path.name)
        return aside

    def _clear(self) -> None:
        # The result is removed first: after an interruption the run is unfinished, not damaged.
        self.result.unlink(missing_ok=True)
        for path in self.path.iterdir():
            if path.name not in (".lock", ".holder.json"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def running(self) -> bool:
        """Whether a process works on the run, judged without taking the lock. A process on another
        host is assumed dead after `SILENCE` seconds without a new epoch."""
        who = read_json(self.path / ".holder.json")
        if who.get("host") == socket.gethostname():
            pid = who.get("pid")
            return isinstance(pid, int) and files.is_alive(pid)
        own = (self.path / ".holder.json", self.progress)
        signs = [path.stat().st_mtime for path in own if path.exists()]
        return bool(who) and max(signs, default=0.0) > time.time() - SILENCE

    def holder(self) -> str:
        """The process that holds the lock, for messages."""
        who = read_json(self.path / ".holder.json")
        known = {"pid", "host"} <= who.keys()
        return f"process {who['pid']} on {who['host']}" if known else "another process"


def repair_note(folder: Path, repaired: Mapping[str, str]) -> str:
    """What to tell of a run that was damaged; `repaired`: as `RunFolder.repair` returns it."""
    what = "; ".join(f"{name} {wrong}" for name, wrong in repaired.items())
    return f"{folder} was damaged and is repaired: {what}"
