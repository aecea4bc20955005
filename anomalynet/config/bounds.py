"""Bounds of configuration values, which their types cannot express."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from anomalynet.config.schema import Config

_AT_LEAST = {
    0: (
        *("seed", "data.world", "data.calibration_rows", "data.max_gap", "data.split.fold"),
        *("data.split.assignment", "model.reconstruction_weight", "evaluation.alarms_per_day"),
        *("model.autoencoder_depth", "model.matched_depth", "data.calibration_floor"),
        *("training.weight_decay", "model.statistics"),
    ),
    1: (
        *("data.neighbours", "data.stride", "data.split.interleave", "data.split.purge"),
        "data.split.beginning",
        *("training.epochs", "training.batch_size", "training.patience", "hardware.devices"),
        *(
            "training.windows_per_epoch",
            "training.validation_windows",
            "training.classical_windows",
        ),
        *("hardware.threads", "model.head", "model.channels", "model.kernel", "model.pool"),
        *("model.hidden", "model.latent", "model.depth", "model.trees", "model.iterations"),
    ),
    2: ("data.window", "data.split.folds"),
    3: ("data.quality.hampel_window",),
}
_POSITIVE = (
    *("data.clip", "data.quality.hampel_threshold", "training.learning_rate", "model.strength"),
    *("training.injection.smallest", "training.injection.largest"),
)
_MOST, _WIDEST = 10**9, 10_000  # of a whole number; of the sizes of a network
_SHARES = ("data.split.validation_fraction", "training.injection.share")
_BELOW_ONE = ("training.injection.trim", "training.label_smoothing", "model.dropout")  # and >= 0


def value_of(config: object, key: str) -> Any:
    """The value of a dotted key; None if the chosen model has no such key."""
    for name in key.split("."):
        config = getattr(config, name, None)
    return config


def violations(config: Config) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of every invalid value."""
    yield from _bounds(config)
    yield from _injection(config)
    split, model = config.data.split, config.model
    if config.seed >= 2**32:
        yield "seed", f"must be below 2^32, not {config.seed}"
    if not math.isfinite(limit := config.evaluation.fixed_threshold):
        yield "evaluation.fixed_threshold", f"must be finite, not {limit}"
    if split.fold >= split.folds:
        yield "data.split.fold", f"must be below data.split.folds = {split.folds}, not {split.fold}"
    if split.validation_worlds is not None and split.test_worlds is None:
        yield "data.split.validation_worlds", "needs data.split.test_worlds"
    if split.test_worlds is not None and split.policy not in ("auto", "group"):
        what = f"holds out whole worlds: not with data.split.policy={split.policy}"
        yield "data.split.test_worlds", what
    worlds = (config.data.worlds or "0").strip()
    if config.data.world and not worlds.isdecimal():
        yield "data.world", f"{config.data.world} is not used beside the list data.worlds={worlds}"
    if getattr(model, "kernel", 1) % 2 == 0:
        yield "model.kernel", "must be odd"
    if getattr(model, "cnn", True) is False and getattr(model, "lstm", True) is False:
        what = "model.cnn and model.lstm cannot both be false: nothing would read the sequence"
        yield "model.lstm", what
    inline = getattr(model, "autoencoder_placement", "") == "inline"
    if getattr(model, "changes", False) and inline and getattr(model, "autoencoder_depth", 0):
        yield "model.changes", "is not read behind an inline autoencoder"
    if getattr(model, "matched_depth", 0) and getattr(model, "autoencoder_depth", 0):
        what = "replaces the autoencoder and needs model.autoencoder_depth = 0"
        yield "model.matched_depth", what
    if getattr(model, "pool", 1) > config.data.window >= 2:
        yield "model.pool", f"must not exceed data.window = {config.data.window}"


def _injection(config: Config) -> Iterator[tuple[str, str]]:
    rule = config.evaluation.threshold
    if config.training.incidents == "injected" and rule not in ("alarm_budget", "fixed"):
        what = f"{rule} reads labels, which training.incidents=injected does not"
        yield "evaluation.threshold", f"{what}; set evaluation.threshold=alarm_budget"
    if config.training.label_smoothing and config.training.loss != "cross_entropy":
        yield "training.label_smoothing", "needs training.loss=cross_entropy"
    smallest, largest = config.training.injection.smallest, config.training.injection.largest
    if smallest > largest > 0:
        yield "training.injection.smallest", f"must not exceed the largest = {largest}"


def _bounds(config: Config) -> Iterator[tuple[str, str]]:
    for least, keys in _AT_LEAST.items():
        for key in keys:
            value = value_of(config, key)
            if isinstance(value, int | float) and not value >= least:
                yield key, f"must be at least {least}, not {value}"
            size = key.startswith("model.") and key not in ("model.trees", "model.iterations")
            most = _WIDEST if size else _MOST
            if isinstance(value, int) and value > most and key != "seed":
                yield key, f"must be at most {most:,}, not {value}"
    for key in _POSITIVE:
        value = value_of(config, key)
        if value is not None and not (value > 0 and math.isfinite(value)):
            yield key, f"must be positive and finite, not {value}"
    for key in _BELOW_ONE:
        if not 0 <= (value_of(config, key) or 0) < 1:
            yield key, f"must be in [0, 1), not {value_of(config, key)}"
    for key in _SHARES:
        if not 0 < value_of(config, key) < 1:
            yield key, f"must be between 0 and 1, not {value_of(config, key)}"
