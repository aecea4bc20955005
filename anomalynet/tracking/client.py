"""The training side of tracking: starts the W&B process, sends it messages through a pipe, and
never waits for it during training."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from anomalynet.tracking.record import Record, read_record

COMMAND = (sys.executable, "-m", "anomalynet.tracking.session")
BACKLOG = 10_000  # largest number of queued epochs; further ones are dropped


class Tracker:
    """The process that talks to W&B, and a queue of messages for it.

    It runs in its own session, so that Ctrl-C does not reach it. It ends cleanly when its stdin
    closes, even if this process was killed. `finish` waits for it at most `patience` seconds."""

    def __init__(
        self, folder: Path, run: Mapping[str, Any], *, quiet: bool = False, patience: float = 20.0
    ) -> None:
        self.folder, self.quiet, self.patience = folder, quiet, patience
        self.log = folder / "wandb" / "tracking.log"
        self.run_id = str(run["id"])
        self.warning = ""
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(BACKLOG)
        self._process: subprocess.Popen[str] | None = None
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as log:
                self._process = subprocess.Popen(
                    COMMAND,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=environment(folder),
                    start_new_session=True,
                )
        except OSError as error:
            self._warn(f"cannot be started: {error}")
            self._store_warning()
            return
        self._threads = [
            threading.Thread(target=target, args=(self._process,), daemon=True)
            for target in (self._feed, self._listen)
        ]
        for thread in self._threads:
            thread.start()
        self.send({"run": dict(run), "folder": str(folder), "pid": os.getpid()})

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message. If the queue is full it is dropped: training must not wait."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._warn(
                f"is too slow; some epochs are missing there, see {self.folder / 'progress.jsonl'}"
            )

    def finish(self, exit_code: int) -> None:
        """Report the end of the run, and wait for W&B at most `patience` seconds."""
        process = self._process
        if process is None:
            return
        self.send({"finish": exit_code})
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._kill(process)  # it has not read for thousands of epochs
        try:
            status = process.wait(self.patience)
            if status:
                self._warn(f"ended with status {status}, see {self.log}; the run is not affected")
        except subprocess.TimeoutExpired:
            self._kill(process)
            self._warn(
                f"did not finish within {self.patience:.0f} s after the run; "
                "`anomalynet sync` uploads what is missing"
            )
        except BaseException:
            self._kill(process)
            raise
        for thread in self._threads:
            thread.join(1.0)
        self._store_warning()

    def _kill(self, process: subprocess.Popen[str]) -> None:
        with suppress(OSError):  # it may have just ended
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()

    def _feed(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        try:
            while (message := self._queue.get()) is not None:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
            process.stdin.close()
        except OSError:
            self._warn(f"process ended unexpectedly, see {self.log}; the run is not affected")

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            if not self.quiet:
                print(line.rstrip(), file=sys.stderr, flush=True)

    def _warn(self, what: str) -> None:
        """Warn once, about the first problem."""
        if self.warning:
            return
        self.warning = f"W&B {what}"
        if not self.quiet:
            print(f"warning: {self.warning}", file=sys.stderr, flush=True)

    def _store_warning(self) -> None:
        """Store the warning in `tracking.json`. Call it only after the W&B process has ended, which
        writes that file while it runs."""
        if self.warning:
            record = read_record(self.folder) or Record(self.run_id)
            record.warning = self.warning
            with suppress(OSError):
                record.write(self.folder)


def environment(folder: Path) -> dict[str, str]:
    """The environment of W&B's processes: files in the run's folder, one thread."""
    wandb = folder.resolve() / "wandb"
    own = {
        "WANDB_DIR": str(wandb.parent),
        "WANDB_DATA_DIR": str(wandb / "staging"),
        "WANDB_CACHE_DIR": str(wandb / "cache"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    inherited = {**os.environ}
    inherited.pop("WANDB_SERVICE", None)  # belongs to another process
    return inherited | own
