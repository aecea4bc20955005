"""One process of two: prints the gradient of its share of one global batch, averaged over the
processes by DDP."""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from anomalynet.data.module import TelemetryDataModule
from anomalynet.models import build
from anomalynet.models._detector import Detector
from tests.training.small import short


class Loss(nn.Module):
    """The weighted loss of a batch, as `Detector.training_step` has it."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Scalar loss."""
        return (self.model.losses(self.model(x), target) * weight).sum()


def main(out: str, rank: int, world: int, port: str) -> None:
    """Write {parameter: gradient} of each batch size to `out`."""
    from anomalynet.data.batches import TrainBatches

    torch.set_num_threads(1)
    if world > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world
        )
    config = short("hybrid", "model.dropout=0").config
    module = TelemetryDataModule(config)
    module.setup()
    torch.manual_seed(0)
    model = build(config, module.shape)
    assert isinstance(model, Detector)
    gradients: dict[str, Tensor] = {}
    loss: nn.Module = Loss(model)
    if world > 1:
        loss = DistributedDataParallel(loss)
    for size in (32, 33, 1):
        batch = next(iter(TrainBatches(module.windows("train"), size, 0, lambda: 0, rank, world)))
        model.zero_grad()
        loss(batch.x, batch.target, batch.weight).backward()
        gradients |= {
            f"{size} {name}": value.grad.clone()
            for name, value in model.named_parameters()
            if value.grad is not None
        }
    if rank == 0:
        torch.save(gradients, out)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
