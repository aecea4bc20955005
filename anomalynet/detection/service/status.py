"""The status of a detector and its display on stderr: live on a terminal, else a line at times."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection.records import Event, Message, Outcome, iso
from anomalynet.detection.service.drift import Measure
from anomalynet.errors import printable
from anomalynet.sweep.progress import Display

if TYPE_CHECKING:
    from rich.console import RenderableType

STALE = 15.0  # seconds without a turn after which the loop is considered stuck


@dataclass(slots=True)
class Status:
    """Counts since the start, and current values; one thread writes, others read."""

    readings: int = 0
    payloads: int = 0  # received, valid or not
    messages: int = 0
    steps: int = 0
    scores: int = 0
    alarms: int = 0
    cleared: int = 0
    # seconds since the readings of the newest message; None before the first
    lag: float | None = None
    connected: bool = False
    started: float = field(default_factory=time.time)
    turned: float = field(default_factory=time.monotonic)
    states: dict[str, int] = field(default_factory=dict)  # devices by state
    # problems by kind, of parser, sources, sinks and engine
    rejected: dict[str, int] = field(default_factory=dict)
    drift: dict[str, Measure] = field(default_factory=dict)
    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=8))
    # last score of each device by number, NaN before the first
    last: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    names: Sequence[str] = ()

    @property
    def healthy(self) -> bool:
        """Whether the source is connected and the loop is running."""
        return self.connected and time.monotonic() - self.turned < STALE

    def add(self, messages: Sequence[Message], outcome: Outcome, names: Sequence[str]) -> None:
        """Add the results of one turn."""
        steps = outcome.steps
        scored = np.isfinite(steps.score)
        self.messages += len(messages)
        self.readings += sum(len(message.readings) for message in messages)
        self.steps += len(steps.score)
        self.scores += int(scored.sum())
        for event in outcome.events:
            self.alarms += event.kind == "alarm"
            self.cleared += event.kind == "cleared"
        self.recent.extend(outcome.events)
        self.names = names
        if len(names) > len(self.last):
            more = max(64, len(names) * 2) - len(self.last)
            self.last = np.concatenate([self.last, np.full(more, np.nan)])
        self.last[steps.row[scored]] = steps.score[scored]

    def to_json(self) -> dict[str, Any]:
        """The status as JSON, of bounded size, without device names."""
        return {
            "connected": self.connected,
            "seconds_since_turn": round(time.monotonic() - self.turned, 3),
            "readings": self.readings,
            "scores": self.scores,
            "alarms": self.alarms,
            "lag_seconds": None if self.lag is None else round(self.lag, 3),
            "devices": dict(self.states),
            "rejected": dict(self.rejected),
        }


BARS = "▁▂▃▄▅▆▇█"
SHOWN = 8  # number of devices, those with the highest scores
HISTORY = 40  # length of a sparkline: one value per second
EVERY = 5.0  # seconds between two lines without a terminal


def sparkline(values: npt.NDArray[np.float64], threshold: float) -> str:
    """One character per value, a space for NaN. The scale contains all values and the threshold."""
    finite = values[np.isfinite(values)]
    low = float(min(finite.min(), threshold)) if len(finite) else 0.0
    span = (float(max(finite.max(), threshold)) - low if len(finite) else 0.0) or 1.0
    heights = np.minimum(7, (values - low) / span * 8)
    drawn = zip(values.tolist(), heights.tolist(), strict=True)
    return "".join(BARS[int(height)] if np.isfinite(value) else " " for value, height in drawn)


def line(status: Status, rate: float) -> str:
    """The status in one line."""
    known = [f"{count} {state}" for state, count in status.states.items() if count]
    states = ", ".join(known) or "no devices"
    lag = "" if status.lag is None else f", lag {status.lag:.1f} s"
    rejected = f", {sum(status.rejected.values())} rejected" if status.rejected else ""
    drift = max(((each.psi, name) for name, each in status.drift.items()), default=None)
    shift = "" if drift is None else f", largest drift {drift[1]} {drift[0]:.2f}"
    away = "" if status.connected else "not connected, "
    return (
        f"{away}{states}; {rate:.0f} readings/s, {status.scores} scores, {status.alarms} "
        f"alarms{lag}{rejected}{shift}"
    )


class StatusView(Display):
    """Shows a status if `enabled`; use as a context manager and call `refresh` often."""

    def __init__(self, status: Status, threshold: float, enabled: bool = True) -> None:
        super().__init__(enabled)
        self._status, self._threshold = status, threshold
        self._history: deque[npt.NDArray[np.float64]] = deque(maxlen=HISTORY)
        self._readings = 0

    def refresh(self) -> None:
        """Update the display if enough time has passed."""
        before = self.last_due_at
        if not self.is_due(1.0 if self.live else EVERY):
            return
        rate = (self._status.readings - self._readings) / (self.last_due_at - before)
        self._readings = self._status.readings
        if self.live:
            self._history.append(self._status.last.copy())
            self.shown.update(self._table(rate))
        else:
            self.say(line(self._status, rate))

    def _table(self, rate: float) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        status, newest = self._status, self._history[-1]
        table = Table(title=line(status, rate), title_justify="left")
        for heading in ("device", "score", "last scores"):
            table.add_column(heading)
        scored = np.flatnonzero(np.isfinite(newest[: len(status.names)]))
        for row in scored[np.argsort(-newest[scored], kind="stable")][:SHOWN].tolist():
            past = np.array([each[row] if row < len(each) else np.nan for each in self._history])
            style = "bold red" if newest[row] >= self._threshold else ""
            table.add_row(
                Text(printable(status.names[row])),
                Text(f"{newest[row]:.4g}", style),
                Text(sparkline(past, self._threshold), style),
            )
        recent = [
            f"{iso(event.time)} {event.kind} {printable(event.device)} score {event.score:.4g}"
            for event in reversed(status.recent)
        ]
        return Group(table, *map(Text, recent))
