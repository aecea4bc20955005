"""How a detector's alarms meet the labelled incidents of a recording, kind by kind; the numbers are
those of `metrics/events.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomalynet.detection.records import Outcome
from anomalynet.metrics import events


class Watch:
    """The alarms that a detector raised and the time that it scored. `period`: seconds between
    steps; None: the median in the first steps added."""

    def __init__(self, period: float | None) -> None:
        self.alarms: list[tuple[str, int]] = []  # device, time of the step in µs
        self._period, self._scored = period or math.nan, 0
        self._ends = np.empty(0, np.int64)  # the first and the last scored step

    def add(self, outcome: Outcome) -> None:
        """What one call of the engine made."""
        raised = (event for event in outcome.events if event.kind == "alarm")
        self.alarms += [(event.device, event.time) for event in raised]
        scored = ~np.isnan(outcome.steps.score)
        rows, times = outcome.steps.row[scored], outcome.steps.time[scored]
        if math.isnan(self._period):
            order = np.lexsort((times, rows))
            self._period = events.step_seconds(rows[order], times[order])
        self._scored += len(rows)
        known = np.concatenate([self._ends, times])
        self._ends = known[[known.argmin(), known.argmax()]] if len(known) else known

    @property
    def days(self) -> tuple[float, float]:
        """`device_days` and `fleet_days` of `events.EventOutcome`."""
        return (
            events.device_days(self._scored, self._period),
            events.fleet_days(self._ends, self._period),
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of `Labels.evaluate`."""

    outcome: events.EventOutcome
    kinds: dict[str, events.Floats]  # kind of incident → delays of its incidents, as `outcome`'s

    def to_json(self) -> dict[str, Any]:
        """Numbers by their names, None where undefined."""
        kinds = {
            name: {
                "incidents": len(delays),
                "detected": int(np.isfinite(delays).sum()),
                "median_delay": _known(events.delay_quantile(delays)),
            }
            for name, delays in sorted(self.kinds.items())
        }
        names = ("alarms", "false_alarms", "device_days", "fleet_days")
        numbers = {name: getattr(self.outcome, name) for name in names} | self.outcome.metrics()
        return {"kinds": kinds, **{name: _known(value) for name, value in numbers.items()}}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


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

    def add(
        self,
        device: str,
        time: int,
        label: int | None,
        incident: str | None = None,
        kind: str | None = None,
    ) -> None:
        """One row; those of a device in order of time. `label` None: unknown."""
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

    def evaluate(
        self, alarms: list[tuple[str, int]], device_days: float, fleet_days: float
    ) -> Evaluation:
        """Compare: an alarm lies in an incident where its step is in the labelled time of its own
        device, whatever happens on others.

        `alarms`: device, and time in µs of the step that raised it; days as in `EventOutcome`."""
        numbers = {incident: number for number, incident in enumerate(self._kinds)}
        starts = np.full(len(numbers), np.iinfo(np.int64).max)
        by_device: dict[str, list[tuple[int, int, int]]] = {}
        for (device, incident), (first, last) in self._spans.items():
            number = numbers[incident]
            starts[number] = min(first, starts[number])
            by_device.setdefault(device, []).append((first, last, number))
        found: list[tuple[int, int]] = []
        false = 0
        for device, time in alarms:
            spans = by_device.get(device, ())
            hit = [(number, time) for first, last, number in spans if first <= time <= last]
            false += not hit
            found += hit
        detected, times = np.array(found, np.int64).reshape(-1, 2).T
        delays = events.first_delays(starts, detected, times)
        outcome = events.EventOutcome(delays, len(alarms), false, device_days, fleet_days)
        of = np.array(list(self._kinds.values()), np.str_)
        return Evaluation(outcome, {kind: delays[of == kind] for kind in set(of.tolist())})
