"""Incidents and alarms, what an operator sees: the one definition, for the steps of a run
(`event_metrics`) and the alarms of a detector (`detection/evaluation.py`). NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import numpy.typing as npt

from anomalynet.errors import UsageError

Integers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Scores = npt.NDArray[np.floating]
SECONDS_A_DAY = 86400.0

LONGEST = 63  # most steps that a rule looks back: the detector keeps the answers as bits


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """A scored step is a hit where its score is at or above the threshold; steps of a silent device
    are scored, too.

    An alarm is raised at a hit that makes `k` hits among the last `n` scored steps of the segment,
    unless one is active or its cool-down runs. It is cleared at the `n`-th scored step in a row
    below the threshold - (1 - `clear`) · |threshold|, or where the segment ends. A score that is no
    number counts as one below. With the defaults an alarm is a run of hits."""

    threshold: float | None = None  # None: the model's
    # share of a threshold above 0, at which a score begins to count as quiet; 1 = no hysteresis.
    # Below 0 it lowers the threshold by the same distance, where a share would raise it; a
    # threshold of 0 has no hysteresis.
    clear: float = 1.0
    k: int = 1
    n: int = 1
    cool_down: float = 0.0  # seconds after an alarm was cleared in which its device raises no other

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= LONGEST:
            what = f"{self.k} of {self.n} steps make no alarm"
            raise UsageError(what, f"1 <= k <= n <= {LONGEST}")
        if not 0 < self.clear <= 1:
            what = f"an alarm cannot clear at {self.clear:g} times the threshold"
            raise UsageError(what, "a share above 0, at most 1")
        if not 0 <= self.cool_down < 1e10:
            raise UsageError(f"a cool-down cannot take {self.cool_down:g} seconds", "0 or more")
        if self.threshold is not None and not np.isfinite(self.threshold):
            what = f"a threshold of {self.threshold:g} is not finite"
            raise UsageError(what, "a number, or none for the model's own")

    def quiet_below(self, threshold: float) -> float:
        """The score below which a step is quiet."""
        return threshold - (1 - self.clear) * abs(threshold) if self.clear < 1 else threshold


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """How alarms met incidents.

    An alarm belongs to the step on which it is raised. It detects the incident that this step is
    labelled with; it is false where the step is not labelled 1, also during an incident that is not
    to be detected. Series that share an incident saw the same one."""

    # (incident,) seconds from the first step labelled 1, in any series, to the first alarm that
    # detects it; inf where none does
    delays: Floats
    alarms: int
    false_alarms: int
    device_days: float  # scored time of each series, added up
    fleet_days: float  # from the first scored step of any series to the end of the last

    def metrics(self) -> dict[str, float]:
        """Share of incidents detected, median delay in seconds, false alarms per day of one device
        and of the whole fleet; NaN where undefined."""
        each, all_ = (
            self.false_alarms / days if days > 0 else nan
            for days in (self.device_days, self.fleet_days)
        )
        return {
            "event_recall": float(np.isfinite(self.delays).mean()) if len(self.delays) else nan,
            "detection_delay": delay_quantile(self.delays),
            "false_alarms_per_device_day": each,
            "false_alarms_per_fleet_day": all_,
        }


def delay_quantile(delays: Floats, share: float = 0.5) -> float:
    """Seconds within which a share of the *detected* incidents are; NaN without any. `delays`:
    (incident,), inf where undetected."""
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
    rule: AlarmRule | None = None,
) -> dict[str, float]:
    """Event recall, detection delay and false alarms per device-day and per fleet-day of steps
    ordered by (series, time), NaN where undefined; what they mean: `EventOutcome`.

    Without a rule an alarm is a run of neighbouring steps at or above the threshold, as in the
    alarm budget; the border of an incident, the end of a series or a step without a score ends it.
    With a rule alarms are the detector's: one that is active when an incident begins does not
    detect it.

    Args:
        labels: (n,) 1 positive class (attack, unless `data.label` says otherwise), 0 the rest, -1
        unlabelled.
        scores: (n,) NaN where a step was missed.
        threshold: a step is a hit where its score is at or above it; `rule.threshold` replaces it.
        incidents: (n,) number of the event, whatever its label, -1 none. Only incidents with a
        step labelled 1 are to be detected, one without a scored step is missed.
        series: (n,) number of the series, which is one device.
        times: (n,) microseconds.
        step_seconds: seconds a step lasts.
        rule: the detector's; a step without a score ends a segment.
    Source: not in the paper.

    Example:
        >>> event_metrics(**steps, threshold=0.5, rule=AlarmRule(k=3, n=5, cool_down=600))
    """
    if rule is None:
        alarms = _run_starts(scores >= threshold, labels, incidents, series)  # NaN is no hit
    else:
        alarms = raised(rule, threshold, scores, series, times)
    scored = ~np.isnan(scores)
    return EventOutcome(
        detection_delays(labels, alarms, incidents, times),
        int(alarms.sum()),
        int((alarms & (labels != 1)).sum()),
        device_days(int(scored.sum()), step_seconds),
        fleet_days(times[scored], step_seconds),
    ).metrics()


def _run_starts(
    hits: Booleans, labels: Integers, incidents: Integers, series: Integers
) -> Booleans:
    """Steps that begin a run of hits within a series and an incident, or outside all."""
    inside = np.where(labels == 1, incidents, -2)
    same = (series[1:] == series[:-1]) & (inside[1:] == inside[:-1])
    starts: Booleans = hits & np.append(True, ~(hits[:-1] & same))[: len(hits)]
    return starts


def raised(
    rule: AlarmRule, threshold: float, scores: Scores, series: Integers, times: Times
) -> Booleans:
    """Steps (n,) on which the detector raises an alarm; arguments as of `event_metrics`."""
    found, pause = np.zeros(len(scores), np.bool_), round(rule.cool_down * 1e6)
    limit = threshold if rule.threshold is None else rule.threshold
    for at in range(len(scores)):
        if at == 0 or series[at] != series[at - 1]:
            active, until, quiet, last = False, times[at], 0, list[bool]()
        if isnan(scores[at]):  # the segment ended with the step before
            until = times[at - 1] + pause if active else until
            active, last = False, []
            continue
        last = [*last, bool(scores[at] >= limit)][-rule.n :]
        if active:
            quiet = 0 if scores[at] >= rule.quiet_below(limit) else quiet + 1
            if quiet >= rule.n:
                active, until = False, times[at] + pause
        elif last[-1] and sum(last) >= rule.k and times[at] >= until:
            found[at] = active = True
            quiet = 0
    return found


def detection_delays(
    labels: Integers, alarms: Booleans, incidents: Integers, times: Times
) -> Floats:
    """Seconds from each incident's first step labelled 1, in any series, to its first alarmed one:
    (incidents,) by their number, inf where it is not detected. Arguments as of `event_metrics`."""
    part = (labels == 1) & (incidents >= 0)
    numbers, of = np.unique(incidents[part], return_inverse=True)
    start = np.full(len(numbers), np.iinfo(np.int64).max)
    np.minimum.at(start, of, times[part])
    return first_delays(start, of[alarms[part]], times[part & alarms])


def first_delays(starts: Times, detected: Integers, times: Times) -> Floats:
    """Seconds (incident,) from each incident's start (incident,) to its first alarm, inf without
    one; `detected` (alarm,) is the position of each alarm's incident, `times` its microseconds."""
    never = np.iinfo(np.int64).max
    first = np.full(len(starts), never)
    np.minimum.at(first, detected, times)
    return np.where(first < never, (first - starts) / 1e6, np.inf)


def step_seconds(series: Integers, times: Times) -> float:
    """Seconds a step lasts: the median time between neighbouring steps of a series, NaN without
    any. Steps (n,) ordered by (series, time), in microseconds."""
    gaps = np.diff(times)[series[1:] == series[:-1]]
    return float(np.median(gaps)) / 1e6 if len(gaps) else nan


def device_days(scored_steps: int, step_seconds: float) -> float:
    """Days of 86,400 s that so many scored steps last, those of all devices together."""
    return scored_steps * step_seconds / SECONDS_A_DAY


def fleet_days(times: Times, step_seconds: float) -> float:
    """Days from the first of some scored steps, of any device, to the end of the last; `times` (n,)
    in microseconds."""
    return (float(np.ptp(times)) / 1e6 + step_seconds) / SECONDS_A_DAY if len(times) else 0.0


def lowest_thresholds(level: Floats, series: Integers, alarms_allowed: Floats) -> list[float]:
    """The lowest threshold from which on, upwards, none raises more than each number of alarms.

    An alarm is a run of steps of one series at or above the threshold. Alarms merge where a
    threshold falls, so that the plain lowest would be that at which everything is one long alarm.

    Args:
        level: (n,) scores of steps ordered by (series, time), -inf where no alarm may be.
        series: (n,) number of the series.
        alarms_allowed: (m,).
    Returns: (m,) just above all of `level` where even one alarm is too many, -inf where everything
    may be alarmed.
    """
    values = np.unique(level[level > -np.inf])
    before = np.append(-np.inf, level[:-1])
    before[1:][series[1:] != series[:-1]] = -np.inf
    rises = level > before  # a step begins an alarm at thresholds above the step before, to its own
    own, last = (np.searchsorted(np.sort(one[rises]), values) for one in (level, before))
    worst = np.maximum.accumulate((last - own)[::-1])  # from the highest threshold down
    above_all = float(np.nextafter(values[-1], np.inf)) if len(values) else -np.inf
    limits = [above_all, *values[::-1].tolist()]
    allowed = np.searchsorted(worst, alarms_allowed, side="right")
    return [-np.inf if n == len(values) else limits[n] for n in allowed]
