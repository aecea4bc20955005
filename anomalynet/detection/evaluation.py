"""How alarms meet labelled incidents: which were found, how late, and how many alarms there were
for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

DAY = 86_400 * 1_000_000  # in µs


@dataclass(slots=True)
class Kind:
    """Incidents of one kind."""

    incidents: int = 0  # labelled ones
    # those with an alarm that opened inside them, on a device that they are labelled on
    detected: int = 0
    # of these, seconds from the first labelled step on any device to the first such alarm
    delays: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """With the median of the delays; None where nothing was detected."""
        delay = float(np.median(self.delays)) if self.delays else None
        return {"incidents": self.incidents, "detected": self.detected, "median_delay": delay}


@dataclass(slots=True)
class Evaluation:
    """Result of `Labels.evaluate`; `days` is the time from the first row to the last, of all
    devices together."""

    kinds: dict[str, Kind]
    alarms: int
    false_alarms: int
    days: float

    @property
    def false_per_day(self) -> float | None:
        """False alarms a day, over all devices; None where no time passed."""
        return self.false_alarms / self.days if self.days else None

    def to_json(self) -> dict[str, Any]:
        """Numbers by their names."""
        kinds = {name: kind.to_json() for name, kind in sorted(self.kinds.items())}
        numbers = {
            "alarms": self.alarms,
            "false_alarms": self.false_alarms,
            "days": self.days,
            "false_per_day": self.false_per_day,
        }
        return {"kinds": kinds, **numbers}


class Labels:
    """Collects a recording's labels row by row, in memory that grows with the incidents, not with
    the rows.

    An incident's time on a device reaches from its first step labelled 1 to its last. Steps
    labelled 1 that name no incident are one incident each run of them on a device, of kind
    "unnamed"."""

    def __init__(self) -> None:
        # (device, incident) → first and last step
        self._spans: dict[tuple[str, str], list[int]] = {}
        self._kinds: dict[str, str] = {}
        self._runs: dict[str, int] = {}
        self._inside: set[str] = set()
        self._first: int | None = None
        self._last = 0

    def add(
        self,
        device: str,
        time: int,
        label: int | None,
        incident: str | None = None,
        kind: str | None = None,
    ) -> None:
        """One row; those of a device in order of time. `label` None: unknown."""
        if self._first is None:
            self._first = self._last = time
        self._first, self._last = min(self._first, time), max(self._last, time)
        if label != 1:
            self._inside.discard(device)
            return
        if incident is None:
            self._runs[device] = self._runs.get(device, 0) + (device not in self._inside)
            self._inside.add(device)
            incident, kind = f"unnamed {device} {self._runs[device]}", "unnamed"
        self._kinds[incident] = kind or self._kinds.get(incident) or "unknown"
        span = self._spans.setdefault((device, incident), [time, time])
        span[0], span[1] = min(span[0], time), max(span[1], time)

    def evaluate(self, alarms: list[tuple[str, int]]) -> Evaluation:
        """Compare.

        An alarm is false if its step is in no labelled time of its own device, whatever happens on
        others. `alarms`: (device, time of the step that opened it in µs)."""
        kinds = {kind: Kind() for kind in self._kinds.values()}
        begins: dict[str, int] = {}
        by_device: dict[str, list[tuple[int, int, str]]] = {}
        for (device, incident), (first, last) in self._spans.items():
            begins[incident] = min(first, begins.get(incident, first))
            by_device.setdefault(device, []).append((first, last, incident))
        found: dict[str, int] = {}
        false = 0
        for device, time in alarms:
            known = by_device.get(device, ())
            hit = [incident for first, last, incident in known if first <= time <= last]
            false += not hit
            for incident in hit:
                found[incident] = min(time, found.get(incident, time))
        for incident, kind in self._kinds.items():
            kinds[kind].incidents += 1
            if incident in found:
                kinds[kind].detected += 1
                kinds[kind].delays.append((found[incident] - begins[incident]) / 1e6)
        days = 0.0 if self._first is None else (self._last - self._first) / DAY
        return Evaluation(kinds, len(alarms), false, days)
