"""Trains one model: a network by Lightning, a classical model by scikit-learn."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.profilers import PassThroughProfiler

from anomalynet.config.schema import Config
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.statistics import statistics
from anomalynet.errors import DataError, StoppedError, UsageError
from anomalynet.models import Detector, WindowModel, build
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import write_json
from anomalynet.runs.folder import Listener, RunFolder
from anomalynet.training.callbacks import Checkpoints, Progress
from anomalynet.training.reproducibility import (
    interruptible,
    no_denormals,
    quiet_lightning,
    seed_everything,
)

if TYPE_CHECKING:
    from anomalynet.models import Classical  # scikit-learn, which a network does without

FEATURES_AT_ONCE = 1 << 14  # windows whose statistics are computed at a time
DECIDED = {"max_epochs": "training.epochs", "precision": "training.precision"}
DECIDED |= {key: f"hardware.{key}" for key in ("accelerator", "devices")}
DECIDED |= {key: f"train({key}=…)" for key in ("callbacks", "logger")}
DECIDED |= {"enable_progress_bar": "train(progress=…)"}
"""Arguments of Lightning's Trainer that a caller cannot give → what decides them."""


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """What a caller adds to Lightning's Trainer beside ours. It does not enter the run's identity.

    Raises UsageError: an argument of `DECIDED`.
    """

    callbacks: Sequence[L.Callback] = ()
    logger: Any = None  # a Logger, several, or True for Lightning's default
    progress: bool = False  # shows Lightning's progress bar
    arguments: Mapping[str, Any] = field(default_factory=dict)  # more arguments of the Trainer

    def __post_init__(self) -> None:
        for name in self.arguments:
            if name in DECIDED:
                raise UsageError(f"trainer_kwargs: {name} is decided by {DECIDED[name]}")

    @property
    def note(self) -> dict[str, Any]:
        """What may have changed the result, for environment.json; empty where nothing may."""
        names = [type(callback).__name__ for callback in self.callbacks]
        values = {name: repr(value) for name, value in self.arguments.items()}
        return {"callbacks": names, "arguments": values} if names or values else {}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model, as validation chose it."""

    model: WindowModel
    epochs: int | None
    best_epoch: int | None


def fit(
    config: Config,
    module: TelemetryDataModule,
    model: WindowModel,
    folder: RunFolder,
    listener: Listener | None = None,
    trainer_options: TrainerOptions | None = None,
) -> Fitted:
    """Train a model, each kind in its way. Raises UsageError: options of Lightning's Trainer where
    the model is not trained by it."""
    trainer_options = trainer_options or TrainerOptions()
    if model.uses_trainer:
        network = cast("Detector", model)
        return fit_network(config, module, network, folder, listener, trainer_options)
    if trainer_options.note or trainer_options.logger:
        raise UsageError(
            f"{config.model.name} is not trained by Lightning: it takes no callbacks, logger or "
            "trainer_kwargs"
        )
    return fit_classical(config, module, cast("Classical", model), folder)


def fit_classical(
    config: Config, module: TelemetryDataModule, model: Classical, folder: RunFolder
) -> Fitted:
    """Fit a scikit-learn model on the statistics of the training windows, or of a sample of
    them."""
    started = time.perf_counter()
    ids = module.training_sample(config.training.classical_windows)
    features, targets = [], []
    for piece in np.array_split(ids, max(1, len(ids) // FEATURES_AT_ONCE)):
        x, target = module.learned(piece)
        features.append(statistics(x))
        targets.append(target)
    model.fit(np.concatenate(features), np.concatenate(targets), config.seed)
    write_json(folder.timings, {"train_seconds": time.perf_counter() - started})
    folder.classical.parent.mkdir(parents=True, exist_ok=True)
    return Fitted(model, epochs=None, best_epoch=None)


def fit_network(
    config: Config,
    module: TelemetryDataModule,
    model: Detector,
    folder: RunFolder,
    listener: Listener | None,
    trainer_options: TrainerOptions,
) -> Fitted:
    """Train a network until its epochs or its patience are over; continues from the last finished
    epoch. Under DDP every rank comes through here; those above 0 have nothing to do afterwards."""
    folder.best.parent.mkdir(parents=True, exist_ok=True)
    first = (module.injected_epochs or 0) + 1  # of those after pre-training
    training = config.training
    checkpoints = Checkpoints(folder, training.monitor, training.patience, first)
    resume = _resumable(folder, checkpoints)
    unfinished = checkpoints.epochs < config.training.epochs and not checkpoints.patience_over
    model.chooses_threshold = False  # the evaluation chooses it once, for the best epoch
    if not unfinished and folder.read_progress() != checkpoints.lines:  # damaged, or killed
        folder.progress.unlink(missing_ok=True)
        for line in checkpoints.lines:
            folder.append_progress(line)
    if unfinished:
        with quiet_lightning(), no_denormals(), interruptible():
            own = [checkpoints, Progress(folder, checkpoints, listener)]
            trainer = _trainer(config, folder, own, trainer_options)
            if config.hardware.compile:
                model.compile()
            last = str(folder.last) if resume else None
            trainer.fit(model, datamodule=module, ckpt_path=last, weights_only=True)
    unfinished = checkpoints.epochs < config.training.epochs and not checkpoints.patience_over
    if checkpoints.stopped and unfinished:
        what = f"stopped on request after epoch {checkpoints.epochs}"
        raise StoppedError(what, "the same command continues")
    model.load(folder.best)
    return Fitted(model, checkpoints.epochs, checkpoints.best_epoch)


def build_model(config: Config, module: TelemetryDataModule) -> WindowModel:
    """The untrained model of a configuration, its weights drawn from the run's seed. Raises
    DataError: the training windows have one class where the model needs two; UsageError: incidents
    are injected for a model that learns from normal windows alone."""
    seed_everything(config.seed)
    model = build(config, module.shape)
    if model.trains_on != "labelled" and module.injector is not None:
        what = f"training.incidents={config.training.incidents}: {config.model.name} learns from"
        raise UsageError(f"{what} normal windows alone", "use training.incidents=labels")
    if config.training.incidents == "pretrained" and not isinstance(model, Detector):
        what = f"training.incidents=pretrained: {config.model.name} is fitted without epochs"
        raise UsageError(what, "use training.incidents=both")
    if module.reads_no_label:
        return model
    if model.trains_on == "labelled" and len(np.unique(module.windows("train").targets())) < 2:
        how = "unlabelled, autoencoder and isolation_forest need no label"
        raise DataError("the training windows are of one class", how)
    return model


def _resumable(folder: RunFolder, checkpoints: Checkpoints) -> bool:
    """Read how far an interrupted run came; an unreadable or foreign checkpoint starts it anew."""
    if not folder.last.exists():
        return False
    try:
        saved = torch.load(folder.last, weights_only=True, map_location="cpu")
        state = saved["callbacks"][checkpoints.state_key]
    except Exception:  # a torn file shows in many ways
        state = {}
    if state.get("code") != code_hash():
        folder.last.unlink()
        return False
    checkpoints.load_state_dict(state)
    return True


class _NoProfiler(PassThroughProfiler):
    """Lightning's own enters a generator around each of some 25 hooks per step."""

    def profile(self, action_name: str) -> Any:
        return _NOTHING


_NOTHING = nullcontext()


def _trainer(
    config: Config, folder: RunFolder, own: Sequence[L.Callback], trainer_options: TrainerOptions
) -> L.Trainer:
    devices, accelerator = config.hardware.devices, config.hardware.accelerator
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    there |= {"cpu": os.cpu_count() or 1}
    chosen = accelerator if accelerator != "auto" else next(kind for kind in there if there[kind])
    if there[chosen] < devices:
        what = f"hardware.devices={devices}: this machine has {there[chosen]} for {chosen}"
        raise UsageError(what, "`anomalynet doctor` lists what there is")
    arguments: dict[str, Any] = {
        "strategy": "ddp" if devices > 1 else "auto",
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "default_root_dir": folder.path,
        "profiler": _NoProfiler(),
    }
    return L.Trainer(
        accelerator="gpu" if accelerator == "cuda" else accelerator,
        devices=devices,
        max_epochs=config.training.epochs,
        callbacks=[*trainer_options.callbacks, *own],
        logger=trainer_options.logger or False,
        enable_progress_bar=trainer_options.progress,
        precision=config.training.precision,
        **{**arguments, **trainer_options.arguments},
    )
