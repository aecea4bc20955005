"""Defines alarms, detected incidents and false alarms, for the steps of a run (`event_metrics`) and
for the alarms of a detector (`detection/evaluation.py`). Needs only NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from anomalynet.errors import UsageError
from anomalynet.metrics.kernels import ratio

Integers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Scores = npt.NDArray[np.floating]
SECONDS_PER_DAY = 86400.0
LONGEST = 63  # largest `n` of a rule: the detector keeps the last hits as bits of one integer


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """When an alarm is raised and cleared. A scored step is a hit if its score is at or above the
    threshold; steps of a silent device are scored, too. A score of NaN counts as below it.

    An alarm is raised at a hit that is the `k`-th among the last `n` scored steps of the segment,
    unless an alarm is active or its cool-down has not ended. It is cleared at the `n`-th scored
    step in a row that is quiet (`quiet_below`), or when the segment ends."""

    threshold: float | None = None  # None: the model's
    # Share of a threshold above 0 below which a score counts as quiet; 1 = no hysteresis. For a
    # threshold below 0 the same distance is subtracted; a threshold of 0 has no hysteresis.
    clear: float = 1.0
    k: int = 1
    n: int = 1
    cool_down: float = 0.0  # seconds after an alarm was cleared during which no other is raised

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= LONGEST:
            what = f"invalid alarm rule: {self.k} of {self.n} steps"
            raise UsageError(what, f"choose 1 <= k <= n <= {LONGEST}")
        if not 1e-6 <= self.clear <= 1:
            what = f"an alarm cannot clear at {self.clear:g} times the threshold"
            raise UsageError(what, "choose a share from 0.000001 to 1")
        if not (self.cool_down == 0 or 1e-6 <= self.cool_down < 1e10):
            what = f"a cool-down cannot take {self.cool_down:g} s"
            raise UsageError(what, "choose 0, or a microsecond or more")
        if self.threshold is not None and not abs(self.threshold) < float(np.finfo(np.float32).max):
            what = f"no score is near a threshold of {self.threshold:g}"
            raise UsageError(what, "give a number, or none to use the model's threshold")

    def quiet_below(self, threshold: float) -> float:
        """The score below which a step is quiet."""
        return threshold - (1 - self.clear) * abs(threshold) if self.clear < 1 else threshold


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """Which incidents were detected, and how many alarms were false.

    An alarm belongs to the step on which it is raised. It detects the incident that this step is
    labelled with. It is false if the step is labelled 0, even during an incident that is not of
    the positive class. On an unlabelled step it is neither. An incident may span several series."""

    # (incident,) seconds from the first step labelled 1, in any series, to the first alarm that
    # detects it; inf if none does
    delays: Floats
    alarms: int
    false_alarms: int
    device_days: float  # sum of the scored time of all series
    fleet_days: float  # from the first scored step of any series to the end of the last one

    def metrics(self) -> dict[str, float]:
        """Share of incidents detected, median delay in seconds, false alarms per day of one device
        and of the whole fleet; NaN if undefined."""
        detected = int(np.isfinite(self.delays).sum())
        return {
            "event_recall": ratio(detected, len(self.delays)),
            "detection_delay": delay_quantile(self.delays),
            "false_alarms_per_device_day": ratio(self.false_alarms, self.device_days),
            "false_alarms_per_fleet_day": ratio(self.false_alarms, self.fleet_days),
        }


def delay_quantile(delays: Floats, share: float = 0.5) -> float:
    """Seconds within which this share of the *detected* incidents was detected; NaN if none was.
    `delays`: (incident,), inf if undetected."""
    detected = delays[np.isfinite(delays)]
    return float(np.quantile(detected, share)) if len(detected) else nan


def event_metrics(
    *,
    labels: Integers,
    scores: Scores,
    threshold: float,
    incidents: Integers,
    series: Integers,
    times: Times,
    step_seconds: float,
) -> dict[str, float]:
    """Event recall, detection delay and false alarms per device-day and per fleet-day; see
    `EventOutcome`.

    An alarm is a run of neighbouring steps at or above the threshold; the border of an incident,
    the end of a series or a step without a score ends it.

    Args:
        labels: (n,) 1 positive class (`data.label`), 0 the rest, -1 unlabelled; steps ordered by
            (series, time).
        scores: (n,) NaN if the step was missed.
        threshold: a step is a hit if its score is at or above it.
        incidents: (n,) number of the incident, whatever its label, -1 none. Only incidents with a
            step labelled 1 count; one without a scored step is undetected.
        series: (n,) number of the series, which is one device.
        times: (n,) microseconds.
        step_seconds: seconds per step.
    Source: not in the paper.
    """
    hits, inside = scores >= threshold, np.where(labels == 1, incidents, -2)  # NaN is not a hit
    same = (series[1:] == series[:-1]) & (inside[1:] == inside[:-1])
    alarms = hits & np.append(True, ~(hits[:-1] & same))[: len(hits)]
    scored = ~np.isnan(scores)
    return EventOutcome(
        detection_delays(labels, alarms, incidents, times),
        int(alarms.sum()),
        int((alarms & (labels == 0)).sum()),
        device_days(int(scored.sum()), step_seconds),
        fleet_days(times[scored], step_seconds),
    ).metrics()


def detection_delays(
    labels: Integers, alarms: Booleans, incidents: Integers, times: Times
) -> Floats:
    """Seconds from each incident's first step labelled 1, in any series, to its first step with an
    alarm: (incidents,) by their number, inf if undetected. Arguments as in `event_metrics`."""
    positive = (labels == 1) & (incidents >= 0)
    numbers, index = np.unique(incidents[positive], return_inverse=True)
    start = np.full(len(numbers), np.iinfo(np.int64).max)
    np.minimum.at(start, index, times[positive])
    return first_delays(start, index[alarms[positive]], times[positive & alarms])


def first_delays(starts: Times, detected: Integers, times: Times) -> Floats:
    """Seconds (incident,) from each incident's start to its first alarm, inf if there is none.
    `starts` (incident,) and `times` (alarm,) are in microseconds; `detected` (alarm,) is the index
    of the incident that an alarm detects."""
    delays = np.full(len(starts), np.inf)
    np.minimum.at(delays, detected, (times - starts[detected]) / 1e6)
    return delays


def step_seconds(series: Integers, times: Times) -> float:
    """Seconds per step: the median time between neighbouring steps of a series, NaN if there are
    none. Steps (n,) are ordered by (series, time), times in microseconds."""
    gaps = np.diff(times)[series[1:] == series[:-1]]
    return float(np.median(gaps)) / 1e6 if len(gaps) else nan


def device_days(scored_steps: int, step_seconds: float) -> float:
    """Duration of the scored steps of all devices together, in days of 86,400 s."""
    return scored_steps * step_seconds / SECONDS_PER_DAY


def fleet_days(times: Times, step_seconds: float) -> float:
    """Days from the first scored step of any device to the end of the last one. `times`: (n,) of
    the scored steps in microseconds."""
    return (float(np.ptp(times)) / 1e6 + step_seconds) / SECONDS_PER_DAY if len(times) else 0.0


def lowest_thresholds(level: Floats, series: Integers, alarms_allowed: Floats) -> list[float]:
    """For each number of alarms (m,), the lowest threshold such that neither it nor any higher
    threshold raises more; just above all of `level` if even one is too many, -inf if all steps may
    be alarmed.

    An alarm is a run of steps of one series at or above the threshold. Alarms merge when the
    threshold falls, so that without "any higher" the answer would be one long alarm of all steps.

    Args:
        level: (n,) scores of steps ordered by (series, time), -inf for steps that cannot alarm.
        series: (n,) number of the series.
        alarms_allowed: (m,).
    """
    values = np.unique(level[level > -np.inf])
    before = np.append(-np.inf, level[:-1])
    before[1:][series[1:] != series[:-1]] = -np.inf
    # A step begins an alarm at thresholds above the score of the step before and up to its own.
    rises = level > before
    ended, begun = (np.searchsorted(np.sort(ends[rises]), values) for ends in (level, before))
    worst = np.maximum.accumulate((begun - ended)[::-1])  # from the highest threshold down
    above_all = float(np.nextafter(values[-1], np.inf)) if len(values) else -np.inf
    limits = [above_all, *values[::-1].tolist()]
    allowed = np.searchsorted(worst, alarms_allowed, side="right")
    return [-np.inf if n == len(values) else limits[n] for n in allowed]
