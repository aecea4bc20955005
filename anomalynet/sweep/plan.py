"""A sweep as a list of the runs that should exist: its arms (which values each sets, what it is
called, which one the others are compared with), each with every seed, world and fold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from anomalynet.config import locate
from anomalynet.config.check import value_of
from anomalynet.config.load import Loaded, load
from anomalynet.config.show import scalar
from anomalynet.data.sources.simulated import world_of
from anomalynet.data.split.parts import has_one_fold
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.sweep.axes import levels
from anomalynet.sweep.file import Sweep


@dataclass(frozen=True, slots=True)
class Arm:
    """One point of a sweep: an experiment with some values of its own."""

    name: str
    experiment: str
    values: dict[str, object]  # what it sets, beside the sweep's settings
    levels: dict[str, object]  # its level on every axis; of an extra arm, what it sets
    on_axes: bool = True
    reference: bool = False


def arms(sweep: Sweep, overrides: Sequence[str] = ()) -> list[Arm]:
    """Every arm of a sweep, the reference first where there is one, those that make no sense left
    out; of a search, none. Refuses a sweep of which every arm is excluded."""
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
            told = _difference(point, base if alone else {})
            if not told and reference and not several:
                told = "reference"
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
    """The reference's level on each axis: the sweep file's, else the experiment's."""
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


def _difference(point: Mapping[str, object], base: Mapping[str, object]) -> str:
    """What tells a point apart: its levels that are not the base's."""
    own = (key for key, value in point.items() if key not in base or value != base[key])
    return ", ".join(f"{key}={scalar(point[key])}" for key in own)


def _named(told: str, experiment: str, several: bool) -> str:
    if several and told:
        return f"{experiment}: {told}"
    return told or experiment


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run that a sweep wants."""

    arm: Arm
    axis: dict[str, object]  # what the sweep sets in it: settings, arm, seed, fold and world
    loaded: Loaded
    overrides: tuple[str, ...] = ()  # `key=value` of the command line, which win over the sweep

    @property
    def expected(self) -> tuple[str, int, int, int | None]:
        """(experiment, seed, fold, world) as a report asks for them; the world is None where the
        data has one only."""
        config = self.loaded.config
        return self.loaded.name, config.seed, config.data.split.fold, world_of(config.data)

    @property
    def place(self) -> str:
        """Seed, fold and world as text."""
        _, seed, fold, world = self.expected
        return f"seed {seed} fold {fold}" + ("" if world is None else f" world {world}")


def plan(
    sweep: Sweep, overrides: Sequence[str] = (), wanted: Iterable[Arm] | None = None
) -> list[PlannedRun]:
    """Every run of a sweep, or of the `wanted` arms of it, seeds and then worlds outermost, so that
    an interrupted sweep leaves whole repetitions. Raises ConfigError: each problem once.

    Data that is not simulated has one world: the sweep's worlds are not asked for there. Arms that
    come to the same configuration are one: the first."""
    problems: dict[str, Problem] = {}
    runs: list[PlannedRun] = []
    wanted = arms(sweep, overrides) if wanted is None else list(wanted)
    one_fold: dict[tuple[str | None, ...], bool] = {}
    asked = None if any(text.startswith("data.world=") for text in overrides) else sweep.worlds
    for seed in sweep.seeds:
        worlds = [seed] if asked == "seed" else asked
        by_world: dict[int | None, list[PlannedRun]] = {}
        for arm in wanted:
            axis = {**sweep.settings, **arm.values, "seed": seed}
            try:
                loaded = load(arm.experiment, overrides, axis, sweep.places)
            except ConfigError as error:
                problems |= {str(problem): problem for problem in error.problems}
                continue
            first, data = PlannedRun(arm, axis, loaded, tuple(overrides)), loaded.config.data
            key = (data.name, data.root, data.subset, data.split.policy)
            if key not in one_fold:
                one_fold[key] = has_one_fold(data)
            given = one_fold[key]
            every = range(1 if given else data.split.folds)
            folds = every if given or sweep.folds is None else sweep.folds
            for fold in folds:
                if fold not in every:
                    what = f"folds: there is no fold {fold} of {len(every)}"
                    problems[what] = Problem(sweep.places.get("folds", sweep.name), what)
            for world in worlds if worlds and world_of(data) is not None else [None]:
                by_world.setdefault(world, []).extend(_placed(first, fold, world) for fold in folds)
        runs += [run for placed in by_world.values() for run in placed]
    if problems:
        raise ConfigError(list(problems.values()))
    unique: dict[tuple[str, str], PlannedRun] = {}
    for run in runs:
        unique.setdefault((run.arm.experiment, str(run.loaded.config)), run)
    return list(unique.values())


def _placed(run: PlannedRun, fold: int, world: int | None) -> PlannedRun:
    """The same configuration on another fold and world, without resolving it again (slow)."""
    loaded = run.loaded
    data = replace(loaded.config.data, split=replace(loaded.config.data.split, fold=fold))
    place: dict[str, object] = {"data.split.fold": fold}
    if world is not None:
        data, place = replace(data, world=world), {"data.world": world, **place}
    origins = {**loaded.origins, **dict.fromkeys(place, "the sweep")}
    placed = replace(loaded, config=replace(loaded.config, data=data), origins=origins)
    return replace(run, axis={**run.axis, **place}, loaded=placed)


def experiment_names(text: str) -> list[str]:
    """`a,b` as experiments, each of which must exist."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("no experiment is named", "`anomalynet ls experiments` lists them")
    for name in names:
        locate.find("experiments", name)
    return names
