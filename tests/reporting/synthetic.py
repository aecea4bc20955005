"""Finished runs made by hand, as the trainer writes them; scores from two normal distributions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import ReportContext
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.schema import PartSummary, Result


def rows(table: bytes | Path) -> list[dict[str, str]]:
    """The lines of a CSV file."""
    content = table.read_bytes() if isinstance(table, Path) else table
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def measured(*records: RunRecord) -> tuple[ArmMetrics, ...]:
    return aggregate(arms(records))


def context(*records: RunRecord) -> ReportContext:
    return ReportContext.of(measured(*records))


OF_INCIDENTS = {"event_recall": 0.75, "detection_delay": 4.0, "false_alarms_per_device_day": 12.0}

COUNTS = {"windows": 60, "steps": 64, "labelled": 62, "attack": 20, "missed": 2, "missed_attack": 1}
PART = PartSummary(series=("a",), **COUNTS)


def write_scores(
    path: Path,
    labels: Sequence[int | None],
    scores: Sequence[float | None],
    threshold: float,
    split: str = "test",
    series: Sequence[str] | None = None,
    incidents: Sequence[int | None] | None = None,
) -> None:
    """Write `scores.parquet`; one series without incidents unless each step names its own."""
    n = len(labels)
    pl.DataFrame(
        {
            "series": series or ["a"] * n,
            "time": pl.Series(range(n), dtype=pl.Int64).cast(pl.Datetime("us")),
            "split": [split] * n,
            "label": pl.Series(labels, dtype=pl.Int8),
            "incident": pl.Series(incidents or [None] * n, dtype=pl.Int32),
            "kind": pl.Series([None] * n, dtype=pl.String),
            "score": pl.Series(scores, dtype=pl.Float64),
            "threshold": [threshold] * n,
        }
    ).write_parquet(path)


def record(
    runs: Path,
    experiment: str = "cnn",
    *,
    seed: int = 0,
    fold: int = 0,
    folds: int = 2,
    labels: Sequence[int | None] | None = None,
    scores: Sequence[float | None] | None = None,
    threshold: float = 0.5,
    skill: float = 2.0,
    split: str = "group",
    world: int | None = None,
    code: str = "c0de" * 16,
    epochs: int | None = 7,
    metrics: dict[str, float | None] | None = None,
    config: dict[str, Any] | None = None,
    series: Sequence[str] | None = None,
    incidents: Sequence[int | None] | None = None,
    timings: dict[str, float] | None = None,
    **known: Any,
) -> RunRecord:
    """A finished run in `runs/<experiment>/<id>/`; `known` are other fields of its result.

    Without `scores` they are drawn, `skill` deviations apart."""
    run_id = f"{experiment[:4]}{seed:02d}{fold:02d}" + ("" if world is None else f"{world:02d}")
    folder = runs / experiment / run_id
    folder.mkdir(parents=True)
    if labels is None or scores is None:
        drawn = _draw(seed * 100 + fold, skill)
        labels, scores = drawn[0].tolist(), drawn[1].tolist()
    path = folder / "scores.parquet"
    write_scores(path, labels, scores, threshold, series=series, incidents=incidents)
    usual: dict[str, Any] = {"data": "toy", "fingerprint": "f" * 64, "probability": True}
    usual["threshold_rule"] = "f1"
    result = Result(
        id=run_id,
        experiment=experiment,
        model=experiment,
        channels=("pressure", "mask"),
        seed=seed,
        split=split,
        folds=folds,
        fold=fold,
        assignment=seed,
        world=world,
        parts={"train": PART, "validation": PART, "test": PART},
        epochs=epochs,
        best_epoch=None if epochs is None else epochs,
        parameters=1000,
        threshold=threshold,
        metrics=metrics or {f"test/{name}": value for name, value in OF_INCIDENTS.items()},
        **{**usual, **known},
    )
    own: dict[str, Any] = {
        "data": {"window": 32},
        "training": {"epochs": 10, "learning_rate": 0.001},
        "model": {"name": experiment, "dropout": 0.2},
        **(config or {}),
        "seed": seed,
    }
    place = {"policy": split, "fold": fold, "assignment": seed}
    own["data"] = {**own["data"], "world": world or 0, "split": place}
    timings = timings or {"train_seconds": 10.0 + fold, "microseconds_per_window": 50.0}
    return RunRecord(result, folder, timings, code, own)


def _draw(seed: int, skill: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    labels = (np.arange(60) % 3 == 0).astype(np.int64)
    return labels, 1 / (1 + np.exp(-(random.normal(size=60) + skill * (labels - 0.5))))


def suite(
    runs: Path, experiments: Iterable[str], seeds: int = 3, folds: int = 2
) -> list[RunRecord]:
    """Every (seed, fold) of some experiments; the later ones rank better."""
    made = []
    for place, name in enumerate(experiments):
        known: dict[str, Any] = {"folds": folds, "skill": 1.0 + 0.5 * place}
        known["probability"] = name not in ("isolation_forest", "autoencoder")
        if name in ("random_forest", "logistic", "isolation_forest"):
            known["epochs"] = None
        places = [(seed, fold) for seed in range(seeds) for fold in range(folds)]
        made += [record(runs, name, seed=seed, fold=fold, **known) for seed, fold in places]
    return made
