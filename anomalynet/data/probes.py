"""Leakage probes: small classifiers that see only part of a window, to find labels that can be
guessed without the sensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalynet.data.prepared import Float64, Int64, Prepared
from anomalynet.data.statistics import names, statistics
from anomalynet.data.windows import Windows
from anomalynet.metrics.kernels import ranking_metrics
from anomalynet.runs.audits import ProbeResult

MAX_AUROC_WITHOUT_SENSORS, MAX_AUROC_ONE_CHANNEL = 0.8, 0.95  # above these a probe shows a leak
RULE_TEXT = "a probe that sees no sensor gives the label away above AUROC "
RULE_TEXT += f"{MAX_AUROC_WITHOUT_SENSORS}, a single channel above {MAX_AUROC_ONE_CHANNEL}"


@dataclass(frozen=True, slots=True)
class Probe:
    """The part of a window that one probe sees."""

    name: str
    sees: str  # of the sensors: `nothing`, one `channel`, or `everything`
    columns: slice  # of the table that `features` makes


def probes(prepared: Prepared) -> list[Probe]:
    """Every probe of a data set, those that see no sensor first, in the column order of
    `features`."""
    width, channels = len(names), prepared.channels[: _sensors(prepared)]
    sees = [
        ("row position", "nothing", 1),
        ("fraction of the recording", "nothing", 1),
        ("timestamp", "nothing", 1),
        ("time step", "nothing", width),
        ("missingness", "nothing", width),
        *((channel.name, "channel", width) for channel in channels),
    ]
    edges = np.cumsum([0, *(count for _, _, count in sees)]).tolist()
    found = [
        Probe(name, what, slice(first, after))
        for (name, what, _), first, after in zip(sees, edges[:-1], edges[1:], strict=True)
    ]
    of_channels = slice(edges[-1] - width * len(channels), edges[-1])
    return [*found, Probe("all channels", "everything", of_channels)]


def _sensors(prepared: Prepared) -> int:
    return len(prepared.channels) - (prepared.mask is not None)


def features(windows: Windows, ids: Int64) -> Float64:
    """The columns of all probes, in the order of `probes`: float64 (window, column).

    The position is that of the window's last step; time steps, missing values and sensors are
    summarised by `statistics`."""
    chunks = np.array_split(ids, len(ids) // 20_000 + 1)
    return np.concatenate([_features(windows, chunk) for chunk in chunks])


def _features(windows: Windows, ids: Int64) -> Float64:
    prepared, ends = windows.prepared, windows.ends(ids)
    series = prepared.series_of(ends)
    position = ends - prepared.series_starts[series]
    length = prepared.series_starts[series + 1] - prepared.series_starts[series]
    seconds = prepared.times[ends] / 1e6
    rows = windows.starts(ids)[:, None] + np.arange(windows.window)
    steps = np.diff(prepared.times[rows], axis=1).astype(np.float64)[..., None] / 1e6
    if windows.window == 1:
        steps = np.zeros((len(ids), 1, 1))
    sensors, mask = np.split(windows.gather(ids), [_sensors(prepared)], axis=2)
    if prepared.mask is None:
        mask = (~prepared.observed[rows]).astype(np.float32)[..., None]
    position_features = np.stack([position, position / length, seconds], axis=1)
    series_features = (steps.astype(np.float32), mask, sensors)
    return np.concatenate([position_features, *map(statistics, series_features)], axis=1)


def fit_and_score(train: Float64, target: Int64, test: Float64, seed: int) -> Float64:
    """Attack probabilities of a small gradient boosting of trees: float64 (window,)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(np.unique(target)) < 2:
        return np.full(len(test), float(target[0]))
    model = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=seed
    )
    with threadpool_limits(1):  # threads that wait for each other: 20 times as long on busy cores
        scores: Float64 = model.fit(train, target).predict_proba(test)[:, 1]
    return scores


def judge(probe: Probe, target: Int64, scores: Float64) -> ProbeResult:
    """Metrics and verdict of a probe by `RULE_TEXT`."""
    area = ranking_metrics(target, scores)["auroc"]
    auroc = None if np.isnan(area) else area
    limits = {"nothing": MAX_AUROC_WITHOUT_SENSORS, "channel": MAX_AUROC_ONE_CHANNEL}
    leaks = auroc is not None and auroc > limits.get(probe.sees, np.inf)
    verdict = "gives the label away" if leaks else ""
    accuracy = float(((scores >= 0.5) == target).mean())
    return ProbeResult(probe.name, probe.sees, auroc, accuracy, verdict)
