"""Dataclasses from plain JSON values and back: what a person edited by hand is checked before it is
used."""

from __future__ import annotations

import json
import types
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from anomalynet.errors import UsageError

_NAMES = {float: "a number", int: "a whole number", str: "a text", type(None): "null"}


def parse(text: str, name: str) -> Any:
    """The value of a JSON text.

    Args:
        text: JSON; NaN and a key that stands twice are refused, too.
        name: of the file, for messages.

    Raises:
        UsageError: says where and what is wrong.

    Source: not in the paper.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            raise UsageError(
                f"{name}: key {next(key for key in keys if keys.count(key) > 1)!r} stands twice "
                "in one object"
            )
        return found

    def refused(text: str) -> Any:
        raise UsageError(f"{name}: {text} is no number of JSON")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refused)
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{name}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno})"
        ) from None


def build(kind: Any, value: Any, where: str) -> Any:
    """A value of some type: a dataclass, `dict[str, …]`, `list[…]`, `… | None`, a number or a text.

    Args:
        kind: the type.
        value: plain, of `parse`.
        where: file and dotted key, for messages.

    Raises:
        UsageError: names the key, what stands there and what should.

    Source: not in the paper.
    """
    if get_origin(kind) in (Union, types.UnionType):
        inner = [one for one in get_args(kind) if one is not type(None)]
        return None if value is None else build(inner[0], value, where)
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, value, where)
    if get_origin(kind) is dict:
        return {
            key: build(get_args(kind)[1], own, f"{where}.{key}")
            for key, own in _checked(value, dict, where, "an object").items()
        }
    if get_origin(kind) is list:
        return [
            build(get_args(kind)[0], own, f"{where}[{at}]")
            for at, own in enumerate(_checked(value, list, where, "a list"))
        ]
    if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise UsageError(f"{where}: expected {_NAMES[kind]}, not {value!r}")
    return kind(value)


def _checked(value: Any, kind: type, where: str, told: str) -> Any:
    if not isinstance(value, kind):
        raise UsageError(f"{where}: expected {told}, not {value!r}")
    return value


def _dataclass(kind: type, value: Any, where: str) -> Any:
    given = _checked(value, dict, where, "an object")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    for told, keys in (
        ("lacks", set(names) - given.keys()),
        ("has the unknown", given.keys() - set(names)),
    ):
        if keys:
            raise UsageError(f"{where} {told} key {min(keys)!r}")
    return kind(**{name: build(hints[name], given[name], f"{where}.{name}") for name in names})


def dump(value: Any) -> str:
    """JSON that reads well in a review: one key a line, lists of plain values on one line.

    Args:
        value: a dataclass.

    Source: not in the paper.
    """
    return _dump(asdict(value), "") + "\n"


def _dump(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, dict) and any(isinstance(own, dict | list) for own in value.values()):
        inner = [
            f"{deeper}{json.dumps(key, ensure_ascii=False)}: {_dump(own, deeper)}"
            for key, own in value.items()
        ]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(own, dict | list) for own in value):
        return "[\n" + ",\n".join(deeper + _dump(own, deeper) for own in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
