"""A configuration as text: YAML, origins of values, differences, documentation of keys."""

from __future__ import annotations

import ast
import inspect
import shlex
from dataclasses import fields, is_dataclass
from itertools import pairwise
from math import inf
from typing import Any, get_args

import yaml

from anomalynet.config import model, schema
from anomalynet.config.identity import flatten
from anomalynet.config.load import Loaded
from anomalynet.config.model import model_class


def scalar(value: object) -> str:
    """A value as YAML on one line."""
    style = '"' if isinstance(value, str) and "\n" in value else None
    text: str = yaml.safe_dump(
        value, default_style=style, default_flow_style=True, allow_unicode=True, width=inf
    )
    return text.removesuffix("...\n").strip()


def argument(key: str, value: object) -> str:
    """`key=value` as a shell takes it."""
    return shlex.quote(f"{key}={value if isinstance(value, str) else scalar(value)}")


def as_yaml(loaded: Loaded, *, origin: bool = False) -> str:
    """The full configuration as YAML; with `origin`, comments name where each value was set."""
    lines: list[str] = []
    open_sections: list[str] = []
    for key, value in flatten(loaded.config).items():
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            if open_sections[depth : depth + 1] != [section]:
                open_sections[depth:] = [section]
                lines.append(f"{'  ' * depth}{section}:")
        open_sections[len(sections) :] = []
        line = f"{'  ' * len(sections)}{name}: {scalar(value)}"
        lines.append(f"{line:<44}  # {loaded.origins.get(key, 'default')}" if origin else line)
    return "\n".join(lines) + "\n"


def difference(left: Loaded, right: Loaded) -> list[dict[str, object]]:
    """One row per key whose values differ; empty for a model that does not have the key."""
    a, b = flatten(left.config), flatten(right.config)
    rows: list[dict[str, object]] = []
    for key in dict.fromkeys([*a, *b]):
        if a.get(key, _ABSENT) != b.get(key, _ABSENT):
            first, second = (scalar(own[key]) if key in own else None for own in (a, b))
            rows.append({"key": key, left.name: first, right.name: second})
    return rows


_ABSENT = object()


def documentation(model_name: str) -> list[dict[str, object]]:
    """One row per key: type, default and meaning, read from the schema's docstrings."""
    texts = {**_field_docstrings(schema), **_field_docstrings(model)}
    rows: list[dict[str, object]] = []

    def walk(instance: Any, prefix: str) -> None:
        for field in fields(instance):
            value = getattr(instance, field.name)
            if is_dataclass(value):
                walk(value, f"{prefix}{field.name}.")
                continue
            owners = [(owner.__name__, field.name) for owner in type(instance).__mro__]
            text = next((texts[owner] for owner in owners if owner in texts), "")
            kind = str(field.type)
            if choices := get_args(getattr(schema, kind, None)):  # a named Literal
                kind = ", ".join(map(repr, choices))
            elif "Literal" in kind:
                kind = kind.replace("Literal[", "").replace("]", "")
            row = {"key": prefix + field.name, "type": kind, "default": scalar(value)}
            rows.append({**row, "meaning": text})

    walk(schema.Config(model=model_class(model_name)()), "")
    return rows


def _field_docstrings(module: Any) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for statement, after in pairwise(node.body):
            if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr):
                text = str(ast.literal_eval(after.value))
                found[node.name, ast.unparse(statement.target)] = " ".join(text.split())
    return found
