"""What every model must keep, ours or a new one: each test runs over every file in
`anomalynet/models/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from anomalynet.config.schema import Config
from anomalynet.data.statistics import statistics
from anomalynet.data.windows import WindowShape
from anomalynet.metrics.kernels import ranking_metrics
from anomalynet.models import available, build, model_type
from anomalynet.models.base import Detector
from anomalynet.models.classical import Classical
from tests.models.examples import SHAPE, classical, configuration, network, pairs, small, windows

NETWORKS = [name for name in available() if issubclass(model_type(small(name)), Detector)]
CLASSICAL = [name for name in available() if name not in NETWORKS]
SHAPES = [WindowShape(32, 8), WindowShape(7, 3)]


def _fitted(name: str, seed: int = 0) -> Classical:
    model = classical(name, seed)
    x, target = windows()
    model.fit(statistics(x.numpy()), target.numpy(), seed)
    return model


def test_every_model_has_a_dataclass_and_answers_what_training_and_export_ask() -> None:
    assert available() == sorted(pairs())
    for name in available():
        model = build(small(name), SHAPE)
        x = windows(3)[0].numpy()
        if name in CLASSICAL:
            model = _fitted(name)
            assert (model.uses_trainer, model.graph_form) == (False, "statistics")
            assert model.architecture() is None
        else:
            form = "step" if name == "hybrid_causal" else "window"
            assert (model.uses_trainer, model.graph_form) == (True, form)
            assert network(name).architecture()["parameters"] == model.parameter_count
            model = network(name)
            assert model.output_arrays(x)["reading"].shape == (3, SHAPE.channels)
        outputs = model.output_arrays(x)
        assert outputs["score"].shape == (3,) and outputs["score"].dtype == np.float64
        assert np.array_equal(outputs["score"], model.score_array(x))


@pytest.mark.parametrize("name", available())
def test_declares_what_it_trains_on_and_what_its_score_is(name: str) -> None:
    model = model_type(small(name))
    assert model.trains_on in ("labelled", "not_attack")
    assert isinstance(model.probability, bool)
    assert model.__doc__ and "Source:" in model.__doc__


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 5])
def test_forward_shapes(name: str, shape: WindowShape, batch: int) -> None:
    model = network(name, shape)
    x = windows(batch, shape)[0]
    output = model(x)
    if output.logits is not None:
        assert output.logits.shape == (batch, 2)
    if output.reconstruction is not None:
        assert output.reconstruction.shape == (batch, *shape)
        expected = (output.reconstruction - x).square().mean(dim=1)
        torch.testing.assert_close(output.error, expected)
    if output.attention is not None:
        torch.testing.assert_close(output.attention.sum(dim=1), torch.ones(batch))
    scores = model.score(x)
    assert scores.shape == (batch,)
    assert torch.isfinite(scores).all()
    if model.probability:
        assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_score_does_not_depend_on_its_batch(name: str) -> None:
    model = network(name)
    x = windows(9)[0]
    alone = torch.cat([model.score(window[None]) for window in x])
    torch.testing.assert_close(model.score(x), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_of_extreme_readings_are_finite(name: str) -> None:
    assert torch.isfinite(network(name).score(torch.full((2, *SHAPE), 1e4))).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_seed_determines_the_weights_and_zero_is_a_seed(name: str) -> None:
    first, again, other = (network(name, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    weights = [key for key in first if key.endswith("weight")]
    assert weights and not any(torch.equal(first[key], other[key]) for key in weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    model = network(name).train()
    x, target = windows()
    model.losses(model(x), target).sum().backward()  # type: ignore[no-untyped-call]
    assert [
        weight
        for weight, value in model.named_parameters()
        if value.grad is None or not value.grad.any()
    ] == []


@pytest.fixture
def _no_subnormal_numbers() -> Iterator[None]:
    """Overfitted gradients get so small that a step takes seven times as long; switched back,
    because hypothesis needs them."""
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("_no_subnormal_numbers")
@pytest.mark.parametrize("name", NETWORKS)
def test_overfits_64_windows(name: str) -> None:
    torch.manual_seed(0)
    model = build(configuration(name, training={"learning_rate": 0.005}), SHAPE)
    assert isinstance(model, Detector)
    x, target = windows()
    if model.trains_on == "not_attack":
        target = torch.zeros_like(target)
    optimizer = model.configure_optimizers()
    with torch.no_grad():
        first = float(model.losses(model.eval()(x), target).mean())
    model.train()
    for _ in range(150):
        loss = model.losses(model(x), target).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        assert float(model.losses(model.eval()(x), target).mean()) < 0.2 * first
    if model.probability:
        assert ranking_metrics(target, model.score(x))["auroc"] > 0.99


@pytest.mark.parametrize("name", NETWORKS)
def test_a_loaded_network_scores_identically(name: str, tmp_path: Path) -> None:
    model, loaded = network(name), network(name, seed=1)
    model.fit_normalisation(np.arange(8.0), np.arange(8.0))
    model.threshold.fill_(0.1)
    torch.save(model.state_dict(), tmp_path / "weights.ckpt")
    loaded.load_state_dict(torch.load(tmp_path / "weights.ckpt", weights_only=True))
    x = windows(5)[0]
    assert torch.equal(model.score(x), loaded.score(x))
    assert float(loaded.threshold) == 0.1, "in double precision"


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_classical_model_learns_64_windows_and_scores_in_any_batch(name: str) -> None:
    model = _fitted(name)
    x, target = windows()
    scores = model.score(x.numpy())
    assert scores.shape == (64,) and scores.dtype == np.float64 and np.isfinite(scores).all()
    np.testing.assert_allclose(
        np.concatenate([model.score(window[None].numpy()) for window in x[:5]]), scores[:5]
    )
    assert len(model.score(x[:0].numpy())) == 0
    assert model.parameter_count > 0
    if model.trains_on == "labelled":
        assert ranking_metrics(target, scores)["auroc"] > 0.99


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_loaded_classical_model_scores_identically(name: str, tmp_path: Path) -> None:
    model, loaded = _fitted(name), classical(name)
    model.threshold = 0.1
    model.save(tmp_path / "model.skops")
    loaded.load(tmp_path / "model.skops")
    x = windows(9, seed=3)[0].numpy()
    assert np.array_equal(model.score(x), loaded.score(x))
    assert loaded.threshold == 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_seed_determines_a_classical_model(name: str) -> None:
    x = windows(9, seed=3)[0].numpy()
    assert np.array_equal(_fitted(name).score(x), _fitted(name).score(x))


@pytest.mark.parametrize("name", available())
def test_is_built_from_its_defaults(name: str) -> None:
    assert isinstance(
        build(Config(model=configuration(name).model), SHAPE), model_type(small(name))
    )
