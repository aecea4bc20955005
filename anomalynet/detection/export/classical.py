"""A scikit-learn model of the form `statistics` as a graph: from the statistics of a window to its
score.

The statistics stay outside, computed by the one NumPy function that training used: a tree compares
them with thresholds that lie between the training values, and a graph that sums in another order
would give some of them another last bit.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import onnx
from onnx import helper
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from anomalynet.detection.export.by_hand import (
    OPSETS,
    constant,
    float32_below,
    isolation_forest,
    logistic,
    statistics_model,
)
from anomalynet.detection.export.packages import quiet
from anomalynet.errors import RunError
from anomalynet.models._classical import Classical


def classical_graph(model: Classical, features: int) -> onnx.ModelProto:
    """The graph of a fitted model: `features` (batch, features) float32 to `score` (batch,)
    float32.

    Raises: RunError if there is no converter for the estimator.
    """
    fitted = model.fitted
    if isinstance(fitted, IsolationForest):
        return isolation_forest(fitted, features)
    if isinstance(fitted, Pipeline) and [type(step) for _, step in fitted.steps] == [
        StandardScaler,
        LogisticRegression,
    ]:
        return logistic(fitted, features)
    return _classifier(fitted, features)


def _classifier(fitted: Any, features: int) -> onnx.ModelProto:
    """skl2onnx's graph, of which only the probability of attack is kept."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    if isinstance(fitted, HistGradientBoostingClassifier):
        fitted = copy.deepcopy(
            fitted
        )  # skl2onnx rounds the thresholds of other trees down, of these to the nearest
        for tree in (tree for trees in fitted._predictors for tree in trees):
            tree.nodes["num_threshold"] = float32_below(tree.nodes["num_threshold"])
    try:
        with quiet():
            model = convert_sklearn(
                fitted,
                initial_types=[("features", FloatTensorType([None, features]))],
                options={id(fitted): {"zipmap": False}},
                target_opset=OPSETS,
            )
    except Exception as error:  # an estimator of a user's own model
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"skl2onnx cannot convert a {type(fitted).__name__}: {what}") from None
    probabilities = model.graph.output[1].name
    nodes = [
        *model.graph.node,
        constant("attack", np.int64(1)),
        helper.make_node("Gather", [probabilities, "attack"], ["score"], axis=1),
    ]
    return statistics_model(
        nodes, features, list(model.graph.initializer), list(model.opset_import)
    )
