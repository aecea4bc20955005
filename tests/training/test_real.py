"""On SKAB, what was measured once stays true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomalynet.config.load import load
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.models.classical import Classical
from anomalynet.runs.folder import RunFolder
from anomalynet.training.fit import build_model, fit_classical


def forest_auroc(root: Path, folder: Path, calibration_rows: int) -> float:
    """AUROC of a random forest, every fold of SKAB held out once, test steps pooled."""
    labels, scores = [], []
    for fold in range(5):
        keys = ["data.name=skab", f"data.root={root}", "model.trees=20", "data.stride=24"]
        keys += [f"data.split.fold={fold}", f"data.calibration_rows={calibration_rows}"]
        config = load("random_forest", keys).config
        module = TelemetryDataModule(config)
        module.setup()
        assert module.split.label == "group"
        model = build_model(config, module)
        assert isinstance(model, Classical)
        fit_classical(config, module, model, RunFolder(folder / str(fold)))
        windows = module.windows("test")
        labels.append(windows.targets())
        scores.append(model.score_windows(windows))
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))


@pytest.mark.slow
def test_a_random_forest_on_skab_gains_from_calibration(real_data: Path, tmp_path: Path) -> None:
    with_calibration, without = (forest_auroc(real_data, tmp_path, rows) for rows in (100, 0))
    assert 0.92 < with_calibration < 0.97
    assert 0.87 < without < 0.93
    assert with_calibration > without + 0.02
