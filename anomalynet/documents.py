"""Parses JSON and YAML within limits, so that no file, message or metadata can fill the memory or
the stack: on the size, the depth, the number of values before anything is built and after YAML's
aliases are expanded, and the digits of a number. Every reader of the package uses these functions.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

JSON_BYTES, YAML_BYTES = 64 * 2**20, 2**18  # largest documents
MAX_DEPTH = 100  # most values inside each other
MAX_NODES = 100_000  # most values of a YAML text, of which PyYAML reads about 30,000 per second
MAX_VALUES = 500_000  # with each alias counted as what it stands for; objects and lists in JSON
MAX_COMMAS = 4 * MAX_VALUES  # in JSON; the state of a detector of 100,000 devices has up to 900,000
MAX_DIGITS = 300  # longest number; a float has at most 309 digits before the point
# Every number that may be too long or infinite: 200 digits with an exponent of two are finite.
_LONG_NUMBER = re.compile(r"[0-9](?:[0-9]{200}|[eE]\+?[0-9]{3})")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half a character, unless its other half follows


def read_text(path: Path, limit: int = JSON_BYTES, encoding: str = "utf-8") -> str:
    """The text of a file. Raises OSError, and ValueError: not in the encoding, or too large."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"larger than {limit / 2**20:.3g} MiB")
    return content.decode(encoding)


def read_json_value(path: Path) -> Any:
    """The value in a JSON file. Raises OSError and ValueError as `read_text` and `json_value`."""
    return json_value(read_text(path))


def json_value(
    text: str | bytes, *, values: bool = True, nan: bool = False, limited: bool = True
) -> Any:
    """The value of a JSON text.

    Args:
        values: whether long numbers, NaN, infinities, duplicate keys and halves of characters are
            refused; False where the caller checks each, so that one does not hide the rest.
        nan: read NaN and Infinity nevertheless, in files that the package wrote with them.
        limited: False for what the package wrote and a checksum covers: it may have any size.
    Raises: JSONDecodeError, a ValueError: not JSON, or outside the limits.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    if limited and len(text) > JSON_BYTES:
        raise json.JSONDecodeError(f"larger than {JSON_BYTES >> 20} MiB", text[:1], 0)
    nested = text.count("[") + text.count("{")
    if limited and (nested > MAX_VALUES or text.count(",") > MAX_COMMAS):
        raise json.JSONDecodeError("too many values", text[:1], 0)
    hooks: dict[str, Any] = {}
    if values:
        hooks["object_pairs_hook"] = partial(_unique, text)
        if not nan:
            hooks["parse_constant"] = partial(_number, text)
        if _LONG_NUMBER.search(text):  # perhaps within a string
            hooks["parse_int"] = hooks["parse_float"] = partial(_number, text)
    try:
        value = json.loads(text, **hooks)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None
    if nested > MAX_DEPTH:
        _check_depth(value, text)
    if values and _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise json.JSONDecodeError("half a character", text, 0) from None
    return value


def _unique(text: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise json.JSONDecodeError(f"duplicate key {key!r}", text, max(text.rfind(f'"{key}"'), 0))
    return found


def _number(text: str, digits: str) -> int | float:
    if len(digits) <= MAX_DIGITS and math.isfinite(value := float(digits)):
        return int(digits) if digits.lstrip("-").isdecimal() else value
    raise json.JSONDecodeError(f"{digits[:40]} is not a valid JSON number", text, text.find(digits))


def _check_depth(value: Any, text: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        children = (one.values() if isinstance(one, dict) else one for one in level)
        level = [child for own in children for child in own if isinstance(child, dict | list)]
        if not level:
            return
    raise json.JSONDecodeError(f"nested deeper than {MAX_DEPTH} levels", text, 0)


def yaml_root(loader: yaml.SafeLoader) -> yaml.Node | None:
    """The node of the only document of a YAML text; None if it is empty. Raises YAMLError: not
    YAML, or outside the limits."""
    compose, depth, nodes = loader.compose_node, 0, 0

    def limited(parent: yaml.Node | None, index: int) -> yaml.Node | None:
        nonlocal depth, nodes
        depth, nodes = depth + 1, nodes + 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            what = f"more than {MAX_NODES:,} values, or {MAX_DEPTH} inside each other"
            raise _problem(what, parent)
        node = compose(parent, index)
        depth -= 1
        return node

    loader.compose_node = limited  # type: ignore[method-assign]
    root: yaml.Node | None = loader.get_single_node()
    if root is not None:
        _expanded(root, {})
    return root


def _expanded(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The number of values in a node, each alias counted as what it stands for, and their depth."""
    if isinstance(node.value, str):
        if node.tag.endswith((":int", ":float")) and len(node.value) > MAX_DIGITS:
            raise _problem(f"a number of {len(node.value)} characters", node)
        return 1, 1
    if id(node) not in known:
        known[id(node)] = 0, 0  # being counted
        count = depth = 1
        for child in node.value:
            for one in child if isinstance(child, tuple) else (child,):
                inner, below = _expanded(one, known)
                count, depth = count + inner, max(depth, below + 1)
        if count > MAX_VALUES:
            raise _problem(f"more than {MAX_VALUES:,} values, aliases included", node)
        if depth > MAX_DEPTH:
            raise _problem(f"nested deeper than {MAX_DEPTH} levels", node)
        known[id(node)] = count, depth
    elif known[id(node)] == (0, 0):
        raise _problem("an alias stands for a value that contains it", node)
    return known[id(node)]


def _problem(what: str, node: yaml.Node | None) -> Exception:
    import yaml

    return yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark if node else None)


def yaml_value(text: str) -> Any:
    """The value of a YAML text. Raises YAMLError: not plain YAML, or outside the limits."""
    loader = _loader()(text)
    root = yaml_root(loader)
    try:
        return None if root is None else loader.construct_document(root)
    except (ValueError, LookupError, AttributeError) as error:  # such as a date with month 13
        raise _problem(f"not a valid value: {error}", root) from None


@cache
def _loader() -> Any:
    """PyYAML's loader with libyaml's parser, if it is there: six times as fast."""
    import yaml

    if not yaml.__with_libyaml__:
        return yaml.SafeLoader

    class Loader(yaml.composer.Composer, yaml.CSafeLoader):  # composes in Python, for `yaml_root`
        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            yaml.composer.Composer.__init__(self)

    return Loader
