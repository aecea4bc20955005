"""Which epoch becomes the model, and when training stops: `Checkpoints` driven by fixed numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lightning as L
import pytest

from anomalynet.errors import RunError
from anomalynet.runs.folder import RunFolder
from anomalynet.training.callbacks import Checkpoints

AP, LOSS = "validation/average_precision", "validation/loss"
MODULE: Any = SimpleNamespace()


class FakeTrainer:
    """What `Checkpoints` sees of a trainer; notes which files it saves, in order."""

    def __init__(self) -> None:
        self.callback_metrics: dict[str, float] = {}
        self.current_epoch = 0
        self.should_stop = False
        self.is_global_zero = True
        self.strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
        self.optimizers = [SimpleNamespace(param_groups=[{"lr": 0.001}])]
        self.saved: list[str] = []

    def save_checkpoint(self, path: Path, weights_only: bool = False) -> None:
        """Note the file and the epoch."""
        self.saved.append(f"{path.stem} {self.current_epoch}")


def drive(checkpoints: Checkpoints, values: list[float], first: int = 0) -> FakeTrainer:
    """One epoch a value of the monitored metric."""
    trainer = FakeTrainer()
    for epoch, value in enumerate(values, first):
        trainer.current_epoch = epoch
        trainer.callback_metrics = {"train/loss": 0.5, checkpoints.monitor: value}
        checkpoints.on_train_epoch_end(cast(L.Trainer, trainer), MODULE)
        if trainer.should_stop:
            break
    return trainer


def checkpoints(monitor: str, patience: int = 9) -> Checkpoints:
    return Checkpoints(RunFolder(Path("run")), monitor, patience)


@pytest.mark.parametrize(("monitor", "best"), [(AP, 2), (LOSS, 3)])
def test_the_best_epoch_is_the_highest_precision_or_the_lowest_loss_and_the_first_of_equals(
    monitor: str, best: int
) -> None:
    found = checkpoints(monitor)
    drive(found, [0.5, 0.7, 0.2, 0.7, 0.2])
    assert found.best_epoch == best


def test_best_is_saved_before_last_and_only_when_it_improves() -> None:
    saved = drive(checkpoints(AP), [0.5, 0.4, 0.6]).saved
    assert saved == ["best 0", "last 0", "last 1", "best 2", "last 2"]


def test_patience_counts_epochs_without_improvement() -> None:
    found = checkpoints(AP, patience=2)
    trainer = drive(found, [0.5, 0.6, 0.6, 0.1, 0.9])
    assert (found.epochs, found.best_epoch, trainer.should_stop) == (4, 2, True)


def test_a_metric_that_is_not_a_number_is_no_improvement() -> None:
    found = checkpoints(AP)
    drive(found, [float("nan"), 0.1, float("nan")])
    assert (found.best, found.best_epoch) == (0.1, 2)


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_resumed_choice_is_the_uninterrupted_one(cut: int) -> None:
    values = [0.5, 0.8, 0.6, 0.7, 0.6, 0.1]
    whole = checkpoints(AP, patience=4)
    drive(whole, values)
    before, after = checkpoints(AP, patience=4), checkpoints(AP, patience=4)
    drive(before, values[:cut])
    after.load_state_dict(before.state_dict())
    drive(after, values[cut:], cut)
    assert after.state_dict() == whole.state_dict()


def test_an_undefined_monitor_names_what_there_is() -> None:
    trainer: Any = FakeTrainer()
    trainer.callback_metrics = {"validation/loss": 0.1}
    with pytest.raises(RunError, match=r"(?s)average_precision is not .*it has validation/loss"):
        checkpoints(AP).on_train_epoch_end(trainer, MODULE)
