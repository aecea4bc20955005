"""The steps of a part with their scores as a table and as arrays; their threshold and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.config.schema import EvaluationConfig
from anomalynet.data.prepared import Float64, Int64, Prepared
from anomalynet.data.windows import CHUNK_BYTES, Windows, is_other, labels_of
from anomalynet.metrics.classification import point_metrics
from anomalynet.metrics.events import device_days, event_metrics, step_seconds
from anomalynet.metrics.suite import AGAINST_ALL, ALL, METRICS
from anomalynet.metrics.threshold import MOST_ALARMED, choose_threshold, off_ties
from anomalynet.runs.schema import SCORES_COLUMNS

STEP_COLUMNS = (
    *("series", "time", "split", "label", "incident", "kind", "score", "event_label"),
    *("other", "visibility", "silent"),
)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one part, ordered by series and time, each array (step,)."""

    labels: NDArray[np.int8]  # 1 positive class, 0 the rest, -1 unlabelled
    event_labels: NDArray[np.int8]  # by which alarms are judged, see `event_labels`
    incidents: NDArray[np.int32]  # number of the event, whatever its label, -1 none
    series: NDArray[np.integer]  # number of the series
    times: NDArray[np.int64]  # microseconds
    scores: NDArray[np.float64]  # NaN where a step was missed
    others: NDArray[np.bool_]  # whether an incident of another cause covers it, without a label

    @classmethod
    def of(cls, table: pl.DataFrame) -> Steps:
        """From a table as `scored_steps` makes it; without event_label the labels stand for it."""
        labels = table["label"].fill_null(-1)
        judged = table["event_label"] if "event_label" in table.columns else labels
        unknown = pl.repeat(False, len(table), eager=True)
        others = table["other"] if "other" in table.columns else unknown
        return cls(
            labels=labels.to_numpy(),
            event_labels=judged.to_numpy(),
            incidents=table["incident"].fill_null(-1).to_numpy(),
            series=table["series"].rle_id().to_numpy(),
            times=table["time"].cast(pl.Int64).to_numpy(),
            scores=table["score"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            others=others.to_numpy(),
        )

    @property
    def step_seconds(self) -> float:
        """Seconds a step stands for: the median time between neighbouring steps of a series."""
        return step_seconds(self.series, self.times)

    @property
    def days(self) -> float:
        """Days that all devices together were scored."""
        return device_days(int((~np.isnan(self.scores)).sum()), self.step_seconds)


def threshold(
    config: EvaluationConfig, validation: pl.DataFrame, devices: int, *, reads_labels: bool = True
) -> float:
    """The decision threshold, from the steps of the validation part alone; `devices`: of the whole
    data set, which share an alarm budget. Without `reads_labels` all steps are taken as normal.
    Without any label read, a budget shall hold on other days, and the highest score is an alarm
    unless too many steps share it: scores of networks end at 1. Raises DataError: no step has what
    the rule needs."""
    steps = Steps.of(validation)
    labels = steps.labels
    if not reads_labels:
        labels = np.zeros_like(labels)
    elif config.threshold == "alarm_budget":  # incidents of another cause are not its alarms
        labels = np.where(steps.others, 1, steps.event_labels)
    blind = config.threshold == "alarm_budget" and not (reads_labels and (steps.labels >= 0).any())
    most, allowed = np.inf, config.alarms_of_all(devices) / devices * steps.days
    if blind and allowed > 0:
        # the largest n with n + 1 + √(n + 1) allowed: one more for what was not seen, one deviation
        fewer = max(0.0, ((allowed + 0.25) ** 0.5 - 0.5) ** 2 - 1)
        config = replace(config, alarms_per_day=fewer * devices / steps.days)
        scores = steps.scores[~np.isnan(steps.scores)]
        top = off_ties(float(scores.max()), scores)
        most = top if (scores >= top).mean() <= MOST_ALARMED else np.inf
    about = (steps.scores, steps.series, steps.step_seconds, devices)
    return min(most, choose_threshold(config, labels, *about))


def fleet_warning(
    config: EvaluationConfig, parts: Sequence[pl.DataFrame], limit: float, devices: int
) -> list[str]:
    """The alarms that a budget allows, and those of the validation and the test part, if these have
    no labels. `limit`: the threshold; `devices` as in `threshold`."""
    if config.threshold != "alarm_budget" or parts[0]["label"].count():
        return []
    budget, days = config.alarms_of_all(devices) / devices, Steps.of(parts[0]).days
    daily = [  # as if all were normal
        _of_events(one, np.zeros_like(one.labels), limit)["false_alarms_per_device_day"]
        for one in map(Steps.of, parts)
    ]
    short = (
        f"the alarm budget allows only {budget * days:.2g} alarms in validation, {days:.2g} days "
    )
    short += "of all devices together; 5 would make a steadier threshold, of a recording "
    short += f"{max(5 / (budget * days or np.inf), 1.1):.2g} times as long"
    more = "more alarms than allowed: import a longer recording, or `detect --hits 3/5`"
    return [
        f"threshold without labels: {daily[0]:.3g} alarms per device and day on validation, "
        f"{daily[1]:.3g} on test, {budget:.3g} allowed",
        *[short] * (0 < budget * days < 5),  # of fewer, chance decides
        *[more] * (daily[1] > budget),
    ]


def _of_events(steps: Steps, labels: NDArray[np.int8], limit: float) -> dict[str, float]:
    return event_metrics(
        labels=labels,
        scores=steps.scores,
        threshold=limit,
        incidents=steps.incidents,
        series=steps.series,
        times=steps.times,
        step_seconds=steps.step_seconds,
    )


def metrics(table: pl.DataFrame, limit: float, *, probability: bool) -> dict[str, float | None]:
    """Point and event metrics of one part's steps, those that the suite declares; None if undefined
    (one class, no label)."""
    steps = Steps.of(table)
    values = point_metrics(steps.labels, steps.scores, limit, probability)
    if steps.others.any():
        every = np.where(steps.others, 0, steps.labels)
        found = point_metrics(every, steps.scores, limit, probability)
        values |= {f"{name}{ALL}": found[name] for name in AGAINST_ALL}
    found = _of_events(steps, steps.event_labels, limit)
    values |= found if (steps.event_labels >= 0).any() else dict.fromkeys(found, np.nan)
    known = {name: values[name] for name in values if name in METRICS}
    return {name: float(value) if np.isfinite(value) else None for name, value in known.items()}


def scored_steps(
    prepared: Prepared, rows: Int64, windows: Windows, scores: Float64, part: str
) -> pl.DataFrame:
    """Rows with the scores of the windows that end on them, null if none does; columns as in
    `TelemetryDataModule.steps`. `rows`: ascending int64 (step,), among them each window's steps;
    `scores`: float64 (window,)."""
    column = np.full(len(rows), np.nan)
    seen, silent = np.full(len(rows), np.nan, np.float32), np.zeros(len(rows), np.bool_)
    unheard = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(prepared.unheard(rows), out=unheard[1:])
    for ids in windows.chunks(CHUNK_BYTES // 8):
        at = np.searchsorted(rows, windows.ends(ids))
        column[at] = scores[ids]
        silent[at] = unheard[at + 1] - unheard[at + 1 - windows.window] == windows.window
        attack = windows.targets(ids) == 1
        steps = windows.starts(ids[attack])[:, None] + np.arange(windows.window)
        seen[at[attack]] = prepared.visible[steps].max(axis=1)
    return (
        step_table(prepared, rows, others=windows.others)
        .with_columns(
            pl.lit(part).alias("split"),
            pl.Series("score", column).fill_nan(None),
            pl.Series("visibility", seen).fill_nan(None),
            pl.Series("silent", silent),
        )
        .select(*STEP_COLUMNS)
    )


def step_table(prepared: Prepared, rows: Int64, *, others: bool = True) -> pl.DataFrame:
    """The columns series, time, label, incident, kind (null if unknown), event_label and other of
    rows. `others` as in `windows.labels_of`."""
    series = pl.Series("series", prepared.series, pl.Categorical).gather(prepared.series_of(rows))
    kinds = prepared.kinds[rows]
    kinds[kinds < 0] = len(prepared.kind_names)  # the None that is added below
    names = pl.Series("kind", [*prepared.kind_names, None], pl.Categorical).gather(kinds)
    table = pl.DataFrame(
        {
            "time": pl.Series(prepared.times[rows]).cast(pl.Datetime("us")),
            "label": pl.Series(labels_of(prepared, rows, others=others)),
            "incident": pl.Series(np.asarray(prepared.incidents[rows])),
            "other": pl.Series(is_other(prepared, rows) & (not others)),
        }
    ).with_columns(pl.col("label", "incident").replace(-1, None))
    judged = pl.Series("event_label", event_labels(prepared, rows, others=others))
    return table.insert_column(0, series).with_columns(names, judged)


def event_labels(prepared: Prepared, rows: Int64, *, others: bool) -> NDArray[np.int8]:
    """Labels (row,) by which alarms are judged. A silent step of imported data has no label of its
    own: it is of its incident, or else normal if the readings on both sides of it are labelled."""
    labels = labels_of(prepared, rows, others=True)
    silent = np.flatnonzero((labels < 0) & ~prepared.observed[rows])
    if len(silent):
        before, after = rows[silent], rows[silent]
        for side, step in ((before, -1), (after, 1)):  # a silence is at most data.max_gap long
            while len(left := np.flatnonzero(~prepared.observed[side])):
                side[left] += step
        beside = np.minimum(prepared.labels[before], prepared.labels[after])
        incident = prepared.incidents[rows[silent]] >= 0
        labels[silent] = np.where(incident, 1, np.minimum(beside, 0))
    if not others:
        labels[is_other(prepared, rows)] = -1
    return labels


def scores_table(
    parts: Mapping[Literal["validation", "test"], pl.DataFrame], limit: float
) -> pl.LazyFrame:
    """The rows of scores.parquet (`runs/schema.py`), of the tables of some parts."""
    alarm = (pl.col("score") >= limit).alias("alarm")
    tables = [_in_order(table).lazy() for _, table in sorted(parts.items())]
    found = pl.concat(tables).with_columns(pl.lit(limit).alias("threshold"), alarm)
    return found.cast({pl.Categorical: pl.String}).select(SCORES_COLUMNS)


def _in_order(table: pl.DataFrame) -> pl.DataFrame:
    """Steps by name of the series: within one, times ascend already."""
    runs = table["series"].rle().struct["value"].cast(pl.String)
    return table if runs.is_sorted() else table.sort("series", "time", maintain_order=True)
