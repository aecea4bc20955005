"""The data module: epochs as Lightning counts them, and nothing of the test part in what is trained
on."""

from __future__ import annotations

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
from anomalynet.data.module import TelemetryDataModule
from anomalynet.data.telemetry import Telemetry
from anomalynet.errors import DataError
from tests.data.build import Recording, steady, telemetry

DATA = DataConfig(
    name="mine", window=4, calibration_rows=5, stride=2, split=SplitConfig(policy="group", folds=3)
)
CONFIG = Config(model=CNN(), data=DATA, training=TrainingConfig(batch_size=8))


def recordings(rows: int = 40) -> list[Recording]:
    labels: list[int | None] = [int(row % 9 > 5) for row in range(rows)]
    return [steady(f"s{number}", rows, labels) for number in range(6)]


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, found: list[Recording]) -> None:
    """Make `found` the data."""

    def load(config: DataConfig) -> Telemetry:
        return telemetry(found)

    def fingerprint(config: DataConfig) -> str:
        return str(hash(str(found)))

    monkeypatch.setenv("ANOMALYNET_DATA", str(folder))
    monkeypatch.setattr(sources, "load", load)
    monkeypatch.setattr(sources, "fingerprint", fingerprint)


def module(
    config: Config = CONFIG, train_target: Literal["labelled", "not_attack"] = "labelled"
) -> TelemetryDataModule:
    found = TelemetryDataModule(config, train_target)
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


def fit(
    epochs: int, data: TelemetryDataModule, checkpoint: Path | None = None, save: Path | None = None
) -> Recorder:
    model = Recorder()
    options: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", num_sanity_val_steps=0, limit_val_batches=0, **options
    )
    trainer.fit(
        model,
        datamodule=data,
        ckpt_path=None if checkpoint is None else str(checkpoint),
        weights_only=True,
    )
    if save is not None:
        trainer.save_checkpoint(save)
    return model


@pytest.mark.filterwarnings("ignore")
def test_each_epoch_has_its_own_order_also_after_resuming(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, tmp_path, recordings())
    whole = fit(3, module())
    assert len({tuple(sums) for sums in whole.seen.values()}) == 3
    fit(1, module(), save=tmp_path / "last.ckpt")
    resumed = fit(3, module(), checkpoint=tmp_path / "last.ckpt")
    assert resumed.seen == {1: whole.seen[1], 2: whole.seen[2]}


def test_no_test_row_reaches_what_is_trained_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, tmp_path, recordings())
    before = module()
    held = {
        before.prepared.series[number]
        for number in before.prepared.series_of(before.split.territory["test"].rows())
    }
    changed = [
        replace(one, values=[[-3 * (value or 0) + 50 for value in column] for column in one.values])
        if one.name in held
        else one
        for one in recordings()
    ]
    use(monkeypatch, tmp_path, changed)
    after = module()
    assert not np.array_equal(before.prepared.values, after.prepared.values)
    for part in ("train", "validation"):
        one, other = before.windows(part), after.windows(part)
        assert np.array_equal(one.gather(np.arange(len(one))), other.gather(np.arange(len(other))))
        assert np.array_equal(one.targets(), other.targets())
    assert all(
        np.array_equal(one, other)
        for one, other in zip(before.normalisation(), after.normalisation(), strict=True)
    )


def test_training_windows_by_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    some = [
        replace(one, labels=[None if row < 15 else label for row, label in enumerate(one.labels)])
        for one in recordings()
    ]
    use(monkeypatch, tmp_path, some)
    assert set(module().windows("train").targets().tolist()) == {0, 1}
    assert set(module(train_target="not_attack").windows("train").targets().tolist()) == {-1, 0}
    assert set(module().windows("test").targets().tolist()) == {-1, 0, 1}
    use(monkeypatch, tmp_path, [replace(one, labels=()) for one in recordings()])
    with pytest.raises(DataError, match=r"training windows of mine is labelled\n.*autoencoder"):
        module()
    assert len(module(train_target="not_attack").windows("train")) > 0


def test_every_step_of_a_part_has_a_row_and_missed_ones_no_score(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, tmp_path, recordings())
    data = module()
    windows = data.windows("test")
    table = data.steps("test", np.arange(len(windows), dtype=np.float64))
    summary = data.summary("test")
    assert table.columns == ["series", "time", "split", "label", "incident", "kind", "score"]
    assert table.schema["time"] == pl.Datetime("us")
    assert table.schema["score"] == pl.Float64
    assert table.schema["label"] == pl.Int8
    assert len(table) == summary.steps == 2 * 35 and summary.windows == len(windows) == 2 * 32
    assert table.filter(pl.col("score").is_null()).height == summary.missed == 6
    assert table["score"].drop_nulls().to_list() == list(range(len(windows)))
    assert summary.attack == int(table["label"].sum())
    assert set(table["series"]) == set(summary.series)
    assert (
        table.filter(pl.col("series") == summary.series[0])["label"].to_list()
        == list(recordings()[0].labels)[5:]
    )
    assert data.shape == (4, 3)
