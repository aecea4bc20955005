"""The declaration of metrics, and that every metric computed is declared."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from anomalynet.metrics.classification import point_metrics
from anomalynet.metrics.events import event_metrics
from anomalynet.metrics.suite import METRICS


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
    assert set(point_metrics(labels, scores, 0.5, True)) | set(events) == set(METRICS)
    assert all(name == metric.name for name, metric in METRICS.items())


def test_declaration_thresholds_and_events_need_no_torch() -> None:
    code = (
        "import sys, anomalynet.metrics.suite, anomalynet.metrics.threshold, "
        "anomalynet.metrics.events; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
