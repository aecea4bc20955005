"""Finished runs made by hand: scores drawn from two normal distributions, written as the trainer
writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.runs.collect import RunRecord
from anomalynet.runs.schema import PartSummary, Result

PART = PartSummary(
    series=("a",), windows=60, steps=64, labelled=62, attack=20, missed=2, missed_attack=1
)


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
    data: str = "toy",
    split: str = "group",
    world: int | None = None,
    fingerprint: str = "f" * 64,
    code: str = "c0de" * 16,
    epochs: int | None = 7,
    probability: bool = True,
    warnings: tuple[str, ...] = (),
    metrics: dict[str, float | None] | None = None,
    config: dict[str, Any] | None = None,
    series: Sequence[str] | None = None,
    incidents: Sequence[int | None] | None = None,
    timings: dict[str, float] | None = None,
) -> RunRecord:
    """A finished run in `runs/<experiment>/<id>/`; without `scores` they are drawn, `skill`
    deviations apart."""
    run_id = f"{experiment[:4]}{seed:02d}{fold:02d}" + ("" if world is None else f"{world:02d}")
    folder = runs / experiment / run_id
    folder.mkdir(parents=True)
    if labels is None or scores is None:
        drawn = _draw(seed * 100 + fold, skill)
        labels, scores = drawn[0].tolist(), drawn[1].tolist()
    write_scores(
        folder / "scores.parquet", labels, scores, threshold, series=series, incidents=incidents
    )
    result = Result(
        id=run_id,
        experiment=experiment,
        model=experiment,
        data=data,
        fingerprint=fingerprint,
        channels=("pressure", "mask"),
        seed=seed,
        split=split,
        folds=folds,
        fold=fold,
        assignment=seed,
        world=world,
        parts={"train": PART, "validation": PART, "test": PART},
        epochs=epochs,
        best_epoch=None if epochs is None else epochs - 1,
        parameters=1000,
        threshold=threshold,
        threshold_rule="f1",
        probability=probability,
        metrics=metrics
        or {
            "test/event_recall": 0.75,
            "test/detection_delay": 4.0,
            "test/false_alarms_per_day": 12.0,
        },
        warnings=warnings,
    )
    settings = {
        "data": {"window": 32},
        "training": {"epochs": 10, "learning_rate": 0.001},
        "model": {"name": experiment, "dropout": 0.2},
    }
    own: dict[str, Any] = {**settings, **(config or {}), "seed": seed}
    own["data"] = {
        **own["data"],
        "world": world or 0,
        "split": {"policy": split, "fold": fold, "assignment": seed},
    }
    return RunRecord(
        result,
        folder,
        timings or {"train_seconds": 10.0 + fold, "microseconds_per_window": 50.0},
        code,
        own,
    )


def _draw(seed: int, skill: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    labels = (np.arange(60) % 3 == 0).astype(np.int64)
    return labels, 1 / (1 + np.exp(-(random.normal(size=60) + skill * (labels - 0.5))))


def suite(
    runs: Path, experiments: Iterable[str], seeds: int = 3, folds: int = 2
) -> list[RunRecord]:
    """Every (seed, fold) of some experiments; the later ones rank better."""
    classical = ("random_forest", "logistic", "isolation_forest")
    return [
        record(
            runs,
            name,
            seed=seed,
            fold=fold,
            folds=folds,
            skill=1.0 + 0.5 * place,
            epochs=None if name in classical else 7,
            probability=name not in ("isolation_forest", "autoencoder"),
        )
        for place, name in enumerate(experiments)
        for seed in range(seeds)
        for fold in range(folds)
    ]
