"""Tiny runs and what they were exported to, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from anomalynet.detection.export.paths import checked
from anomalynet.detection.export.run import Exported, export
from anomalynet.training.finished import FinishedRun, open_run
from tests.training.small import shared


@dataclass(frozen=True)
class Made:
    """A run and its files; of some, variants too."""

    run: FinishedRun
    exported: Exported

    @property
    def file(self) -> Path:
        """The float32 file."""
        return self.exported.files["float32"]


OVERRIDES = {
    "cnn": (
        *("data.calibration=deviation", "data.calibration_floor=0.5"),
        *("data.clip=3", "model.channels=8"),
    ),
    "lstm": ("data.mask_channel=false", "evaluation.threshold=alarm_budget"),
    "random_forest": ("model.trees=20",),
    "gradient_boosting": ("model.iterations=20", "data.calibration_rows=0"),
    "isolation_forest": ("model.trees=20",),
}
"""What each run tries beside its model."""

VARIED = ("hybrid", "hybrid_causal", "autoencoder", "random_forest")
"""Experiments whose variants are looked at; they take as long as the rest of an export."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, data_home: Path) -> Callable[[str], Made]:
    """A tiny run of an experiment, exported."""
    folder = tmp_path_factory.mktemp("exports")

    @cache
    def make(experiment: str) -> Made:
        run = open_run(shared(experiment, *OVERRIDES.get(experiment, ())).folder.path)
        variants = ("int8", "fp16") if experiment in VARIED else ()
        return Made(
            run,
            export(run, checked(folder / f"{experiment}.onnx", variants, replace=False), variants),
        )

    return make
