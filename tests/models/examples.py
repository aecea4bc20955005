"""Configurations and windows for tests of models."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomalynet.config import model as configs
from anomalynet.config.schema import Config, TrainingConfig
from anomalynet.data.windows import WindowShape
from anomalynet.models import build
from anomalynet.models.base import Detector
from anomalynet.models.classical import Classical

torch.set_num_threads(1)  # two threads on two busy cores are a hundred times slower

SHAPE = WindowShape(32, 8)
SMALL = {"trees": 20, "iterations": 20}
"""Options that make a model quick to fit where it has them."""


def pairs() -> dict[str, type[configs.ModelConfig]]:
    """Model name → dataclass, as `config/model.py` declares them."""
    classes = [
        value
        for value in vars(configs).values()
        if isinstance(value, type) and issubclass(value, configs.ModelConfig)
    ]
    defaults = {
        found: next(field.default for field in fields(found) if field.name == "name")
        for found in classes
    }
    return {name: found for found, name in defaults.items() if isinstance(name, str) and name}


def configuration(
    name: str, seed: int = 0, training: dict[str, Any] | None = None, **options: Any
) -> Config:
    """A run of a model by name, with options of that model."""
    return Config(
        seed=seed, model=pairs()[name](**options), training=TrainingConfig(**(training or {}))
    )


def small(name: str, seed: int = 0) -> Config:
    """A run of a model by name that is quick to fit."""
    known = {field.name for field in fields(pairs()[name])}
    options: dict[str, Any] = {key: value for key, value in SMALL.items() if key in known}
    return configuration(name, seed, **options)


def network(name: str, shape: WindowShape = SHAPE, seed: int = 0, **options: Any) -> Detector:
    """A network with the weights of a seed, in evaluation mode."""
    torch.manual_seed(seed)
    model = build(configuration(name, seed, **options), shape)
    assert isinstance(model, Detector)
    return model.eval()


def classical(name: str, seed: int = 0, shape: WindowShape = SHAPE) -> Classical:
    """A small classical model, not fitted."""
    model = build(small(name, seed), shape)
    assert isinstance(model, Classical)
    return model


def windows(number: int = 64, shape: WindowShape = SHAPE, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Windows (number, time, channel) of noise around slow waves, and their targets (number,): half
    of them hold a burst at the end."""
    random = np.random.default_rng(seed)
    time = np.arange(shape.steps)[None, :, None]
    phase = random.uniform(0, 6.28, (number, 1, shape.channels))
    x = np.sin(time / 5 + phase) + 0.1 * random.standard_normal((number, *shape))
    target = np.arange(number) % 2
    x[target == 1, -4:, 0] += 3.0
    return torch.tensor(x, dtype=torch.float32), torch.tensor(target)
