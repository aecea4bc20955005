"""A run's model as a graph. A network's: normalisation, network and score in one. A scikit-learn
model's: from the statistics of a window to its score; they are computed outside the graph as in
training: a graph would sum in another order, and a tree could then decide differently."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from anomalynet.detection.export.paths import quiet
from anomalynet.errors import RunError, first_line
from anomalynet.models import Classical
from anomalynet.models.base import Detector, Output

OPSET = 20  # native version of torch's exporter; ONNX Runtime reads it since 1.17
EXAMPLES = 3  # windows for tracing: with 1 the exporter would treat the batch size as constant
OUTPUTS = ("score", "error", "attention")  # besides the state


class WindowGraph(nn.Module):
    """What the file computes from the last readings of a device."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, readings: Tensor) -> tuple[Tensor, ...]:
        """Score (batch,), then error and attention where the network has them, of calibrated
        readings (batch, window, channels) float32."""
        output = self.detector(readings)
        return (self.detector.scores(output), *_parts(output).values())


def _parts(output: Output) -> dict[str, Tensor]:
    found = {"error": output.error, "attention": output.attention}
    return {name: value for name, value in found.items() if value is not None}


@torch.no_grad()
def window_graph(detector: Detector) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The graph of a network and the names of its outputs; errors as in `trace`."""
    steps, channels = detector.shape
    examples = (torch.zeros(EXAMPLES, steps, channels),)
    detector = detector.eval().cpu()
    outputs = ("score", *_parts(detector(examples[0])))
    return trace(WindowGraph(detector).eval(), examples, ("readings",), outputs), outputs


def trace(
    module: nn.Module,
    examples: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> onnx.ModelProto:
    """A module as an ONNX graph with variable batch size. `examples`: one tensor per parameter of
    `forward`, with a batch of `EXAMPLES` as first dimension.

    Only torch's current exporter is used: the older one silently drops the branches that an example
    does not take. Raises RunError: it does not support an operation of the module."""
    batch = torch.export.Dim("batch", min=1)
    try:
        with quiet():
            program = torch.onnx.export(
                module,
                examples,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=tuple({0: batch} for _ in examples),
                opset_version=OPSET,
                dynamo=True,
                optimize=False,  # `tidy.fold` does
                verbose=False,
            )
    except Exception as error:  # unsupported operation of a user's own network
        what = f"torch.onnx cannot export this network: {first_line(error.__cause__ or error)}"
        how = "`forward` must use only torch, without branches that depend on the data"
        raise RunError(what, how) from None
    if program is None:
        raise RunError("torch.onnx returned no graph for this network")
    return program.model_proto


def carried(detector: Detector) -> dict[str, tuple[int, ...]]:
    """Shape, for one device, of each part of the state that a step returns."""
    empty = detector.initial_state(1)
    return {name: tuple(getattr(empty, name).shape[1:]) for name in ("tail", "hidden", "cell")}


@torch.no_grad()
def step_graph(detector: Detector, inputs: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The graph of a network that carries its state; its outputs are `OUTPUTS` and `<name>_next`
    for each of `carried`. `inputs`: of the contract. Raises RunError: the network has no
    `step_module`, or as in `trace`."""
    module = detector.eval().cpu().step_module()
    examples = tuple(torch.zeros(EXAMPLES, *shape) for shape in inputs.values())
    outputs = (*OUTPUTS, *(f"{name}_next" for name in carried(detector)))
    return trace(module.eval(), examples, tuple(inputs), outputs)


CLASSICAL_OPSETS = {"": 17, "ai.onnx.ml": 3}


def classical_graph(model: Classical, features: int) -> onnx.ModelProto:
    """The graph of a fitted model: `features` (batch, features) float32 to `score` (batch,)
    float32. Raises RunError: there is no converter for the estimator."""
    fitted = model.fitted
    if isinstance(fitted, IsolationForest):
        return isolation_forest(fitted, features)
    regression = [StandardScaler, LogisticRegression]
    if isinstance(fitted, Pipeline) and [type(step) for _, step in fitted.steps] == regression:
        return logistic(fitted, features)
    return _classifier(fitted, features)


def _classifier(fitted: Any, features: int) -> onnx.ModelProto:
    """The graph made by skl2onnx, with the probability of attack as its only output."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    if isinstance(fitted, HistGradientBoostingClassifier):
        # skl2onnx rounds the thresholds of other trees down, but those of this model to nearest.
        fitted = copy.deepcopy(fitted)
        for tree in (tree for trees in fitted._predictors for tree in trees):
            tree.nodes["num_threshold"] = float32_below(tree.nodes["num_threshold"])
    try:
        with quiet():
            model = convert_sklearn(
                fitted,
                initial_types=[("features", FloatTensorType([None, features]))],
                options={id(fitted): {"zipmap": False}},
                target_opset=CLASSICAL_OPSETS,
            )
    except Exception as error:  # an unknown estimator of a user's own model
        what = f"skl2onnx cannot convert a {type(fitted).__name__}: {first_line(error)}"
        raise RunError(what) from None
    probabilities = model.graph.output[1].name
    nodes = [
        *model.graph.node,
        constant("attack", np.int64(1)),
        helper.make_node("Gather", [probabilities, "attack"], ["score"], axis=1),
    ]
    return _statistics_model(nodes, features, model.graph.initializer, model.opset_import)


def float32_below(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 at or below each float64 threshold t, so that x <= t is unchanged for
    every float32 x."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def logistic(fitted: Pipeline, features: int) -> onnx.ModelProto:
    """Standardisation and regression in float64. In float32 the error would be up to 5e-6."""
    scaler, regression = fitted[0], fitted[1]
    weights = regression.coef_[0].astype(np.float64)[:, None]
    nodes = [
        constant("mean", scaler.mean_),
        constant("deviation", scaler.scale_),
        constant("weights", weights),
        constant("intercept", np.float64(regression.intercept_[0])),
        constant("one axis", np.array([-1], np.int64)),
        helper.make_node("Cast", ["features"], ["exact"], to=TensorProto.DOUBLE),
        helper.make_node("Sub", ["exact", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "deviation"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "weights"], ["weighed"]),
        helper.make_node("Add", ["weighed", "intercept"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("Reshape", ["probabilities", "one axis"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["score"], to=TensorProto.FLOAT),
    ]
    return _statistics_model(nodes, features)


def isolation_forest(fitted: IsolationForest, features: int) -> onnx.ModelProto:
    """One tree ensemble that sums all path lengths. skl2onnx makes thousands of nodes instead.

    The score is 2 ** (-paths / (trees · c)), where c is the mean path length in a tree of
    `max_samples` samples."""
    from sklearn.ensemble._iforest import _average_path_length

    found: defaultdict[str, list[Any]] = defaultdict(list)
    lengths = zip(fitted._decision_path_lengths, fitted._average_path_length_per_tree, strict=True)
    for number, (grown, used, (depths, rest)) in enumerate(
        zip(fitted.estimators_, fitted.estimators_features_, lengths, strict=True)
    ):
        tree = grown.tree_
        leaf = tree.children_left < 0
        nodes = np.arange(tree.node_count)
        found["nodes_treeids"] += [number] * tree.node_count
        found["nodes_nodeids"] += nodes.tolist()
        found["nodes_featureids"] += np.where(leaf, 0, used[np.maximum(tree.feature, 0)]).tolist()
        found["nodes_values"] += np.where(leaf, 0.0, float32_below(tree.threshold)).tolist()
        found["nodes_modes"] += np.where(leaf, "LEAF", "BRANCH_LEQ").tolist()
        found["nodes_truenodeids"] += np.where(leaf, 0, tree.children_left).tolist()
        found["nodes_falsenodeids"] += np.where(leaf, 0, tree.children_right).tolist()
        found["target_treeids"] += [number] * int(leaf.sum())
        found["target_nodeids"] += nodes[leaf].tolist()
        found["target_ids"] += [0] * int(leaf.sum())
        found["target_weights"] += (depths + rest - 1.0)[leaf].tolist()
    attributes: Any = {"domain": "ai.onnx.ml", "n_targets": 1, **found}
    whole = len(fitted.estimators_) * float(_average_path_length([fitted._max_samples])[0])
    sums = [
        helper.make_node("TreeEnsembleRegressor", ["features"], ["paths"], **attributes),
        constant("negative whole", np.float32(-whole)),
        constant("two", np.float32(2)),
        constant("one axis", np.array([-1], np.int64)),
        helper.make_node("Div", ["paths", "negative whole"], ["share"]),
        helper.make_node("Pow", ["two", "share"], ["scores"]),
        helper.make_node("Reshape", ["scores", "one axis"], ["score"]),
    ]
    return _statistics_model(sums, features)


def constant(name: str, value: Any) -> onnx.NodeProto:
    """A node with a constant array or number."""
    tensor = onnx.numpy_helper.from_array(np.asarray(value), name)
    return helper.make_node("Constant", [], [name], value=tensor)


def _statistics_model(
    nodes: list[Any], features: int, initializers: Iterable[Any] = (), opsets: Iterable[Any] = ()
) -> onnx.ModelProto:
    """A model of nodes from `features` (batch, features) to `score` (batch,)."""
    taken = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", features])
    given = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])
    graph = helper.make_graph(nodes, "anomalynet", [taken], [given], list(initializers))
    own = [helper.make_opsetid(domain, version) for domain, version in CLASSICAL_OPSETS.items()]
    return helper.make_model(graph, opset_imports=list(opsets) or own, ir_version=10)
