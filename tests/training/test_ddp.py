"""Two processes train as one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from anomalynet.data.batches import Batch, TrainBatches
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.models import build
from anomalynet.models.base import Detector
from anomalynet.training.run import planned_folder
from tests.training.small import SHORT, shared, short, weights


class Loss(nn.Module):
    """The weighted loss of a batch, as `Detector.training_step` has it."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        return (self.model.losses(self.model(batch.x), batch.target) * batch.weight).sum()


def gradients(rank: int, world: int, folder: Path) -> None:
    """Rank 0 writes the gradient of a global batch of each size, averaged over the processes."""
    config = short("hybrid", "model.dropout=0").config
    module = TelemetryDataModule(config)
    module.setup()
    torch.manual_seed(0)
    model, found = build(config, module.shape), []
    assert isinstance(model, Detector)
    loss: nn.Module = Loss(model)
    if world > 1:
        where = f"file://{folder}/meeting"
        torch.distributed.init_process_group("gloo", where, rank=rank, world_size=world)
        loss = DistributedDataParallel(loss)
    for size in (32, 33, 1):
        model.zero_grad()
        batches = TrainBatches(module.windows("train"), size, 0, lambda: 0, rank, world)
        loss(next(iter(batches))).backward()
        found.append([one.grad.clone() for one in model.parameters() if one.grad is not None])
    if rank == 0:
        torch.save(found, folder / str(world))


def test_the_gradient_of_two_processes_is_that_of_one(tmp_path: Path) -> None:
    spawn(gradients, (2, tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    gradients(0, 1, tmp_path)
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("1", "2"))
    assert len(one) == 3 and all(any(part.any() for part in parts) for parts in one)
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)


def test_a_run_on_two_devices_is_the_run_on_one(tmp_path: Path) -> None:
    options = ["model.dropout=0", "training.epochs=1", "hardware.accelerator=cpu"]
    alone = shared("hybrid", *options)
    where = ["--devices", "2", "--runs", str(tmp_path)]
    command = [sys.executable, "-m", "anomalynet", "train", "hybrid", *SHORT, *options, *where]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    together = planned_folder(short("hybrid", *options), tmp_path)
    assert together.path.name == alone.folder.path.name
    result = together.read_result()
    assert result.parts == alone.result.parts
    for name, value in alone.result.metrics.items():
        assert result.metrics[name] == pytest.approx(value, abs=2e-3), name
    a, b = weights(alone.folder.last), weights(together.last)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-4)


MODEL = '''
import hashlib
from dataclasses import dataclass
from pathlib import Path
from torch import nn
from anomalynet.config.model import ModelConfig
from anomalynet.models import Detector, Output

@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    width: int = 4

class Linear(Detector):
    """One layer. Each rank notes its weights after every epoch; rank 0 finds a request to stop
    after the second."""
    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.layer = nn.Linear(shape.steps * shape.channels, 2)
    def forward(self, x):
        return Output(logits=self.layer(self.normalise(x).flatten(1)))
    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        weights = b"".join(value.detach().numpy().tobytes() for value in self.layer.parameters())
        with open(f"rank{self.global_rank}.txt", "a") as file:
            file.write(f"{self.current_epoch} {hashlib.sha256(weights).hexdigest()}\\n")
        if self.global_rank == 0 and self.current_epoch == 1:
            next(Path("runs").glob("mine/*")).joinpath(".stop").touch()
'''


def test_all_ranks_hold_the_same_weights_and_stop_in_the_same_epoch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODEL)
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nmodel: {name: ./mine.py}\n")
    options = [text for text in SHORT if not text.startswith(("model.", "training.epochs"))]
    options += ["training.epochs=9", "hardware.accelerator=cpu", "--devices", "2"]
    command = [sys.executable, "-m", "anomalynet", "train", "mine.yaml", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    where: Any = {"cwd": tmp_path, "env": environment, "timeout": 120}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **where)
    assert done.returncode == 130, done.stderr
    assert "stopped on request after epoch 2" in done.stderr
    ranks = [(tmp_path / f"rank{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    assert [line.split()[0] for line in ranks[0]] == ["0", "1"]
    assert len({line.split()[1] for line in ranks[0]}) == 2
