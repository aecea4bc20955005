"""The leakage audit: how well labels can be guessed without the sensors, on the same windows and
split as the models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import Float64, Int64, Prepared
from anomalynet.data.probes import RULE_TEXT, features, fit_and_score, judge, probes
from anomalynet.data.split.parts import Split, UnusableSplitError, split, workable
from anomalynet.data.windows import Windows
from anomalynet.errors import DataError
from anomalynet.runs.audits import AuditResult, Day
from anomalynet.runs.code import code_hash

TRAINED, SCORED = 10_000, 40_000  # most windows per fold, evenly spaced, to fit and to test a probe
INTERLEAVE = 20  # blocks per fold if a chronological split is refused


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
        calibration_rows=config.calibration_rows,
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
