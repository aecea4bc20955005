"""A model that every process of these tests can load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.detection.contract import Contract, Reference, Sensor
from tests.detection import graphs


def echo(**changes: Any) -> Contract:
    """Of a model of one channel whose score is the reading itself, 0 where it is missing; an alarm
    at 10, one reading a minute."""
    made: dict[str, Any] = {
        "sensors": (Sensor(name="a"),),
        "mask": False,
        "window": 1,
        "period": 60.0,
        "hold": 0,
    }
    return graphs.contract(
        **(made | {"reference": Reference(scores=tuple(map(float, range(101))))} | changes)
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of that model."""
    path = tmp_path_factory.mktemp("model") / "echo.onnx"
    path.write_bytes(graphs.content(echo()))
    return path
