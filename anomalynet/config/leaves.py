"""Reads a YAML file or `key=value` arguments as leaves: values that know where they were set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from anomalynet.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a configuration."""

    key: str  # dotted
    value: object
    where: str  # the file and line, or the argument, that sets it


def shown(path: Path) -> str:
    """A path relative to the working folder if it is in it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_yaml(path: Path) -> list[Leaf]:
    """The leaves of a YAML file, in its order. Raises ConfigError: unreadable, not YAML, not a
    mapping, or a duplicate key."""
    name = shown(path)
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([Problem(f"{name}:{line}", f"not valid YAML: {error.problem}")]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([Problem(name, f"cannot be read as YAML: {error}")]) from None
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([Problem(f"{name}:1", "expected keys and values at the top level")])
    problems: list[Problem] = []
    try:
        found = list(_walk(loader, root, "", name, problems))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(Problem(f"{name}:{line}", f"not plain YAML: {error.problem}"))
    if problems:
        raise ConfigError(problems)
    return found


def _walk(
    loader: yaml.SafeLoader, node: yaml.MappingNode, prefix: str, name: str, problems: list[Problem]
) -> Iterator[Leaf]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = str(loader.construct_object(key_node, deep=True))
        if key in seen:
            what = f"duplicate key {prefix + key!r}, first set in line {seen[key]}"
            problems.append(Problem(f"{name}:{line}", what))
        seen[key] = line
        if isinstance(value_node, yaml.MappingNode) and value_node.value:
            yield from _walk(loader, value_node, f"{prefix}{key}.", name, problems)
        else:
            value = loader.construct_object(value_node, deep=True)
            yield Leaf(prefix + key, value, f"{name}:{line}")


def read_overrides(overrides: Sequence[str]) -> list[Leaf]:
    """The leaves of `key=value` arguments; values are YAML. Raises ConfigError: every argument that
    is not key=value, at once."""
    found: list[Leaf] = []
    problems: list[Problem] = []
    for text in overrides:
        (key, equals, value), where = text.partition("="), f"argument {text!r}"
        if not equals or not key:
            problems.append(Problem(where, "expected key=value, such as training.epochs=5"))
            continue
        try:
            found.append(Leaf(key, yaml.safe_load(value) if value else None, where))
        except yaml.YAMLError:
            problems.append(Problem(where, f"{value!r} is not a YAML value"))
    if problems:
        raise ConfigError(problems)
    return found
