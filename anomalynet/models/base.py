"""The LightningModule that every network is: normalisation, loss, scores, threshold, and a lean
training loop around a `forward`."""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal, NamedTuple, cast

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from anomalynet.config.model import Convolutional, Deep
from anomalynet.config.schema import Config
from anomalynet.data.batches import Batch
from anomalynet.data.windows import WindowShape
from anomalynet.layers.conv import Convolution
from anomalynet.layers.sequence import Head, SequenceStage
from anomalynet.metrics.classification import metric_collection

FUSED_ADAM = ("cpu", "cuda", "mps")  # devices on which torch has a fused Adam


class Output(NamedTuple):
    """What a network says of a batch of windows; None where it has no such part. Readings and
    errors are normalised, float32."""

    logits: Tensor | None = None  # (batch, 2): normal, attack
    reconstruction: Tensor | None = None  # (batch, time, channel)
    error: Tensor | None = None
    """(batch, channel): mean over time of the squared difference between reading and
    reconstruction."""
    attention: Tensor | None = None
    """(batch, parts): the weights of eq. 11, parts are steps after pooling or features."""


class Detector(L.LightningModule):
    """A network that scores windows; a model is a subclass with a `forward`, and what it changes of
    the rest. `config.model` is the model's own dataclass.

    Weights come from torch's global generator, which the caller seeds before building. Dropout is
    seeded again at the start of every epoch from (seed, epoch, rank): a resumed run draws what the
    uninterrupted one would have drawn.

    Source: Table 1 for optimiser and loss; the rest is not in the paper.
    """

    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "labelled"
    """Windows it learns from: those with a label, or those not labelled as attack."""
    probability: ClassVar[bool] = True  # whether its score is a probability of attack
    carries_state: ClassVar[bool] = False
    """Whether it reads a recording step by step with a state that goes on, instead of window by
    window: it has `start` and `advance`."""
    mean: Tensor
    scale: Tensor

    def __init__(self, config: Config, shape: WindowShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape
        self.threshold = torch.tensor(inf, dtype=torch.float64)
        """Score from which a step is an attack, chosen on validation; infinite until then. Float64,
        on the CPU, in the state dict; compare it with scores in double precision."""
        self.register_buffer("mean", torch.zeros(shape.channels))
        self.register_buffer("scale", torch.ones(shape.channels))
        self._loss_sum = torch.zeros(())
        self._loss_steps = 0
        self._validation: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Output:
        """What the network says of windows x (batch, time, channel), float32, in the units of the
        data."""
        raise NotImplementedError

    def losses(self, output: Output, target: Tensor) -> Tensor:
        """Loss of each window (batch,), float32, 0 where the model does not learn from it.

        target (batch,), int64: 1 attack, 0 normal, -1 unlabelled.
        """
        if output.logits is None:
            raise NotImplementedError
        return classification_loss(output.logits, target, self.config.training.loss)

    def scores(self, output: Output) -> Tensor:
        """Score of each window (batch,), float32: the larger, the more an attack."""
        if output.logits is None:
            raise NotImplementedError
        return torch.softmax(output.logits, dim=1)[:, 1]

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """Score (batch,) of windows x (batch, time, channel), both float32; call `eval()` before,
        or dropout takes part."""
        return self.scores(self(x))

    def fit_normalisation(self, mean: np.ndarray, scale: np.ndarray) -> None:
        """Takes mean and deviation (channel,) of the training part, in the units of the data; a
        constant channel is only centred."""
        self.mean.copy_(torch.as_tensor(mean, dtype=torch.float32))
        deviation = torch.as_tensor(scale, dtype=torch.float32)
        self.scale.copy_(torch.where(deviation < 1e-6, torch.ones_like(deviation), deviation))

    def normalise(self, x: Tensor) -> Tensor:
        """Windows x (batch, time, channel) in deviations of the training part."""
        return (x - self.mean) / self.scale

    def learns_from(self, target: Tensor) -> Tensor:
        """Mask (batch,), bool, of the windows that `trains_on` admits."""
        return target >= 0 if self.trains_on == "labelled" else target <= 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Table 1's Adam, in its fused form where torch has one."""
        rate, fused = self.config.training.learning_rate, self.device.type in FUSED_ADAM
        return torch.optim.Adam(self.parameters(), lr=rate, fused=fused)

    def on_train_epoch_start(self) -> None:
        """Seeds dropout and empties the epoch's loss."""
        stream = np.random.SeedSequence([self.config.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(stream.generate_state(1)[0]))
        self._loss_sum = torch.zeros((), device=self.device)
        self._loss_steps = 0

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Weighted sum of the windows' losses: the mean over the global batch, on however many
        devices."""
        loss = (self.losses(self(batch.x), batch.target) * batch.weight).sum()
        self._loss_sum += loss.detach()
        self._loss_steps += 1
        return loss

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's loss; per step it would cost more than a small network's step."""
        self.log("train/loss", self._loss_sum / max(self._loss_steps, 1), sync_dist=True)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Keeps the scores: ranking metrics need the whole part. Every rank sees all of it."""
        output, target = self(batch.x), batch.target
        self._validation.append((self.scores(output), self.losses(output, target), target))

    def on_validation_epoch_end(self) -> None:
        """Logs the mean loss over windows the model may learn from, and the ranking metrics where
        both classes are there."""
        kept = zip(*self._validation, strict=True)
        scores, losses, target = (torch.cat(parts).cpu() for parts in kept)
        self._validation.clear()
        self.log("validation/loss", losses[self.learns_from(target)].mean(), sync_dist=True)
        labelled = target >= 0
        scores, target = scores[labelled], target[labelled]
        if 0 < int(target.sum()) < len(target):
            metrics = metric_collection(prefix="validation/")
            metrics.update(scores, target)
            values = {name: float(value) for name, value in metrics.compute().items()}
            self.log_dict(values, sync_dist=True)

    def get_extra_state(self) -> Tensor:
        """The threshold for the state dict: not a buffer, because a buffer moves to the device and
        MPS has no double precision."""
        return self.threshold.clone()

    def set_extra_state(self, state: Tensor) -> None:
        """Takes the threshold from a state dict."""
        self.threshold = state.detach().cpu().clone()


def classification_loss(
    logits: Tensor, target: Tensor, kind: Literal["mse", "cross_entropy"]
) -> Tensor:
    """Loss (batch,) of logits (batch, 2) for target (batch,): 1 attack, 0 normal, -1 unlabelled,
    which costs nothing. `mse`: squared error between softmax and one-hot, mean over the classes.

    Source: Table 1 (MSE); what it compares is not in the paper.
    """
    labelled = target >= 0
    known = target.clamp(min=0)
    if kind == "cross_entropy":
        loss = F.cross_entropy(logits, known, reduction="none")
    else:
        loss = (torch.softmax(logits, dim=1) - F.one_hot(known, 2)).square().mean(dim=1)
    return loss * labelled


class SequenceClassifier(Detector):
    """A window's features by `sequence`, then two classes by `head`.

    Source: §3.2, Fig. 1; equal widths in all models are not in the paper.
    """

    def __init__(self, config: Config, shape: WindowShape, sequence: SequenceStage) -> None:
        super().__init__(config, shape)
        settings = cast("Deep", config.model)
        self.sequence = sequence
        self.head = Head(sequence.out_features, settings.head, settings.dropout)

    def forward(self, x: Tensor) -> Output:
        """Logits of windows x (batch, time, channel), float32."""
        features, attention = self.sequence(self.normalise(x))
        return Output(logits=self.head(features), attention=attention)


def convolution(settings: Convolutional, features: int) -> Convolution:
    """The convolutional stage as configured, over `features` inputs."""
    sizes = settings.channels, settings.kernel, settings.pool
    return Convolution(features, *sizes, settings.convolution)
