"""The plain way to train one run of `reproduce`, for comparison: a fresh process, Lightning's
defaults, torchmetrics logged each step, an item at a time.

`python -m tests.benchmarks.plain EXPERIMENT FOLD`, or `--prepare`, which makes the data.
"""

from __future__ import annotations

import sys
import tempfile

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import BinaryAveragePrecision

from anomalynet.config.load import load
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.windows import Windows
from anomalynet.models import Detector, build
from anomalynet.sweep.file import read_sweep

SHORTER = {"data.scenario": "duration=1d"}  # half the windows to score, of both arms


class Items(Dataset[tuple[Tensor, Tensor]]):
    """One window an index, of windows that lie ready in memory."""

    def __init__(self, windows: Windows, most: int | None = None) -> None:
        count = len(windows) if most is None else min(most, len(windows))
        ids = np.sort(np.random.default_rng(0).choice(len(windows), count, replace=False))
        self.x = torch.from_numpy(windows.gather(ids))
        self.target = torch.from_numpy(windows.targets(ids).astype(np.int64))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.target[index]


class Plain(L.LightningModule):
    """A network of ours in a module as tutorials write it."""

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network
        self.precision = BinaryAveragePrecision()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss, logged each step."""
        x, target = batch
        loss = self.network.losses(self.network(x), target).mean()
        self.log("loss", loss, prog_bar=True)
        return loss

    def _score(self, batch: tuple[Tensor, Tensor], name: str) -> None:
        x, target = batch
        scores = self.network.scores(self.network(x))
        self.precision.update(scores[target >= 0], target[target >= 0])
        self.log(name, self.precision, on_epoch=True)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Average precision by torchmetrics."""
        self._score(batch, "validation")

    def test_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Average precision by torchmetrics."""
        self._score(batch, "test")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam as it comes."""
        return torch.optim.Adam(self.network.parameters(), lr=1e-3)


def main(experiment: str, fold: int = 0, prepare: bool = False) -> None:
    """Train and test one run, as much as a run of ours trains and scores."""
    sweep = read_sweep("paper_models", "quick")
    keys = [f"{key}={value}" for key, value in {**sweep.settings, **SHORTER}.items()]
    config = load(experiment, [*keys, f"data.split.fold={fold}"]).config
    module = TelemetryDataModule(config)
    module.setup()
    if prepare:
        return
    L.seed_everything(config.seed)
    network = build(config, module.shape)
    assert isinstance(network, Detector)
    network.fit_normalisation(*module.normalisation())
    training = config.training
    most = {"train": training.windows_per_epoch, "validation": training.validation_windows}
    loaders = {
        part: DataLoader(
            Items(module.windows(part), most.get(part)),
            batch_size=training.batch_size,
            shuffle=part == "train",
        )
        for part in ("train", "validation", "test")
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(max_epochs=training.epochs, default_root_dir=folder)
        model = Plain(network)
        trainer.fit(model, loaders["train"], loaders["validation"])
        trainer.test(model, loaders["test"])
        trainer.test(model, DataLoader(Items(module.windows("validation")), batch_size=32))


if __name__ == "__main__":
    if sys.argv[1] == "--prepare":
        main("cnn", prepare=True)
    else:
        main(sys.argv[1], int(sys.argv[2]))
