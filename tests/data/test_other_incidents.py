"""Attack against normal: steps in incidents of another cause count in neither class, and in the
metrics against everything as normal; by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from anomalynet.config.schema import DataConfig, EvaluationConfig
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.steps import metrics, step_table, threshold
from anomalynet.data.windows import Windows
from anomalynet.detection.evaluation import Labels
from tests.data.build import Recording, prepared

# A fault (incident 3, label 0) at steps 2 and 3, an attack (incident 5) at steps 6 and 7.
INCIDENTS = [None, None, 3, 3, None, None, 5, 5, None, None]
LABELS = [0, 0, 0, 0, 0, 0, 1, 1, 0, 0]
ONE = Recording("s", range(10), [[1.0] * 10], LABELS, incidents=INCIDENTS)
ROWS = prepared([ONE], DataConfig(calibration_rows=0))
SCORES = [0.1, 0.2, 0.9, 0.8, 0.1, 0.3, 0.7, 0.4, 0.1, 0.2]


def table(*, others: bool) -> pl.DataFrame:
    found = step_table(ROWS, np.arange(10), others=others)
    return found.with_columns(score=pl.Series(SCORES))


def test_metrics_compare_attack_with_normal_and_with_everything() -> None:
    found = metrics(table(others=False), 0.5, probability=True)
    assert found["auroc"] == 1 and found["average_precision"] == 1
    assert (found["precision_attack"], found["recall_attack"]) == (1, 0.5)
    assert found["false_alarms_per_device_day"] == 0, "the alarm in the fault is neither"
    assert found["auroc_all"] == pytest.approx(1 - 4 / 16)  # two fault steps above both attacks
    assert found["f1_attack_all"] == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))
    every = metrics(table(others=True), 0.5, probability=True)
    assert every["auroc"] == found["auroc_all"] and every["f1_attack"] == found["f1_attack_all"]
    assert "auroc_all" not in every
    assert every["false_alarms_per_device_day"] == pytest.approx(86_400 / 10)


def test_the_threshold_is_of_the_steps_that_count() -> None:
    best = EvaluationConfig(threshold="f1")
    assert threshold(best, table(others=False), 1) == pytest.approx((0.3 + 0.4) / 2)
    assert threshold(best, table(others=True), 1) == pytest.approx((0.3 + 0.4) / 2)
    budget = EvaluationConfig(threshold="alarm_budget", alarms_per_day=1e9)
    least = threshold(budget, table(others=False), 1)
    assert least < 0.5 < threshold(budget, table(others=True), 1), "the fault's alarms are not its"


@pytest.mark.parametrize("others", [True, False])
def test_windows_that_end_in_another_incident(others: bool) -> None:
    windows = Windows(ROWS, Ranges.of([(0, 8)]), 1, others=others)
    found = windows.targets().tolist()
    assert found == ([0, 0, 0, 0, 0, 0, 1, 1] if others else [0, 0, -1, -1, 0, 0, 1, 1])
    assert len(windows.select((0, 1))) == (8 if others else 6)


def test_a_detector_judges_alike() -> None:
    known = Labels()
    for step, (label, incident) in enumerate(zip(LABELS, INCIDENTS, strict=True)):
        known.add("s", step, label, None if incident is None else str(incident), "kind")
    found = known.evaluate([("s", 2), ("s", 6), ("s", 8)], 1.0, 1.0)
    assert (found.outcome.alarms, found.outcome.false_alarms, found.unjudged) == (3, 1, 1)
    assert found.outcome.delays.tolist() == [0]
