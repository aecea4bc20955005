"""Background delivery for sinks behind a network: in order, repeated until it succeeds."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from anomalynet.detection.records import Event
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sinks import Sink, key_of

MAX_QUEUED = 10_000  # events; if more wait, the oldest is dropped

LONGEST_PAUSE = 60.0
"""Longest pause in seconds between attempts; the first is one second, and each one doubles."""

SHUTDOWN_TIMEOUT = 5.0  # seconds that `close` waits for delivery

STALL = 15.0
"""Seconds without a delivery after which `drain` stops waiting; longer than a failed attempt."""


def named(kind: str, target: str) -> str:
    """The name of a sink: its kind and a hash of the target, which may contain secrets."""
    return f"{kind} {hashlib.sha256(target.encode(errors='surrogateescape')).hexdigest()[:8]}"


class RefusedError(Exception):
    """The receiver rejects an event; sending it again does not help."""


class Delivery(Sink):
    """A sink with a queue and a thread; waiting events are part of the snapshot.

    Args:
        send: delivers one event, given its key and JSON; raises OSError or RefusedError.
        end: called last, in the thread of `send`.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[str, str], None],
        problems: ProblemLog,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._send, self._problems, self._end = send, problems, end
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._delivered: list[str] = []
        self._change = threading.Condition()
        self._closing = self._stalled = False
        self._lost = self._done = 0
        self._thread = threading.Thread(target=self._run, name=f"delivery to {name}", daemon=True)

    def put(self, events: Sequence[Event]) -> None:
        self._add({event.key: event.to_json() for event in events})

    def forget(self, key: str) -> None:
        with self._change:
            self._waiting.pop(key, None)

    def start(self) -> None:
        self._thread.start()

    def pending(self) -> list[str]:
        with self._change:
            return list(self._waiting.values())

    def restore(self, pending: Sequence[str]) -> None:
        self._add({key_of(line): line for line in pending})

    def delivered(self) -> list[str]:
        with self._change:
            done, self._delivered = self._delivered, []
            return done

    def drain(self) -> None:
        with self._change:
            while self._waiting and not self._stalled:
                before = self._done
                self._stalled = not self._change.wait_for(lambda: self._done > before, STALL)  # noqa: B023  called in this turn

    def undelivered(self) -> int:
        with self._change:
            return len(self._waiting) + self._lost

    def close(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join(SHUTDOWN_TIMEOUT)

    def _add(self, lines: dict[str, str]) -> None:
        with self._change:
            self._waiting.update(lines)
            while len(self._waiting) > MAX_QUEUED:
                self._waiting.popitem(last=False)  # a new alarm matters more than an old one
                self._lost += 1
                self._problems.add(f"alarms dropped, queue of {self.name} is full")
            self._change.notify_all()

    def _run(self) -> None:
        pause = 1.0
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    break
                name, line = next(iter(self._waiting.items()))
            try:
                self._send(name, line)
            except RefusedError as error:
                self._problems.add(f"alarm refused by {self.name}", error)
                with self._change:
                    self._lost += 1
            except Exception as error:  # the thread lives on; the error may contain a secret
                shown = error if isinstance(error, OSError) else type(error).__name__
                self._problems.add(f"delivery to {self.name} failed", shown)
                with self._change:
                    if self._change.wait_for(lambda: self._closing, pause):
                        break
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = 1.0
            with self._change:
                self._waiting.pop(name, None)
                self._delivered.append(name)
                self._done += 1
                self._change.notify_all()
        self._end()
