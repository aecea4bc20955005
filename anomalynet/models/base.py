"""The LightningModule that every network is: normalisation, loss, scores, threshold, and a lean
training loop around a `forward`. `part_scores.py` judges whole parts, `checkpoint.py` reads and
writes files."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from anomalynet.config.schema import Config
from anomalynet.data.batches import Batch, OrderedBatches, as_batch
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.windows import Windows, WindowShape
from anomalynet.errors import DataError, RunError, UsageError
from anomalynet.layers.sequence import classification_loss
from anomalynet.metrics.classification import metric_collection
from anomalynet.models import part_scores
from anomalynet.models.architecture import architecture
from anomalynet.models.checkpoint import load_weights, plain_values, read_network, save_weights
from anomalynet.models.window_model import WindowModel, complete, keywords

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


class Detector(WindowModel, L.LightningModule):
    """A network that scores windows; a model is a subclass with a `forward`, and what it changes of
    the rest: `losses` and `scores` where there are no logits, and the class attributes `trains_on`
    ("labelled" or "not_attack"), `probability` (whether its score is one), `config_type` (the
    dataclass of its options) and `carries_state` (then with `initial_state` and `advance`).
    `config.model` is the model's own dataclass.

        model = Hybrid(dm.shape, autoencoder_depth=2, learning_rate=0.001)
        trainer.fit(model, dm)     # dm: a TelemetryDataModule

    The training part's statistics normalise, and after each validation epoch of a fit the rule
    `threshold` (f1, balanced_accuracy, fixed, alarm_budget) chooses the decision threshold from the
    validation part: `model.threshold`, stored with the weights; `trainer.test` judges by it. Your
    own DataLoaders of (x, target) or (x, target, weight) do as well; they do not normalise.

    Weights come from torch's global generator: `L.seed_everything(0)` before building repeats them.
    Dropout is seeded at the start of every epoch from (`seed`, epoch, rank): a resumed run draws
    what the uninterrupted one would have drawn.

    Logged, for EarlyStopping and ModelCheckpoint: `train/loss`, `validation/loss`, and where both
    classes are there `validation/average_precision` and `validation/auroc`; `trainer.test` logs
    `test/f1_attack`, `test/auroc` and all others of `anomalynet.metrics.suite`.

    `help(Detector.__init__)` explains the arguments, `help("anomalynet.models")` a model of your
    own.

    Source: Table 1 for optimiser and loss; the rest is not in the paper.
    """

    chooses_threshold: bool = True  # after each validation epoch of a fit
    uses_trainer: ClassVar[bool] = True
    suffix: ClassVar[str] = ".ckpt"
    threshold: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        shape: WindowShape | Config,
        config: Config | WindowShape | None = None,
        **options: Any,
    ) -> None:
        """Make the untrained network.

        Args:
            shape: of a window: `dm.shape` of a TelemetryDataModule, or (steps, channels).
            config: of a run; without it the options say what differs from the defaults. Both
                arguments may come in either order.
            options: the model's own, which `help(Hybrid.config_type)` lists with their defaults
                and `anomalynet show hybrid --keys` explains; and of every model seed (0: of
                dropout, not of the weights), learning_rate (0.001), loss (`mse` or
                `cross_entropy`), label_smoothing (0), threshold (the rule: `f1`,
                `balanced_accuracy`, `fixed` or `alarm_budget`), fixed_threshold (0.5),
                alarms_per_day (one per device).

        Raises:
            ConfigError: an unknown option, or an impossible value; names the nearest.
        """
        super().__init__()
        self.config, self.shape = complete(type(self), shape, config, options)
        self.hparams.update({"input_shape": list(self.shape), **keywords(self.config)})
        self.save_hyperparameters(ignore=["config", "shape"])  # and what a subclass was given
        self.threshold = torch.tensor(inf, dtype=torch.float64)
        """Score from which a step is an attack, chosen on validation; infinite until then. Float64,
        on the CPU, in the state dict; compare it with scores in double precision."""
        self.register_buffer("mean", torch.zeros(self.shape.channels))
        self.register_buffer("scale", torch.ones(self.shape.channels))
        self._loss_sum = torch.zeros(())
        self._loss_steps = 0
        self._validation: list[tuple[Tensor, Tensor, Tensor]] = []
        self._tested: list[tuple[Tensor, Tensor]] = []
        self._carried: Tensor | None = None

    def forward(self, x: Tensor) -> Output:
        """What the network says of windows x (batch, time, channel), float32, in the units of the
        data."""
        raise UsageError(f"{type(self).__name__} has no forward(x)", "define it: return Output(…)")

    def _output(self, x: Tensor) -> Output:
        """What `forward` returns. Raises UsageError: no Output, or logits of another shape."""
        found: Any = self(x)
        if not isinstance(found, Output):
            what = f"{type(self).__name__}.forward returns a {type(found).__name__}"
            raise UsageError(what, "return an Output: Output(logits=…)")
        if found.logits is not None and found.logits.shape != (len(x), 2):
            what = f"{type(self).__name__}: logits are {tuple(found.logits.shape)}"
            raise UsageError(what, f"expected (batch, 2), here ({len(x)}, 2): normal, attack")
        return found

    def losses(self, output: Output, target: Tensor) -> Tensor:
        """Loss of each window (batch,), float32, 0 where the model does not learn from it.

        target (batch,), int64: 1 attack, 0 normal, -1 unlabelled.
        """
        if output.logits is None:
            raise UsageError(f"{type(self).__name__}: no logits", "define scores() and losses()")
        training = self.config.training
        return classification_loss(output.logits, target, training.loss, training.label_smoothing)

    def scores(self, output: Output) -> Tensor:
        """Score of each window (batch,), float32: the larger, the more an attack."""
        if output.logits is None:
            raise UsageError(f"{type(self).__name__}: no logits", "define scores() and losses()")
        return torch.softmax(output.logits, dim=1)[:, 1]

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """Score (batch,) of windows x (batch, time, channel), both float32; call `eval()` before,
        or dropout takes part. Raises UsageError: another length, dtype or device."""
        if not isinstance(x, Tensor):
            raise UsageError(f"score takes no {type(x).__name__}", "score_array takes NumPy arrays")
        there = (*x.shape[1:],) == tuple(self.shape) and x.dtype == torch.float32
        if not there or x.device != self.mean.device:
            wanted = f"torch.float32 (n, {', '.join(map(str, self.shape))}) on {self.mean.device}"
            what = f"{x.dtype} {tuple(x.shape)} on {x.device}"
            hint = None if x.dtype == torch.float32 else "x.float(), or x.astype('float32')"
            raise UsageError(f"{type(self).__name__} scores windows {wanted}, not {what}", hint)
        return self.scores(self._output(x))

    def score_array(self, x: Float32) -> Float64:
        return np.asarray(self.score(torch.from_numpy(x).to(self.device)).cpu().double().numpy())

    def score_windows(self, windows: Windows) -> Float64:
        if self.carries_state:
            return part_scores.carried_scores(self, windows)
        return super().score_windows(windows)

    @torch.no_grad()
    def output_arrays(self, x: Float32) -> dict[str, Float64]:
        windows = torch.from_numpy(x).to(self.device)
        output, normalised = self._output(windows), self.normalise(windows)
        parts: dict[str, Tensor | None]
        parts = {"score": self.scores(output), "reading": normalised[:, -1]}
        parts |= {"error": output.error, "attention": output.attention}
        if output.reconstruction is not None:
            parts["last_error"] = (output.reconstruction - normalised).square()[:, -1]
        there = {name: part for name, part in parts.items() if part is not None}
        return {name: part.cpu().double().numpy() for name, part in there.items()}

    def architecture(self) -> dict[str, Any]:
        return architecture(self)

    def initial_state(self, n: int) -> Any:
        """The state of n segments at their start, of a network that `carries_state`."""
        raise NotImplementedError

    def advance(self, state: Any, x: Tensor) -> tuple[Any, Tensor]:
        """The state after the next steps x (n, time, channel) of n segments, and their scores
        (n, time), float32; of a network that `carries_state`."""
        raise NotImplementedError

    def step_module(self) -> nn.Module:
        """One step of a network that `carries_state`, for export: see
        `models.hybrid_causal.StepGraph`. Raises RunError: the network has none."""
        raise RunError(f"{type(self).__name__} has no `step_module`: it cannot be exported")

    def set_threshold(self, limit: float) -> None:
        self.threshold.fill_(limit)

    @property
    def parameter_count(self) -> int:
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def setup(self, stage: str) -> None:
        """Before a fit, fits the normalisation on the training part of the TelemetryDataModule,
        unless it was fitted before. Raises UsageError: its windows have another shape."""
        untouched = not self.mean.any() and bool((self.scale == 1).all())
        data, name = part_scores.data_module(self), type(self).__name__
        if data is not None and data.shape != self.shape:
            sizes = f"windows {tuple(self.shape)}, the data has {tuple(data.shape)}"
            raise UsageError(f"{name} is made for {sizes}", f"{name}(dm.shape)")
        if stage == TrainerFn.FITTING and data is not None and untouched:
            self.fit_inputs(data)
        if stage in ("validate", "predict") and untouched and float(self.threshold) == inf:
            rank_zero_warn(f"{name} is not fitted: fit it, or load it from a checkpoint")

    def fit_inputs(self, data: TelemetryDataModule) -> None:
        """Before the first step of a fit: what the network must know of the training part."""
        self.fit_normalisation(*data.normalisation())

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

    def configure_optimizers(self) -> Any:
        """Table 1's Adam, in its fused form where torch has one, or what `training.optimizer` and
        `training.schedule` say. Raises UsageError: no layers."""
        if self.parameter_count == 0:
            raise UsageError(f"{type(self).__name__} has no layers", "add them in __init__")
        training, fused = self.config.training, self.device.type in FUSED_ADAM
        rate = training.learning_rate
        optimizer: torch.optim.Optimizer
        optimizer = torch.optim.Adam(self.parameters(), lr=rate, fused=fused)
        if training.optimizer == "adamw":
            decay = training.weight_decay
            optimizer = torch.optim.AdamW(
                self.parameters(), lr=rate, weight_decay=decay, fused=fused
            )
        if training.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes each hook's name, 46 times per step; torch looks for a parameter in each.
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def on_train_epoch_start(self) -> None:
        """Seeds dropout and empties the epoch's loss."""
        stream = np.random.SeedSequence([self.config.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(stream.generate_state(1)[0]))
        self._loss_sum = torch.zeros((), device=self.device)
        self._loss_steps = 0

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Weighted sum of the windows' losses: the mean over the global batch, on however many
        devices. A window that is trimmed counts as 0."""
        x, target, weight = as_batch(batch)
        losses = self.losses(self._output(x), target)
        if trim := self.trim:
            normal = (target == 0) & (weight > 0)
            cost = losses.detach().masked_fill(~normal, -inf)
            every = cast("Tensor", self.all_gather(cost)).flatten() if self._trainer else cost
            weight = weight * (cost <= _largest_kept(every, trim))
        loss = (losses * weight).sum()
        self._loss_sum += loss.detach()
        self._loss_steps += 1
        return loss

    @property
    def trim(self) -> float:
        """Share of the windows taken as normal that the loss leaves out: those that cost most.

        Source: trimmed loss (Shen and Sanghavi, 2019); not in the paper.
        """
        data = part_scores.data_module(self) if self._trainer else None
        training = (data or self).config.training
        return training.injection.trim if training.incidents == "injected" else 0.0

    # Lightning asks for it in each step; a stored one is found seven times as fast.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's loss; per step it would cost more than a small network's step."""
        self.log("train/loss", self._loss_sum / max(self._loss_steps, 1), sync_dist=True)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Keeps the scores: ranking metrics need the whole part. Every rank sees all of it."""
        x, target = as_batch(batch)[:2]
        output = self._output(x)
        self._validation.append((self.scores(output), self.losses(output, target), target))

    def on_validation_epoch_end(self) -> None:
        """Logs the mean loss over windows the model may learn from, and the ranking metrics where
        both classes are there; during a fit, chooses the threshold."""
        batches = zip(*self._validation, strict=True)
        scores, losses, target = (torch.cat(parts).cpu() for parts in batches)
        self._validation.clear()
        learned, labelled = self.learns_from(target), target >= 0
        if trim := self.trim:
            cost = losses.masked_fill(target != 0, -inf)
            kept = cost <= _largest_kept(cost, trim)
            learned, labelled = learned & kept, labelled & kept
        self.log("validation/loss", losses[learned].mean(), sync_dist=True)
        if 0 < int(target[labelled].sum()) < int(labelled.sum()):
            ranking = metric_collection(prefix="validation/")
            ranking.update(scores[labelled], target[labelled])
            values = {name: float(value) for name, value in ranking.compute().items()}
            self.log_dict(values, sync_dist=True)
        fitting = self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking
        if fitting and self.chooses_threshold:
            try:
                self.set_threshold(part_scores.threshold_of(self, scores, target))
            except DataError as error:
                rank_zero_warn(f"no threshold was chosen: {error}")

    def on_fit_end(self) -> None:
        """Warns where no threshold was chosen: nothing would be detected."""
        if self.chooses_threshold and float(self.threshold) == inf:
            rank_zero_warn("no threshold was chosen: fit with validation data, or set_threshold")

    def test_step(self, batch: Batch, _: int) -> None:
        """Keeps the scores; every rank sees all windows."""
        x, target = as_batch(batch)[:2]
        self._tested.append((self.scores(self._output(x)), target))

    def on_test_epoch_end(self) -> None:
        """Logs every metric of `anomalynet.metrics.suite` that is defined, as `test/f1_attack`, at
        the stored threshold."""
        scores, target = (torch.cat(parts).cpu() for parts in zip(*self._tested, strict=True))
        self._tested.clear()
        if float(self.threshold) == inf:
            rank_zero_warn("no threshold was chosen: fit the model, or load it from a checkpoint")
        found: Mapping[str, float | None] = part_scores.metrics_of(self, scores, target)
        for name, value in found.items():
            if value is not None and np.isfinite(value):
                self.log(f"test/{name}", value, sync_dist=True)

    def on_predict_start(self) -> None:
        """Reads the segments, where the network carries a state."""
        loader = self.trainer.predict_dataloaders
        self._carried = None
        if self.carries_state and isinstance(loader, OrderedBatches):
            self._carried = torch.from_numpy(self.score_windows(loader.windows))

    def predict_step(self, batch: Batch | Tensor | list[Tensor], batch_idx: int) -> Tensor:
        """Scores (batch,) of a batch, or of windows (batch, time, channel) by themselves, on the
        CPU; `TelemetryDataModule.score_table` makes a table of them."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        if self._carried is not None:
            loader = cast("OrderedBatches", self.trainer.predict_dataloaders)
            first = batch_idx * loader.batch_size
            return self._carried[first : first + len(x)]
        return self.score(x).cpu().double()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps plain hyperparameters alone: a checkpoint is read with `weights_only=True`."""
        key = self.CHECKPOINT_HYPER_PARAMS_KEY
        checkpoint[key] = plain_values(checkpoint.get(key, {}))

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # options are the model's own
        cls,
        checkpoint_path: Any,
        map_location: Any = "cpu",
        *,
        strict: bool = True,
        weights_only: Literal[True] = True,
        **options: Any,
    ) -> Self:
        """The network of a checkpoint, with its normalisation and threshold, in evaluation mode.

            model = Hybrid.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)

        Args:
            checkpoint_path: a file that a Trainer wrote, also a run's `checkpoints/best.ckpt`.
            map_location: the device.
            strict: whether the weights must be those of the network, none more, none less.
            weights_only: as Lightning has it; nothing else is ever unpickled.
            options: keywords of the model that replace those of the checkpoint.

        Raises:
            RunError: it is no checkpoint of this class.
        """
        return cast("Self", read_network(cls, checkpoint_path, map_location, strict, options))

    def load(self, path: Path) -> None:
        load_weights(self, path)

    def save(self, path: Path) -> None:
        save_weights(self, path)

    def get_extra_state(self) -> Tensor:
        """The threshold for the state dict: not a buffer, because a buffer moves to the device and
        MPS has no double precision."""
        return self.threshold.clone()

    def set_extra_state(self, state: Tensor) -> None:
        """Takes the threshold from a state dict."""
        self.threshold = state.detach().cpu().clone()


def _largest_kept(costs: Tensor, trim: float) -> Tensor:
    """The largest cost without the share `trim` of them, the largest; −inf does not count."""
    return costs.topk(int(int((costs > -inf).sum()) * trim) + 1).values[-1]
