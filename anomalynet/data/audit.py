"""The leakage audit: how well labels can be guessed without the sensors, on the same windows and
split as the models, by probes: small classifiers that see only part of a window."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import Float64, Int64, Prepared
from anomalynet.data.split.parts import Split, UnusableSplitError, split, workable
from anomalynet.data.statistics import names, statistics
from anomalynet.data.windows import Windows
from anomalynet.errors import DataError
from anomalynet.metrics.kernels import ranking_metrics
from anomalynet.runs.audits import AuditResult, Day, ProbeResult
from anomalynet.runs.code import code_hash

TRAINED, SCORED = 10_000, 40_000  # most windows per fold, evenly spaced, to fit and to test a probe
INTERLEAVE = 20  # blocks per fold if a chronological split is refused
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


def audit(
    config: DataConfig, seed: int = 0, progress: Callable[[str], None] = lambda line: None
) -> AuditResult:
    """Fit every probe on every fold and pool the test steps of all folds, without those in
    incidents of another cause than the positive class, which the models' metrics leave out, too.

    If a chronological split is refused for its classes, blocks are interleaved instead, and the
    result says so.

    Args:
        config: data and split; `split.fold` does not matter.
        seed: of the probes.
        progress: called with a line of text before each fit.
    Raises DataError: the data cannot be read or split, or has no labels.
    """
    prepared = prepare(config)
    asked = identity(config, seed, prepared.fingerprint)
    if len(np.unique(prepared.labels[prepared.labels >= 0])) < 2:
        what = f"{config.name} has no labels of both classes: there is nothing that could leak"
        raise DataError(what)
    refused = None
    try:
        folds = _folds(prepared, config)
    except UnusableSplitError as error:
        blocks = config.split
        if error.chronological:
            refused = error.message
            blocks = replace(blocks, policy="blocked", interleave=INTERLEAVE)
        # A part may have only one class here, because the folds are pooled.
        config = replace(config, one_class="allow", split=blocks)
        config = replace(config, split=workable(prepared, config) or blocks)
        folds = _folds(prepared, config)
    every = probes(prepared)
    scores: list[list[Float64]] = [[] for _ in every]
    targets: list[Int64] = []
    shape = (config.window, config.stride, config.label_step)
    for number, found in enumerate(folds):
        train = Windows(prepared, found.parts["train"], *shape).select((0, 1))
        test = Windows(prepared, found.parts["test"], config.window, others=False).select((0, 1))
        if len(train) == 0 or len(test) == 0:
            continue
        chosen, scored = _spaced(len(train), TRAINED), _spaced(len(test), SCORED)
        seen, unseen = features(train, chosen), features(test, scored)
        target = train.targets(chosen).astype(np.int64)
        targets.append(test.targets(scored).astype(np.int64))
        for probe, own in zip(every, scores, strict=True):
            progress(f"fold {number + 1}/{len(folds)}: {probe.name}")
            columns = probe.columns
            own.append(fit_and_score(seen[:, columns], target, unseen[:, columns], seed))
    if not targets:
        what = f"no fold of {config.name} has labelled windows to train and to test on"
        raise DataError(what, "shorten data.window, or lower data.calibration_rows")
    truth = np.concatenate(targets)
    prevalence = float(truth.mean())
    return AuditResult(
        data=config.title,
        fingerprint=prepared.fingerprint,
        identity=asked,
        split=folds[0].label,
        folds=len(folds),
        assignment=config.split.assignment,
        window=config.window,
        calibration_rows=config.first_rows,
        refused=refused,
        days=_days(prepared) if refused else (),
        steps=len(truth),
        prevalence=prevalence,
        majority=max(prevalence, 1 - prevalence),
        rule=f"{RULE_TEXT}; at most {TRAINED:,} and {SCORED:,} windows of a fold, evenly spaced, "
        "train and test a probe",
        probes=tuple(
            judge(probe, truth, np.concatenate(found))
            for probe, found in zip(every, scores, strict=True)
        ),
        warnings=tuple(dict.fromkeys(warning for found in folds for warning in found.warnings)),
    )


def identity(config: DataConfig, seed: int, fingerprint: str) -> str:
    """Ten hex digits of everything that an audit depends on, including the code."""
    asked = {**asdict(config), "root": None, "split": {**asdict(config.split), "fold": None}}
    parts = [asked, seed, fingerprint, code_hash(("data",))]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]


def _folds(prepared: Prepared, config: DataConfig) -> list[Split]:
    """Every fold; a policy without folds has one."""

    def fold(number: int) -> Split:
        return split(prepared, replace(config, split=replace(config.split, fold=number)))

    first = fold(0)
    return [first, *map(fold, range(1, first.folds))]


def _spaced(count: int, most: int) -> Int64:
    return np.arange(0, count, max(1, -(-count // most)), dtype=np.int64)


def _days(prepared: Prepared) -> tuple[Day, ...]:
    labels = np.asarray(prepared.labels)
    labelled = (labels >= 0) & prepared.observed
    day = pl.Series(prepared.times[labelled]).cast(pl.Datetime("us")).dt.date()
    table = pl.DataFrame({"day": day, "attack": labels[labelled] == 1})
    days = table.group_by("day").agg(pl.col("attack").sum(), pl.len()).sort("day")
    return tuple(Day(str(day), count - attack, attack) for day, attack, count in days.iter_rows())
