"""The last touch of a graph: small, free of traces of the machine that made it, and with the
contract in its metadata."""

from __future__ import annotations

from typing import Any

import onnx

from anomalynet import __version__
from anomalynet.detection.contract import KEY, Contract
from anomalynet.detection.export.packages import quiet

SHOWN = (
    "average_precision",
    "auroc",
    "f1_attack",
    "precision_attack",
    "recall_attack",
    "accuracy",
    "balanced_accuracy",
)
"""Metrics that a viewer of the file shows."""

FOLDED = 1 << 28
"""Elements of the largest constant that is computed beforehand: all of them, or an LSTM would sort
its weights anew for each window."""


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute what depends on no input, and drop what no output needs."""
    from onnxscript import optimizer

    with quiet():
        folded: onnx.ModelProto = optimizer.optimize(
            model, input_size_limit=FOLDED, output_size_limit=FOLDED
        )
    return folded


def finished(model: onnx.ModelProto, contract: Contract) -> bytes:
    """The file's content: the same graph and contract give the same bytes, wherever and how often
    they are written."""
    tidied = onnx.ModelProto()
    tidied.CopyFrom(model)
    _strip(tidied.graph)
    for function in tidied.functions:
        function.doc_string = ""
        function.ClearField("metadata_props")
        for node in function.node:
            _forget(node)
    tidied.producer_name, tidied.producer_version = "anomalynet", __version__
    tidied.doc_string = _summary(contract)
    tidied.ClearField("metadata_props")
    onnx.helper.set_model_props(tidied, {**_papers(contract), KEY: contract.to_json()})
    content: bytes = tidied.SerializeToString(deterministic=True)
    return content


def _strip(graph: onnx.GraphProto) -> None:
    """Remove what exporters note of where a node comes from: lines of local files."""
    graph.name = "anomalynet"
    graph.ClearField("value_info")
    for item in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        _forget(item)
    for node in graph.node:
        for attribute in node.attribute:
            attribute.doc_string = ""
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    _strip(inner)


def _forget(item: Any) -> None:
    item.doc_string = ""
    item.ClearField("metadata_props")


def _summary(contract: Contract) -> str:
    return (
        f"{contract.model} of the run {contract.run} ({contract.experiment}), trained on "
        f"{contract.data}"
    )


def _papers(contract: Contract) -> dict[str, str]:
    """What a person sees who opens the file in a viewer."""
    inputs = {
        "window": "readings: the last steps in the units of the sensors, NaN = missing; offset, "
        "scale: the device's calibration",
        "step": "reading: one step in the units of the sensors, NaN = missing; offset, scale: "
        "calibration; the rest: state",
        "statistics": "features: 12 statistics of each channel of the calibrated window, "
        "channel "
        "after "
        "channel",
    }
    kept = {
        name: value
        for name, value in sorted(contract.metrics.items())
        if value is not None and name.split("/")[1] in SHOWN
    }
    return {
        "name": _summary(contract),
        "licence": contract.licence,
        "data": f"{contract.data}, SHA-256 {contract.fingerprint}",
        "metrics": ", ".join(f"{name} {value:.4f}" for name, value in kept.items()),
        "inputs": inputs[contract.form],
        "channels": ", ".join(contract.channels),
        "score": f"the larger, the more an attack; alarm from {contract.threshold:.6g}",
    }
