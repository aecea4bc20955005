"""Eq. 3–8 by hand."""

from __future__ import annotations

import numpy as np
import torch

from anomalynet.layers.sequence import Recurrent


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def test_lstm_gates_by_hand() -> None:
    torch.manual_seed(0)
    width, features = 4, 3
    layer = Recurrent(features, width)
    x = torch.randn(2, 5, features)
    weights = {name: value.detach().numpy() for name, value in layer.lstm.named_parameters()}
    on_input, on_state = weights["weight_ih_l0"], weights["weight_hh_l0"]
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    state, cell, expected = np.zeros((2, width)), np.zeros((2, width)), []
    for t in range(5):
        gates = x[:, t].numpy() @ on_input.T + state @ on_state.T + bias
        enter, forget, candidate, leave = np.split(
            gates, 4, axis=1
        )  # torch's order: input, forget, candidate, output
        cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(candidate)
        state = _sigmoid(leave) * np.tanh(cell)
        expected.append(state)
    np.testing.assert_allclose(layer(x).detach().numpy(), np.stack(expected, axis=1), atol=1e-6)
