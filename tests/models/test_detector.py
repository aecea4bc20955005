"""The base of all networks: loss, normalisation, what it logs; training repeated and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torch.nn import functional as F

from anomalynet.config.load import load
from anomalynet.data.batches import Batch
from anomalynet.layers.sequence import classification_loss
from anomalynet.models import build
from anomalynet.models.base import Detector
from tests.models.examples import SHAPE, configuration, network, windows


class _Batches:
    """A plain iterable: Lightning would take a list for several loaders."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def _batches(size: int, number: int = 64, unlabelled: int = 0) -> list[Batch]:
    x, target = windows(number)
    target[:unlabelled] = -1
    return [
        Batch(x[i : i + size], target[i : i + size], torch.full((size,), 1 / size))
        for i in range(0, number, size)
    ]


def _trainer(epochs: int, folder: Path, **options: Any) -> L.Trainer:
    shown = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger")
    plain: dict[str, Any] = dict.fromkeys(shown, False) | {"num_sanity_val_steps": 0}
    plain |= {"accelerator": "cpu", "default_root_dir": folder}
    return L.Trainer(max_epochs=epochs, **plain | options)


def _network(name: str = "cnn", seed: int = 0, **options: Any) -> Detector:
    torch.manual_seed(seed)
    model = build(configuration(name, seed, **options), SHAPE)
    assert isinstance(model, Detector)
    return model


def test_mse_is_the_brier_score() -> None:
    logits, target = torch.tensor([[0.0, 2.0], [1.0, -1.0], [0.3, 0.3]]), torch.tensor([1, 1, -1])
    probability = torch.softmax(logits, dim=1).numpy()
    expected = [((probability[i] - [0, 1]) ** 2).mean() for i in range(2)]
    np.testing.assert_allclose(
        classification_loss(logits, target, "mse").numpy(), [*expected, 0.0], atol=1e-7
    )
    entropy = F.cross_entropy(logits[:2], target[:2], reduction="none")
    torch.testing.assert_close(
        classification_loss(logits, target, "cross_entropy"), torch.cat([entropy, torch.zeros(1)])
    )
    logs = F.log_softmax(logits[:2], dim=1)
    smoothed = -(0.95 * logs[:, 1] + 0.05 * logs[:, 0])  # 0.1 over both classes
    torch.testing.assert_close(
        classification_loss(logits, target, "cross_entropy", 0.1)[:2], smoothed
    )


def test_normalisation_comes_from_the_caller_and_spares_a_constant_channel() -> None:
    model = network("autoencoder")
    x = windows(3)[0] * 4 + 2
    mean, deviation = np.arange(8.0), np.array([2.0, 0.0, *[1.0] * 6])
    model.fit_normalisation(mean, deviation)
    expected = (x.numpy() - mean) / np.array([2.0, 1.0, *[1.0] * 6])
    np.testing.assert_allclose(model.normalise(x).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_batch_of_weight_zero_changes_nothing() -> None:
    model = network("hybrid")
    batch = _batches(8)[0]
    padded = Batch(
        torch.cat([batch.x, batch.x[:3]]),
        torch.cat([batch.target, batch.target[:3]]),
        torch.cat([batch.weight, torch.zeros(3)]),
    )
    torch.testing.assert_close(model.training_step(padded, 0), model.training_step(batch, 0))


@pytest.mark.parametrize(("trim", "left_out"), [(0.4, 2), (0.0, 0)])
def test_the_costliest_normal_windows_are_left_out_of_the_loss(trim: float, left_out: int) -> None:
    keys = ["training.incidents=injected", "evaluation.threshold=alarm_budget"]
    model = build(load("cnn", [*keys, f"training.injection.trim={trim}"]).config, SHAPE)
    assert isinstance(model, Detector)
    model.eval()
    x, target = windows(8)[0], torch.tensor([0, 1, 0, 1, 0, 0, 1, 0])
    losses = model.losses(model(x), target)
    kept = sorted(losses[target == 0].tolist())[: 5 - left_out]
    expected = (sum(kept) + float(losses[target == 1].sum())) / 8
    found = model.training_step(Batch(x, target, torch.full((8,), 1 / 8)), 0)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_trimmed_windows_are_those_of_the_whole_batch_without_padding() -> None:
    keys = ["training.incidents=injected", "evaluation.threshold=alarm_budget"]
    model = build(load("cnn", [*keys, "training.injection.trim=0.5"]).config, SHAPE)
    assert isinstance(model, Detector)
    model.eval()
    (x, _), target = windows(6), torch.zeros(6, dtype=torch.long)
    losses = model.losses(model(x), target).sort()
    weight = torch.full((6,), 1 / 4)
    weight[losses.indices[-2:]] = 0  # the costliest are padding: two of the other four are left out
    found = model.training_step(Batch(x, target, weight), 0)
    assert float(found) == pytest.approx(float(losses.values[:2].sum()) / 4, rel=1e-5)


def test_validation_leaves_out_the_costliest_normal_windows_too(tmp_path: Path) -> None:
    keys = ["training.incidents=injected", "evaluation.threshold=alarm_budget"]
    torch.manual_seed(0)
    model = build(load("cnn", [*keys, "training.injection.trim=0.25"]).config, SHAPE)
    assert isinstance(model, Detector)
    batches, trainer = _batches(16), _trainer(1, tmp_path)
    trainer.validate(model, _Batches(batches), verbose=False)
    scores = np.concatenate([model.eval().score(batch.x).numpy() for batch in batches])
    target = torch.cat([batch.target for batch in batches]).numpy()
    normal = np.flatnonzero(target == 0)
    left_out = normal[scores[normal].argsort()[-(len(normal) // 4) :]]
    kept = np.delete(np.arange(len(target)), left_out)
    expected = reference.average_precision_score(target[kept], scores[kept])
    found = float(trainer.callback_metrics["validation/average_precision"])
    assert found == pytest.approx(expected, abs=1e-6)
    assert found > reference.average_precision_score(target, scores) + 1e-6


def test_the_autoencoder_learns_from_windows_that_are_not_attacks() -> None:
    model = network("autoencoder")
    x = windows(3)[0]
    losses = model.losses(model(x), torch.tensor([0, 1, -1]))
    assert (losses > 0).tolist() == [True, False, True]
    torch.testing.assert_close(losses[[0, 2]], model.score(x)[[0, 2]])


def test_validation_metrics_are_those_of_all_labelled_windows_together(tmp_path: Path) -> None:
    model = _network()
    batches = _batches(16, unlabelled=5)
    trainer = _trainer(1, tmp_path)
    trainer.validate(model, _Batches(batches), verbose=False)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    x, target = (
        torch.cat(parts)
        for parts in zip(*[(batch.x, batch.target) for batch in batches], strict=True)
    )
    known = target >= 0
    scores = model.eval().score(x)[known].numpy()
    assert logged == pytest.approx(
        {
            "validation/loss": float(((scores - target[known].numpy()) ** 2).mean()),
            "validation/average_precision": reference.average_precision_score(
                target[known], scores
            ),
            "validation/auroc": reference.roc_auc_score(target[known], scores),
        },
        abs=1e-6,
    )


def test_validation_without_both_classes_logs_the_loss_alone(tmp_path: Path) -> None:
    normal = [batch._replace(target=torch.zeros_like(batch.target)) for batch in _batches(16)]
    trainer = _trainer(1, tmp_path)
    trainer.validate(_network(), _Batches(normal), verbose=False)
    assert set(trainer.callback_metrics) == {"validation/loss"}


def test_the_training_loss_is_the_mean_over_the_steps_of_an_epoch(tmp_path: Path) -> None:
    model = _network(dropout=0.0)
    model.config = configuration("cnn", training={"learning_rate": 1e-12}, dropout=0.0)
    expected = np.mean([model.training_step(batch, 0).item() for batch in _batches(16)])
    trainer = _trainer(1, tmp_path)
    trainer.fit(model, _Batches(_batches(16)))
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(expected, rel=1e-5)


def test_resuming_gives_the_weights_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole = _network("hybrid")
    _trainer(4, tmp_path).fit(whole, _Batches(_batches(16)))
    first = _network("hybrid")
    trainer = _trainer(2, tmp_path)
    trainer.fit(first, _Batches(_batches(16)))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    torch.load(tmp_path / "last.ckpt", weights_only=True)
    resumed = _network("hybrid")
    torch.manual_seed(123)  # whatever was drawn in between
    _trainer(4, tmp_path).fit(
        resumed, _Batches(_batches(16)), ckpt_path=tmp_path / "last.ckpt", weights_only=True
    )
    ours, theirs = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_dropout_draws_anew_in_each_epoch_and_from_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drawn(seed: int, epoch: int) -> torch.Tensor:
        model = _network(seed=seed)
        monkeypatch.setattr(type(model), "current_epoch", epoch)
        model.on_train_epoch_start()
        return F.dropout(torch.ones(64), 0.5)

    assert torch.equal(drawn(0, 3), drawn(0, 3))
    assert not torch.equal(drawn(0, 3), drawn(0, 4))
    assert not torch.equal(drawn(0, 3), drawn(1, 3))


def test_no_alarm_before_a_threshold_was_chosen() -> None:
    model = network("cnn")
    assert not (model.score(windows(4)[0]) >= model.threshold).any()


def test_the_optimiser_is_a_fused_adam_at_the_configured_rate() -> None:
    optimizer = network("cnn").configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert (optimizer.defaults["lr"], optimizer.defaults["fused"]) == (0.001, True)
