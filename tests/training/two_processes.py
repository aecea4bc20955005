"""What two processes train together, for `python -m tests.training.two_processes FOLDER`: a network
by a Trainer of the caller's own, then gradients of one more."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from anomalynet.data.batches import Batch, TrainBatches
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.models import CNN, build
from anomalynet.models.base import Detector
from tests.tiny import TINY
from tests.training.small import short


class Loss(nn.Module):
    """The weighted loss of a batch, as `Detector.training_step` has it."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        return (self.model.losses(self.model(batch.x), batch.target) * batch.weight).sum()


def gradients(rank: int = 0, world: int = 1) -> list[list[Tensor]]:
    """The gradient of a global batch of each of three sizes, averaged over the processes."""
    config = short("hybrid", "model.dropout=0").config
    module = TelemetryDataModule(config)
    module.setup()
    torch.manual_seed(0)
    model, found = build(config, module.shape), []
    assert isinstance(model, Detector)
    loss: nn.Module = Loss(model)
    if world > 1:
        loss = DistributedDataParallel(loss)
    for size in (32, 33, 1):
        model.zero_grad()
        batches = TrainBatches(module.windows("train"), size, 0, lambda: 0, rank, world)
        loss(next(iter(batches))).backward()
        found.append([one.grad.clone() for one in model.parameters() if one.grad is not None])
    return found


def fitted(**devices: Any) -> tuple[L.Trainer, list[float]]:
    """One epoch of a small network; its Trainer, its threshold and its AUROC on the test part."""
    keys: dict[str, Any] = {"scenario": TINY, "calibration_rows": 50, "stride": 8, "folds": 3}
    keys["worlds"] = None
    data = TelemetryDataModule(data="smart_city", **keys)
    data.setup("fit")
    torch.manual_seed(0)
    model = CNN(data.shape, head=8, dropout=0.0)
    names = ("progress_bar", "model_summary", "checkpointing")
    quiet: dict[str, Any] = {f"enable_{name}": False for name in names}
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", logger=False, **devices, **quiet)
    trainer.fit(model, data)
    tested = trainer.test(model, data, verbose=False)[0]
    return trainer, [float(model.threshold), tested["test/auroc"]]


if __name__ == "__main__":
    assert "wandb" not in sys.modules, "a run without tracking imports no W&B"
    folder = Path(sys.argv[1])
    trainer, values = fitted(devices=2, strategy="ddp")
    found = gradients(trainer.global_rank, 2)
    if trainer.is_global_zero:
        (folder / "values.json").write_text(json.dumps(values))
        torch.save(found, folder / "gradients")
