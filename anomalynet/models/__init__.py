"""A model is a file: `model.name` picks the module here, or a file of the user's own, and the one class in it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from anomalynet.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from anomalynet.config.schema import Config
    from anomalynet.data.windows import WindowShape
    from anomalynet.models._classical import Classical
    from anomalynet.models._detector import Detector


def available() -> list[str]:
    """Names of the models that come with the package, sorted; found by their files, without importing one."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def build(config: Config, shape: WindowShape) -> Detector | Classical:
    """The untrained model of a run, for windows of a shape. Weights come from torch's global generator: seed it before.

    Raises:
        ConfigError: no such model, or a model that these settings cannot make.
        UsageError: a model file of the user's that cannot be used.
    """
    return model_class(config.model.name)(config, shape)


def model_class(name: str) -> type[Detector] | type[Classical]:
    """The class of a model, by its name or by the path of the user's own file (`./mine.py`)."""
    if name.endswith(".py"):
        return load_user_model(Path(name))
    if name not in available():
        raise ConfigError([Problem("model.name", f"no model {name!r}; there are {', '.join(available())}, or ./yours.py")])
    return _the_class(importlib.import_module(f"{__name__}.{name}"), f"anomalynet/models/{name}.py")


def load_user_model(path: Path) -> type[Detector] | type[Classical]:
    """The one subclass of Detector or Classical that the file at `path` defines.

    Raises:
        UsageError: no such file, an exception while it was read, or not exactly one such class.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise UsageError(f"{path}: no such model file", "give the path of a Python file, or one of " + ", ".join(available()))
    name = f"anomalynet_user_{path.stem}_{sha256(path.read_bytes()).hexdigest()[:10]}"
    module = sys.modules.get(name)
    if module is None:
        module = _execute(path, name)
    return _the_class(module, str(path))


def _execute(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        what = f"{path}:{_line(error, path)}: {type(error).__name__}: {error}"
        raise UsageError(what, "the model file must import without error") from error
    return module


def _line(error: Exception, path: Path) -> int | str:
    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    trace, line = error.__traceback__, 0
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line or "?"


def _the_class(module: ModuleType, where: str) -> type[Detector] | type[Classical]:
    from anomalynet.models._classical import Classical
    from anomalynet.models._detector import Detector

    found = [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Detector | Classical)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    if len(found) != 1:
        names = ", ".join(value.__name__ for value in found) or "none"
        raise UsageError(
            f"{where}: needs exactly one class that subclasses Detector or Classical, has {names}",
            "start the names of helper classes with an underscore",
        )
    return found[0]
