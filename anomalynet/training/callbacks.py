"""What happens after each epoch: choose the best model, allow an exact resume, say how it goes."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from anomalynet.errors import RunError
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import Listener, RunFolder


class Checkpoints(Checkpoint):
    """Keeps the best epoch on validation and the last one, and stops when patience is over or
    somebody asks for it, by a file that rank 0 alone looks for: all ranks stop together or none.

    The state travels inside the checkpoint, and best is written before last: after a kill at any
    moment the same command repeats at most one epoch, with the same numbers. A `Checkpoint`,
    because Lightning calls those after the module's own hook, which logs the loss."""

    def __init__(self, folder: RunFolder, monitor: str, patience: int, first: int = 1) -> None:
        """`first`: epoch from which the best one is chosen, and patience counts."""
        self.folder, self.monitor, self.patience, self.first = folder, monitor, patience, first
        self.maximise = not monitor.endswith("loss")
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epochs = 0
        self.stopped = False
        self.lines: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """What an exact resume needs; Lightning puts it into each checkpoint."""
        names = ("best", "best_epoch", "epochs", "lines")
        return {"code": code_hash(), **{name: getattr(self, name) for name in names}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where a checkpoint stood."""
        for name in ("best", "best_epoch", "epochs", "lines"):
            setattr(self, name, state_dict[name])

    @property
    def patience_over(self) -> bool:
        """Whether the monitored metric has not improved for `patience` epochs."""
        since = max(self.best_epoch or 0, self.first - 1)
        return self.best_epoch is not None and self.epochs - since >= self.patience

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save best, then last; then stop if patience is over."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.monitor not in values:
            known = ", ".join(sorted(name for name in values if name.startswith("validation/")))
            what = f"training.monitor: {self.monitor} is not defined on this validation part"
            raise RunError(what, f"it has {known}")
        value, epoch = values[self.monitor], trainer.current_epoch + 1
        if not math.isfinite(values.get("train/loss", 0.0)):
            what = f"the training loss is {values['train/loss']} in epoch {epoch}"
            raise RunError(what, "lower training.learning_rate")
        best = None if epoch == self.first else self.best
        better = best is None or (value > best if self.maximise else value < best)
        improved = math.isfinite(value) and better
        if improved:
            self.best, self.best_epoch = value, epoch
        self.epochs = epoch
        values["train/learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        named = {name: values[name] for name in sorted(values)}
        self.lines.append({"epoch": epoch, **named, "best": improved})
        if improved or self.best_epoch is None:
            trainer.save_checkpoint(self.folder.best, weights_only=True)
        trainer.save_checkpoint(self.folder.last)
        asked = trainer.is_global_zero and self.folder.stop.exists()
        self.stopped = trainer.strategy.reduce_boolean_decision(asked, all=False)
        # a caller's EarlyStopping may have asked already
        trainer.should_stop = trainer.should_stop or self.patience_over or self.stopped


class Progress(Checkpoint):
    """Writes progress.jsonl and seconds, notifies the listener; on rank 0, after `Checkpoints`."""

    def __init__(
        self, folder: RunFolder, checkpoints: Checkpoints, listener: Listener | None
    ) -> None:
        self.folder, self.checkpoints, self.listener = folder, checkpoints, listener
        self.since = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """After a resume, progress.jsonl says what the checkpoint knows, no more."""
        self.since = time.perf_counter()
        if trainer.is_global_zero:
            self.folder.progress.unlink(missing_ok=True)
            if not self.checkpoints.lines:
                self.folder.timings.unlink(missing_ok=True)
            for line in self.checkpoints.lines:
                self.folder.append_progress(line)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Notify the listener."""
        if self.listener and trainer.is_global_zero:
            steps = int(trainer.num_training_batches)
            self.listener.step(trainer.current_epoch, batch_idx + 1, steps)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the epoch that `Checkpoints` has just saved."""
        if not trainer.is_global_zero:
            return
        now = time.perf_counter()
        seconds = read_json(self.folder.timings).get("train_seconds", 0.0) + now - self.since
        self.since = now
        write_json(self.folder.timings, {"train_seconds": seconds})
        line = self.checkpoints.lines[-1]
        self.folder.append_progress(line)
        if self.listener:
            self.listener.epoch(line, trainer.max_epochs or 0)
