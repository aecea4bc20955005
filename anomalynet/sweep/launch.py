"""Gives the runs of a sweep to worker processes, one a slot, until all are done."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from anomalynet.config.identity import run_id
from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.plan import PlannedRun

State = Literal["waiting", "running", "done", "failed"]

ATTEMPTS = 2
"""How often a run is tried whose worker dies under it."""


@dataclass(slots=True)
class Job:
    """A planned run on its way."""

    run: PlannedRun
    folder: RunFolder
    state: State = "waiting"
    reason: str = ""
    attempts: int = 0
    was_done: bool = False
    seconds: float | None = None
    """How long it took in this launch."""


def jobs_of(planned: Sequence[PlannedRun], runs: Path) -> list[Job]:
    """The planned runs with the folders that their identities give them; the data is fingerprinted, not parsed."""
    prints: dict[DataConfig, str] = {}
    jobs = []
    for run in planned:
        data = run.loaded.config.data
        whole = replace(data, split=SplitConfig())
        if whole not in prints:
            prints[whole] = sources.fingerprint(data)
        folder = RunFolder(runs / run.loaded.name / run_id(run.loaded.config, prints[whole]))
        done = folder.finished
        jobs.append(Job(run, folder, state="done" if done else "waiting", was_done=done))
    return jobs


@dataclass
class Launch:
    """A sweep under way.

    Args:
        jobs: every run of the sweep, done ones included.
        overrides: `key=value` arguments of the command line.
        runs: folder of the runs.
        slots: worker processes.
        group: name of the sweep, for W&B.
    """

    jobs: Sequence[Job]
    overrides: Sequence[str]
    runs: Path
    slots: int
    group: str | None = None
    _queue: queue.Queue[Job] = field(default_factory=queue.Queue)
    _workers: set[_Worker] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, watch: Callable[[], None], interval: float = 0.5) -> None:
        """Work until every job is done or failed; calls `watch` every `interval` seconds. A KeyboardInterrupt ends all workers."""
        for job in self.jobs:
            if job.state != "done":
                self._queue.put(job)
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(min(self.slots, self._queue.qsize()))]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                watch()
                threads[0].join(interval) if len(threads) == 1 else self._stop.wait(interval)
            watch()
        finally:
            self._stop.set()
            for worker in list(self._workers):
                worker.end()

    def _serve(self) -> None:
        worker = self._hire()
        while not self._stop.is_set():
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            job.state, job.attempts = "running", job.attempts + 1
            started = time.monotonic()
            what = {"experiment": job.run.experiment, "overrides": list(self.overrides), "axis": job.run.axis}
            reply = worker.ask({**what, "runs": str(self.runs), "group": self.group})
            job.seconds = time.monotonic() - started
            if reply is not None:
                self._settle(job, reply)
            elif self._stop.is_set():
                job.state = "waiting"
            else:
                self._settle(job, {"died": worker.last_words()})
                self._dismiss(worker)
                worker = self._hire()
        self._dismiss(worker)

    def _settle(self, job: Job, reply: dict[str, Any]) -> None:
        """Note how a job ended, or queue it again where its worker died or another command works on it."""
        if reply.get("busy"):
            job.state, job.attempts = "waiting", job.attempts - 1
            self._queue.put(job)
            self._stop.wait(0.5)
        elif "died" in reply and job.attempts < ATTEMPTS:
            job.state = "waiting"
            self._queue.put(job)
        elif "died" in reply:
            job.state, job.reason = "failed", f"the worker died: {reply['died']}"
        elif reply["failed"]:
            job.state, job.reason = "failed", reply["failed"]
        else:
            job.state, job.was_done = "done", reply["was_done"]

    def _hire(self) -> _Worker:
        worker = _Worker()
        self._workers.add(worker)
        return worker

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        worker.end()


class _Worker:
    """A worker process, started with its first job; its pipe is its life line."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.words: deque[str] = deque(maxlen=20)

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
        return reply

    def _start(self) -> subprocess.Popen[str]:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-m", "anomalynet.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**threads, **os.environ},
        )
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            if line.strip():
                self.words.append(line.rstrip())

    def last_words(self) -> str:
        """The last line of its stderr, or how it ended."""
        code = self.process.wait() if self.process else None
        return self.words[-1] if self.words else f"exit status {code}"

    def end(self) -> None:
        """Stop the process now; what it trained is in its last checkpoint."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
