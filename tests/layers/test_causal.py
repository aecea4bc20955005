"""Causal layers: by hand, blind to the future, and equal to the layers of the window."""

from __future__ import annotations

import numpy as np
import torch

from anomalynet.layers.attention import Attention, StateAttention
from anomalynet.layers.conv import CausalConvolution
from anomalynet.layers.sequence import Recurrent


def test_a_causal_convolution_by_hand() -> None:
    torch.manual_seed(0)
    layer = CausalConvolution(2, 3, kernel=3)
    x, before = torch.randn(1, 4, 2), torch.randn(1, 2, 2)
    weight, bias = (value.detach().numpy() for value in layer.convolution.parameters())
    for given, front in ((None, np.zeros((2, 2))), (before, before[0].numpy())):
        steps = np.concatenate([front, x[0].numpy()])
        expected = [
            np.maximum(sum(weight[:, :, k] @ steps[t + k] for k in range(3)) + bias, 0)
            for t in range(4)
        ]
        np.testing.assert_allclose(layer(x, given)[0].detach().numpy(), expected, atol=1e-6)


def test_a_later_reading_changes_nothing_before_it() -> None:
    torch.manual_seed(0)
    layer = CausalConvolution(2, 3, kernel=3)
    x = torch.randn(1, 6, 2)
    changed = x.clone()
    changed[:, 4] += 1
    assert torch.equal(layer(x)[:, :4], layer(changed)[:, :4])
    assert not torch.equal(layer(x)[:, 4], layer(changed)[:, 4])


def test_attention_over_states_is_attention_without_a_bias_of_the_keys() -> None:
    torch.manual_seed(0)
    states, query = torch.randn(3, 5, 4), torch.randn(3, 4)
    ours, reference = StateAttention(4), Attention(4, 5)
    reference.key.bias.data.normal_()  # shifts all energies alike
    with torch.no_grad():
        for name in ("query", "value"):
            getattr(reference, name).load_state_dict(getattr(ours, name).state_dict())
        reference.key.weight.copy_(ours.key.weight)
        for mine, its in zip(ours(query, states), reference(query, states), strict=True):
            torch.testing.assert_close(mine, its)
            assert torch.equal(mine, mine[torch.arange(3)])
        permuted = ours(query, states[:, [3, 0, 4, 1, 2]])
        torch.testing.assert_close(permuted[0], ours(query, states)[0])


def test_a_carried_state_gives_what_the_whole_sequence_gives() -> None:
    torch.manual_seed(0)
    layer = Recurrent(3, 4)
    x = torch.randn(2, 7, 3)
    with torch.no_grad():
        first, hidden, cell = layer.carry(x[:, :5], torch.zeros(2, 4), torch.zeros(2, 4))
        second, last, _ = layer.carry(x[:, 5:], hidden, cell)
        torch.testing.assert_close(torch.cat([first, second], dim=1), layer(x))
        assert torch.equal(last, second[:, -1]) and torch.equal(hidden, first[:, -1])
