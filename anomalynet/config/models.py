"""From `model.name` to the dataclass of the model's options: ours by name, the user's own by the
path of a file."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

from anomalynet.config import model as shipped
from anomalynet.config.model import ModelConfig
from anomalynet.errors import UsageError


def model_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(_by_name())


def model_class(name: str) -> type[ModelConfig]:
    """The options of a model.

    Raises:
        KeyError: no model of that name.
        UsageError: `name` is a path, and no model can be read there.
    """
    if not name.endswith(".py"):
        return _by_name()[name]
    config = getattr(user_module(name), "Config", None)
    if not (isinstance(config, type) and is_dataclass(config) and issubclass(config, ModelConfig)):
        raise UsageError(
            f"{name}: no dataclass `Config` that extends anomalynet.config.model.ModelConfig",
            "the README shows one",
        )
    return config


def user_module(path: str) -> ModuleType:
    """Import a user's own model file; what is imported already is known by its content, so that an
    edited file counts anew.

    Raises:
        UsageError: no such file, or it cannot be imported; says in which line.
    """
    file = Path(path).resolve()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""
    name = f"anomalynet_user_{file.stem}_{digest}"
    if digest and name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if not digest or spec is None or spec.loader is None:
        near = difflib.get_close_matches(
            file.name, [other.name for other in file.parent.glob("*.py")], n=1
        )
        raise UsageError(
            f"model.name: there is no file {path}", f"did you mean {near[0]}?" if near else None
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise in_user_file(path, error) from None
    return module


def in_user_file(path: str, error: Exception) -> UsageError:
    """An exception as one message that names the last line of the user's model file on its way."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace:
        if Path(trace.tb_frame.f_code.co_filename) == Path(path).resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return UsageError(
        f"{path}:{line or 1}: {type(error).__name__}: {error}", "mend your model file"
    )


def _by_name() -> dict[str, type[ModelConfig]]:
    classes = [
        value
        for value in vars(shipped).values()
        if isinstance(value, type) and issubclass(value, ModelConfig)
    ]
    named = (
        (found, next(field.default for field in fields(found) if field.name == "name"))
        for found in classes
    )
    return {default: found for found, default in named if isinstance(default, str) and default}
