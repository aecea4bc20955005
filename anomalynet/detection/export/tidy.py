"""From a traced graph to a file: small, in three precisions, free of traces of the machine that
made it, and with the contract in its metadata."""

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
SHOWN |= {"f1_attack", "precision_attack", "recall_attack"}  # metrics that a viewer shows

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
        for item in (function, *function.node):
            _forget(item)
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
    made = f"{contract.model} of the run {contract.run} ({contract.experiment})"
    return f"{made}, trained on {contract.data}"


def _papers(contract: Contract) -> dict[str, str]:
    """What a person sees who opens the file in a viewer."""
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
        "score": f"the larger, the more an attack; alarm from {contract.threshold:.6g}",
    }


MADE_SMALLER = ("MatMul", "Gemm", "LSTM")
"""What int8 changes. A convolution is small, reads outliers that leave the other readings few
digits, and is slower in 8 bits."""


class ImpossibleError(RunError):
    """A variant that this graph cannot have; says why."""


def variant(model: onnx.ModelProto, kind: Variant) -> onnx.ModelProto:
    """The same graph with smaller numbers. `model`: folded, of networks alone.

    Raises: ImpossibleError if nothing in the graph can be made smaller, or the library fails on it.
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
    """Weights of 8 bits; what flows between layers is quantised as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        first, ready, done = (Path(folder) / f"{name}.onnx" for name in ("first", "ready", "done"))
        onnx.save(model, first)
        quant_pre_process(first, ready)
        # 7 of the 8 bits: processors without VNNI add two products in 16 bits, which 8 × 8 bits
        # would overflow.
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
            continue  # means and deviations of the readings have one axis
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
