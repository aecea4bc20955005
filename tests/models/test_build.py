"""Finding a model by its name or in a file of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from anomalynet.config.model import ModelConfig
from anomalynet.config.schema import Config
from anomalynet.errors import ConfigError, UsageError
from anomalynet.models import Detector, available, build, load_user_model
from tests.models.examples import SHAPE, windows
from tests.own_model import own_model

MINE = own_model(
    "return Output(logits=self.layer(self.normalise(x)))",
    layer="nn.Sequential(nn.Flatten(), nn.Linear(shape.steps * shape.channels, "
    "config.model.width), nn.Linear(config.model.width, 2))",
)


def test_a_users_own_file_is_a_model_like_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    found = load_user_model(path)
    settings = sys.modules[found.__module__].Config(name=str(path), width=5)
    model = build(Config(model=settings), SHAPE)
    assert isinstance(model, Detector) and type(model) is found
    assert sum(weights.numel() for weights in model.parameters()) == 256 * 5 + 5 + 5 * 2 + 2
    assert torch.isfinite(model.score(windows(2)[0])).all()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "exactly one class .* has none"),
        (MINE + "\n\nclass Other(Mine):\n    pass\n", "has Mine, Other"),
        ("\nimport no_such_module\n", ":2: ModuleNotFoundError"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_the_reason(
    tmp_path: Path, source: str, message: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(UsageError, match=message):
        load_user_model(path)


def test_helpers_start_with_an_underscore(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE + "\n\nclass _Base(Detector):\n    pass\n")
    assert load_user_model(path).__name__ == "Mine"


def test_a_missing_file_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_user_model(tmp_path / "none.py")
    with pytest.raises(ConfigError, match="no model 'transformer'"):
        build(Config(model=ModelConfig(name="transformer")), SHAPE)


def test_names_are_the_files() -> None:
    networks = ["autoencoder", "cnn", "cnn_lstm", "hybrid", "hybrid_causal", "lstm"]
    classical = ["gradient_boosting", "isolation_forest", "logistic", "random_forest"]
    assert available() == sorted(networks + classical)
