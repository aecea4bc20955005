"""The data module: epochs as Lightning counts them, and no test row in what is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import polars as pl
import pytest
import torch

from anomalynet.config.model import CNN
from anomalynet.config.schema import Config, DataConfig, SplitConfig, TrainingConfig
from anomalynet.data import sources
from anomalynet.data.batches import Batch
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.errors import DataError
from tests.data.build import Recording, steady, telemetry

DATA = DataConfig(
    name="mine", window=4, calibration_rows=5, stride=2, split=SplitConfig(policy="group", folds=3)
)
CONFIG = Config(model=CNN(), data=DATA, training=TrainingConfig(batch_size=8))


Use = Callable[[list[Recording]], None]


def recordings() -> list[Recording]:
    labels: list[int | None] = [int(row % 9 > 5) for row in range(40)]
    return [steady(f"s{number}", 40, labels) for number in range(6)]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[list[Recording]], None]:
    """Makes recordings the data."""
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))

    def make(found: list[Recording]) -> None:
        monkeypatch.setattr(sources, "load", lambda config: telemetry(found))
        monkeypatch.setattr(sources, "fingerprint", lambda config, **_: str(hash(str(found))))
        monkeypatch.setattr(sources, "completed", lambda config: config)

    make(recordings())
    return make


def module(train_target: Literal["labelled", "not_attack"] = "labelled") -> TelemetryDataModule:
    found = TelemetryDataModule(CONFIG, train_target)
    found.setup()
    return found


class Recorder(L.LightningModule):
    """Notes the first window of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: dict[int, list[float]] = {}

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        self.seen.setdefault(self.current_epoch, []).append(float(batch.x.sum()))
        return self.weight * batch.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


QUIET = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")


def fit(epochs: int, data: TelemetryDataModule, checkpoint: Path | None = None) -> Recorder:
    """Continues from `checkpoint` where it is there, else writes it."""
    model = Recorder()
    options: dict[str, Any] = {**dict.fromkeys(QUIET, False), "limit_val_batches": 0}
    trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", num_sanity_val_steps=0, **options)
    resumed = checkpoint if checkpoint is not None and checkpoint.exists() else None
    trainer.fit(model, datamodule=data, ckpt_path=resumed, weights_only=True)
    if checkpoint is not None and resumed is None:
        trainer.save_checkpoint(checkpoint)
    return model


@pytest.mark.filterwarnings("ignore")
def test_each_epoch_has_its_own_order_also_after_resuming(use: Use, tmp_path: Path) -> None:
    whole = fit(3, module())
    assert len({tuple(sums) for sums in whole.seen.values()}) == 3
    fit(1, module(), tmp_path / "last.ckpt")
    resumed = fit(3, module(), tmp_path / "last.ckpt")
    assert resumed.seen == {1: whole.seen[1], 2: whole.seen[2]}


def test_no_test_row_reaches_what_is_trained_on(use: Use) -> None:
    before = module()
    held = before.prepared.series_of(before.split.assigned_rows["test"].rows())
    changed = recordings()
    for number, one in enumerate(changed):
        if before.prepared.series.index(one.name) in held:
            values = [[-3 * (value or 0) + 50 for value in column] for column in one.values]
            changed[number] = replace(one, values=values)
    use(changed)
    after = module()
    assert not np.array_equal(before.prepared.values, after.prepared.values)
    for part in ("train", "validation"):
        first, other = before.windows(part), after.windows(part)
        every = np.arange(len(first))
        assert len(other) == len(first)
        assert np.array_equal(first.gather(every), other.gather(every))
        assert np.array_equal(first.targets(), other.targets())
    for mine, theirs in zip(before.normalisation(), after.normalisation(), strict=True):
        assert np.array_equal(mine, theirs)


def test_training_windows_by_target(use: Use) -> None:
    use([replace(one, labels=[None] * 15 + list(one.labels)[15:]) for one in recordings()])
    assert set(module().windows("train").targets().tolist()) == {0, 1}
    assert set(module("not_attack").windows("train").targets().tolist()) == {-1, 0}
    assert set(module().windows("test").targets().tolist()) == {-1, 0, 1}
    use([replace(one, labels=()) for one in recordings()])
    with pytest.raises(DataError, match=r"training windows of mine is labelled\n.*autoencoder"):
        module()
    assert len(module("not_attack").windows("train")) > 0


def test_every_step_of_a_part_has_a_row_and_missed_ones_no_score(use: Use) -> None:
    data = module()
    windows = data.windows("test")
    table = data.steps("test", np.arange(len(windows), dtype=np.float64))
    summary = data.summary("test")
    columns = ["series", "time", "split", "label", "incident", "kind", "score", "event_label"]
    assert table.columns == [*columns, "other", "visibility", "silent"]
    dtypes = [table.schema[name] for name in ("time", "score", "label")]
    assert dtypes == [pl.Datetime("us"), pl.Float64, pl.Int8]
    assert len(table) == summary.steps == 2 * 35 and summary.windows == len(windows) == 2 * 32
    assert table.filter(pl.col("score").is_null()).height == summary.missed == 6
    assert table["score"].drop_nulls().to_list() == list(range(len(windows)))
    assert summary.attack == int(table["label"].sum())
    assert set(table["series"]) == set(summary.series)
    first = table.filter(pl.col("series") == summary.series[0])["label"].to_list()
    assert first == list(recordings()[0].labels)[5:]
    assert data.shape == (4, 3)
