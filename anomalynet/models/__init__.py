"""Models that score windows: networks for Lightning, and scikit-learn's.

The networks CNN, LSTM, CNNLSTM, Hybrid, HybridCausal and Autoencoder are LightningModules:

    from anomalynet.models import Hybrid

    model = Hybrid(dm.shape, autoencoder_depth=2, learning_rate=0.001)   # dm: TelemetryDataModule
    trainer.fit(model, dm)

`help(Hybrid.config_type)` lists a network's keywords with their defaults, `anomalynet show hybrid
--keys` explains them. A network of your own is a Detector with a `forward`:

    from anomalynet.models import Detector, Output

    class Linear(Detector):
        def __init__(self, shape, **options):
            super().__init__(shape, **options)
            self.layer = torch.nn.Linear(self.shape.steps * self.shape.channels, 2)

        def forward(self, x):                          # float32 (batch, time, channel)
            logits = self.layer(self.normalise(x).flatten(1))
            return Output(logits=logits)               # (batch, 2): normal, attack

It trains by your Trainer as ours do. To train it by `anomalynet train` or `train()` put it in a
file of its own, and that file's path in `model.name`. RandomForest, GradientBoosting, Logistic and
IsolationForest are scikit-learn's, trained by `train()` and not by a Trainer.

In a configuration `model.name` is the name of a model here, or the path of a user's file.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.config.model import ModelConfig, model_class, model_names, user_module
from anomalynet.config.schema import Config
from anomalynet.errors import ConfigError, Problem, UsageError, meant

if TYPE_CHECKING:
    from anomalynet.data.windows import WindowShape
    from anomalynet.models.autoencoder import Autoencoder
    from anomalynet.models.base import Detector, Output
    from anomalynet.models.classical import (
        Classical,
        GradientBoosting,
        IsolationForest,
        Logistic,
        RandomForest,
    )
    from anomalynet.models.hybrid import Hybrid
    from anomalynet.models.hybrid_causal import HybridCausal
    from anomalynet.models.sequence_classifier import CNN, CNNLSTM, LSTM
    from anomalynet.models.window_model import WindowModel

__all__ = ["CNN", "CNNLSTM", "LSTM", "Autoencoder", "Classical", "Detector", "GradientBoosting"]
__all__ += ["Hybrid", "HybridCausal", "IsolationForest", "Logistic", "ModelConfig", "Output"]
__all__ += ["RandomForest"]
__all__ += ["WindowModel", "available", "build", "load_user_model", "model_type"]

_HOMES = {"Classical": "classical", "Detector": "base", "Output": "base"}
_HOMES |= {"WindowModel": "window_model"}
_HOMES |= dict.fromkeys(("CNN", "LSTM", "CNNLSTM"), "sequence_classifier")
_HOMES |= dict.fromkeys(("Logistic", "RandomForest"), "classical")
_HOMES |= dict.fromkeys(("GradientBoosting", "IsolationForest"), "classical")
_HOMES = {model_class(name).__name__: name for name in model_names()} | _HOMES
"""Class → its file here, by default that of the model's name; a class has the name of its
dataclass."""


def __getattr__(name: str) -> Any:
    """Imports torch or scikit-learn only for those who ask."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant(name, __all__)}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def available() -> list[str]:
    """Names of the models that come with the package, sorted, without importing one."""
    return model_names()


def build(config: Config, shape: WindowShape) -> WindowModel:
    """The untrained model of a run, for windows of a shape. Weights come from torch's global
    generator: seed it before. Raises ConfigError: no such model, or a model that these settings
    cannot make; UsageError: a model file of the user's that cannot be used."""
    model: WindowModel = instance(model_type(config), shape, config, {})
    return model


def instance(
    kind: type[Any], shape: WindowShape, config: Config | None, saved: Mapping[str, Any]
) -> Any:
    """A model of a class, whichever way its `__init__` takes what it is made of: (config, shape),
    as model files have it, or (shape, *, keywords).

    Args:
        config: of the run; None: what `saved` says.
        saved: the `hyper_parameters` of a checkpoint, without the shape.
    """
    from anomalynet.models.window_model import configured, keyword_keys, options_class

    names = inspect.signature(kind.__init__).parameters
    free = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in names.values())
    if config is None and ("config" not in names or free):
        return kind(shape, **{name: saved[name] for name in saved if free or name in names})
    if config is None:
        known = keyword_keys(options_class(kind))
        config = configured(kind, shape, {name: saved[name] for name in saved if name in known})
    if {"config", "shape"} <= names.keys():
        return kind(config=config, shape=shape)
    return kind(config, shape)


def model_type(config: Config) -> type[WindowModel]:
    """The class of a run's model: says what it trains on, and whether its score is a probability,
    before it is built. Raises: as `build`."""
    name = config.model.name
    if name.endswith(".py"):
        return load_user_model(Path(name))
    if name not in available():
        what = f"no model {name!r}; there are {', '.join(available())}, or ./yours.py"
        raise ConfigError([Problem("model.name", what)])
    found: type[WindowModel] = __getattr__(model_class(name).__name__)
    return found


def load_user_model(path: Path) -> type[WindowModel]:
    """The one subclass of Detector or Classical that the user's file at `path` defines. Raises
    UsageError: no such file, an exception while it was read, or not exactly one such class."""
    from anomalynet.models.window_model import WindowModel

    module = user_module(str(path))
    shown = [value for name, value in vars(module).items() if not name.startswith("_")]
    kinds = [one for one in shown if inspect.isclass(one) and one.__module__ == module.__name__]
    found = [one for one in kinds if issubclass(one, WindowModel)]
    if len(found) != 1:
        names = ", ".join(value.__name__ for value in found) or "none"
        what = f"needs exactly one class that subclasses Detector or Classical, has {names}"
        raise UsageError(f"{path}: {what}", "start the names of helper classes with an underscore")
    return found[0]
