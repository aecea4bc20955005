"""One device by hand, and what a model's file must be; none of it needs torch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import onnx
import pytest
from onnx import helper

from anomalynet.detection.contract import KEY
from anomalynet.detection.detector import DeviceDetector
from anomalynet.detection.model import Model
from anomalynet.errors import UsageError
from anomalynet.metrics.events import AlarmRule
from tests.detection.graphs import content, contract

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(content(contract()))
    return path


def test_by_hand(file: Path) -> None:
    detector = DeviceDetector(file, AlarmRule(threshold=8.0))
    (step,) = detector.push(START, {"a": 1.0, "b": 2.0})
    assert (step.time, step.score) == (START, None)
    assert [step.score for step in detector.push(START + timedelta(seconds=1), [3.0, None])] == [8]
    assert [event.kind for event in detector.events] == ["alarm"]
    assert detector.push(START + timedelta(seconds=1), {"a": 9.0}) == [] and detector.events == []
    assert detector.engine.counts == {"duplicate": 1}
    (step,) = detector.tick(START + timedelta(seconds=3))
    assert (step.time, step.observed, step.score) == (START + timedelta(seconds=2), False, 10)
    (step,) = detector.push(datetime(2026, 1, 1, 0, 0, 3), {"a": 0.0, "b": 0.0})
    assert step.score == 5
    assert [(event.kind, event.reason) for event in detector.events] == [("cleared", "quiet")]


def test_values_that_do_not_fit_are_told(file: Path) -> None:
    detector = DeviceDetector(file)
    with pytest.raises(UsageError, match="no sensor 'c'"):
        detector.push(START, {"a": 1.0, "c": 1.0})
    with pytest.raises(UsageError, match="3 values for 2 sensors"):
        detector.push(START, [1.0, 2.0, 3.0])


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(UsageError, match="No such file"):
        Model(path)
    path.write_bytes(b"no model")
    with pytest.raises(UsageError, match="ONNX Runtime cannot load it"):
        Model(path)
    foreign = onnx.load_from_string(content(contract()))
    del foreign.metadata_props[:]
    path.write_bytes(foreign.SerializeToString())
    with pytest.raises(UsageError, match="not a model that `anomalynet export` wrote"):
        Model(path)
    helper.set_model_props(foreign, {KEY: contract(form="step").to_json()})
    path.write_bytes(foreign.SerializeToString())
    with pytest.raises(UsageError, match="does not have the inputs and outputs"):
        Model(path)
