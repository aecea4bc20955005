"""Small data and short runs for tests of training."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from anomalynet.config.load import Loaded, load
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.runs.folder import RunFolder
from anomalynet.training.run import TrainingOutcome, train
from tests.tiny import TINY

torch.set_num_threads(1)

WORLD = ("data.worlds=null", f"data.scenario={TINY}", "data.calibration_rows=50")
SHORT = (*WORLD, "data.stride=8", "data.split.folds=3", "training.epochs=2", "model.head=8")
"""Seconds instead of minutes, on a tiny simulated world."""


def short(experiment: str, *overrides: str) -> Loaded:
    """An experiment cut short, on the tiny world unless other data is named."""
    own = [
        text
        for text in SHORT
        if not text.startswith("model.")
        or experiment in ("cnn", "lstm", "cnn_lstm", "hybrid", "hybrid_causal")
    ]
    if any(text.startswith("data.name=") for text in overrides):
        own = [text for text in own if text not in WORLD]
    return load(experiment, [*own, *overrides])


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="anomalynet-test-")


def trained(experiment: str, runs: Path, *overrides: str) -> TrainingOutcome:
    """A short run."""
    outcome = train(short(experiment, *overrides), runs)
    assert outcome is not None
    return outcome


@cache
def shared(experiment: str, *overrides: str) -> TrainingOutcome:
    """A short run that all tests of a session read, and none changes."""
    return trained(experiment, Path(_folder().name), *overrides)


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint."""
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def identical(left: RunFolder, right: RunFolder) -> bool:
    """Whether two runs have the same weights, bit for bit, the same scores and the same result."""
    a, b = weights(left.best), weights(right.best)
    same_weights = a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    same_scores = pl.read_parquet(left.scores).equals(pl.read_parquet(right.scores))
    texts = [(folder.path / "result.json").read_bytes() for folder in (left, right)]
    return same_weights and same_scores and texts[0] == texts[1]


def table(
    path: Path, test_factor: float = 1, shift: float = 0, labels: bool = True, attacks: bool = True
) -> Path:
    """A CSV of six devices whose attacks shift one sensor; the last two, the test part, are scaled;
    all drift by `shift` a step; without `attacks` no step is labelled one."""
    rng = np.random.default_rng(3)
    frames = []
    for device in range(6):
        steps = np.arange(300)
        attack = (steps % 100 >= 70).astype(int)
        raised = 3.0 * attack[:, None] * np.array([1.0, 0.0])
        level = rng.normal(size=(300, 2)) + raised + shift * steps[:, None]
        factor = test_factor if device >= 4 else 1.0
        part = ["train", "train", "train", "validation", "test", "test"][device]
        columns: dict[str, Any] = {"device": [f"d{device}"] * 300}
        columns |= {"time": 1_700_000_000 + 10 * steps}
        columns |= {"a": factor * level[:, 0], "b": factor * level[:, 1]}
        columns |= {"attack": attack * attacks} if labels else {}
        frames.append(pl.DataFrame(columns | {"part": [part] * 300}))
    pl.concat(frames).write_csv(path)
    return path


def imported(folder: Path, name: str, *, labels: bool = True, **options: Any) -> str:
    """Import `table` and return its name."""
    file = table(folder / f"{name}.csv", labels=labels, **options)
    where: Any = {"time": "time", "series": "device", "label": "attack" if labels else None}
    import_table(ImportRequest(file=file, name=name, split="part", replace=True, **where))
    return name
