"""What a recording did not let a detector score."""

from __future__ import annotations

import numpy as np
import pytest

from anomalynet.detection.contract import Calibration
from anomalynet.detection.coverage import Coverage
from anomalynet.detection.records import Message, Reading, Steps
from tests.detection.graphs import contract

SECOND = 1_000_000


def steps(row: list[int], time: list[int], silent: tuple[int, ...] = ()) -> Steps:
    """Steps of devices; at the times `silent` there was no reading."""
    count = len(row)
    values, score = np.zeros((count, 1), np.float32), np.zeros(count)
    times = np.array(time, np.int64) * SECOND
    observed = ~np.isin(time, silent)
    return Steps(np.array(row, np.int64), times, observed, values, score)


def heard(device: str, *times: int) -> list[Message]:
    return [Message("file", (Reading(device, time * SECOND, (1.0, 2.0)),)) for time in times]


def test_silences_are_counted_and_the_longest_is_named_across_calls() -> None:
    coverage = Coverage(contract(period=10.0))
    coverage.add([], steps([0, 1, 0, 1, 0], [0, 0, 10, 30, 20], silent=(20,)))
    coverage.add([], steps([1, 0, 0], [40, 50, 60]))
    found = coverage.to_json(["a", "b"])
    assert found["silences"] == 2
    assert found["longest_silence"] == {
        "device": "a",
        "time": "1970-01-01T00:00:10Z",
        "seconds": 40.0,
    }
    assert "a from 1970-01-01T00:00:10Z" in found["texts"][0]


@pytest.mark.parametrize(
    ("times", "step"),
    [((0, 10, 20, 50), None), ((0, 14, 28), None), ((0, 1, 2, 3), 1.0), ((0, 16, 32), 16.0)],
)
def test_readings_at_another_step_than_the_model_s(
    times: tuple[int, ...], step: float | None
) -> None:
    coverage = Coverage(contract(period=10.0))
    coverage.add(heard("a", *times), steps([], []))
    found = coverage.to_json(["a"])
    assert (found["step"], len(found["texts"])) == (step, int(step is not None))


def test_a_model_whose_devices_alone_have_a_step_knows_another() -> None:
    coverage = Coverage(contract(period=None, periods={"a": 10.0}))
    coverage.add(heard("a", 0, 1, 2), steps([0, 0], [0, 900]))
    found = coverage.to_json(["a"])
    assert (found["step"], found["silences"]) == (1.0, 0)
    assert "one every 10 s" in found["texts"][0]


def test_devices_that_the_model_does_not_know_are_named_unless_all_calibrate() -> None:
    known = {"a": Calibration(mean=(0.0,), scale=(1.0,))}
    made = contract(period=10.0, known=known, calibration_rows=3)
    assert Coverage(made).to_json(["a", "b"])["unknown_devices"] == ["b"]
    assert Coverage(made, calibrates=True).to_json(["a", "b"])["unknown_devices"] == []
    assert Coverage(contract(period=10.0)).to_json(["a", "b"])["unknown_devices"] == []


def test_a_sensor_without_any_value_is_named() -> None:
    coverage = Coverage(contract(period=10.0))
    for value in (np.nan, 3.0):
        coverage.add([Message("file", (Reading("a", 0, (np.nan, value)),))], steps([], []))
    found = coverage.to_json(["a"])
    assert (found["unheard"], found["texts"]) == (["a"], ["without any value: a"])
