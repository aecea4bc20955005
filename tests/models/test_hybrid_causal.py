"""The causal hybrid: a window, a segment in parts and single steps give the same scores; its loss
by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anomalynet.data.windows import WindowShape
from anomalynet.errors import ConfigError
from anomalynet.layers.sequence import classification_loss
from anomalynet.models.hybrid_causal import HybridCausal
from tests.models.examples import network, windows

STEPS, CHANNELS = 8, 3


def _model(**options: int) -> HybridCausal:
    model = network("hybrid_causal", WindowShape(STEPS, CHANNELS), **options)
    assert isinstance(model, HybridCausal)
    model.mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    model.scale.copy_(torch.tensor([2.0, 0.5, 1.0]))
    return model


def _segment(batch: int = 2, steps: int = 30) -> Tensor:
    return windows(batch, WindowShape(steps, CHANNELS))[0]


def test_the_first_scored_step_of_a_segment_is_its_first_window() -> None:
    model, x = _model(), _segment()
    torch.testing.assert_close(
        model.advance(model.initial_state(2), x)[1][:, STEPS - 1], model.score(x[:, :STEPS])
    )


def test_later_steps_remember_more_than_their_window() -> None:
    model, x = _model(), _segment()
    scores = model.advance(model.initial_state(2), x)[1]
    assert not torch.allclose(scores[:, -1], model.score(x[:, -STEPS:]), atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.sampled_from([1, 3, 5]))
def test_a_segment_in_parts_scores_as_in_one(lengths: list[int], kernel: int) -> None:
    model, x = _model(kernel=kernel), _segment(steps=sum(lengths))
    whole = model.advance(model.initial_state(2), x)[1]
    state, parts = model.initial_state(2), []
    for part in torch.split(x, lengths, dim=1):
        state, scores = model.advance(state, part)
        parts.append(scores)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3])
def test_single_steps_over_a_ring_of_states_score_as_the_segment(kernel: int) -> None:
    model, x = _model(kernel=kernel), _segment()
    expected = model.advance(model.initial_state(2), x)[1]
    graph = model.step_module()
    tail, hidden, cell, _ = model.initial_state(2)
    states = torch.full(
        (2, STEPS, 64), 7.0
    )  # what a slot held before its first state does not matter
    for t in range(x.shape[1]):
        slot = torch.zeros(2, STEPS)
        slot[:, t % STEPS] = 1
        with torch.no_grad():
            found = graph(x[:, t], tail, hidden, cell, states, slot)
        score, error, attention, tail, hidden, cell = found
        states[:, t % STEPS] = hidden
        if t >= STEPS - 1:
            torch.testing.assert_close(score, expected[:, t], atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(attention.sum(dim=1), torch.ones(2))
            reading = model.normalise(x[:, t])
            rebuilt = model.autoencoder(reading)[1]
            torch.testing.assert_close(error, (rebuilt - reading).square())


def test_the_loss_by_hand() -> None:
    model, (x, target) = _model(), windows(4, WindowShape(STEPS, CHANNELS))
    with torch.no_grad():
        output = model(x)
        assert output.logits is not None
        reading = model.normalise(x)
        rebuilt = (model.autoencoder(reading)[1] - reading).square().mean(dim=(1, 2))
        expected = classification_loss(output.logits, target, "mse") + 0.5 * torch.where(
            target == 1, 0, rebuilt
        )
        torch.testing.assert_close(model.losses(output, target), expected)


@pytest.mark.parametrize("option", ["kernel", "autoencoder_depth"])
def test_an_impossible_size_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"model.{option}: must be at least 1, not 0"):
        _model(**{option: 0})


def test_every_other_training_window_starts_with_the_memory_of_the_batch_before() -> None:
    model = _model().train()
    first, second = (
        windows(4, WindowShape(STEPS, CHANNELS), seed=1)[0],
        windows(4, WindowShape(STEPS, CHANNELS), seed=2)[0],
    )
    with torch.no_grad():
        model(first)
        maps = model.convolution(model.normalise(second))
        found = model._remembering(maps)
        _, hidden, cell = model.recurrent.carry(
            model.convolution(model.normalise(first)), torch.zeros(4, 64), torch.zeros(4, 64)
        )
        empty, remembered = model.recurrent(maps), model.recurrent.carry(maps, hidden, cell)[0]
        torch.testing.assert_close(found[[0, 2]], empty[[0, 2]])
        torch.testing.assert_close(found[[1, 3]], remembered[[1, 3]])
        assert not torch.allclose(found[[1, 3]], empty[[1, 3]])
        model(first[:2])
        torch.testing.assert_close(
            model._remembering(maps), empty
        )  # a batch larger than the one before starts empty
