"""Accuracy beside that of a detector that sees nothing."""

from __future__ import annotations

from pathlib import Path

from anomalynet.reporting.aggregate import aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.findings import majority_sentence
from tests.reporting.synthetic import record

LABELS = [1, 0, 0, 0]


def test_models_less_accurate_than_the_commoner_class_are_named(tmp_path: Path) -> None:
    right = record(tmp_path, "cnn", labels=LABELS, scores=[0.9, 0.1, 0.1, 0.1], folds=1)
    wrong = record(tmp_path, "lstm", labels=LABELS, scores=[0.9, 0.9, 0.9, 0.1], folds=1)
    level = record(tmp_path, "hybrid", labels=LABELS, scores=[0.1, 0.1, 0.1, 0.1], folds=1)
    told = majority_sentence(aggregate(arms([right, wrong, level])))
    assert "right in 75.00 % of the steps" in told
    assert told.endswith("1 of 3 models are less accurate: LSTM.")
    assert majority_sentence(aggregate(arms([wrong]))).endswith("every model is less accurate.")
    assert majority_sentence(aggregate(arms([right]))).endswith("no model is less accurate.")


def test_of_several_worlds_the_spread_is_told_and_attack_may_be_the_commoner(
    tmp_path: Path,
) -> None:
    records = [
        record(tmp_path, "cnn", seed=world, world=world, labels=labels, scores=[0.9] * 4, folds=1)
        for world, labels in enumerate(([1, 1, 1, 0], [0, 1, 0, 1]))
    ]
    assert "right in 62.50 ± 17.68 % of the steps" in majority_sentence(aggregate(arms(records)))


def test_without_labels_nothing_is_said(tmp_path: Path) -> None:
    assert (
        majority_sentence(
            aggregate(
                arms([record(tmp_path, "cnn", labels=[None, None], scores=[0.1, 0.2], folds=1)])
            )
        )
        == ""
    )
