"""Gives the runs of a sweep to workers, one per slot, until all are done. By default workers are
processes on this machine, which end when the pipe from this process closes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from anomalynet.errors import RunError, disk_hint
from anomalynet.runs.folder import repair_note
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.slots import Slot

ATTEMPTS = 2  # how often a run is tried if its worker dies
LOSSES = 10  # how often a run is tried again if its machine was lost, which is not its fault
PATIENCE = 20.0  # seconds that runs have to finish their epoch after the first Ctrl-C
COMMAND = (sys.executable, "-m", "anomalynet.sweep.worker")


class Worker(Protocol):
    """Takes one job at a time, wherever it runs."""

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Hand over a job (`Job.message`) and wait for its reply; None if the worker died."""

    def exit_reason(self) -> str:
        """Why it died."""

    def end(self) -> None:
        """Stop it now; what it trained is in its last checkpoint."""


class LocalWorker:
    """A process that imports torch with its first job and takes jobs until it is ended. Another one
    takes the next job if it died or its memory has grown."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.process: subprocess.Popen[str] | None = None
        self._last_lines: deque[str] = deque(maxlen=20)  # of its stderr

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        try:
            if self.process is None or self.process.poll() is not None:
                self.process = self._start()
            assert self.process.stdin and self.process.stdout
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            return None
        if reply["last"]:
            self.process.wait()
        return reply

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            COMMAND,
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
                self._last_lines.append(line.rstrip())

    def exit_reason(self) -> str:
        """The signal that killed it, or the last line of its stderr."""
        if self.process is None:
            return "it could not be started"
        code = self.process.wait()
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return self._last_lines[-1] if self._last_lines else f"exit status {code}"

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Launch:
    """Workers that wait for jobs, one per slot, each made by `worker_factory`. Use it as a context
    manager, and call `run` once per list of jobs. `group` is the sweep's name, for trackers;
    `notify` is called with what the user must know meanwhile.

    A KeyboardInterrupt in `run` asks the running runs to stop after their epoch, a second one ends
    them at once; both reach the caller."""

    def __init__(
        self,
        slots: Sequence[Slot],
        group: str | None = None,
        worker_factory: Callable[[Slot], Worker] = LocalWorker,
        notify: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.slots, self.group = slots, group
        self.worker_factory, self.notify = worker_factory, notify
        self._waiting: deque[Job] = deque()
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
        If a worker cannot work at all, its error is raised, and the others stop as on Ctrl-C."""
        self._waiting = deque(job for job in jobs if job.state == "waiting")
        threads = [
            threading.Thread(target=self._serve, args=(index,), daemon=True)
            for index in range(min(len(self.slots), len(self._waiting)))
        ]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not self._error:
                watch()
                _join(threads, interval)
            if self._error:
                raise self._error
            watch()
        except (KeyboardInterrupt, Exception):
            self._stop.set()
            if running := [job for job in jobs if job.state == "running"]:
                self.notify("stopping after the current epochs; Ctrl-C again stops at once")
            for job in running:
                with suppress(OSError):  # a full disk; then it stops by itself
                    job.ask_to_stop()
            _join(threads, PATIENCE)
            raise

    def _serve(self, slot: int) -> None:
        while not self._stop.is_set():
            try:
                job = self._waiting.popleft()
            except IndexError:
                return  # a slot that puts its run back into the queue takes it again itself
            try:
                if job.state == "waiting":  # otherwise it was cancelled meanwhile
                    self._carry_out(job, slot)
            except Exception as error:
                job.state, self._error = "waiting", self._error or error
                self._stop.set()

    def _carry_out(self, job: Job, slot: int) -> None:
        if slot not in self._workers:
            self._workers[slot] = self.worker_factory(self.slots[slot])
        worker = self._workers[slot]
        job.state, job.attempts = "running", job.attempts + 1
        started = time.monotonic()
        reply = worker.ask(job.message(self.group))
        job.seconds = time.monotonic() - started
        if reply is None and self._stop.is_set():
            job.state = "waiting"
            return
        self._handle_reply(job, {"died": worker.exit_reason()} if reply is None else reply)

    def _handle_reply(self, job: Job, reply: dict[str, Any]) -> None:
        """Store how a job ended, or queue it again if it is not the job's fault."""
        if "full" in reply:
            raise RunError(reply["full"], disk_hint(reply["full"]))
        if reply.get("busy"):
            self._requeue(job)
            self._stop.wait(0.5)
        elif "lost" in reply and job.losses < LOSSES:
            job.losses += 1
            self._requeue(job)
        elif "lost" in reply:
            job.fail(f"its machine was lost {job.losses + 1} times, last: {reply['lost']}")
        elif reply.get("stopped") and not job.asked and job.stops < ATTEMPTS:
            job.stops += 1  # the stop was asked for by another command that trains the same run
            self._requeue(job)
        elif reply.get("stopped"):
            job.state = "stopped"
        elif "died" in reply and job.attempts < ATTEMPTS:
            self._requeue(job, counts=True)
        elif "died" in reply:
            job.fail(f"the worker died {job.attempts} times, last: {reply['died']}")
        elif reply["failed"]:
            job.fail(reply["failed"])
        else:
            job.state, job.was_done, job.stale = "done", reply["was_done"], False
        if repaired := reply.get("repaired"):
            self.notify(repair_note(job.folder.path, repaired))

    def _requeue(self, job: Job, *, counts: bool = False) -> None:
        """Put a job back into the queue; `counts`: the attempt counts as one of `ATTEMPTS`."""
        job.state = "waiting"
        job.attempts -= not counts
        self._waiting.append(job)


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Return after some seconds, or as soon as all threads have ended."""
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
