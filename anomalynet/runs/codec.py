"""Converts JSON to dataclasses and back; every value is checked against the type of its field."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from anomalynet.documents import json_value
from anomalynet.errors import UsageError

_NAMES = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
T = TypeVar("T")

RENAMED = {
    f"{part}false_alarms_per_day": f"{part}false_alarms_per_device_day"
    for part in ("", "validation/", "test/")
}
"""Metrics as earlier versions wrote them → today's name."""


def parse(text: str, name: str) -> Any:
    """The value of a JSON text. Raises UsageError with file and line; see `json_value`."""
    try:
        return json_value(text)
    except json.JSONDecodeError as error:
        what = f"{name}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno})"
        raise UsageError(what) from None


def read(kind: type[T], value: object, where: str) -> T:
    """A dataclass from the values of a JSON object, not `strict`; see `build`."""
    made: T = build(kind, value, where, strict=False)
    return made


def build(kind: Any, value: Any, where: str, *, strict: bool = True) -> Any:
    """A value of a type: a dataclass, `dict[str, …]` or `Mapping`, `list[…]`, `tuple[…, ...]`,
    `… | None`, `Literal`, a number, bool or text.

    Args:
        where: name of the file, for messages.
        strict: refuse unknown keys and require every key. Otherwise unknown keys are ignored, and
            missing ones get their default.

    Raises UsageError: names the file, the key, the expected and the actual value.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        own = next(one for one in inner if one is not type(None))
        return None if value is None else build(own, value, where, strict=strict)
    if origin is Literal:
        if value not in inner or isinstance(value, bool):
            raise UsageError(f"{where}: expected {' or '.join(map(repr, inner))}, not {value!r}")
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, _checked(value, dict, where, "an object"), where, strict)
    if origin in (dict, Mapping):
        given = _checked(value, dict, where, "an object").items()
        return {
            RENAMED.get(key, key): build(inner[1], own, f"{where}.{key}", strict=strict)
            for key, own in given
        }
    if origin in (list, tuple):
        given = enumerate(_checked(value, list, where, "a list"))
        return origin(build(inner[0], own, f"{where}[{at}]", strict=strict) for at, own in given)
    if (kind is not bool and isinstance(value, bool)) or not isinstance(
        value, (int, float) if kind is float else kind
    ):
        raise UsageError(f"{where}: expected {_NAMES[kind]}, not {value!r}")
    return kind(value)


def _checked(value: Any, kind: type, where: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise UsageError(f"{where}: expected {expected}, not {value!r}")
    return value


def _dataclass(kind: type, given: dict[str, Any], where: str, strict: bool) -> Any:
    hints = get_type_hints(kind)
    every = {field.name: field for field in fields(kind)}
    required = {
        name for name, one in every.items() if one.default is one.default_factory is MISSING
    }
    wanted = every.keys() if strict else required
    if missing := wanted - given.keys():
        raise UsageError(f"{where}: missing key {min(missing)!r}")
    if strict and (unknown := given.keys() - every.keys()):
        raise UsageError(f"{where}: unknown key {min(unknown)!r}")
    present = [(name, f"{where}.{name}") for name in every if name in given]
    return kind(**{key: build(hints[key], given[key], at, strict=strict) for key, at in present})


def dump(value: Any) -> str:
    """JSON of a dataclass, one key per line and plain lists on one line, easy to review."""
    return _dump(asdict(value), "") + "\n"


def _dump(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, dict) and any(isinstance(own, dict | list) for own in value.values()):
        named = ((json.dumps(key, ensure_ascii=False), own) for key, own in value.items())
        inner = [f"{deeper}{key}: {_dump(own, deeper)}" for key, own in named]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(own, dict | list) for own in value):
        return "[\n" + ",\n".join(deeper + _dump(own, deeper) for own in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
