"""Makes the content of a file from a traced graph: folded constants, optional smaller precision, no
information about the exporting machine, and the contract in the metadata."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from anomalynet import __version__
from anomalynet.detection.contract import KEY, Contract
from anomalynet.detection.export.paths import Variant, quiet
from anomalynet.errors import RunError, first_line

SHOWN = {"average_precision", "auroc", "accuracy", "balanced_accuracy"}
SHOWN |= {"f1_attack", "precision_attack", "recall_attack"}  # metrics for the metadata

FOLDED = 1 << 28
"""Largest number of elements of a folded constant. It is large enough for all: otherwise an LSTM
would rearrange its weights for each window."""


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, and remove nodes that no output needs."""
    from onnxscript import optimizer

    with quiet():
        folded: onnx.ModelProto = optimizer.optimize(
            model, input_size_limit=FOLDED, output_size_limit=FOLDED
        )
    return folded


def finished(model: onnx.ModelProto, contract: Contract) -> bytes:
    """The file's content; equal graphs and contracts give equal bytes on every machine."""
    tidied = onnx.ModelProto()
    tidied.CopyFrom(model)
    _strip(tidied.graph)
    for function in tidied.functions:
        for item in (function, *function.node):
            _forget(item)
    tidied.producer_name, tidied.producer_version = "anomalynet", __version__
    tidied.doc_string = _summary(contract)
    tidied.ClearField("metadata_props")
    onnx.helper.set_model_props(tidied, {**_papers(contract), KEY: contract.to_json()})
    content: bytes = tidied.SerializeToString(deterministic=True)
    return content


def _strip(graph: onnx.GraphProto) -> None:
    """Remove the notes of exporters on the origin of nodes, which name local files."""
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
    made = f"{contract.model} of the run {contract.run} ({contract.experiment})"
    return f"{made}, trained on {contract.data}"


def _papers(contract: Contract) -> dict[str, str]:
    """Metadata for people who open the file in a viewer."""
    inputs = {
        "window": "readings: the last steps, calibrated, 0 = missing",
        "step": "reading: one step, calibrated, 0 = missing; the rest: state",
        "statistics": "features: 12 statistics of each channel of the calibrated window, channel "
        "after channel",
    }
    kept = [
        f"{name} {value:.4f}"
        for name, value in sorted(contract.metrics.items())
        if value is not None and name.split("/")[1] in SHOWN
    ]
    return {
        "name": _summary(contract),
        "licence": contract.licence,
        "data": f"{contract.data}, SHA-256 {contract.fingerprint}",
        "metrics": ", ".join(kept),
        "inputs": inputs[contract.form],
        "channels": ", ".join(contract.channels),
        "score": f"larger: more likely an attack; alarm from {contract.threshold:.6g}",
    }


MADE_SMALLER = ("MatMul", "Gemm", "LSTM")
"""Operators that int8 changes. Not convolutions: they are small and slower in 8 bits, and outliers
in their input would cost all other readings precision."""


class ImpossibleError(RunError):
    """A variant is impossible for this graph; the message has the reason."""


def variant(model: onnx.ModelProto, kind: Variant) -> onnx.ModelProto:
    """The same graph with smaller weights. `model`: folded graph of a network.

    Raises ImpossibleError: no weight can be made smaller, or the library fails.
    """
    if any(opset.domain == "ai.onnx.ml" for opset in model.opset_import):
        raise ImpossibleError("a classical model has no matrices to make smaller")
    try:
        with quiet():
            smaller = _int8(model) if kind == "int8" else _float16(model)
    except Exception as error:  # the quantiser fails in many ways
        raise ImpossibleError(f"the quantiser failed: {first_line(error)}") from error
    wanted = TensorProto.INT8 if kind == "int8" else TensorProto.FLOAT16
    if not any(weights.data_type == wanted for weights in smaller.graph.initializer):
        raise ImpossibleError("no weight of this graph can be made smaller")
    return smaller


def _int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights in 8 bits; activations are quantised dynamically."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        first, ready, done = (Path(folder) / f"{name}.onnx" for name in ("first", "ready", "done"))
        onnx.save(model, first)
        quant_pre_process(first, ready)
        # Only 7 of the 8 bits: processors without VNNI add two products in 16 bits, which would
        # overflow with 8 × 8 bits.
        how = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
        quantize_dynamic(ready, done, list(MADE_SMALLER), **how)
        return onnx.load(done)


def _float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Matrices stored in half precision and widened when the file is loaded; the arithmetic stays
    what it was.

    Arithmetic in half precision would be no faster, as processors have hardly an operator for it:
    readings would lose digits, and ONNX Runtime 1.32 crashes on an LSTM
    between half-precision neighbours."""
    smaller = onnx.ModelProto()
    smaller.CopyFrom(model)
    widened = []
    for weights in smaller.graph.initializer:
        if weights.data_type != TensorProto.FLOAT or len(weights.dims) < 2:
            continue  # keep vectors: means and deviations of the readings
        half = numpy_helper.to_array(weights).astype(np.float16)
        if np.isinf(half).any():
            continue
        name = weights.name
        weights.CopyFrom(numpy_helper.from_array(half, f"{name} half"))
        widened.append(helper.make_node("Cast", [f"{name} half"], [name], to=TensorProto.FLOAT))
    nodes = [*widened, *smaller.graph.node]
    smaller.graph.ClearField("node")
    smaller.graph.node.extend(nodes)
    return smaller
