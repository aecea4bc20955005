"""Smaller files are smaller, say what they are, and their loss is told as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest

from anomalynet.detection.contract import read
from anomalynet.detection.export.verify import Session
from anomalynet.metrics.kernels import ranking_metrics
from tests.detection.export.alone import Alone
from tests.detection.export.conftest import Made

LARGER = ("hybrid", "hybrid_causal")
TYPES = {"int8": onnx.TensorProto.INT8, "float16": onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("kind", ["int8", "float16"])
@pytest.mark.parametrize(
    "experiment", ["autoencoder", *(pytest.param(one, marks=pytest.mark.slow) for one in LARGER)]
)
def test_weights_are_stored_in_the_type_that_the_contract_names(
    experiment: str, kind: str, varied: Callable[[str], Made]
) -> None:
    files = varied(experiment).exported.files
    weights = onnx.load(files[kind]).graph.initializer
    small = sum(np.prod(one.dims) for one in weights if one.data_type == TYPES[kind])
    large = sum(np.prod(one.dims) for one in weights if one.data_type == onnx.TensorProto.FLOAT)
    assert small > 10 * large
    assert Alone(files[kind]).contract == replace(Alone(files["float32"]).contract, variant=kind)  # type: ignore[arg-type]
    assert (
        files[kind].stat().st_size
        < (0.65 if kind == "float16" else 0.5) * files["float32"].stat().st_size
    )


@pytest.mark.parametrize("kind", ["int8", "float16"])
def test_a_loss_is_that_of_the_files_own_scores(kind: str, varied: Callable[[str], Made]) -> None:
    run, exported = varied("autoencoder").run, varied("autoencoder").exported
    loss, windows = exported.losses[kind], run.data.windows("test")
    found = Session(exported.files[kind].read_bytes()).scores(windows)
    expected = run.score(windows.gather(np.arange(len(windows))))
    worst = np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)))
    assert 0 < worst <= loss.difference
    target = windows.targets()
    ranked = ranking_metrics(target[target >= 0], found[target >= 0])
    assert loss.metrics["test/average_precision"] == pytest.approx(ranked["average_precision"])
    shown = f"| `{exported.files[kind].name}` | {kind} | {loss.bytes} |"
    assert shown in exported.card.read_text()
    assert loss.steps == len(windows) + len(run.data.windows("validation"))


def test_a_classical_model_has_no_variants_and_says_so(varied: Callable[[str], Made]) -> None:
    exported = varied("random_forest").exported
    assert exported.refused.keys() == {"int8", "fp16"}
    assert list(exported.files) == ["float32"]
    assert (
        "Variant int8 was not made: a classical model has no matrices to make smaller."
        in exported.card.read_text()
    )
    assert read(Alone(exported.files["float32"]).metadata, "").variant == "float32"
