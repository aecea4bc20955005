"""Exported models small enough to be computed by hand, one of each form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
from onnx import helper

from anomalynet.detection.contract import KEY, Contract, Sensor, sealed
from anomalynet.detection.model import Model

SECOND = 1_000_000
"""Microseconds."""

RUN: Any = {"run": "r1", "experiment": "tiny", "model": "sum", "data": "made", "seed": 0}
FILE: Any = {"fingerprint": "f", "code": "c", "split": "s", "licence": "Apache-2.0"}
STEPS: Any = {"window": 2, "period": 1.0, "max_gap": 3, "breaks": True, "hold": 3}
CALIBRATION: Any = {"calibration_rows": 0, "calibration": "offset", "clip": None}
CLEANING: Any = {"outliers": "keep", "hampel_window": 5, "hampel_threshold": 3.0}
SCORE: Any = {"threshold": 10.0, "threshold_rule": "by hand", "probability": False}


def contract(**changes: Any) -> Contract:
    """Two sensors and the mask, one reading a second, a window of two steps; nothing is calibrated
    unless `changes` say so."""
    told = RUN | FILE | STEPS | CALIBRATION | CLEANING | SCORE
    told |= {"outputs": ("score", "error", "attention"), "attention_axis": "time"}
    told |= {"sensors": (Sensor(name="a"), Sensor(name="b")), "mask": True}
    changed = Contract(**(told | {"form": "window", "range_check": True} | changes))
    if changed.form == "step":
        changed = replace(changed, carried={"total": (1,)}, width=len(changed.channels))
    if changed.form == "statistics":
        changed = replace(changed, outputs=("score",), attention_axis=None)
    return changed


def model(folder: Path, found: Contract) -> Model:
    """The model of a contract: its score is the sum of the calibrated readings, all channels but
    the mask.

    - `window`: of the window; error is the last step squared, attention the absolute sum of each
      step.
    - `step`: of all steps since the segment's start; error is the step squared, attention the
      absolute sum of each state.
    - `statistics`: the means of the window, instead of the sum.
    """
    path = folder / f"{found.form}.onnx"
    path.write_bytes(content(found))
    return Model(path)


WINDOW = """
tiny (float[batch, STEPS, WIDTH] readings)
    => (float[batch] score, float[batch, WIDTH] error, float[batch, STEPS] attention)
    <int64[1] two = {2}, int64[2] both = {1, 2}, int64 last = {LAST},
     float[WIDTH] sensors = {HEARD}>
{
    heard = Mul (readings, sensors)
    score = ReduceSum <keepdims=0> (heard, both)
    newest = Gather <axis=1> (readings, last)
    error = Mul (newest, newest)
    sizes = Abs (readings)
    attention = ReduceSum <keepdims=0> (sizes, two)
}
"""

STEP = """
tiny (float[batch, WIDTH] reading, float[batch, 1] total,
      float[batch, STEPS, WIDTH] states, float[batch, STEPS] slot)
    => (float[batch] score, float[batch, WIDTH] error, float[batch, STEPS] attention,
        float[batch, 1] total_next, float[batch, WIDTH] hidden_next)
    <int64[1] one = {1}, int64[1] two = {2}, float[WIDTH] sensors = {HEARD}>
{
    heard = Mul (reading, sensors)
    sum = ReduceSum <keepdims=1> (heard, one)
    total_next = Add (total, sum)
    score = Squeeze (total_next, one)
    error = Mul (reading, reading)
    hidden_next = Identity (reading)
    earlier = Abs (states)
    each = ReduceSum <keepdims=0> (earlier, two)
    size = Abs (reading)
    own = ReduceSum <keepdims=1> (size, one)
    more = Sub (own, each)
    change = Mul (slot, more)
    attention = Add (each, change)
}
"""

STATISTICS = """
tiny (float[batch, FEATURES] features) => (float[batch] score)
    <int64[1] one = {1}, int64[SENSORS] means = {MEANS}>
{
    mean = Gather <axis=1> (features, means)
    score = ReduceSum <keepdims=0> (mean, one)
}
"""


def content(found: Contract) -> bytes:
    """The file's bytes, with their digest."""
    channels, sensors = len(found.channels), len(found.sensors)
    numbers = {
        "FEATURES": 12 * channels,
        "SENSORS": sensors,
        "MEANS": ", ".join(str(12 * number) for number in range(sensors)),
        "HEARD": ", ".join(["1"] * sensors + ["0"] * found.mask),
        "LAST": found.window - 1,
        "WIDTH": channels,
        "STEPS": found.window,
    }
    text = {"window": WINDOW, "step": STEP, "statistics": STATISTICS}[found.form]
    for name, value in numbers.items():
        text = text.replace(name, str(value))
    made = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> {text}')
    helper.set_model_props(made, {KEY: found.to_json()})
    onnx.checker.check_model(made)
    return sealed(made.SerializeToString())
