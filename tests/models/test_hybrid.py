"""The hybrid's switches, and what it is without its parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from anomalynet.errors import ConfigError
from anomalynet.models.base import Detector
from anomalynet.models.hybrid import Hybrid
from tests.models.examples import SHAPE, network, windows

AUTOENCODER, CONV, LSTM, ATTENTION = 74_272, 1_600, 33_280, 12_480


def _size(model: Detector) -> int:
    return sum(weights.numel() for weights in model.parameters())


def _hybrid(**options: Any) -> Hybrid:
    model = network("hybrid", **options)
    assert isinstance(model, Hybrid)
    return model


def _head(features: int) -> int:
    return features * 64 + 64 + 64 * 2 + 2


PARALLEL = 32 + 8
"""What the autoencoder adds to the head's input: latent vector and error per channel."""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, AUTOENCODER + CONV + LSTM + ATTENTION + _head(128 + PARALLEL)),
        ({"attention": False}, AUTOENCODER + CONV + LSTM + _head(128 + PARALLEL)),
        ({"autoencoder_depth": 0}, CONV + LSTM + ATTENTION + _head(128)),
        ({"lstm": False}, AUTOENCODER + CONV + ATTENTION + _head(128 + PARALLEL)),
        ({"cnn": False}, AUTOENCODER + 4 * 64 * (8 + 64 + 2) + ATTENTION + _head(128 + PARALLEL)),
        (
            {"autoencoder_depth": 1},
            (256 * 32 + 32) + (32 * 256 + 256) + CONV + LSTM + ATTENTION + _head(128 + PARALLEL),
        ),
        # keys and values of a feature read its 16 pooled steps, not 64 features
        (
            {"attention_axis": "channel"},
            AUTOENCODER + CONV + LSTM + 64 * 65 + 2 * 64 * 17 + _head(128 + PARALLEL),
        ),
        # a 3 × 3 square a map, and the merge of 64 maps × 8 channels to 64 features
        (
            {"convolution": "2d"},
            AUTOENCODER
            + (64 * 9 + 64)
            + (512 * 64 + 64)
            + LSTM
            + ATTENTION
            + _head(128 + PARALLEL),
        ),
        # per step 8 → 16 → 32 → 16 → 8, the convolution reads 32 features, the head sees the
        # sequence alone
        (
            {"autoencoder_placement": "inline"},
            (8 * 16 + 16 + 16 * 32 + 32 + 32 * 16 + 16 + 16 * 8 + 8)
            + (32 * 64 * 3 + 64)
            + LSTM
            + ATTENTION
            + _head(128),
        ),
    ],
)
def test_each_switch_changes_the_weights_as_expected(
    options: dict[str, Any], expected: int
) -> None:
    model = network("hybrid", **options)
    assert _size(model) == expected
    assert torch.isfinite(model.score(windows(3)[0])).all()


def test_the_whole_network_has_about_133_thousand_weights() -> None:
    assert _size(network("hybrid")) == 132_578


@pytest.mark.parametrize(
    ("name", "off"),
    [("cnn_lstm", {}), ("cnn", {"lstm": False}), ("lstm", {"cnn": False})],
    ids=["cnn_lstm", "cnn", "lstm"],
)
def test_without_autoencoder_and_attention_it_is_the_plain_model(
    name: str, off: dict[str, Any]
) -> None:
    plain, hybrid = network(name), network("hybrid", autoencoder_depth=0, attention=False, **off)
    ours, theirs = plain.state_dict(), hybrid.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours), (
        "the same seed draws the same weights"
    )
    x, target = windows(7)
    assert torch.equal(plain.score(x), hybrid.score(x))
    assert torch.equal(plain.losses(plain(x), target), hybrid.losses(hybrid(x), target))


def test_the_query_is_the_last_lstm_state_and_the_weights_cover_the_pooled_steps() -> None:
    output = network("hybrid")(windows(3)[0])
    assert output.attention is not None and output.attention.shape == (3, SHAPE.steps // 2)


def test_the_head_sees_state_context_latent_vector_and_error() -> None:
    model = _hybrid()
    x = windows(4)[0]
    seen: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    output = model(x)
    sequence, _ = model.sequence(x)
    assert model.autoencoder is not None
    latent, rebuilt = model.autoencoder(x.flatten(1))
    error = torch.log1p((rebuilt.view_as(x) - x).square().mean(dim=1))
    torch.testing.assert_close(seen[0], torch.cat([sequence, latent, error], dim=1))
    torch.testing.assert_close(output.reconstruction, rebuilt.view_as(x))


def test_changes_stand_beside_the_readings() -> None:
    model = _hybrid(changes=True, logarithm=True, autoencoder_depth=0)
    model.usual_change.copy_(torch.arange(1.0, 9.0))
    x = windows(4)[0]
    seen: list[torch.Tensor] = []
    model.sequence.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(x)
    torch.testing.assert_close(seen[0][:, :, :8], torch.sign(x) * torch.log1p(x.abs()))
    changes = torch.log1p((x[:, 1:] - x[:, :-1]).abs() / torch.arange(1.0, 9.0))
    torch.testing.assert_close(seen[0][:, 1:, 8:], changes)


def test_a_flat_line_has_a_score_of_one_outside_training() -> None:
    plain = _hybrid(autoencoder_depth=0)
    model = _hybrid(flat_lines=True, autoencoder_depth=0)
    x = windows(4)[0]
    assert model.flat_line is not None
    model.flat_line.fit(windows(200)[0], None)
    x[0, 10:, 3] = x[0, 10, 3]
    found, without = model.score(x), plain.score(x)
    assert found[0] > 1 - 1e-6 > without[0] and torch.equal(found[1:], without[1:])
    logits = model.train()(x).logits
    assert logits is not None and logits.abs().max() < 1


@pytest.mark.parametrize(("reconstruct", "learns_from_attacks"), [("all", True), ("normal", False)])
def test_reconstruction_counts_for_the_windows_it_admits(
    reconstruct: str, learns_from_attacks: bool
) -> None:
    model = network("hybrid", reconstruct=reconstruct, reconstruction_weight=0.5)
    x, target = windows(6)
    output = model(x)
    assert output.error is not None and output.logits is not None
    brier = (torch.softmax(output.logits, dim=1)[:, 1] - target).square()
    admitted = torch.ones(6) if learns_from_attacks else (target == 0).float()
    torch.testing.assert_close(
        model.losses(output, target), brier + 0.5 * admitted * output.error.mean(dim=1)
    )


def test_the_classifier_trains_the_encoder_too() -> None:
    model = _hybrid(reconstruction_weight=0.0)
    x, target = windows(8)
    model.losses(model(x), target).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [
        value.grad
        for name, value in model.named_parameters()
        if name.startswith("autoencoder.encoder")
    ]
    assert gradients and all(gradient is not None and gradient.any() for gradient in gradients)


def test_a_hybrid_that_reads_no_sequence_is_refused_with_both_keys() -> None:
    with pytest.raises(ConfigError, match=r"model\.cnn and model\.lstm"):
        network("hybrid", cnn=False, lstm=False)
