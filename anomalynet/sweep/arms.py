"""The arms of a sweep: which values each sets, what it is called, and which one the others are
compared with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anomalynet.config.check import value_of
from anomalynet.config.load import load
from anomalynet.config.show import scalar
from anomalynet.errors import ConfigError, Problem
from anomalynet.sweep.axes import levels
from anomalynet.sweep.file import Sweep

REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Arm:
    """One point of a sweep: an experiment with some values of its own."""

    name: str
    experiment: str
    values: dict[str, object]
    """What it sets, beside the sweep's settings."""
    levels: dict[str, object]
    """Its level on every axis; of an extra arm, what it sets."""
    on_axes: bool = True
    reference: bool = False


def arms(sweep: Sweep, overrides: Sequence[str] = ()) -> list[Arm]:
    """Every arm of a sweep, the reference first where there is one, those that make no sense left
    out; of a search, none.

    Raises:
        ConfigError, UsageError: an experiment that cannot be loaded, or no arm that is not
        excluded.
    """
    if sweep.design == "search":
        return []
    several, alone = len(sweep.experiments) > 1, sweep.design == "one_at_a_time"
    found: list[Arm] = []
    for experiment in sweep.experiments:
        base = _base(sweep, experiment, overrides)
        points = _one_at_a_time(sweep, base) if alone else _factorial(sweep)
        judge = not several or sweep.reference.get("experiment", sweep.experiments[0]) == experiment
        for point in points:
            reference = judge and all(point[key] == base[key] for key in sweep.axes)
            told = _told(point, base if alone else {})
            if not told and reference and not several:
                told = REFERENCE
            own = {"experiment": experiment, **point} if several else point
            name = _named(told, experiment, several)
            found.append(Arm(name, experiment, point, own, reference=reference))
        for label, values in sweep.extras.items():
            name = _named(label, experiment, several)
            found.append(Arm(name, experiment, values, values, on_axes=False))
    kept = [arm for arm in found if not sweep.excludes(arm.experiment, arm.values)]
    if not kept:
        where = sweep.places.get("exclude", sweep.name)
        raise ConfigError([Problem(where, "exclude: every arm is excluded")])
    return sorted(kept, key=lambda arm: not arm.reference)


def _base(sweep: Sweep, experiment: str, overrides: Sequence[str]) -> dict[str, object]:
    """The reference's level on each axis: what the sweep file says, else what the experiment
    has."""
    if not sweep.axes:
        return {}
    fixed = {key: value for key, value in sweep.reference.items() if key != "experiment"}
    config = load(experiment, overrides, {**sweep.settings, **fixed}, sweep.places).config
    return {key: fixed.get(key, value_of(config, key)) for key in sweep.axes}


def _one_at_a_time(sweep: Sweep, base: Mapping[str, object]) -> list[dict[str, object]]:
    points = [dict(base)]
    for key, axis in sweep.axes.items():
        points += [{**base, key: level} for level in levels(axis) if level != base[key]]
    return points


def _factorial(sweep: Sweep) -> list[dict[str, object]]:
    every = itertools.product(*(levels(axis) for axis in sweep.axes.values()))
    return [dict(zip(sweep.axes, point, strict=True)) for point in every]


def _told(point: Mapping[str, object], base: Mapping[str, object]) -> str:
    """What tells a point apart: its levels that are not the base's."""
    own = (key for key, value in point.items() if key not in base or value != base[key])
    return ", ".join(f"{key}={scalar(point[key])}" for key in own)


def _named(told: str, experiment: str, several: bool) -> str:
    if several and told:
        return f"{experiment}: {told}"
    return told or experiment
