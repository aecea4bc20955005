"""Trains one model: a network by Lightning, a classical model by scikit-learn."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch

from anomalynet.config.schema import Config
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.statistics import statistics
from anomalynet.errors import DataError, RunError, StoppedError, UsageError, first_line
from anomalynet.models import build
from anomalynet.models.base import Detector
from anomalynet.models.classical import Classical
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.training.callbacks import Checkpoints, Listener, Progress
from anomalynet.training.reproducibility import (
    interruptible,
    no_denormals,
    quiet_lightning,
    seed_everything,
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model, as validation chose it."""

    model: Detector | Classical
    epochs: int | None
    best_epoch: int | None


def fit_classical(
    config: Config, module: TelemetryDataModule, model: Classical, folder: RunFolder
) -> Fitted:
    """Fit a scikit-learn model on the statistics of every training window, and store it."""
    windows = module.windows("train")
    started = time.perf_counter()
    features = np.concatenate([statistics(windows.gather(chunk)) for chunk in windows.chunks()])
    model.fit(features, windows.targets(), config.seed)
    write_json(folder.timings, {"train_seconds": time.perf_counter() - started})
    folder.classical.parent.mkdir(parents=True, exist_ok=True)
    return Fitted(model, epochs=None, best_epoch=None)


def fit_network(
    config: Config,
    module: TelemetryDataModule,
    model: Detector,
    folder: RunFolder,
    listener: Listener | None,
) -> Fitted:
    """Train a network until its epochs or its patience are over; continues from the last finished
    epoch. Under DDP every rank comes through here; those above 0 have nothing to do afterwards."""
    folder.best.parent.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(folder, config.training.monitor, config.training.patience)
    resume = _resumable(folder, checkpoints)
    unfinished = checkpoints.epochs < config.training.epochs and not checkpoints.patience_over
    if unfinished:
        with quiet_lightning(), no_denormals(), interruptible():
            trainer = _trainer(config, [checkpoints, Progress(folder, checkpoints, listener)])
            if config.hardware.compile:
                model.compile()
            last = str(folder.last) if resume else None
            trainer.fit(model, datamodule=module, ckpt_path=last, weights_only=True)
    unfinished = checkpoints.epochs < config.training.epochs and not checkpoints.patience_over
    if checkpoints.stopped and unfinished:
        what = f"stopped on request after epoch {checkpoints.epochs}"
        raise StoppedError(what, "the same command continues")
    load_network(model, folder)
    return Fitted(model, checkpoints.epochs, checkpoints.best_epoch)


def load_network(model: Detector, folder: RunFolder) -> None:
    """Put the weights of the best epoch into a network of the same shape."""
    try:
        checkpoint = torch.load(folder.best, weights_only=True, map_location="cpu")
        model.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # a torn file, or weights of another shape, show in many ways
        what = f"{folder.best}: no checkpoint of this model: {first_line(error)}"
        raise RunError(what, "delete the run's folder and train again") from None
    model.eval()


def store_threshold(model: Detector | Classical, limit: float, folder: RunFolder) -> None:
    """Put the threshold beside the weights that it belongs to."""
    if isinstance(model, Classical):
        model.threshold = limit
        model.save(folder.classical)
        return
    model.threshold.fill_(limit)
    checkpoint = torch.load(folder.best, weights_only=True, map_location="cpu")
    checkpoint["state_dict"] = model.state_dict()
    temporary = folder.best.with_suffix(".tmp")
    torch.save(checkpoint, temporary)
    temporary.replace(folder.best)


def build_model(config: Config, module: TelemetryDataModule) -> Detector | Classical:
    """The model of a configuration, its weights drawn from the run's seed and its normalisation
    fitted on the training part. Raises DataError: the training windows have one class where the
    model needs two."""
    seed_everything(config.seed)
    model = build(config, module.shape)
    if model.trains_on == "labelled" and len(np.unique(module.windows("train").targets())) < 2:
        how = "an unsupervised model (autoencoder, isolation_forest) needs no label"
        raise DataError("the training windows are of one class", how)
    if isinstance(model, Detector):
        model.fit_normalisation(*module.normalisation())
    return model


def _resumable(folder: RunFolder, checkpoints: Checkpoints) -> bool:
    """Read how far an interrupted run came; a checkpoint that cannot be read, or that other code
    made, starts it afresh."""
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


def _trainer(config: Config, callbacks: list[L.Callback]) -> L.Trainer:
    devices, accelerator = config.hardware.devices, config.hardware.accelerator
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    there |= {"cpu": os.cpu_count() or 1}
    chosen = accelerator if accelerator != "auto" else next(kind for kind in there if there[kind])
    if there[chosen] < devices:
        what = f"hardware.devices={devices}: this machine has {there[chosen]} for {chosen}"
        raise UsageError(what, "`anomalynet doctor` says what there is")
    return L.Trainer(
        accelerator="gpu" if accelerator == "cuda" else accelerator,
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_epochs=config.training.epochs,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        precision=config.training.precision,
    )
