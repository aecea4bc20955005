"""Metrics of incidents and alarms: what an operator sees. NumPy only."""

from __future__ import annotations

from math import nan

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
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
    Source: not in the paper."""
    alarmed = scores >= threshold  # NaN is never
    recall, delay = _incidents(np.where(labels == 1, incidents, -1), times, alarmed)
    days = int((~np.isnan(scores)).sum()) * step_seconds / SECONDS_A_DAY
    return {
        "event_recall": recall,
        "detection_delay": delay,
        "false_alarms_per_day": _false_alarms(alarmed, labels, series) / days if days > 0 else nan,
    }


def _incidents(
    incidents: Integers, times: npt.NDArray[np.int64], alarmed: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    part = incidents >= 0
    numbers, of = np.unique(incidents[part], return_inverse=True)
    if len(numbers) == 0:
        return nan, nan
    never = np.iinfo(np.int64).max
    start, alarm = np.full(len(numbers), never), np.full(len(numbers), never)
    np.minimum.at(start, of, times[part])
    np.minimum.at(alarm, of[alarmed[part]], times[part & alarmed])
    detected = alarm < never
    delays = (alarm[detected] - start[detected]) / 1e6
    return float(detected.mean()), float(np.median(delays)) if len(delays) else nan


def _false_alarms(alarmed: npt.NDArray[np.bool_], labels: Integers, series: Integers) -> int:
    false = alarmed & (labels != 1)
    goes_on = false[1:] & false[:-1] & (series[1:] == series[:-1])
    return int(false.sum() - goes_on.sum())
