"""The declaration of metrics, and that every metric computed is declared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anomalynet.metrics.classification import point_metrics
from anomalynet.metrics.events import event_metrics
from anomalynet.metrics.suite import AGAINST_ALL, ALL, METRICS
from anomalynet.regression.baseline import read_baseline
from anomalynet.runs.folder import RunFolder
from tests.reporting.synthetic import record


def test_every_declared_metric_is_computed_and_the_other_way_round() -> None:
    labels, scores = np.array([0, 1], dtype=np.int8), np.array([0.1, 0.9])
    none = np.full(2, -1)
    events = event_metrics(
        labels=labels,
        scores=scores,
        threshold=0.5,
        incidents=none,
        series=np.zeros(2, int),
        times=np.arange(2),
        step_seconds=1.0,
    )
    of_a_fleet = {"false_alarms_per_fleet_day"}  # a part of a data set is no fleet
    points = set(point_metrics(labels, scores, 0.5, True))
    names = points | set(events) | {f"{name}{ALL}" for name in points & {*AGAINST_ALL}}
    assert names - set(METRICS) == of_a_fleet
    assert set(METRICS) <= names
    assert all(name == metric.name for name, metric in METRICS.items())


def test_an_earlier_name_of_a_metric_is_read_as_todays(tmp_path: Path) -> None:
    metrics = {"validation/false_alarms_per_day": 3.0, "test/false_alarms_per_day": None}
    made = record(tmp_path, metrics=metrics)
    folder = RunFolder(made.folder)
    folder.write_result(made.result)
    assert folder.read_result().metrics == {
        "validation/false_alarms_per_device_day": 3.0,
        "test/false_alarms_per_device_day": None,
    }


def test_the_committed_baseline_is_read_with_todays_names() -> None:
    baseline = read_baseline(Path(__file__).parents[2] / "reports" / "baseline.json")
    assert baseline.tolerances.metrics["test/false_alarms_per_device_day"] == 10.0
    for environment in baseline.environments.values():
        runs = [run for one in environment.statistical.values() for run in one.runs]
        assert all("test/false_alarms_per_device_day" in run.metrics for run in runs)
        for golden in environment.golden.values():
            assert "validation/false_alarms_per_device_day" in golden.values
            assert not any("per_day" in name for name in golden.values)
