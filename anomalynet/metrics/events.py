"""Metrics of incidents and alarms: what an operator sees. NumPy only."""

from __future__ import annotations

from math import nan

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
SECONDS_A_DAY = 86400.0


def event_metrics(
    *,
    labels: Integers,
    scores: npt.NDArray[np.floating],
    threshold: float,
    incidents: Integers,
    series: Integers,
    times: npt.NDArray[np.int64],
    step_seconds: float,
) -> dict[str, float]:
    """Event recall, detection delay and false alarms per day of steps ordered by (series, time),
    NaN where undefined.

    Only incidents with a step labelled 1 are to be detected, and only by such steps; alarms during
    any other incident are false.

    - event_recall: share of those incidents with at least one alarmed step; an incident of which no
      step was scored is missed.
    - detection_delay: seconds from an incident's first step among these to its first alarmed one,
      median over the detected.
    - false_alarms_per_day: alarms outside the steps labelled 1, by the scored time. As in the alarm
      budget, an alarm is a run of neighbouring steps at or above the threshold; a step labelled 1,
      the end of a series or a step without a score ends it.

    Args:
        labels: (n,) 1 positive class (attack, unless `data.label` says otherwise), 0 the rest, -1
        unlabelled. scores: (n,) NaN where a step was missed. threshold: a step is alarmed where its
        score is at or above it. incidents: (n,) number of the event, whatever its label, -1 none.
        Series that share a number saw the same event. series: (n,) number of the series. times:
        (n,) microseconds. step_seconds: seconds a step stands for.
    Source: not in the paper.
    """
    alarmed = scores >= threshold  # NaN is never
    delays = detection_delays(labels, alarmed, incidents, times)
    known = delays[np.isfinite(delays)]
    days = int((~np.isnan(scores)).sum()) * step_seconds / SECONDS_A_DAY
    return {
        "event_recall": float(np.isfinite(delays).mean()) if len(delays) else nan,
        "detection_delay": float(np.median(known)) if len(known) else nan,
        "false_alarms_per_day": _false_alarms(alarmed, labels, series) / days if days > 0 else nan,
    }


def detection_delays(
    labels: Integers, alarms: Booleans, incidents: Integers, times: npt.NDArray[np.int64]
) -> Floats:
    """Seconds from each incident's first step labelled 1, in any series, to its first alarmed one:
    (incidents,) by their number, inf where it is not detected. Arguments as of `event_metrics`."""
    part = (labels == 1) & (incidents >= 0)
    numbers, of = np.unique(incidents[part], return_inverse=True)
    never = np.iinfo(np.int64).max
    start, alarm = np.full(len(numbers), never), np.full(len(numbers), never)
    np.minimum.at(start, of, times[part])
    np.minimum.at(alarm, of[alarms[part]], times[part & alarms])
    return np.where(alarm < never, (alarm - start) / 1e6, np.inf)


def alarms_at(values: Floats, level: Floats, series: Integers) -> npt.NDArray[np.int64]:
    """How many alarms, runs of steps of one series, each threshold raises: a step begins one at
    every threshold above the step before it and up to its own."""
    before = np.append(-np.inf, level[:-1])
    before[1:][series[1:] != series[:-1]] = -np.inf
    rises = level > before
    own, last = (np.searchsorted(np.sort(one[rises]), values) for one in (level, before))
    return last - own


def _false_alarms(alarmed: Booleans, labels: Integers, series: Integers) -> int:
    false = alarmed & (labels != 1)
    goes_on = false[1:] & false[:-1] & (series[1:] == series[:-1])
    return int(false.sum() - goes_on.sum())
