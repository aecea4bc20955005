"""The paper's numbers: as in the YAML, and as its own arithmetic has them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import yaml

from anomalynet.metrics.kernels import decision_metrics
from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.published import COUNTS, EQ13, TITLES, eq13


@pytest.fixture
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        files("anomalynet.reporting.paper")
        .joinpath("paper_tables.yaml")
        .read_text(encoding="utf-8")
    )
    return loaded


@pytest.mark.parametrize("model", TITLES)
def test_printed_and_repaired_are_the_cells_of_the_yaml(
    model: str, content: dict[str, Any]
) -> None:
    own_name = {theirs: ours for ours, theirs in EQ13.items()}
    for metric, value in content["printed"][model].items():
        assert published.load().printed(model, own_name.get(metric, metric)) == value
    own_name = {short: name for name, short in COUNTS.items()}
    for metric, value in content["repaired"][model].items():
        assert published.load().repaired(model, own_name.get(metric, metric)) == value


def test_a_model_that_is_not_in_the_paper_has_no_numbers() -> None:
    assert published.load().printed("random_forest", "f1_attack") is None
    assert published.load().repaired("random_forest", "accuracy") is None
    assert published.load().printed("cnn", "accuracy") is None, (
        "the paper prints no overall accuracy"
    )
    assert published.load().repaired("cnn", "auroc") is None, "a confusion matrix has no ranking"


@pytest.mark.parametrize("model", TITLES)
def test_repaired_counts_give_the_repaired_metrics(model: str) -> None:
    numbers = published.load()
    counts = numbers.repaired_counts(model)
    assert counts.true_negatives + counts.false_positives == 2863
    assert counts.false_negatives + counts.true_positives == 7137
    computed = decision_metrics(counts)
    for metric, value in numbers.repaired_cells[model].items():
        if metric not in COUNTS.values():
            # whole counts of 10 000 windows cannot resolve the normal class (2 863) below 0.0175
            # points
            assert 100 * computed[metric] == pytest.approx(value, abs=0.02), metric


def test_the_recipe_of_eq_13_is_redone_as_in_the_specification() -> None:
    recipe = eq13(95.5, 96.24)
    assert recipe["eq13_accuracy_normal"] == pytest.approx(95.5 / 99.26 * 100)
    assert round(recipe["eq13_accuracy_normal"], 2) == 96.21
    assert round(recipe["eq13_accuracy_attack"], 2) == 95.53
    assert round(sum(recipe.values()) / 2, 2) == 95.87


def test_the_recipe_stands_under_its_own_name() -> None:
    assert published.load().printed("hybrid", "eq13_accuracy_normal") == 96.16
    assert published.load().repaired("hybrid", "eq13_accuracy_normal") == pytest.approx(
        100 * 94.80 / (94.80 + 1.02)
    )


def test_repaired_precision_of_the_consistent_models_follows_from_prevalence() -> None:
    for model in ("cnn", "lstm", "cnn_lstm"):
        cells = published.load().printed_cells[model]
        found, false = (
            0.7137 * cells["recall_attack"],
            (1 - 0.7137) * (100 - cells["recall_normal"]),
        )
        precision = 100 * found / (found + false)
        assert precision == pytest.approx(
            published.load().repaired_cells[model]["precision_attack"], abs=0.01
        )
        f1 = 2 * precision * cells["recall_attack"] / (precision + cells["recall_attack"])
        assert f1 == pytest.approx(cells["f1_attack"], abs=0.011)
