"""A scenario from a preset or a YAML file and `key=value`, or every problem at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import yaml
from omegaconf import OmegaConf

from anomalynet.config.leaves import Leaf, read_overrides, read_yaml
from anomalynet.config.load import apply, interpolation_problems, leaf_keys, structured
from anomalynet.config.locate import summary
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.simulation import check
from anomalynet.simulation.scenario import Scenario

PRESETS = Path(__file__).parent / "scenarios"

SCENARIO_VERSION = 1
"""Grows when a key of `Scenario` changes its meaning."""


def names() -> dict[str, str]:
    """Name → one line of text of every preset, by name."""
    return {path.stem: summary(path) for path in sorted(PRESETS.glob("*.yaml"))}


def load_scenario(name_or_path: str, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario of a preset's name or of a YAML file (its path ends in .yaml), changed by
    `key=value` arguments.

    Raises:
        UsageError: there is no such preset or file; names the nearest.
        ConfigError: every problem, with file and line or argument, and the nearest valid key or
        choice.
    """
    path = _find(name_or_path)
    return _resolve(
        [Leaf("name", path.stem, "the file's name"), *read_yaml(path), *read_overrides(overrides)]
    )


def _find(name_or_path: str) -> Path:
    if name_or_path.endswith((".yaml", ".yml")):
        if (path := Path(name_or_path)).is_file():
            return path
        raise UsageError(
            f"{name_or_path}: no such file", "`anomalynet simulate --list` lists what is shipped"
        )
    if name_or_path in (known := names()):
        return PRESETS / f"{name_or_path}.yaml"
    near = difflib.get_close_matches(name_or_path, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"there is no scenario {name_or_path!r}",
        f"{hint}`anomalynet simulate --list` lists them; a file of your own ends in .yaml",
    )


def _resolve(leaves: Sequence[Leaf]) -> Scenario:
    tree = structured(Scenario())
    known = leaf_keys(tree)
    problems: list[Problem] = []
    origins: dict[str, str] = {}
    for leaf in leaves:
        if problem := apply(tree, known, _plain(leaf)):
            problems.append(problem)
        else:
            origins[leaf.key] = leaf.where
    if dangling := interpolation_problems(tree, origins):
        raise ConfigError(problems + dangling)
    scenario = OmegaConf.to_object(tree)
    assert isinstance(scenario, Scenario)
    problems += [
        Problem(origins.get(key, "default"), f"{key}: {what}", near)
        for key, what, near in check.violations(scenario)
    ]
    if problems:
        raise ConfigError(problems)
    return scenario


def _plain(leaf: Leaf) -> Leaf:
    """YAML reads 2026-01-05 as a date; the schema wants its text."""
    return (
        Leaf(leaf.key, leaf.value.isoformat(), leaf.where) if isinstance(leaf.value, date) else leaf
    )


def canonical(scenario: Scenario) -> str:
    """Everything that decides a world, seed included, as JSON with sorted keys. The name is only
    for reports and is left out."""
    values = {key: value for key, value in asdict(scenario).items() if key != "name"}
    return json.dumps({"schema": SCENARIO_VERSION, "scenario": values}, sort_keys=True)


def as_yaml(scenario: Scenario) -> str:
    """The resolved parameters as YAML, in the schema's order; `load_scenario` reads them back to an
    equal scenario."""
    text: str = yaml.safe_dump(asdict(scenario), sort_keys=False, allow_unicode=True)
    return text
