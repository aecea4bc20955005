"""A model is a file: `model.name` picks the module here, or a file of the user's own, and the one
class in it, which imports what it extends from here: `from anomalynet.models import Detector`."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anomalynet.config.model import user_module
from anomalynet.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from anomalynet.config.schema import Config
    from anomalynet.data.windows import WindowShape
    from anomalynet.models.base import Detector, Output
    from anomalynet.models.classical import Classical

__all__ = ["Classical", "Detector", "Output", "available", "build", "load_user_model", "model_type"]

_NO_MODELS = ("__init__", "base", "classical")
_HOMES = {"Classical": "classical", "Detector": "base", "Output": "base"}


def __getattr__(name: str) -> Any:
    """Imports torch or scikit-learn only for those who ask."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def available() -> list[str]:
    """Names of the models that come with the package, sorted; found by their files, without
    importing one."""
    names = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(name for name in names if name not in _NO_MODELS)


def build(config: Config, shape: WindowShape) -> Detector | Classical:
    """The untrained model of a run, for windows of a shape. Weights come from torch's global
    generator: seed it before. Raises ConfigError: no such model, or a model that these settings
    cannot make; UsageError: a model file of the user's that cannot be used."""
    return model_type(config)(config, shape)


def model_type(config: Config) -> type[Detector] | type[Classical]:
    """The class of a run's model: says what it trains on, and whether its score is a probability,
    before it is built. Raises: as `build`."""
    name = config.model.name
    if name.endswith(".py"):
        return load_user_model(Path(name))
    if name not in available():
        what = f"no model {name!r}; there are {', '.join(available())}, or ./yours.py"
        raise ConfigError([Problem("model.name", what)])
    return _the_class(importlib.import_module(f"{__name__}.{name}"), f"anomalynet/models/{name}.py")


def load_user_model(path: Path) -> type[Detector] | type[Classical]:
    """The one subclass of Detector or Classical that the user's file at `path` defines. Raises
    UsageError: no such file, an exception while it was read, or not exactly one such class."""
    return _the_class(user_module(str(path)), str(path))


def _the_class(module: ModuleType, where: str) -> type[Detector] | type[Classical]:
    from anomalynet.models.base import Detector
    from anomalynet.models.classical import Classical

    shown = [value for name, value in vars(module).items() if not name.startswith("_")]
    kinds = [one for one in shown if inspect.isclass(one) and one.__module__ == module.__name__]
    found = [one for one in kinds if issubclass(one, Detector | Classical)]
    if len(found) != 1:
        names = ", ".join(value.__name__ for value in found) or "none"
        what = f"needs exactly one class that subclasses Detector or Classical, has {names}"
        hint = "start the names of helper classes with an underscore"
        raise UsageError(f"{where}: {what}", hint)
    return found[0]
