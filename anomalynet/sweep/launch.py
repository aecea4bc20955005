"""Gives the runs of a sweep to workers, one a slot, until all are done; by default processes on
this machine, whose pipe is their life line."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from anomalynet.errors import AnomalynetError
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.slots import Slot

ATTEMPTS = 2  # how often a run is tried whose worker dies under it
LOSSES = 10  # how often a run is tried again whose machine was lost, which is not its fault
PATIENCE = 20.0  # seconds in which runs may reach the end of their epoch after the first Ctrl-C
GROWTH = 1 << 30  # bytes that a worker may outgrow its first run by; then another takes its place


class Worker(Protocol):
    """Takes one job at a time, wherever it runs."""

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Hand over a job (`Job.message`) and wait for its reply; None where the worker died."""

    @property
    def spent(self) -> bool:
        """Whether another worker should take the next job."""

    def exit_reason(self) -> str:
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
            start_new_session=True,  # Ctrl-C is for the parent
        )
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            if line.strip():
                self._words.append(line.rstrip())

    def exit_reason(self) -> str:
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


class Launch:
    """Workers that wait for jobs, one per slot, each made by `worker_factory`; use as a context
    manager, and call `run` as often as there are jobs. `group` is the sweep's name, for trackers;
    `notify` gets what a user must know meanwhile.

    A KeyboardInterrupt in `run` asks the runs under way to stop after their epoch, a second one
    ends them at once; both reach the caller."""

    def __init__(
        self,
        slots: Sequence[Slot],
        group: str | None = None,
        worker_factory: Callable[[Slot], Worker] = LocalWorker,
        notify: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.slots, self.group = slots, group
        self.worker_factory, self.notify = worker_factory, notify
        self._queue: queue.Queue[Job] = queue.Queue()
        self._workers: dict[int, Worker] = {}
        self._stop = threading.Event()
        self._error: Exception | None = None

    def __enter__(self) -> Launch:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for worker in list(self._workers.values()):
            worker.end()

    def run(self, jobs: Sequence[Job], watch: Callable[[], None], interval: float = 0.5) -> None:
        """Work until every job is done, failed or stopped; calls `watch` every `interval` seconds.
        Where a worker cannot work at all, its error comes here, and the others stop as on
        Ctrl-C."""
        for job in jobs:
            if job.state == "waiting":
                self._queue.put(job)
        threads = [
            threading.Thread(target=self._serve, args=(index,), daemon=True)
            for index in range(min(len(self.slots), self._queue.qsize()))
        ]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                watch()
                _join(threads, interval)
                self._raise()
            watch()
            self._raise()
        except (KeyboardInterrupt, AnomalynetError):
            self._stop.set()
            self._wind_down([job for job in jobs if job.state == "running"], threads)
            raise

    def _raise(self) -> None:
        if self._error:
            raise self._error

    def _wind_down(self, running: Sequence[Job], threads: Sequence[threading.Thread]) -> None:
        if running:
            self.notify("stopping after the epochs under way; Ctrl-C again stops at once")
        for job in running:
            job.ask_to_stop()
        _join(threads, PATIENCE)

    def _serve(self, place: int) -> None:
        while not self._stop.is_set():
            try:
                job = self._queue.get(timeout=0.2)
            except queue.Empty:
                if not self._queue.unfinished_tasks:
                    return
                continue  # another slot may yet give its run back
            try:
                if job.state == "waiting":  # else cancelled meanwhile
                    self._carry_out(job, place)
            except Exception as error:
                job.state, self._error = "waiting", error
                self._stop.set()
            finally:
                self._queue.task_done()

    def _carry_out(self, job: Job, place: int) -> None:
        if place not in self._workers:
            self._workers[place] = self.worker_factory(self.slots[place])
        worker = self._workers[place]
        job.state, job.attempts = "running", job.attempts + 1
        started = time.monotonic()
        reply = worker.ask(job.message(self.group))
        job.seconds = time.monotonic() - started
        if reply is None and self._stop.is_set():
            job.state = "waiting"
            return
        self._handle_reply(job, {"died": worker.exit_reason()} if reply is None else reply)
        if reply is None or worker.spent:
            self._workers.pop(place).end()

    def _handle_reply(self, job: Job, reply: dict[str, Any]) -> None:
        """Note how a job ended, or queue it again where that was not its own fault."""
        if reply.get("busy"):
            self._again(job)
            self._stop.wait(0.5)
        elif "lost" in reply and job.losses < LOSSES:
            job.losses += 1
            self._again(job)
        elif "lost" in reply:
            job.fail(f"its machine was lost {job.losses + 1} times, last: {reply['lost']}")
        elif reply.get("stopped") and not job.asked and job.stops < ATTEMPTS:
            job.stops += 1  # a command that shares the run meant its own worker
            self._again(job)
        elif reply.get("stopped"):
            job.state = "stopped"
        elif "died" in reply and job.attempts < ATTEMPTS:
            self._again(job, counts=True)
        elif "died" in reply:
            job.fail(f"the worker died {job.attempts} times, last: {reply['died']}")
        elif reply["failed"]:
            job.fail(reply["failed"])
        else:
            job.state, job.was_done, job.stale = "done", reply["was_done"], False

    def _again(self, job: Job, *, counts: bool = False) -> None:
        """Put a job back into the queue; `counts`: as one that was tried."""
        job.state = "waiting"
        job.attempts -= not counts
        self._queue.put(job)


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Return after some seconds, or as soon as all threads have ended."""
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
