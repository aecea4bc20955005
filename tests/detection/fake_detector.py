"""`anomalynet detect` with the fake engine, as a process of its own: `python -m tests.detection.fake_detector detect …`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from anomalynet.cli import detect
from anomalynet.detection.contract import Contract, Reference, Sensor
from tests.detection.fake import THRESHOLD, FakeEngine


def contract(**changes: Any) -> Contract:
    """Of a model of one channel, one reading a second."""
    made: dict[str, Any] = {
        "run": "abc123",
        "experiment": "fake",
        "model": "fake",
        "data": "none",
        "fingerprint": "0",
        "code": "0",
        "seed": 0,
        "split": "none",
        "licence": "Apache-2.0",
        "form": "window",
        "sensors": (Sensor(name="a"),),
        "mask": False,
        "window": 1,
        "period": 1.0,
        "max_gap": 5,
        "breaks": True,
        "hold": 0,
        "calibration_rows": 0,
        "calibration": "offset",
        "clip": None,
        "range_check": False,
        "outliers": "keep",
        "hampel_window": 1,
        "hampel_threshold": 3.0,
        "threshold": THRESHOLD,
        "threshold_rule": "given",
        "probability": False,
        "outputs": ("score",),
        "reference": Reference(scores=tuple(float(value) for value in range(101))),
    }
    return Contract(**(made | changes))


def make_engine(args: Any) -> Any:
    engine: Any = FakeEngine()
    engine.contract, engine.model = contract(), SimpleNamespace(fingerprint="f")
    return engine


if __name__ == "__main__":
    detect.make_engine = make_engine  # before the files that import it are read
    from anomalynet.cli.main import main

    sys.exit(main())
