"""A worker process on this machine; its pipe is its life line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from typing import Any, Protocol

from anomalynet.sweep.slots import Slot

GROWTH = 1 << 30
"""Bytes by which a worker may outgrow what it had after its first run; then another takes its
place."""


class Worker(Protocol):
    """Takes one job at a time, wherever it runs."""

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Hand over a job (`Job.message`) and wait for its reply; None where the worker died."""

    @property
    def spent(self) -> bool:
        """Whether another worker should take the next job."""

    def last_words(self) -> str:
        """Why it died."""

    def end(self) -> None:
        """Stop it now; what it trained is in its last checkpoint."""


class LocalWorker:
    """A process that imports torch with its first job and takes jobs until it is told to end."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.process: subprocess.Popen[str] | None = None
        self._words: deque[str] = deque(maxlen=20)
        self._memory: list[int] = []

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Hand over a job and wait for its reply; None where the process died."""
        try:
            process = self.process = self.process or self._start()
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            reply: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            return None
        self._memory.append(reply["memory"])
        return reply

    @property
    def spent(self) -> bool:
        """Whether its memory has grown by more than `GROWTH` since its first run."""
        return bool(self._memory) and self._memory[-1] > self._memory[0] + GROWTH

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "anomalynet.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.slot.environment},
            start_new_session=True,  # Ctrl-C is the parent's to hear
        )
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            if line.strip():
                self._words.append(line.rstrip())

    def last_words(self) -> str:
        """The signal that killed it, or the last line of its stderr."""
        if self.process is None:
            return "it could not be started"
        code = self.process.wait()
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return self._words[-1] if self._words else f"exit status {code}"

    def end(self) -> None:
        """Stop the process now; what it trained is in its last checkpoint."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
