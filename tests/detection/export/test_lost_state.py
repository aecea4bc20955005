"""A carried state that a reading made no number is not kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message, Reading
from anomalynet.metrics.events import AlarmRule
from tests.detection.export.conftest import Made

MINUTE = 60_000_000


def test_a_reading_too_large_for_the_network_costs_a_window_and_no_more(
    made: Callable[[str], Made],
) -> None:
    model = Model(made("hybrid_causal").file)
    told = model.contract
    unbounded = [place for place, sensor in enumerate(told.sensors) if sensor.maximum is None]
    first = told.calibration_rows + told.window - 1
    wrong = first + 5
    values = np.random.default_rng(0).normal(20, 1, (wrong + 2 * told.window, len(told.sensors)))
    values[wrong, unbounded] = 3e38
    engine = Engine(model, AlarmRule(threshold=-1))
    outcome = engine.process(
        [
            Message("s", (Reading("d", at * MINUTE, tuple(row)),))
            for at, row in enumerate(values.tolist())
        ]
    )
    scored = np.flatnonzero(~np.isnan(outcome.steps.score))
    assert scored.tolist() == [*range(first, wrong), *range(wrong + told.window, len(values))]
    assert [(event.kind, event.time // MINUTE, event.reason) for event in outcome.events] == [
        ("alarm", first, ""),
        ("cleared", wrong, "lost"),
        ("alarm", wrong + told.window, ""),
    ]
    assert engine.counts == {"state lost": 1} and engine.states()["alarm"] == 1
