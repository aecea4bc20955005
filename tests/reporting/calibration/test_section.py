"""The table is pooled within repetitions and averaged over them; what is no probability is
named."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.calibration import calibrate, calibration_section
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record

LABELS = [[0, 1, 0, 1], [1, 0, 0, 0]]
SCORES = {
    0: [[0.1, 0.7, 0.3, 0.9], [0.6, 0.2, 0.1, 0.4]],
    1: [[0.0, 1.0, 0.0, 0.5], [0.5, 0.0, 0.5, 0.0]],
}


def runs(folder: Path, experiment: str = "cnn", code: str = "c0de") -> list[RunRecord]:
    return [
        record(
            folder,
            experiment,
            seed=seed,
            fold=fold,
            labels=LABELS[fold],
            scores=folds[fold],
            code=code,
        )
        for seed, folds in SCORES.items()
        for fold in range(2)
    ]


def measured(records: Sequence[RunRecord]) -> tuple[ArmMetrics, ...]:
    return aggregate(arms(records))


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_folds_are_pooled_and_repetitions_averaged(tmp_path: Path) -> None:
    found = calibration_section(measured(runs(tmp_path)), "toy")
    briers = [
        brier_score_loss(np.concatenate(LABELS), np.concatenate(folds)) for folds in SCORES.values()
    ]
    table = {row["metric"]: row for row in rows(found.files["tables/calibration.csv"])}
    assert float(table["brier"]["mean"]) == pytest.approx(np.mean(briers), abs=5e-5)
    assert float(table["brier"]["spread"]) == pytest.approx(np.std(briers, ddof=1), abs=5e-5)
    assert (table["brier"]["n"], table["brier"]["seeds"], table["brier"]["split"]) == (
        "2",
        "0, 1",
        "group",
    )
    assert table["brier_constant"]["mean"] == "0.2344"  # 3/8 · 5/8
    assert (table["prevalence"]["mean"], table["mean_score"]["mean"]) == (
        "37.5000",
        f"{100 * (3.3 / 8 + 2.5 / 8) / 2:.4f}",
    )
    assert f"| **CNN** | {np.mean(briers):.3f} ± {np.std(briers, ddof=1):.3f} |" in "\n".join(
        found.parts
    )


def test_the_diagram_has_every_step_and_the_range_of_repetitions(tmp_path: Path) -> None:
    models = measured(runs(tmp_path))
    found = calibration_section(models, "toy")
    bins = rows(found.files["tables/reliability.csv"])
    assert len(bins) == 15
    assert sum(int(row["steps"]) for row in bins) == 16
    middle = bins[
        7
    ]  # 0.4667 … 0.5333: three times 0.5 of the second repetition, two of them attack
    assert (middle["steps"], middle["score"], middle["attack"]) == ("3", "0.5000", "0.6667")
    lowest = bins[1]  # 0.0667 … 0.1333: twice 0.1 of the first
    assert (
        lowest["steps"],
        lowest["attack"],
        lowest["attack_lowest"],
        lowest["attack_highest"],
    ) == ("2", "0.0000", "0.0000", "0.0000")
    svg = found.files["figures/calibration_reliability.svg"].decode()
    assert "<!-- CNN -->" in svg
    assert found == calibration_section(measured(list(reversed(runs(tmp_path / "again")))), "toy")


def test_the_range_goes_from_the_lowest_to_the_highest_repetition(tmp_path: Path) -> None:
    own = [
        record(tmp_path, seed=seed, folds=1, labels=labels, scores=[0.5, 0.5, 0.9])
        for seed, labels in enumerate([[0, 1, 1], [1, 1, 1], [0, 0, 1]])
    ]
    (one,), _ = calibrate(measured(own))
    low, high = one.observed_range
    assert (low[7], high[7], one.pooled.observed[7]) == (0.0, 1.0, 0.5)
    assert (low[13], high[13]) == (1.0, 1.0)
    assert np.isnan(low[0])


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time."""
    monkeypatch.setattr("anomalynet.reporting.calibration.drawn", lambda *_: {})


@pytest.mark.usefixtures("no_figures")
def test_models_without_probabilities_are_named(tmp_path: Path) -> None:
    distance = record(
        tmp_path, "autoencoder", folds=1, labels=[0, 1], scores=[0.2, 0.4], probability=False
    )
    pretender = record(tmp_path, "mine", folds=1, labels=[0, 1], scores=[0.2, 1.5])
    text = "\n".join(
        calibration_section(measured([*runs(tmp_path), distance, pretender]), "toy").parts
    )
    assert "The scores of Autoencoder, Mine are no probabilities" in text
    assert "| **Mine**" not in text
    alone = calibration_section(measured([distance]), "toy")
    assert (len(alone.parts), alone.files) == (2, {})


@pytest.mark.usefixtures("no_figures")
def test_runs_of_other_code_are_marked(tmp_path: Path) -> None:
    found = calibration_section(
        measured([*runs(tmp_path), record(tmp_path, "mine", folds=1, code="0ther")]), "toy"
    )
    text = "\n".join(found.parts)
    assert "| **Mine**‡ |" in text
    assert text.count("‡ Mine: 1 of 1 runs were made by another version of the code") == 2
