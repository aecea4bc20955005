"""Leakage probes: what a small classifier may see of a window, and how well it then does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalynet.data.prepared import Float32, Float64, Int64, Prepared
from anomalynet.data.statistics import names, statistics
from anomalynet.data.windows import Windows
from anomalynet.metrics.kernels import ranking_metrics

BLIND = 0.8  # largest harmless AUROC of a probe that sees no sensor

ALONE = 0.95  # largest harmless AUROC of a single channel

RULE = (
    f"a probe that sees no sensor gives the label away above AUROC {BLIND}, a single channel "
    f"above {ALONE}"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one probe sees: `nothing` of the sensors, one `channel`, or `everything`: some
    columns of the table that `features` makes."""

    name: str
    sees: str
    columns: slice


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How well one probe did on the test steps of all folds: AUROC (None where one class is
    absent), share of right decisions at 0.5, and a verdict, empty where nothing is wrong."""

    probe: str
    sees: str
    auroc: float | None
    accuracy: float
    verdict: str


def probes(prepared: Prepared) -> list[Probe]:
    """Every probe of a data set, those that see no sensor first."""
    width, sensors = len(names), _sensors(prepared)
    sees = [
        ("row position", "nothing", 1),
        ("fraction of the recording", "nothing", 1),
        ("timestamp", "nothing", 1),
        ("time step", "nothing", width),
        ("missingness", "nothing", width),
        *((channel.name, "channel", width) for channel in prepared.channels[:sensors]),
    ]
    edges = np.cumsum([0, *(count for _, _, count in sees)]).tolist()
    found = [
        Probe(name, what, slice(first, after))
        for (name, what, _), first, after in zip(sees, edges[:-1], edges[1:], strict=True)
    ]
    return [*found, Probe("all channels", "everything", slice(3 + 2 * width, edges[-1]))]


def _sensors(prepared: Prepared) -> int:
    return len(prepared.channels) - (prepared.mask is not None)


def features(windows: Windows, ids: Int64) -> Float64:
    """What all probes see of some windows: float64 (window, column).

    The position is that of the window's last step; time steps, missing values and sensors are
    summarised by `statistics`."""
    size = max(1, len(ids) // 20_000 + 1)
    return np.concatenate([_features(windows, part) for part in np.array_split(ids, size)])


def _features(windows: Windows, ids: Int64) -> Float64:
    prepared, ends = windows.prepared, windows.ends(ids)
    owner = prepared.series_of(ends)
    position = ends - prepared.series_starts[owner]
    length = prepared.series_starts[owner + 1] - prepared.series_starts[owner]
    seconds = prepared.times[ends] / 1e6
    rows = windows.starts(ids)[:, None] + np.arange(windows.window)
    steps = np.diff(prepared.times[rows], axis=1).astype(np.float64)[..., None] / 1e6
    if windows.window == 1:
        steps = np.zeros((len(ids), 1, 1))
    values = windows.gather(ids)
    sensors = _sensors(prepared)
    mask: Float32 = values[:, :, sensors:]
    if prepared.mask is None:
        mask = (~prepared.observed[rows]).astype(np.float32)[..., None]
    places = np.stack([position, position / length, seconds], axis=1)
    seen = (steps.astype(np.float32), mask, values[:, :, :sensors])
    return np.concatenate([places, *map(statistics, seen)], axis=1)


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
    """Metrics and verdict of a probe by `RULE`."""
    area = ranking_metrics(target, scores)["auroc"]
    auroc = None if np.isnan(area) else area
    limit = {"nothing": BLIND, "channel": ALONE, "everything": np.inf}[probe.sees]
    verdict = "gives the label away" if auroc is not None and auroc > limit else ""
    accuracy = float(((scores >= 0.5) == target).mean())
    return ProbeResult(probe.name, probe.sees, auroc, accuracy, verdict)
