"""What every model has, a network or a classical one, and the options that it is made of."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from anomalynet.config.bounds import violations
from anomalynet.config.model import ModelConfig
from anomalynet.config.schema import Config, DataConfig
from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.windows import Windows, WindowShape
from anomalynet.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1024  # windows scored at once

_SHARED = (
    *("seed", "training.learning_rate", "training.loss", "training.label_smoothing"),
    *("evaluation.threshold", "evaluation.fixed_threshold", "evaluation.alarms_per_day"),
)
"""Keys that are keywords of every model, beside those of its own dataclass."""


class WindowModel:
    """A model that scores windows: what training, evaluation and export ask of it. A model of your
    own is a subclass of `Detector` (a network) or `Classical` (scikit-learn)."""

    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "labelled"
    """Windows it learns from: those with a label, or those not labelled as attack."""
    probability: ClassVar[bool] = True  # whether its score is a probability of attack
    carries_state: ClassVar[bool] = False
    """Whether it reads a recording step by step with a state that goes on, instead of window by
    window: it has `initial_state` and `advance`."""
    uses_trainer: ClassVar[bool]
    """Whether Lightning's Trainer trains it, epoch by epoch; otherwise its `fit` does, at once."""
    config_type: ClassVar[type[ModelConfig]] = ModelConfig  # the dataclass of its own options
    suffix: ClassVar[str]  # of the file that `save` writes
    config: Config
    shape: WindowShape  # of a window: steps, channels
    threshold: Tensor | float  # score from which a step is an attack

    @property
    def graph_form(self) -> Literal["window", "step", "statistics"]:
        """What its exported graph reads, as in `anomalynet.detection.contract`: a window, one step
        and the state before it, or the statistics of a window."""
        if not self.uses_trainer:
            return "statistics"
        return "step" if self.carries_state else "window"

    @property
    def parameter_count(self) -> int:
        """Numbers that training determines: weights, coefficients with intercept, or nodes over
        all trees."""
        raise NotImplementedError

    def score_array(self, x: Float32) -> Float64:
        """Score (n,) of windows x (n, time, channel): the larger, the more an attack."""
        raise NotImplementedError

    def score_windows(self, windows: Windows) -> Float64:
        """Score (window,) of all windows of a part; a model that `carries_state` reads their
        segments from the start instead."""
        size = 4 * windows.shape.steps * windows.shape.channels * CHUNK
        scores = np.empty(len(windows))  # whole at once: a list of pieces would scatter the memory
        for chunk in windows.chunks(size):
            scores[chunk] = self.score_array(windows.gather(chunk))
        return scores

    def output_arrays(self, x: Float32) -> dict[str, Float64]:
        """What it computes of windows x (n, time, channel), by name: `score` (n,); of a network
        `reading` (n, channel), the last one, normalised, and where it has such parts `error` and
        `attention` as in `Output`, and `last_error` (n, channel), that of the last step."""
        return {"score": self.score_array(x)}

    def architecture(self) -> dict[str, Any] | None:
        """A network's parts with their shapes, see `models/architecture.py`; None of others."""
        return None

    def set_threshold(self, limit: float) -> None:
        """Takes the score from which a step is an attack."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Stores the trained model and its threshold, in one step: an interrupted save leaves what
        was there."""
        raise NotImplementedError

    def load(self, path: Path) -> None:
        """Takes the trained model and its threshold from a file that `save` wrote. Raises RunError:
        the file is missing or damaged, or holds another model."""
        raise NotImplementedError


def complete(
    kind: type[WindowModel],
    shape: WindowShape | Config,
    config: Config | WindowShape | None,
    options: Mapping[str, Any],
) -> tuple[Config, WindowShape]:
    """What a base class's `__init__` was given, in either order, or as keywords."""
    one, other = (config, shape) if isinstance(shape, Config) else (shape, config)
    try:
        size = WindowShape(*cast("WindowShape", one))
    except TypeError:
        what = f"{kind.__name__}: a window's shape is (steps, channels), not {one!r}"
        raise UsageError(what, "dm.shape of a TelemetryDataModule is one") from None
    if other is None:
        return configured(kind, size, options), size
    if options:
        what = f"{kind.__name__}: a configuration and {', '.join(options)}"
        raise UsageError(what, "give one or the other")
    if problems := [Problem(key, what) for key, what in violations(cast("Config", other))]:
        raise ConfigError(problems)
    return cast("Config", other), size


def configured(kind: type[WindowModel], shape: WindowShape, options: Mapping[str, Any]) -> Config:
    """The schema's defaults with a model's keywords: those of its dataclass, `seed`,
    `learning_rate`, `loss`, and the rule that chooses its `threshold` (an alarm budget for a model
    that needs no label). Raises ConfigError: every unknown keyword or impossible value."""
    from omegaconf import OmegaConf

    from anomalynet.config.leaves import Leaf
    from anomalynet.config.load import apply, leaf_keys, structured

    own = options_class(kind)()
    data = DataConfig(window=shape.steps)
    named = own if own.name else replace(own, name=kind.__name__)
    tree = structured(Config(model=named, data=data))
    known, key_of = leaf_keys(tree), keyword_keys(type(own))
    if kind.trains_on == "not_attack":
        options = {"threshold": "alarm_budget", **options}
    problems = []
    for name, value in options.items():
        where = f"{kind.__name__}({name}=…)"
        if name not in key_of:
            near = _nearest(name, [*key_of])
            what = "no such keyword" + ("" if near else f"; there are {', '.join(key_of)}")
            problems.append(Problem(where, what, near))
        elif name == "threshold" and not isinstance(value, str):
            meant = f"threshold='fixed', fixed_threshold={value}"
            problems.append(Problem(where, "is the rule that chooses the threshold", meant))
        elif problem := apply(tree, known, Leaf(key_of[name], value, where)):
            problems.append(problem)
    config = OmegaConf.to_object(tree)
    assert isinstance(config, Config)
    problems += [Problem(f"{kind.__name__}: {key}", what) for key, what in violations(config)]
    if problems:
        raise ConfigError(problems)
    return config


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """The option that was probably meant: the one with these initials (`lr`), the longest that the
    name contains, or the first that contains the name (`depth`: `autoencoder_depth`), else the one
    of most similar spelling."""
    short = [one for one in known if "".join(word[0] for word in one.split("_")) == name]
    inside, around = ([one for one in known if one in name], [one for one in known if name in one])
    similar = difflib.get_close_matches(name, known, n=1)
    return next(iter(short + sorted(inside, key=len)[-1:] + around + similar), None)


def keywords(config: Config) -> dict[str, Any]:
    """The keywords that make the model of a configuration again, plain values."""
    found = {}
    for name, key in keyword_keys(type(config.model)).items():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        found[name] = value
    return found


def options_class(kind: type[WindowModel]) -> type[ModelConfig]:
    """The dataclass of a model's own options: its `config_type`, or the `Config` of the file or
    notebook in which it is written."""
    beside = getattr(sys.modules.get(kind.__module__), "Config", None)
    in_file = isinstance(beside, type) and issubclass(beside, ModelConfig)
    return cast("type[ModelConfig]", beside) if in_file else kind.config_type


def keyword_keys(options: type[ModelConfig]) -> dict[str, str]:
    """Keyword → key of the configuration. An option of the model's own hides a shared one."""
    own = {one.name: f"model.{one.name}" for one in fields(options) if one.name != "name"}
    shared = {key.rpartition(".")[2]: key for key in _SHARED}
    return {**shared, **own}
