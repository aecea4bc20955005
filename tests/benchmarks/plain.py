"""The plain way to train one run, for comparison: a fresh process, Lightning's defaults, two
threads, an item at a time.

`python -m tests.benchmarks.plain SEED FOLD EPOCHS` trains the hybrid on the default data as the
preset `quick` does, and tests it.
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
from anomalynet.data.module import TelemetryDataModule
from anomalynet.data.windows import Windows
from anomalynet.models import build
from anomalynet.models._detector import Detector

QUICK = ("data.stride=8", "data.split.assignment=0")


class Items(Dataset[tuple[Tensor, Tensor]]):
    """One window an index, of windows that lie ready in memory."""

    def __init__(self, windows: Windows) -> None:
        ids = np.arange(len(windows))
        self.x, self.target = (
            torch.from_numpy(windows.gather(ids)),
            torch.from_numpy(windows.targets(ids).astype(np.int64)),
        )

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
        self.precision.update(
            self.network.scores(self.network(x))[target >= 0], target[target >= 0]
        )
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


def main(seed: str, fold: str, epochs: str) -> None:
    """Train and test one run."""
    torch.set_num_threads(2)
    config = load("hybrid", [f"seed={seed}", f"data.split.fold={fold}", *QUICK]).config
    module = TelemetryDataModule(config)
    module.setup()
    L.seed_everything(config.seed)
    network = build(config, module.shape)
    assert isinstance(network, Detector)
    network.fit_normalisation(*module.normalisation())
    loaders = {
        part: DataLoader(
            Items(module.windows(part)),
            batch_size=config.training.batch_size,
            shuffle=part == "train",
        )
        for part in ("train", "validation", "test")
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(max_epochs=int(epochs), default_root_dir=folder)
        model = Plain(network)
        trainer.fit(model, loaders["train"], loaders["validation"])
        trainer.test(model, loaders["test"])


if __name__ == "__main__":
    main(*sys.argv[1:])
