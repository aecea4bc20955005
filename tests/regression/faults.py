"""Eight ways in which a change can break training without any error; each is applied to the program
while it runs.

A fault changes no file and no key of a configuration: that is how a careless commit does it. Each
names the experiment that suffers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from anomalynet.config.schema import EvaluationConfig
from anomalynet.data import steps as steps_of
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.windows import Windows
from anomalynet.layers import attention, sequence
from anomalynet.models.base import Detector


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what applies it, and an experiment in which it shows."""

    apply: Callable[[pytest.MonkeyPatch], None]
    experiment: str


def wrong_axis(patch: pytest.MonkeyPatch) -> None:
    """Attention's weights sum to 1 over the batch."""

    class Wrong:
        bmm = staticmethod(torch.bmm)

        @staticmethod
        def softmax(energy: Tensor, dim: int) -> Tensor:
            return torch.softmax(energy, dim=0)

    patch.setattr(attention, "torch", Wrong)


def heavy_dropout(patch: pytest.MonkeyPatch) -> None:
    """Nine tenths are dropped, whatever `model.dropout` says."""
    real = sequence.Head.__init__

    def init(self: Any, features: int, width: int, dropout: float) -> None:
        real(self, features, width, 0.9)

    patch.setattr(sequence.Head, "__init__", init)


def shifted_labels(patch: pytest.MonkeyPatch) -> None:
    """A window carries the label of the step before its last."""

    def targets(self: Windows, ids: Any) -> Any:
        return np.asarray(self.prepared.labels[self.ends(ids) - 1])

    patch.setattr(Windows, "_targets", targets)


def leaked_threshold(patch: pytest.MonkeyPatch) -> None:
    """The threshold is chosen on the test part."""
    real_steps, real_threshold = TelemetryDataModule.steps, steps_of.threshold
    seen: dict[str, pl.DataFrame] = {}

    def steps(self: TelemetryDataModule, part: Any, scores: Any) -> pl.DataFrame:
        seen[part] = real_steps(self, part, scores)
        return seen[part]

    def threshold(config: EvaluationConfig, validation: pl.DataFrame, devices: int) -> float:
        return real_threshold(config, seen["test"], devices)

    patch.setattr(TelemetryDataModule, "steps", steps)
    patch.setattr("anomalynet.training.run.threshold", threshold)


def normalised_by_all(patch: pytest.MonkeyPatch) -> None:
    """Mean and deviation come from all windows, validation and test included."""

    def normalisation(self: TelemetryDataModule) -> Any:
        values = np.asarray(self.prepared.values)
        return values.mean(axis=0), values.std(axis=0)

    patch.setattr(TelemetryDataModule, "normalisation", normalisation)


def frozen_lstm(patch: pytest.MonkeyPatch) -> None:
    """The LSTM keeps the weights that it was drawn with."""
    real = sequence.Recurrent.__init__

    def init(self: Any, features: int, hidden: int) -> None:
        real(self, features, hidden)
        self.requires_grad_(False)

    patch.setattr(sequence.Recurrent, "__init__", init)


def shuffled_channels(patch: pytest.MonkeyPatch) -> None:
    """Each gather of windows deals the channels in another order."""
    real = Windows.gather
    random = np.random.default_rng(0)

    def gather(self: Windows, ids: Any) -> Any:
        windows = real(self, ids)
        return np.ascontiguousarray(windows[:, :, random.permutation(windows.shape[2])])

    patch.setattr(Windows, "gather", gather)


def fast_learning(patch: pytest.MonkeyPatch) -> None:
    """The learning rate is ten times what the configuration says."""
    real = Detector.configure_optimizers

    def configure(self: Detector) -> Any:
        optimizer = real(self)
        for group in optimizer.param_groups:
            group["lr"] *= 10
        return optimizer

    patch.setattr(Detector, "configure_optimizers", configure)


FAULTS = {
    "attention_axis": Fault(wrong_axis, "hybrid"),
    "dropout": Fault(heavy_dropout, "cnn"),
    "labels": Fault(shifted_labels, "cnn"),
    "threshold": Fault(leaked_threshold, "cnn"),
    "normalisation": Fault(normalised_by_all, "autoencoder"),
    "frozen_lstm": Fault(frozen_lstm, "hybrid"),
    "channels": Fault(shuffled_channels, "cnn"),
    "learning_rate": Fault(fast_learning, "cnn"),
}
