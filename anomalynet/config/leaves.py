"""Reads a YAML file or `key=value` arguments as leaves: values that know where they were set, and
how they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from anomalynet.documents import YAML_BYTES, read_text, yaml_root
from anomalynet.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a configuration."""

    key: str  # dotted
    value: object
    where: str  # the file and line, or the argument, that sets it
    text: Any = None  # the value as written, scalars as text; None: unknown

    @property
    def word(self) -> str:
        """The value as text: `010`, not 8."""
        return self.text if isinstance(self.text, str) else str(self.value)


def is_plain(text: str) -> bool:
    """Whether a text is a decimal number that has one meaning, or no number at all."""
    digits = any(letter.isdigit() for letter in text) and "${" not in text
    number = r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][-+]?[0-9]+)?"
    return not digits or re.fullmatch(number, text) is not None


class _Loader(yaml.SafeLoader):
    """YAML whose numbers are decimal: `010`, `1_0`, `0x10`, `1:30` and dates are text."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        number = node.tag.endswith((":int", ":float", ":timestamp"))
        odd = number and not is_plain(str(node.value))
        try:
            return node.value if odd else super().construct_object(node, deep)
        except (ValueError, LookupError) as error:  # such as !!int "ten", !!int "", !!bool maybe
            what = f"{node.value!r} is not valid for {node.tag}: {error!r}"
            raise yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark) from None


def _written(node: yaml.Node) -> Any:
    """What stands in the file: each scalar as text."""
    return yaml.BaseLoader("").construct_object(node, deep=True)


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
        loader = _Loader(read_text(path, YAML_BYTES))
        root = yaml_root(loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([Problem(f"{name}:{line}", f"not valid YAML: {error.problem}")]) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError([Problem(name, f"cannot be read as YAML: {error}")]) from None
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([Problem(f"{name}:1", "expected keys and values at the top level")])
    problems: list[Problem] = []
    try:
        found = list(_walk(loader, root, "", name, problems, {}))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(Problem(f"{name}:{line}", f"not plain YAML: {error.problem}"))
    if problems:
        raise ConfigError(problems)
    return found


def _walk(
    loader: _Loader,
    node: yaml.MappingNode,
    prefix: str,
    name: str,
    problems: list[Problem],
    seen: dict[str, int],
) -> Iterator[Leaf]:
    """The leaves of a section. `seen`: dotted key → line, of the whole file; `a: {b: 1}` and
    `a.b: 2` set the same key."""
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = prefix + str(_written(key_node))
        if key in seen:
            what = f"duplicate key {key!r}, first set in line {seen[key]}"
            problems.append(Problem(f"{name}:{line}", what))
        seen[key] = line
        if isinstance(value_node, yaml.MappingNode) and value_node.value:
            yield from _walk(loader, value_node, f"{key}.", name, problems, seen)
        else:
            value = loader.construct_object(value_node, deep=True)
            yield Leaf(key, value, f"{name}:{line}", _written(value_node))


def read_overrides(overrides: Sequence[str]) -> list[Leaf]:
    """The leaves of `key=value` arguments; values are YAML, or text where they are not. Raises
    ConfigError: every argument that is not key=value, at once."""
    found: list[Leaf] = []
    problems: list[Problem] = []
    for argument in overrides:
        (key, equals, text), where = argument.partition("="), f"argument {argument!r}"
        if not equals or not key:
            problems.append(Problem(where, "expected key=value, such as training.epochs=5"))
            continue
        value, text = _read_value(text.strip())
        found.append(Leaf(key, value, where, text))
    if problems:
        raise ConfigError(problems)
    return found


def _read_value(text: str) -> tuple[object, str]:
    """The value of an argument and its text, without the quotes around it."""
    try:
        loader = _Loader(text)
        node = yaml_root(loader) or yaml.ScalarNode("tag:yaml.org,2002:null", "")
        value = loader.construct_object(node, deep=True)
    except yaml.YAMLError:
        return text, text  # such as a path with ": " or an @
    quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return value, node.value if quoted else text
