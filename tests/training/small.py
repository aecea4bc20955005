"""Small data and short runs for tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch

from anomalynet.config.load import Loaded, load
from anomalynet.data.importing import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.runs.folder import RunFolder
from tests.tiny import TINY

torch.set_num_threads(1)

WORLD = (f"data.scenario={TINY}", "data.calibration_rows=50")
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


def table(path: Path, *, test_factor: float = 1.0, shift: float = 0.0, labels: bool = True) -> Path:
    """A CSV of six devices whose attacks shift one sensor; the last two, the test part, are scaled;
    all drift by `shift` a step."""
    rng = np.random.default_rng(3)
    frames = []
    for device in range(6):
        steps = np.arange(300)
        attack = (steps % 100 >= 70).astype(int)
        level = (
            rng.normal(size=(300, 2))
            + 3.0 * attack[:, None] * np.array([1.0, 0.0])
            + shift * steps[:, None]
        )
        factor = test_factor if device >= 4 else 1.0
        part = ["train", "train", "train", "validation", "test", "test"][device]
        columns = {
            "device": [f"d{device}"] * 300,
            "time": 1_700_000_000 + 10 * steps,
            "a": factor * level[:, 0],
            "b": factor * level[:, 1],
        }
        frames.append(
            pl.DataFrame(
                {**columns, **({"attack": attack} if labels else {}), "part": [part] * 300}
            )
        )
    pl.concat(frames).write_csv(path)
    return path


def imported(
    folder: Path, name: str, *, test_factor: float = 1.0, shift: float = 0.0, labels: bool = True
) -> str:
    """Import `table` and return its name."""
    file = table(folder / f"{name}.csv", test_factor=test_factor, shift=shift, labels=labels)
    request = ImportRequest(
        file=file,
        name=name,
        time="time",
        series="device",
        label="attack" if labels else None,
        split="part",
        replace=True,
    )
    import_table(request)
    return name
