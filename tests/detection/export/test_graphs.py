"""The graphs apart from a run: every form of the hybrid, and the thresholds of trees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.detection.contract import Sensor
from anomalynet.detection.export.graphs import (
    OUTPUTS,
    carried,
    float32_below,
    step_graph,
    window_graph,
)
from anomalynet.detection.export.tidy import fold, to_bytes
from anomalynet.detection.export.verify import Session
from anomalynet.models.hybrid_causal import HybridCausal
from tests.detection.graphs import contract
from tests.models.examples import SHAPE, network, windows

READS = contract(
    window=SHAPE.steps,
    sensors=tuple(Sensor(name=f"channel {number}") for number in range(SHAPE.channels)),
    mask=False,
)
"""The contract of these networks."""


@pytest.mark.parametrize(
    "options",
    [
        {"autoencoder_placement": "inline", "attention_axis": "channel", "pool": 1},
        {"lstm": False, "convolution": "2d", "autoencoder_depth": 0, "attention": False},
        {"changes": True, "flat_lines": True, "autoencoder_depth": 0},
    ],
    ids=str,
)
def test_every_form_of_the_hybrid_passes_the_exporter_with_all_its_outputs(
    options: dict[str, Any],
) -> None:
    model = network("hybrid", **options)
    x = windows(8)[0]
    with torch.no_grad():
        output = model(x)
        expected = {
            "score": model.scores(output),
            "error": output.error,
            "attention": output.attention,
        }
    graph, outputs = window_graph(model)
    assert list(outputs) == [name for name, value in expected.items() if value is not None]
    session = Session(to_bytes(fold(graph), replace(READS, outputs=outputs)))
    for batch in (1, 7, 8):
        found = session.run(x[:batch].numpy())
        for name in outputs:
            np.testing.assert_allclose(
                found[name], expected[name][:batch].numpy(), atol=1e-5, rtol=1e-5
            )


def test_a_step_at_a_time_reads_a_window_as_the_network_does_without_a_tail_too() -> None:
    model = network("hybrid_causal", kernel=1)
    assert isinstance(model, HybridCausal)
    x = windows(5)[0]
    assert carried(model)["tail"] == (0, SHAPE.channels)
    described = replace(
        READS,
        form="step",
        outputs=OUTPUTS,
        carried=carried(model),
        width=model.initial_state(1).states.shape[-1],
    )
    session = Session(to_bytes(fold(step_graph(model, described.inputs)), described))
    found = session.run(x.numpy())
    with torch.no_grad():
        output = model(x)
    assert output.attention is not None
    np.testing.assert_allclose(found["score"], model.scores(output).numpy(), atol=1e-6)
    np.testing.assert_allclose(found["attention"], output.attention.numpy(), atol=1e-6)


@given(st.floats(width=32, allow_nan=False), st.floats(-1e30, 1e30), st.booleans())
def test_a_rounded_threshold_splits_float32_readings_as_its_double_does(
    x: float, threshold: float, near: bool
) -> None:
    threshold = float(np.float32(x)) * (1 + threshold * 1e-39) if near else threshold
    rounded = float32_below(np.array([threshold]))[0]
    assert (np.float32(x) <= rounded) == (x <= threshold)
    assert float(rounded) <= threshold


def test_a_threshold_between_two_readings_falls_on_the_lower() -> None:
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    middle = (float(low) + float(high)) / 2
    assert float32_below(np.array([middle]))[0] == low
    assert float32_below(np.array([float(high)]))[0] == high
