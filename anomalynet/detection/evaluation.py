"""Compares a detector's alarms with the labelled incidents of a recording, kind by kind, by the
definitions of `metrics/events.py`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection.records import Outcome, iso
from anomalynet.metrics import events

HIGHEST = 5  # stretches that a summary names


@dataclass(slots=True)
class Stretch:
    """Steps of a device around a peak of its score: they end where a window's length passes without
    a score at least half-way from the usual score to the peak. Times in microseconds."""

    device: str
    first: int
    last: int
    peak: int
    score: float  # of the peak
    silent: bool  # whether the step of the peak, or those that raised its alarms, had no reading
    alarms: int = 0  # raised in it
    over: tuple[int, int] | None = None  # first and last step at the threshold
    channels: tuple[str, ...] = ()  # that its last alarm names
    # of the peak, the last steps, float32 (time, channel); without them `channels` are the alarm's
    window: Sequence[npt.NDArray[np.floating]] = ()

    def to_json(self) -> dict[str, Any]:
        """Device; time, until (of the steps at the threshold, if there are some) and peak, in UTC;
        score, alarms (count), channels and no_readings."""
        first, last = self.over or (self.first, self.last)
        found = {"device": self.device, "time": iso(first), "until": iso(last)}
        found |= {"peak": iso(self.peak)}
        reason = {"channels": list(self.channels), "no_readings": self.silent}
        return {**found, "score": self.score, "alarms": self.alarms, **reason}


class Watch:
    """Collects the alarms that a detector raised, the time that it scored, and the highest
    stretches. `period`: seconds between steps; None: the median in the first steps added;
    `window`: steps that the model reads; `usual`: score of an ordinary step; `threshold` of the
    alarms; `explain`: names the channels that make the score of a window, float32 (time, channel).
    """

    def __init__(
        self,
        period: float | None,
        window: int = 1,
        usual: float = 0.0,
        threshold: float = math.inf,
        explain: Callable[[npt.NDArray[np.floating]], tuple[str, ...]] | None = None,
    ) -> None:
        self.alarms: list[tuple[str, int]] = []  # device, time of the step in µs
        self.silent = 0  # alarms whose step had no reading
        self._window, self._usual, self._threshold = window, usual, threshold
        self._explain = explain
        self._last: dict[str, deque[npt.NDArray[np.floating]]] = {}  # of each device, its steps
        self._now: dict[str, Stretch] = {}  # of each device, the newest
        self._best: list[Stretch] = []  # of the earlier ones, in order
        self._period, self._scored = period or math.nan, 0
        self._ends = np.empty(0, np.int64)  # the first and the last scored step

    def add(self, outcome: Outcome, names: Sequence[str] = ()) -> None:
        """Add the result of one call of the engine, whose `names` are the devices'; without them no
        stretches are collected."""
        alarms = [one for one in outcome.events if one.kind == "alarm"]
        self.alarms += [(one.device, one.time) for one in alarms]
        self.silent += sum(one.reason == "no readings" for one in alarms)
        raised = {(one.device, one.time): one for one in alarms}
        steps = outcome.steps
        scored = ~np.isnan(steps.score)
        rows, times = steps.row[scored], steps.time[scored]
        if math.isnan(self._period):
            order = np.lexsort((times, rows))
            self._period = events.step_seconds(rows[order], times[order])
        self._scored += len(rows)
        known = np.concatenate([self._ends, times])
        self._ends = known[[known.argmin(), known.argmax()]] if len(known) else known
        if names:
            over = steps.score >= self._threshold
            columns = (steps.row, steps.time, np.round(steps.score, 6), ~steps.observed, over)
            every = zip(*(one.tolist() for one in columns), steps.values, strict=True)
            for row, time, score, silent, reached, value in every:
                window = self._window_of(names[row], value)
                if math.isnan(score):
                    continue
                step = Stretch(names[row], time, time, time, score, silent, window=window)
                step.over = (time, time) if reached else None
                now = self._step(step)
                if event := raised.get((now.device, time)):
                    now.silent = bool(event.reason) and (now.silent or not now.alarms)
                    now.alarms += 1
                    now.channels = tuple(one.name for one in event.channels)

    def _window_of(
        self, device: str, step: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.floating], ...]:
        """The last steps of a device with this one, which is its next; none without `explain`."""
        if self._explain is None:
            return ()
        last = self._last.setdefault(device, deque(maxlen=self._window))
        last.append(step.copy())  # a view would keep the whole call's values
        return (*last,)

    def _step(self, step: Stretch) -> Stretch:
        """The stretch of which this step is a part."""
        now = self._now.setdefault(step.device, step)
        if step.first - now.last > self._window * self._period * 1e6:
            self._best = ranked([*self._best, now])
        elif now.alarms or now.score >= self._level(step.score):
            if step.score >= self._level(now.score):
                now.last = step.last
            if step.over:
                now.over = (now.over or step.over)[0], step.last
            if step.score > now.score:
                now.score, now.silent = step.score, now.silent if now.alarms else step.silent
                now.peak, now.window = step.peak, step.window
            return now
        self._now[step.device] = step  # after a gap, or far above the steps before
        return step

    def _level(self, peak: float) -> float:
        return min(peak, (peak + self._usual) / 2)

    def highest(self) -> list[dict[str, Any]]:
        """The highest stretches: first those with readings, among these those with an alarm."""
        found = ranked([*self._best, *self._now.values()])
        for one in found:
            if self._explain is not None and len(one.window) == self._window:
                one.channels = self._explain(np.stack(one.window)) or one.channels
        return [one.to_json() for one in found]

    @property
    def days(self) -> tuple[float, float]:
        """`device_days` and `fleet_days` of `events.EventOutcome`."""
        scored = events.device_days(self._scored, self._period)
        return scored, events.fleet_days(self._ends, self._period)


def ranked(stretches: list[Stretch]) -> list[Stretch]:
    """The stretches that a summary names, in its order."""
    order = sorted(
        stretches, key=lambda one: (not one.silent, one.alarms > 0, one.score), reverse=True
    )
    return order[:HIGHEST]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of `Labels.evaluate`."""

    outcome: events.EventOutcome
    kinds: dict[str, events.Floats]  # kind of incident → delays of its incidents, as `outcome`'s
    unjudged: int  # alarms where the label is unknown: neither false nor of an incident

    def to_json(self) -> dict[str, Any]:
        """Numbers by their names, None if undefined."""
        kinds: dict[str, dict[str, Any]] = {}
        for kind, delays in sorted(self.kinds.items()):
            kinds[kind] = {"incidents": len(delays), "detected": int(np.isfinite(delays).sum())}
            kinds[kind] |= _defined({"median_delay": events.delay_quantile(delays)})
        names = ("alarms", "false_alarms", "device_days", "fleet_days")
        numbers = {name: getattr(self.outcome, name) for name in names}
        known = _defined(numbers | self.outcome.metrics())
        return {"kinds": kinds, "unjudged": self.unjudged, **known}


def _defined(values: dict[str, float]) -> dict[str, Any]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}


@dataclass(slots=True)
class _Stretch:
    """Consecutive rows of a device with the same label and incident."""

    first: int  # time in µs of the first row
    last: int  # and of the last
    label: int | None
    incident: str | None


class Labels:
    """Collects a recording's labels row by row; memory grows with the stretches of equal labels.

    An incident's time on a device are its stretches of label 1. Each run of rows of a device that
    are labelled 1 and name no incident is one incident per kind, as in an import."""

    def __init__(self) -> None:
        self._stretches: dict[str, list[_Stretch]] = {}
        self._kinds: dict[str, str] = {}
        self._runs: Counter[str] = Counter()

    def add(
        self,
        device: str,
        time: int,
        label: int | None,
        incident: str | None = None,
        kind: str | None = None,
    ) -> None:
        """Add a row; rows of a device come in order of time. `label` None: unknown; 0 with an
        incident: of another cause, neither an attack nor normal."""
        if label == 0 and incident is not None:
            label = None
        stretches = self._stretches.setdefault(device, [])
        last = stretches[-1] if stretches else None
        if label == 1 and incident is None:
            self._runs[device] += last is None or last.label != 1
            kind = kind or "unnamed"
            incident = f"{kind} {device} {self._runs[device]}"
        incident = incident if label == 1 else None
        if incident is not None:
            self._kinds[incident] = kind or self._kinds.get(incident) or "unknown"
        if last is not None and last.label == label and last.incident == incident:
            last.first, last.last = min(last.first, time), max(last.last, time)
        else:
            stretches.append(_Stretch(time, time, label, incident))

    def evaluate(
        self, alarms: list[tuple[str, int]], device_days: float, fleet_days: float
    ) -> Evaluation:
        """Compare: an alarm detects the incident of its step on its own device, whatever happens on
        others; it is false if the label there is 0. It is not judged in a stretch without labels,
        at its borders, and outside the device's rows.

        `alarms`: device, and time in µs of the step that raised it; days as in `EventOutcome`."""
        numbers = {incident: number for number, incident in enumerate(self._kinds)}
        starts = np.full(len(numbers), np.iinfo(np.int64).max)
        nothing = _Stretch(0, -1, None, None)  # before and after the rows of a device
        bordered: dict[str, list[_Stretch]] = {}
        for device, stretches in self._stretches.items():
            stretches.sort(key=attrgetter("first"))
            bordered[device] = [nothing, *stretches, nothing]
            for stretch in stretches:
                if stretch.incident is not None:
                    number = numbers[stretch.incident]
                    starts[number] = min(stretch.first, starts[number])
        found: list[tuple[int, int]] = []
        false = unjudged = 0
        for device, time in alarms:
            after = bisect_right(self._stretches.get(device, ()), time, key=attrgetter("first"))
            here, *beside = bordered.get(device, [nothing])[after : after + 2]
            inside = time <= here.last
            if inside and here.incident is not None:
                found.append((numbers[here.incident], time))
            elif here.label is None or (not inside and beside[0].label is None):
                unjudged += 1
            else:
                false += 1
        detected, times = np.array(found, np.int64).reshape(-1, 2).T
        delays = events.first_delays(starts, detected, times)
        outcome = events.EventOutcome(delays, len(alarms), false, device_days, fleet_days)
        of = np.array(list(self._kinds.values()), np.str_)
        kinds = {kind: delays[of == kind] for kind in set(of.tolist())}
        return Evaluation(outcome, kinds, unjudged)
