"""Turns a traced ONNX graph into the bytes of the exported file; makes its variants."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from anomalynet import __version__
from anomalynet.detection.contract import KEY, Contract, sealed
from anomalynet.detection.export.paths import Variant, quiet
from anomalynet.errors import RunError, first_line

METADATA_METRICS = {"average_precision", "auroc", "accuracy", "balanced_accuracy"}
METADATA_METRICS |= {"f1_attack", "precision_attack", "recall_attack"}

# Largest number of elements of a folded constant. High enough to fold every constant: an LSTM's
# weights would be transposed for every window otherwise.
FOLDED = 1 << 28


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, and remove nodes that no output needs."""
    from onnxscript import optimizer

    with quiet():
        folded: onnx.ModelProto = optimizer.optimize(
            model, input_size_limit=FOLDED, output_size_limit=FOLDED
        )
    return folded


def to_bytes(model: onnx.ModelProto, contract: Contract) -> bytes:
    """The file's content; equal graphs and contracts give equal bytes on every machine."""
    tidied = onnx.ModelProto()
    tidied.CopyFrom(model)
    _strip(tidied.graph)
    for function in tidied.functions:
        _clear_notes(function, *function.node)
    _clear_notes(tidied)
    tidied.producer_name, tidied.producer_version = "anomalynet", __version__
    metadata = _readable_metadata(contract)
    tidied.doc_string = metadata["name"]
    onnx.helper.set_model_props(tidied, {**metadata, KEY: contract.to_json()})
    return sealed(tidied.SerializeToString(deterministic=True))


def _strip(graph: onnx.GraphProto) -> None:
    """Remove the notes of exporters on the origin of nodes, which name local files."""
    graph.name = "anomalynet"
    graph.ClearField("value_info")
    _clear_notes(graph, *graph.node, *graph.initializer, *graph.input, *graph.output)
    for node in graph.node:
        for attribute in node.attribute:
            attribute.doc_string = ""
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    _strip(inner)


def _clear_notes(*items: Any) -> None:
    for item in items:
        item.doc_string = ""
        item.ClearField("metadata_props")


def _readable_metadata(contract: Contract) -> dict[str, str]:
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
        if value is not None and name.split("/")[1] in METADATA_METRICS
    ]
    made = f"{contract.model} of the run {contract.run} ({contract.experiment})"
    return {
        "name": f"{made}, trained on {contract.data}",
        "licence": contract.licence,
        "data": f"{contract.data}, SHA-256 {contract.fingerprint}",
        "metrics": ", ".join(kept),
        "inputs": inputs[contract.form],
        "channels": ", ".join(contract.channels),
        "score": f"larger: more likely an attack; alarm from {contract.threshold:.6g}",
    }


# Operators that int8 changes. Convolutions are left out: they hold few weights, run slower in int8,
# and one outlier in the input would coarsen the scale of all readings.
INT8_OPERATORS = ("MatMul", "Gemm", "LSTM")


def variant(model: onnx.ModelProto, kind: Variant) -> onnx.ModelProto:
    """The folded graph of a network with smaller weights. Raises RunError: no weight can be made
    smaller, or the library fails."""
    if any(opset.domain == "ai.onnx.ml" for opset in model.opset_import):
        raise RunError("a classical model has no matrices to make smaller")
    convert = {"int8": _int8, "float16": _float16}[kind]
    stored = {"int8": TensorProto.INT8, "float16": TensorProto.FLOAT16}[kind]
    try:
        with quiet():
            smaller = convert(model)
    except Exception as error:  # libraries fail in many ways
        raise RunError(f"converting the weights failed: {first_line(error)}") from error
    if not any(weights.data_type == stored for weights in smaller.graph.initializer):
        raise RunError("no weight of this graph can be made smaller")
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
        quantize_dynamic(ready, done, list(INT8_OPERATORS), **how)
        return onnx.load(done)


def _float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Matrices are stored in half precision and widened when the file is loaded; the arithmetic
    stays in float32. In half precision it would be no faster, because processors have hardly any
    operator for it, and readings would lose digits. ONNX Runtime 1.32 also crashes on an LSTM
    between operators in half precision."""
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
