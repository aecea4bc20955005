"""The loop of a running detector: collect, store, parse, score, deliver, acknowledge. In this order
no message is lost or processed twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from anomalynet.detection.records import Message, Outcome
from anomalynet.detection.service.drift import Drift
from anomalynet.detection.service.journal import FAR, Entry
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.monitor import Monitor
from anomalynet.detection.service.silence import RecentPayloads, SilenceWatch
from anomalynet.detection.service.snapshots import State
from anomalynet.detection.service.status import Status
from anomalynet.detection.sinks import Sink, check_delivered, key_of
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.detection.sources import Raw, Source
from anomalynet.documents import json_value
from anomalynet.errors import say

if TYPE_CHECKING:
    from anomalynet.detection.engine.engine import Engine

BATCH = 1000  # largest number of payloads per turn
WAIT = 0.02  # seconds that a turn waits for messages
SLOW = 1.0  # seconds between updates of slow status values: devices by state


@dataclass(kw_only=True, slots=True)
class Service:
    """Connects all parts of a detector. Call `resume`, `turn` repeatedly, and `close`."""

    engine: Engine
    source: Source
    parser: Parser
    sinks: Sequence[Sink]
    scores: ScoresFile | None = None
    state: State | None = None
    silence: SilenceWatch | None = None
    drift: Drift | None = None
    monitor: Monitor | None = None
    threshold: float = 0.0  # alarm threshold, for the status view
    # option → value, of those that change results: that they are others than before is logged
    settings: dict[str, float | str] = field(default_factory=dict)
    status: Status = field(default_factory=Status)
    # The source may send a payload twice. A second copy would look like a device whose clock went
    # back, so recent payloads are remembered.
    redelivers: bool = False
    # snapshot_every, drift_every: in seconds
    snapshot_every: float = 30.0
    drift_every: float = 60.0
    report_drift: Callable[[dict[str, Any]], None] = lambda measures: None
    _seen: RecentPayloads = field(default_factory=RecentPayloads)
    _position: bytes = b""
    _slow: float = 0.0
    _snapshot: float = 0.0
    _drifted: float = 0.0

    def resume(self) -> None:
        """Load the snapshot, replay the journal, and start the source. Raises UsageError: the state
        is damaged, or belongs to another model."""
        if self.state is not None:
            known, batches = self.state.load(self._restore)
            for batch in batches:
                for entry in batch:
                    if self.redelivers and entry.kind == "message":
                        self._seen.add(entry.name, entry.content)
                self._apply(batch, live=False)
            # The first snapshot precedes any output: it has the initial size of the scores file.
            self._snap(self.state, wait=not known)
        for sink in self.sinks:
            sink.start()
        now = time.time()
        if self.silence is not None:
            self.silence.restarted(now)
        self.source.start(self._position)
        self._snapshot = self._drifted = time.monotonic()

    def turn(self) -> None:
        """Collect new messages and process them completely."""
        raws = self.source.collect(BATCH, WAIT)
        self.status.payloads += len(raws)
        now = time.time()
        new = [raw for raw in raws if self._is_new(raw)]
        entries = [Entry("message", raw.source, raw.payload or b"", raw.arrived) for raw in new]
        for sink in self.sinks:
            entries += [Entry("delivered", sink.name, key.encode()) for key in sink.delivered()]
        if raws and raws[-1].position:
            entries.append(Entry("position", "", raws[-1].position))
        # Acknowledge only what is in the journal: after a crash the broker sends the rest again.
        self._store(entries)
        self.source.acknowledge(raws)
        if self.silence is not None:
            due = self.silence.due(now)
            self._store([Entry("tick", name, str(clock).encode(), now) for name, clock in due])
        self._look()

    def close(self) -> None:
        """Shut down in order. With a state, the detector can continue later. Raises RunError:
        alarms were not delivered, and there is no state to continue from."""
        if self.state is None:
            self._put(self.engine.finish(), [], [])
        self._sync()
        for sink in self.sinks:
            sink.close()
        if self.state is not None:
            self.state.snapshot(self.engine.snapshot(), self._own(), wait=True)
            self.state.close()
        if self.scores is not None:
            self.scores.close()
        self._look(at_once=True)
        self.source.close()
        if self.monitor is not None:
            self.monitor.close()
        if self.state is None:
            check_delivered(self.sinks)

    def _is_new(self, raw: Raw) -> bool:
        if raw.payload is None:
            self.parser.problems.add("too large", f"on {raw.source}")
            return False
        if self.redelivers and not self._seen.add(raw.source, raw.payload):
            self.parser.problems.add("repeated", f"on {raw.source}")
            return False
        return True

    def _store(self, entries: Sequence[Entry]) -> None:
        if entries:
            if self.state is not None:
                self.state.append(entries)
            self._apply(entries)

    def _apply(self, entries: Sequence[Entry], live: bool = True) -> None:
        """Process a batch, live or from the journal, with the same effect on the state."""
        messages, arrived = [], []
        for entry in entries:
            if entry.kind == "message":
                message = self.parser.parse(entry.name, entry.content)
                if message is not None:
                    messages.append(message)
                    arrived.append(entry.time)
                    if self.silence is not None:
                        self.silence.heard(message.source, entry.time)
            elif entry.kind == "tick":
                messages.append(Message(entry.name, (), int(entry.content)))
                if self.silence is not None:
                    self.silence.ticked(entry.name, int(entry.content), entry.time)
            elif entry.kind == "position":
                self._position = entry.content
            elif not live:
                for sink in self.sinks:
                    if sink.name == entry.name:
                        sink.forget(entry.content.decode())
        if messages:
            self._put(self.engine.process(messages), messages, arrived if live else [])

    def _put(self, outcome: Outcome, messages: Sequence[Message], arrived: Sequence[float]) -> None:
        now = time.time()
        self.status.add(messages, outcome, self.engine.names)
        if self.drift is not None:
            self.drift.add(outcome.steps)
        if self.scores is not None:
            self.scores.put(self.engine.names, outcome.steps)
        for sink in self.sinks:
            sink.put(outcome.events)
        for message, came in zip(messages, arrived, strict=False):
            if (clock := _clock(message)) is not None:
                self.status.lag = now - clock / 1e6
                if self.monitor is not None:
                    self.monitor.observe(now - came, max(0.0, self.status.lag))

    def _look(self, at_once: bool = False) -> None:
        now = time.monotonic()
        status = self.status
        status.turned, status.connected = now, self.source.connected
        if at_once or now - self._slow >= SLOW:
            self._slow = now
            status.states = self.engine.states()
            for kind in self.engine.counts:
                self.parser.problems.log_first(kind)
            status.rejected = dict(self.parser.problems.snapshot() + Counter(self.engine.counts))
        if self.drift is not None and now - self._drifted >= self.drift_every:
            self._drifted = now
            status.drift = self.drift.measure()
            self.report_drift(status.drift)
        if self.state is not None and now - self._snapshot >= self.snapshot_every and not at_once:
            self._snapshot = now
            self._snap(self.state)

    def _snap(self, state: State, wait: bool = False) -> None:
        self._sync()
        state.snapshot(self.engine.snapshot(), self._own(), wait)

    def _sync(self) -> None:
        """Outputs must be on disk before a snapshot records them as done."""
        if self.state is not None and self.state.sync:
            for sink in self.sinks:
                sink.sync()
            if self.scores is not None:
                self.scores.sync()

    def _own(self) -> dict[str, Any]:
        scores = self.scores
        return {
            "place": self._position.decode(),
            "seen": self._seen.to_hex(),
            "behind": {} if self.silence is None else self.silence.to_json(),
            "pending": {sink.name: sink.pending() for sink in self.sinks},
            "scores": None if scores is None else [str(scores.path.resolve()), scores.size],
            "settings": self.settings,
        }

    def _restore(self, arrays: dict[str, Any], own: dict[str, Any]) -> None:
        """Go on from a snapshot; what is damaged raises an error before anything changes."""
        position, seen = own["place"].encode(), own["seen"]
        _ = {**json_value(position or b"{}")}, bytes.fromhex(seen)
        behind = {name: float(seconds) for name, seconds in own["behind"].items()}
        pending = {name: [*lines] for name, lines in own["pending"].items()}
        for line in chain.from_iterable(pending.values()):
            key_of(line)
        path, size = own["scores"] or ("", 0)
        size, settings = int(size), own.get("settings", self.settings).items()
        if not all(abs(seconds) < FAR for seconds in behind.values()):
            raise ValueError("a source that cannot be so far behind")
        self.engine.restore(arrays)
        for name, before in settings:
            if (now := self.settings.get(name, before)) != before:
                say(f"the saved state was made with {name} {before}, from now on {now}")
        self._position = position
        self._seen.restore(seen)
        if self.silence is not None:
            self.silence.restore(behind)
        for sink in self.sinks:
            sink.restore(pending.get(sink.name, []))
        if self.scores is not None and path == str(self.scores.path.resolve()):
            self.scores.cut(size)


def _clock(message: Message) -> int | None:
    if message.clock is not None:
        return message.clock
    return max((reading.time for reading in message.readings), default=None)
