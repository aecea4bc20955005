"""Tiny runs and what they were exported to, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from anomalynet.detection.export.export_run import Exported, export
from anomalynet.detection.export.paths import checked
from anomalynet.models import available
from anomalynet.training.finished import FinishedRun, open_run
from tests.training.small import shared


@dataclass(frozen=True)
class Made:
    """A run and its files."""

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
    "logistic": ("data.mask_channel=false", "evaluation.threshold=alarm_budget"),
    "random_forest": ("model.trees=20",),
    "gradient_boosting": ("model.iterations=20", "data.calibration_rows=0"),
    "isolation_forest": ("model.trees=20",),
}
"""What each run tries beside its model."""

LIKE_OTHERS = ("lstm", "cnn_lstm")
"""Made of the same layers as others."""
EXPERIMENTS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in LIKE_OTHERS)) for name in available()
]


def maker(folder: Path, *variants: str) -> Callable[[str], Made]:
    """Makes each experiment's tiny run and exports it to a folder, once."""

    @cache
    def make(experiment: str) -> Made:
        run = open_run(shared(experiment, *OVERRIDES.get(experiment, ())).folder.path)
        paths = checked(folder / f"{experiment}.onnx", variants, replace=False)
        return Made(run, export(run, paths, variants))

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, data_home: Path) -> Callable[[str], Made]:
    """A tiny run of an experiment, exported."""
    return maker(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory, data_home: Path) -> Callable[[str], Made]:
    """The same with its variants, which take as long as the rest of an export."""
    return maker(tmp_path_factory.mktemp("varied"), "int8", "fp16")
