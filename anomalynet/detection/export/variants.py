"""Smaller forms of a graph: 8-bit weights, and half-precision weights. What they cost is measured
in `losses.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from anomalynet.detection.export.packages import quiet
from anomalynet.detection.export.paths import Variant
from anomalynet.errors import RunError

MADE_SMALLER = ("MatMul", "Gemm", "LSTM")
"""What int8 changes. A convolution is small, reads outliers that leave the other readings few
digits, and is slower in 8 bits."""


class ImpossibleError(RunError):
    """A variant that this graph cannot have; says why."""


def variant(model: onnx.ModelProto, kind: Variant) -> onnx.ModelProto:
    """The same graph with smaller numbers.

    Args:
        model: folded, of networks alone.

    Raises: ImpossibleError if nothing in the graph can be made smaller, or the library fails on it.
    """
    if any(opset.domain == "ai.onnx.ml" for opset in model.opset_import):
        raise ImpossibleError("a classical model has no matrices to make smaller")
    try:
        with quiet():
            smaller = _int8(model) if kind == "int8" else _float16(model)
    except Exception as error:  # the quantiser fails in many ways
        raise ImpossibleError(
            "the quantiser failed: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    wanted = TensorProto.INT8 if kind == "int8" else TensorProto.FLOAT16
    if not any(weights.data_type == wanted for weights in smaller.graph.initializer):
        raise ImpossibleError("no weight of this graph can be made smaller")
    return smaller


def _int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights of 8 bits; what flows between layers is quantised as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        first, ready, done = (
            Path(folder) / name for name in ("first.onnx", "ready.onnx", "done.onnx")
        )
        onnx.save(model, first)
        quant_pre_process(first, ready)
        # 7 of the 8 bits: processors without VNNI add two products in 16 bits, which 8 × 8 bits
        # would overflow.
        quantize_dynamic(
            ready,
            done,
            list(MADE_SMALLER),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
        return onnx.load(done)


def _float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Matrices stored in half precision and widened when the file is loaded; the arithmetic stays
    what it was.

    Arithmetic in half precision would be no faster, as processors have hardly an operator for it:
    readings would lose digits before they are calibrated, and ONNX Runtime 1.32 crashes on an LSTM
    between half-precision neighbours.
    """
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
