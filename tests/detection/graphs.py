"""Exported models small enough to be computed by hand, one of each form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from anomalynet.detection.contract import KEY, Contract, Sensor
from anomalynet.detection.model import Model

SECOND = 1_000_000
"""Microseconds."""

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE


def contract(**changes: Any) -> Contract:
    """Two sensors and the mask, one reading a second, a window of two steps; nothing is calibrated
    unless `changes` say so."""
    base = Contract(
        run="r1",
        experiment="tiny",
        model="sum",
        data="made",
        fingerprint="f",
        code="c",
        seed=0,
        split="s",
        licence="Apache-2.0",
        form="window",
        sensors=(Sensor(name="a"), Sensor(name="b")),
        mask=True,
        window=2,
        period=1.0,
        max_gap=3,
        breaks=True,
        hold=3,
        calibration_rows=0,
        calibration="offset",
        clip=None,
        range_check=True,
        outliers="keep",
        hampel_window=5,
        hampel_threshold=3.0,
        threshold=10.0,
        threshold_rule="by hand",
        probability=False,
        outputs=("score", "error", "attention"),
        attention_axis="time",
    )
    changed = replace(base, **changes)
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


def content(found: Contract) -> bytes:
    """The file's bytes."""
    graph = {"window": _window, "step": _step, "statistics": _statistics}[found.form](found)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(made, {KEY: found.to_json()})
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def _window(found: Contract) -> onnx.GraphProto:
    channels = len(found.channels)
    nodes = [
        helper.make_node("Unsqueeze", ["offset", "one"], ["offsets"]),
        helper.make_node("Unsqueeze", ["scale", "one"], ["scales"]),
        *_calibrated("readings", "offsets", "scales"),
        helper.make_node("Mul", ["x", "sensors"], ["heard"]),
        helper.make_node("ReduceSum", ["heard", "both"], ["score"], keepdims=0),
        helper.make_node("Gather", ["x", "last"], ["newest"], axis=1),
        helper.make_node("Mul", ["newest", "newest"], ["error"]),
        helper.make_node("Abs", ["x"], ["sizes"]),
        helper.make_node("ReduceSum", ["sizes", "two"], ["attention"], keepdims=0),
    ]
    inputs = [
        _value("readings", FLOAT, found.window, channels),
        _value("offset", DOUBLE, channels),
        _value("scale", DOUBLE, channels),
    ]
    outputs = [
        _value("score", FLOAT),
        _value("error", FLOAT, channels),
        _value("attention", FLOAT, found.window),
    ]
    return _graph(nodes, inputs, outputs, found)


def _step(found: Contract) -> onnx.GraphProto:
    channels = len(found.channels)
    nodes = [
        *_calibrated("reading", "offset", "scale"),
        helper.make_node("Mul", ["x", "sensors"], ["heard"]),
        helper.make_node("ReduceSum", ["heard", "one"], ["sum"], keepdims=1),
        helper.make_node("Add", ["total", "sum"], ["total_next"]),
        helper.make_node("Squeeze", ["total_next", "one"], ["score"]),
        helper.make_node("Mul", ["x", "x"], ["error"]),
        helper.make_node("Identity", ["x"], ["hidden_next"]),
        helper.make_node("Abs", ["states"], ["earlier"]),
        helper.make_node("ReduceSum", ["earlier", "two"], ["each"], keepdims=0),
        helper.make_node("Abs", ["x"], ["size"]),
        helper.make_node("ReduceSum", ["size", "one"], ["own"], keepdims=1),
        helper.make_node("Sub", ["own", "each"], ["more"]),
        helper.make_node("Mul", ["slot", "more"], ["change"]),
        helper.make_node("Add", ["each", "change"], ["attention"]),
    ]
    inputs = [
        _value("reading", FLOAT, channels),
        _value("offset", DOUBLE, channels),
        _value("scale", DOUBLE, channels),
        _value("total", FLOAT, 1),
        _value("states", FLOAT, found.window, channels),
        _value("slot", FLOAT, found.window),
    ]
    outputs = [
        _value("score", FLOAT),
        _value("error", FLOAT, channels),
        _value("attention", FLOAT, found.window),
        _value("total_next", FLOAT, 1),
        _value("hidden_next", FLOAT, channels),
    ]
    return _graph(nodes, inputs, outputs, found)


def _statistics(found: Contract) -> onnx.GraphProto:
    width = 12 * len(found.channels)
    means = numpy_helper.from_array(np.arange(len(found.sensors)) * 12, "means")
    nodes = [
        helper.make_node("Gather", ["features", "means"], ["mean"], axis=1),
        helper.make_node("ReduceSum", ["mean", "one"], ["score"], keepdims=0),
    ]
    graph = _graph(nodes, [_value("features", FLOAT, width)], [_value("score", FLOAT)], found)
    graph.initializer.append(means)
    return graph


def _calibrated(readings: str, offset: str, scale: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Cast", [readings], ["wide"], to=DOUBLE),
        helper.make_node("Sub", ["wide", offset], ["centred"]),
        helper.make_node("Div", ["centred", scale], ["divided"]),
        helper.make_node("IsNaN", ["divided"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "divided"], ["filled"]),
        helper.make_node("Cast", ["filled"], ["x"], to=FLOAT),
    ]


def _graph(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], found: Contract
) -> onnx.GraphProto:
    constants = {
        "one": np.array([1]),
        "two": np.array([2]),
        "both": np.array([1, 2]),
        "last": np.array(found.window - 1),
        "zero": np.array(0.0),
        "sensors": np.array([1.0] * len(found.sensors) + [0.0] * found.mask, np.float32),
    }
    used = {name for node in nodes for name in node.input}
    initializers = [
        numpy_helper.from_array(value, name) for name, value in constants.items() if name in used
    ]
    return helper.make_graph(nodes, "tiny", inputs, outputs, initializers)


def _value(name: str, kind: int, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["batch", *shape])
