"""Bounds that types do not express."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from anomalynet.config.schema import Config

_AT_LEAST = {
    "seed": 0,
    "data.world": 0,
    "data.neighbours": 1,
    "data.quality.hampel_window": 3,
    "data.window": 2,
    "data.stride": 1,
    "data.calibration_rows": 0,
    "data.max_gap": 0,
    "data.split.folds": 2,
    "data.split.fold": 0,
    "data.split.assignment": 0,
    "data.split.interleave": 1,
    "data.split.purge": 1,
    "model.reconstruction_weight": 0,
    "training.epochs": 1,
    "training.batch_size": 1,
    "training.patience": 1,
    "evaluation.alarms_per_day": 0,
    "hardware.devices": 1,
    "hardware.threads": 1,
    "model.head": 1,
    "model.channels": 1,
    "model.kernel": 1,
    "model.pool": 1,
    "model.hidden": 1,
    "model.latent": 1,
    "model.autoencoder_depth": 0,
    "model.matched_depth": 0,
    "model.depth": 1,
    "model.trees": 1,
    "model.iterations": 1,
}
_POSITIVE = (
    "data.clip",
    "data.quality.hampel_threshold",
    "training.learning_rate",
    "model.strength",
)
_SHARES = ("data.split.validation_fraction",)


def value_of(config: object, key: str) -> Any:
    """The value of a dotted key, None where the chosen model has no such key."""
    for name in key.split("."):
        config = getattr(config, name, None)
    return config


def violations(config: Config) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot be used, and why."""
    yield from _bounds(config)
    split, model = config.data.split, config.model
    if config.seed >= 2**32:
        yield "seed", f"must be below 2^32, not {config.seed}"
    if not math.isfinite(limit := config.evaluation.fixed_threshold):
        yield "evaluation.fixed_threshold", f"must be finite, not {limit}"
    if split.fold >= split.folds:
        yield "data.split.fold", f"must be below data.split.folds = {split.folds}, not {split.fold}"
    dropout = getattr(model, "dropout", 0.0)
    if not 0 <= dropout < 1:
        yield "model.dropout", f"must lie in [0, 1), not {dropout}"
    if getattr(model, "kernel", 1) % 2 == 0:
        yield "model.kernel", "must be odd"
    if getattr(model, "cnn", True) is False and getattr(model, "lstm", True) is False:
        what = "model.cnn and model.lstm cannot both be off: nothing would read the sequence"
        yield "model.lstm", what
    if getattr(model, "matched_depth", 0) and getattr(model, "autoencoder_depth", 0):
        what = "stands for an autoencoder that is not there: it needs model.autoencoder_depth = 0"
        yield "model.matched_depth", what
    if getattr(model, "pool", 1) > config.data.window:
        yield "model.pool", f"must not exceed data.window = {config.data.window}"


def _bounds(config: Config) -> Iterator[tuple[str, str]]:
    for key, least in _AT_LEAST.items():
        value = value_of(config, key)
        if isinstance(value, int | float) and not value >= least:
            yield key, f"must be at least {least}, not {value}"
    for key in _POSITIVE:
        value = value_of(config, key)
        if value is not None and not (value > 0 and math.isfinite(value)):
            yield key, f"must be positive and finite, not {value}"
    for key in _SHARES:
        if not 0 < value_of(config, key) < 1:
            yield key, f"must lie between 0 and 1, not {value_of(config, key)}"
