"""Metrics of incidents and alarms: what an operator sees. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

SECONDS_A_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Steps:
    """One part of the data, step by step, ordered by series and time.

    Attributes:
        series: (n,) number of the series; the steps of one stand together.
        time: (n,) int64 microseconds.
        labels: (n,) 1 attack, 0 normal, -1 unlabelled.
        incidents: (n,) number of the labelled event, -1 none. Series that share a number saw the same event.
        scores: (n,) NaN where a step was missed.
    """

    series: npt.NDArray[np.integer]
    time: npt.NDArray[np.int64]
    labels: npt.NDArray[np.integer]
    incidents: npt.NDArray[np.integer]
    scores: npt.NDArray[np.floating]


def event_metrics(steps: Steps, threshold: float, period: float) -> dict[str, float]:
    """Event recall, detection delay and false alarms per day, NaN where undefined.

    - event_recall: share of incidents with at least one alarmed step; an incident of which no step was scored is missed.
    - detection_delay: seconds from an incident's first step here to its first alarmed one, median over the detected.
    - false_alarms_per_day: alarms that touch no step labelled as attack, by the scored time. An alarm is a run of
      neighbouring steps at or above the threshold; the end of a series or a step without a score ends it.

    Args:
        steps: the part.
        threshold: a step is alarmed where its score is at or above it.
        period: seconds a step stands for (`step_seconds`).

    Source: not in the paper.
    """
    alarmed = steps.scores >= threshold  # NaN is never
    recall, delay = _incidents(steps, alarmed)
    days = int((~np.isnan(steps.scores)).sum()) * period / SECONDS_A_DAY
    return {
        "event_recall": recall,
        "detection_delay": delay,
        "false_alarms_per_day": _false_alarms(steps, alarmed) / days if days > 0 else nan,
    }


def step_seconds(series: npt.NDArray[np.integer], time: npt.NDArray[np.int64]) -> float:
    """Seconds a step stands for: the median time between neighbouring steps of a series; NaN where no series has two.

    Args:
        series: (n,) number of the series.
        time: (n,) int64 microseconds.
    """
    gaps = np.diff(time)[series[1:] == series[:-1]]
    return float(np.median(gaps)) / 1e6 if len(gaps) else nan


def _incidents(steps: Steps, alarmed: npt.NDArray[np.bool_]) -> tuple[float, float]:
    part = steps.incidents >= 0
    numbers, of = np.unique(steps.incidents[part], return_inverse=True)
    if len(numbers) == 0:
        return nan, nan
    never = np.iinfo(np.int64).max
    start = np.full(len(numbers), never)
    np.minimum.at(start, of, steps.time[part])
    alarm = np.full(len(numbers), never)
    np.minimum.at(alarm, of[alarmed[part]], steps.time[part][alarmed[part]])
    detected = alarm < never
    delays = (alarm[detected] - start[detected]) / 1e6
    return float(detected.mean()), float(np.median(delays)) if len(delays) else nan


def _false_alarms(steps: Steps, alarmed: npt.NDArray[np.bool_]) -> int:
    if len(alarmed) == 0:
        return 0
    joined = alarmed[1:] & alarmed[:-1] & (steps.series[1:] == steps.series[:-1])
    starts = alarmed & np.concatenate([[True], ~joined])
    run = np.cumsum(starts) - 1
    touches_attack = np.bincount(run[alarmed & (steps.labels == 1)], minlength=int(starts.sum())) > 0
    return int((~touches_attack).sum())
