"""What a user of Lightning gets wrong, and what the message names; own loaders of plain tensors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from anomalynet import TelemetryDataModule, load_config, train
from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.config.show import documentation
from anomalynet.data.batches import as_batch
from anomalynet.data.windows import WindowShape
from anomalynet.errors import ConfigError, RunError, UsageError
from anomalynet.models import CNN, Autoencoder, Detector, Hybrid, HybridCausal, Output, RandomForest
from tests.training.test_api import KEYS, data, trainer

SHAPE = WindowShape(4, 3)


class Linear(Detector):
    """A network of one layer with as many outputs as are asked for."""

    def __init__(self, shape: Any, outputs: int = 2) -> None:
        super().__init__(shape)
        self.layer = nn.Linear(self.shape.steps * self.shape.channels, outputs)

    def forward(self, x: Tensor) -> Output:
        return Output(logits=self.layer(x.flatten(1)))


class Bare(Detector):
    """Layers and no forward."""

    def __init__(self, shape: Any) -> None:
        super().__init__(shape)
        self.layer = nn.Linear(2, 2)


class Plain(Linear):
    """Returns its logits as they are."""

    def forward(self, x: Tensor) -> Any:
        return self.layer(x.flatten(1))


class Reconstructs(Linear):
    """Says neither what its score is nor its loss."""

    def forward(self, x: Tensor) -> Output:
        return Output(reconstruction=x)


def loader(count: int = 16) -> DataLoader[Any]:
    """Batches of (x, target), as anybody's."""
    x = torch.randn(count, *SHAPE, generator=torch.manual_seed(0))
    return DataLoader(TensorDataset(x, torch.arange(count) % 2), batch_size=4)


def fit(model: Detector, folder: Path, *parts: Any, **options: Any) -> None:
    """One epoch without files."""
    own = trainer(folder, max_epochs=1, logger=False, enable_checkpointing=False, **options)
    own.fit(model, *(parts or (loader(), loader())))


@pytest.mark.parametrize(
    ("model", "found", "advice"),
    [
        (Detector(SHAPE), "Detector has no layers", "__init__"),
        (Bare(SHAPE), r"Bare has no forward", "Output"),
        (Plain(SHAPE), r"Plain\.forward returns a Tensor", r"Output\(logits"),
        (Reconstructs(SHAPE), "Reconstructs: no logits", r"scores\(\) and losses\(\)"),
        (Linear(SHAPE, 3), r"Linear: logits are \(4, 3\)", r"\(4, 2\)"),
    ],
)
def test_a_mistake_in_a_model_of_ones_own_is_named_at_the_first_batch(
    model: Detector, found: str, advice: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"{found}.*\n.*{advice}"):
        fit(model, tmp_path)


def test_a_model_for_windows_of_another_shape_is_refused(tmp_path: Path) -> None:
    dm = data(window=8)
    message = rf"Hybrid is made for windows \(4, 3\), the data has \(8, {dm.shape.channels}\)"
    with pytest.raises(UsageError, match=message):
        fit(Hybrid(SHAPE), tmp_path, dm)
    with pytest.raises(UsageError, match=message):
        trainer(tmp_path, logger=False).predict(Hybrid(SHAPE), dm)


def test_a_loader_of_plain_tensors_trains_and_chooses_a_threshold(tmp_path: Path) -> None:
    model = Linear(SHAPE)
    x, target = next(iter(loader()))
    expected = model.losses(model(x), target).mean()
    torch.testing.assert_close(model.training_step([x, target], 0), expected)  # type: ignore[arg-type]
    assert as_batch((x, target, target)).weight is target
    fit(model, tmp_path)
    assert torch.isfinite(model.threshold)
    with pytest.raises(UsageError, match="Tensor"):
        as_batch(x)


def test_an_unfitted_network_and_a_fit_without_validation_warn(tmp_path: Path) -> None:
    own = trainer(tmp_path, logger=False, enable_checkpointing=False)
    model = Linear(SHAPE)
    for verb in (own.validate, own.predict):
        with pytest.warns(UserWarning, match="Linear is not fitted"):
            verb(model, loader())
    with pytest.warns(UserWarning, match="no threshold"):
        fit(model, tmp_path, loader())


def test_what_is_no_shape_is_refused() -> None:
    wrong: Any
    for wrong in (TelemetryDataModule(data="skab"), 8, (8,), "skab"):
        for kind in (Hybrid, RandomForest):
            with pytest.raises(UsageError, match=rf"{kind.__name__}.*steps.*\n.*dm\.shape"):
                kind(wrong)


def test_options_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match="'learning_rate'"):
        Hybrid(SHAPE, lr=0.1)
    with pytest.raises(ConfigError, match=r"learning_rate, .*head, dropout, channels"):
        Hybrid(SHAPE, zzz=1)
    with pytest.raises(ConfigError, match=r"threshold='fixed', fixed_threshold=0\.5"):
        Hybrid(SHAPE, threshold=0.5)
    with pytest.raises(ConfigError) as caught:
        TelemetryDataModule(window=0)
    assert [problem.where for problem in caught.value.problems] == ["keyword window"]
    with pytest.raises(ConfigError, match=r"model\.depth: must be at least 1"):
        Autoencoder(SHAPE, Config(model=configs.Autoencoder(depth=0)))


def test_scores_name_the_method_and_the_conversion() -> None:
    model, x = Linear(SHAPE), np.zeros((2, *SHAPE))
    wrong: Any = x
    with pytest.raises(UsageError, match="score_array"):
        model.score(wrong)
    with pytest.raises(UsageError, match=r"x\.float\(\)"):
        model.score(torch.from_numpy(x))
    with pytest.raises(UsageError, match=r"astype\('float32'\)"):
        model.score_array(wrong)


def test_a_checkpoint_that_does_not_fit_says_why(tmp_path: Path) -> None:
    def saved(model: Detector) -> Path:
        own = trainer(tmp_path, logger=False)
        own.strategy.connect(model)
        own.save_checkpoint(path := tmp_path / f"{type(model).__name__}.ckpt")
        return path

    other = "the weights are those of another class"
    hybrid, linear = saved(Hybrid(SHAPE)), saved(Linear(SHAPE))
    with pytest.raises(RunError, match=f"HybridCausal: {other}: HybridCausal.pool"):
        HybridCausal.load_from_checkpoint(hybrid)
    with pytest.raises(RunError, match=f"{other}: size mismatch layer.weight"):
        Bare.load_from_checkpoint(linear)
    with pytest.raises(RunError, match=f"Linear: {other}: missing layer.weight"):
        Linear.load_from_checkpoint(saved(Detector(SHAPE)))
    with pytest.raises(RunError, match=f"this model: {other}: missing sequence"):
        CNN(SHAPE).load(linear)
    for load in (Hybrid.load_from_checkpoint, CNN(SHAPE).load):
        with pytest.raises(RunError, match="no such file"):
            load(tmp_path / "none.ckpt")
    with pytest.raises(ConfigError, match="'autoencoder_depth'"):
        Hybrid.load_from_checkpoint(hybrid, depth=1)


def test_what_is_no_configuration_no_target_and_no_part(tmp_path: Path) -> None:
    wrong: Any
    for wrong in ("skab", tmp_path, load_config("cnn")):
        with pytest.raises(UsageError, match=rf"{type(wrong).__name__}\n.*data='skab'"):
            TelemetryDataModule(wrong)
    wrong = "normal"
    with pytest.raises(UsageError, match=r"'normal'\n.*`labelled` or `not_attack`"):
        TelemetryDataModule(train_target=wrong)
    dm, wrong = data(window=8), "val"
    for ask in (dm.windows, dm.rows, dm.summary, lambda part: dm.score_table([], part)):
        with pytest.raises(UsageError, match=r"'val'\n.*train, validation, test"):
            ask(wrong)


def test_a_loader_needs_no_setup_before() -> None:
    for name in ("train", "val", "test", "predict"):
        dm = TelemetryDataModule(data="smart_city", window=8, **KEYS)
        batch = next(iter(getattr(dm, f"{name}_dataloader")()))
        assert tuple(batch.x.shape[1:]) == dm.shape
    dm = TelemetryDataModule(data="smart_city", window=8, **KEYS)
    assert len(dm.rows("test")) == dm.summary("test").steps


@pytest.mark.slow
def test_the_documented_scenario_has_both_classes_with_the_defaults() -> None:
    meanings = {str(row["key"]): str(row["meaning"]) for row in documentation("cnn")}
    texts = (meanings["data.scenario"], str(TelemetryDataModule.__doc__))
    examples = {one for text in texts for one in re.findall(r"duration=\w+ [\w.]+=\d+", text)}
    assert len(examples) == 1
    dm = TelemetryDataModule(scenario=examples.pop())
    assert all(dm.summary(part).attack for part in ("train", "validation", "test"))


def test_an_unknown_injected_kind_is_refused_before_data_are_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    kinds = ["training.incidents=injected", "training.injection.kinds=bias foo"]
    with pytest.raises(UsageError, match="unknown kind 'foo'"):
        train("hybrid_injected", tmp_path / "runs", overrides=kinds)
    assert not [*tmp_path.iterdir()]
