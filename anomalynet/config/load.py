"""Loads a configuration: schema defaults → `extends` chain → the file → `key=value`. The result is
one frozen Config; otherwise every problem is reported at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anomalynet.config import bounds, locate
from anomalynet.config.leaves import Leaf, is_plain, read_overrides, read_yaml
from anomalynet.config.model import model_class, model_names
from anomalynet.config.schema import Config, DataConfig
from anomalynet.errors import ConfigError, Problem

T = TypeVar("T")

TEXT_KEYS = (
    (".data.name", ".model.name", ".experiment", ".experiments"),
    (".data.root", ".data.scenario", ".data.subset"),
)
"""Keys of a configuration or a sweep that take any text: those that need one, those that do not."""

NUMBERS = ("data.worlds", "data.split.test_worlds", "data.split.validation_worlds")
"""Keys whose text is a list of numbers, and which may be written as one."""

MOST_REFERENCES = 8  # in one value; each may stand for a value with as many


@dataclass(frozen=True, slots=True)
class Loaded:
    """A resolved configuration, the experiment's name, and the origins of non-default values."""

    config: Config
    name: str
    origins: dict[str, str]


def load(
    experiment: str,
    overrides: Sequence[str] = (),
    axis: Mapping[str, object] | None = None,
    locations: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the configuration of an experiment; `train` and `open_run` use the same.

        loaded = load_config("cnn", ["training.epochs=2", "data.stride=8"])
        loaded.config.training.epochs                  # 2; loaded.name is "cnn"
        train(loaded)

    Args:
        experiment: a name (`anomalynet ls experiments`), or the path of a YAML file.
        overrides: `key=value` texts; they win over everything. `anomalynet show --keys` lists them.
        axis: values set by a sweep or by keywords, key → value; they win over the files.
        locations: key → where `axis` sets it, for messages.

    Raises:
        UsageError: no such experiment.
        ConfigError: every problem, with file, line and the nearest valid key.
    """
    path = locate.find("experiments", experiment)
    levels, problems = chain(path)
    known = locations or {}
    own = [Leaf(key, value, known.get(key, "the sweep")) for key, value in (axis or {}).items()]
    return _resolve([*levels, own, read_overrides(overrides)], path.stem, problems)


def load_data_config(name: str, overrides: Sequence[str] = ()) -> DataConfig:
    """The data section of base.yaml with `name` and `data.key=value` arguments."""
    leaves = read_overrides(overrides)
    what = "this command uses only keys of the data section (data.…)"
    if others := [leaf for leaf in leaves if not leaf.key.startswith("data.")]:
        raise ConfigError([Problem(leaf.where, what) for leaf in others])
    shared, problems = chain(locate.find("experiments", "base"))
    own = [Leaf("model.name", "cnn", "the command"), Leaf("data.name", name, f"argument {name!r}")]
    return _resolve([*shared, own, leaves], name, problems).config.data


def chain(path: Path, kind: locate.Kind = "experiments") -> tuple[list[list[Leaf]], list[Problem]]:
    """The leaves of a file and of all that it extends, base file first; problems of `extends`."""
    levels: list[list[Leaf]] = []
    visited: list[Path] = []
    while True:
        visited.append(path.resolve())
        leaves = read_yaml(path)
        levels.insert(0, [leaf for leaf in leaves if leaf.key != "extends"])
        named = next((leaf for leaf in leaves if leaf.key == "extends"), None)
        if named is None:
            return levels, []
        # `extends` names a file in the same folder, or one of its kind
        sibling, others = path.parent / named.word, locate.files(kind)
        parent = (
            sibling if locate.is_file(sibling) else others.get(named.word.removesuffix(".yaml"))
        )
        if parent is None:
            siblings = [other.name for other in path.parent.glob("*.yaml") if other != path]
            what = f"extends {named.word!r}, neither in {path.parent} nor among the {kind}"
            near = nearest(named.word, [*siblings, *others])
            return levels, [Problem(named.where, what, near)]
        if parent.resolve() in visited:
            what = "`extends` forms a cycle: this file extends itself"
            return levels, [Problem(named.where, what)]
        path = parent


def _resolve(levels: list[list[Leaf]], name: str, problems: list[Problem]) -> Loaded:
    named = _model_leaf(levels)
    chosen = model_class("hybrid")  # without a model, any, to report the other problems too
    if named is None and not problems:
        what = "model.name is missing: set it, or extend an experiment that sets it"
        problems.append(Problem(name, what))
    elif named is not None:
        try:
            chosen = model_class(named.word)
        except KeyError:
            near = nearest(named.word, model_names())
            problems.append(Problem(named.where, f"unknown model {named.word!r}", near))
    leaves = _effective(levels, named.word if named else "hybrid")
    config, origins = filled(Config(model=chosen()), leaves, problems)
    for key, what in bounds.violations(config):
        problems.append(Problem(origins.get(key, "default"), f"{key}: {what}"))
    if problems:
        raise ConfigError(problems, "`anomalynet show --keys` explains every key and its values")
    return Loaded(config, name, origins)


def _model_leaf(levels: list[list[Leaf]]) -> Leaf | None:
    named = [leaf for level in levels for leaf in level if leaf.key == "model.name"]
    return named[-1] if named else None


def _effective(levels: list[list[Leaf]], model: str) -> list[Leaf]:
    """All leaves in order, without the model keys of a file that describes another model."""
    kept: list[Leaf] = []
    current: str | None = None  # the model that the files so far describe
    for level in levels:
        own = _model_leaf([level])
        current = own.word if own else current
        fits = current in (None, model)
        kept += [leaf for leaf in level if fits or not leaf.key.startswith("model.")]
    return kept


def filled(
    defaults: T, leaves: Iterable[Leaf], problems: list[Problem]
) -> tuple[T, dict[str, str]]:
    """A schema object with the values of some leaves, and key → where it was set. Problems are
    appended. Raises ConfigError: all of them, if a reference to another key cannot be resolved."""
    tree = structured(defaults)
    known = leaf_keys(tree)
    origins: dict[str, str] = {}
    for leaf in leaves:
        if problem := apply(tree, known, leaf):
            problems.append(problem)
        else:
            origins[leaf.key] = leaf.where
    before = len(problems)
    for key, where in origins.items():
        try:
            OmegaConf.select(tree, key, throw_on_resolution_failure=True)
        except OmegaConfBaseException as error:
            problems.append(Problem(where, f"{key}: {str(error).splitlines()[0]}"))
    if len(problems) > before:
        raise ConfigError(problems)
    return cast("T", OmegaConf.to_object(tree)), origins


def structured(defaults: object) -> DictConfig:
    """A frozen schema object as a tree that `apply` can change."""
    tree = OmegaConf.structured(defaults)
    assert isinstance(tree, DictConfig)
    sections = [tree]
    while sections:
        section = sections.pop()
        OmegaConf.set_readonly(section, False)
        children = map(section._get_node, section)
        sections += [child for child in children if isinstance(child, DictConfig)]
    return tree


def leaf_keys(tree: DictConfig, prefix: str = "") -> list[str]:
    """Every dotted key that takes a value, in the schema's order."""
    keys: list[str] = []
    for key in map(str, tree):
        child = tree._get_node(key)
        name = f"{prefix}{key}"
        keys += leaf_keys(child, f"{name}.") if isinstance(child, DictConfig) else [name]
    return keys


def apply(tree: DictConfig, known: list[str], leaf: Leaf) -> Problem | None:
    """Set one leaf of a tree whose `leaf_keys` are `known`: a text key keeps what was written, a
    number has one meaning. Returns the problem, or None if the leaf was set."""
    if leaf.key not in known:
        if inside := [key for key in known if key.startswith(leaf.key + ".")]:
            return Problem(leaf.where, f"{leaf.key!r} is a section, not a value", inside[0])
        if owners := [name for name in model_names() if _has_key(name, leaf.key)]:
            what = f"{leaf.key}: {tree.model.name} has no such key; {', '.join(owners)} has it"
            return Problem(leaf.where, what)
        near = _of_scenario(leaf, known) or nearest_key(leaf.key, known)
        return Problem(leaf.where, f"unknown key {leaf.key!r}", near)
    types, value = _types(tree, leaf.key), leaf.value
    if leaf.key in NUMBERS and isinstance(value, list):
        leaf = replace(leaf, text=" ".join(map(str, value)))
    if str in types and leaf.text is None and isinstance(value, bool | float):
        what = f"{leaf.key}: {value!r} is not text; write it in quotes, such as 'no'"
        return Problem(leaf.where, what)
    if str in types:
        value = _text(value, leaf.text, optional=type(None) in types)
    elif types & {int, float} and isinstance(value, int | float | str) and not is_plain(leaf.word):
        what = f"{leaf.key}: {leaf.word!r} is not a plain decimal number, such as 10 or 1e-3"
        return Problem(leaf.where, what)
    if isinstance(value, str) and re.search(r"\$\{(?![\w.]+\})", value):
        return Problem(leaf.where, f"{leaf.key}: {value!r}: only ${{another.key}} is supported")
    if isinstance(value, str) and value.count("${") > MOST_REFERENCES:
        what = f"{leaf.key}: more than {MOST_REFERENCES} references to other keys"
        return Problem(leaf.where, what)
    try:
        OmegaConf.update(tree, leaf.key, value, merge=False)
    except OmegaConfBaseException:
        choices = [choice for choice in types if isinstance(choice, str)]
        wanted = [text for kind, text in KINDS.items() if kind in types]
        wanted += [f"one of {', '.join(choices)}"] if choices else []
        what = f"{leaf.key}: {leaf.word!r} is not {' or '.join(wanted)}"
        return Problem(leaf.where, what, nearest(str(leaf.value), choices))
    return None


KINDS: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "null",
}
"""What the values of a type are called."""


def _has_key(model: str, key: str) -> bool:
    """Whether the configuration of a model has a key such as `model.attention`."""
    section, _, name = key.partition(".")
    return section == "model" and name in {field.name for field in fields(model_class(model))}


def _of_scenario(leaf: Leaf, known: list[str]) -> str | None:
    """The `data.scenario` that sets a parameter of the simulation, where one alone has the name of
    an unknown key and no key of the configuration has: `data.nodes`, `deployment.nodes`."""
    from anomalynet.simulation.scenario import Scenario

    names = {key.rpartition(".")[2] for key in known}
    if "data.scenario" not in known or leaf.key.rpartition(".")[2] in names:
        return None
    key = leaf.key.removeprefix("data.").removeprefix("scenario.")
    meant = [one for one in leaf_keys(structured(Scenario())) if f".{one}".endswith(f".{key}")]
    return f'data.scenario="{meant[0]}={leaf.word}"' if len(meant) == 1 else None


def nearest_key(key: str, known: Sequence[str]) -> str | None:
    """The key that was probably meant: of equal name in another section, else the most similar."""
    name = key.rpartition(".")[2]
    names = [other.rpartition(".")[2] for other in known]
    for similar in (name, *difflib.get_close_matches(name, names, n=1, cutoff=0.75)):
        if matches := [key for key, own in zip(known, names, strict=True) if own == similar]:
            return max(matches, key=lambda other: difflib.SequenceMatcher(None, key, other).ratio())
    return nearest(key, known)


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The most similar known text, or None."""
    return next(iter(difflib.get_close_matches(text, known, n=1)), None)


def _types(tree: DictConfig, key: str) -> set[object]:
    """The types that a key accepts, NoneType where it is optional, or its choices."""
    section, _, name = key.rpartition(".")
    owner: Any = OmegaConf.get_type(OmegaConf.select(tree, section) if section else tree)
    if not is_dataclass(owner):
        return set()
    hint = get_type_hints(owner)[name]
    return set(getattr(hint, "__args__", (hint,)))


def _text(value: object, text: object, *, optional: bool) -> object:
    """The text as written; None for nothing, and for an unquoted `null` if the key is optional."""
    if value is None and (optional or not text):
        return None
    return text if isinstance(text, str) else value


def with_text(key: str, value: object, text: Any) -> object:
    """A value of a sweep, as written if its key takes text: `axes.data.name: [010, no]` names two
    data sets."""
    if isinstance(value, list) and isinstance(text, list):
        return [with_text(key, *pair) for pair in zip(value, text, strict=True)]
    if isinstance(value, dict) and isinstance(text, dict):
        pairs = zip(value.values(), text.items(), strict=False)
        return {name: with_text(name, one, word) for one, (name, word) in pairs}
    required, optional = (f".{key}".endswith(keys) for keys in TEXT_KEYS)
    return _text(value, text, optional=optional) if required or optional else value
