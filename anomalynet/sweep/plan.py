"""A sweep file as a list of the runs that should exist."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from anomalynet.config import locate
from anomalynet.config.leaves import Leaf, read_yaml
from anomalynet.config.load import Loaded, load, nearest_key
from anomalynet.data.worlds import world_of
from anomalynet.errors import ConfigError, Problem, UsageError

_KEYS = ("experiments", "design", "worlds", "seeds", "folds", "axes.<key>", "presets.<name>.<key>")


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep file, read: which experiments, over which seeds, worlds, folds and axes."""

    name: str
    experiments: list[str]
    seeds: list[int]
    folds: list[int] | None
    """None: every fold of the configuration."""
    worlds: list[int] | None = None
    """Seeds of simulated worlds, each with every seed and fold. None: that of the configuration; other data has one world anyway."""
    axes: dict[str, list[object]] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    """What the preset sets in every run."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run that a sweep wants."""

    experiment: str
    axis: dict[str, object]
    loaded: Loaded

    @property
    def expected(self) -> tuple[str, int, int, int | None]:
        """(experiment, seed, fold, world) as a report asks for them; the world is None where the data has one only."""
        config = self.loaded.config
        return self.loaded.name, config.seed, config.data.split.fold, world_of(config.data)


def read_sweep(name: str, preset: str) -> Sweep:
    """Read a sweep by name or path, with one of its presets.

    Raises:
        UsageError: no such sweep or preset.
        ConfigError: every problem, with file, line and the nearest valid key.
    """
    path = locate.find("sweeps", name)
    leaves = {leaf.key: leaf for leaf in read_yaml(path)}
    presets = {key.split(".")[1] for key in leaves if key.startswith("presets.")}
    if presets and preset not in presets:
        raise UsageError(f"{path.name} has no preset {preset!r}", f"it has {', '.join(sorted(presets))}")
    prefix = f"presets.{preset}."
    chosen = {key.removeprefix(prefix): leaf for key, leaf in leaves.items() if key.startswith(prefix)}
    values = {key: leaf for key, leaf in leaves.items() if not key.startswith("presets.")} | {
        key: chosen.pop(key) for key in list(chosen) if key in ("experiments", "worlds", "seeds", "folds")
    }
    problems = [
        Problem(leaf.where, f"unknown key {key!r}", nearest_key(key, _KEYS[:5]))
        for key, leaf in values.items()
        if key not in _KEYS and not key.startswith("axes.")
    ]
    problems += _list_problems(values)
    if (design := values.get("design")) and design.value != "factorial":
        problems.append(Problem(design.where, f"unknown design {design.value!r}", "factorial"))
    if "experiments" not in values and not problems:
        problems.append(Problem(path.name, "names no experiments"))
    if problems:
        raise ConfigError(problems)
    return Sweep(
        name=path.stem,
        experiments=_list(values["experiments"]),
        seeds=_list(values["seeds"]) if "seeds" in values else [0],
        folds=_list(values["folds"]) if "folds" in values and values["folds"].value != "all" else None,
        worlds=_list(values["worlds"]) if "worlds" in values else None,
        axes={key.removeprefix("axes."): _list(leaf) for key, leaf in values.items() if key.startswith("axes.")},
        settings={key: leaf.value for key, leaf in chosen.items()},
    )


def _list(leaf: Leaf) -> list:  # type: ignore[type-arg]
    assert isinstance(leaf.value, list)
    return leaf.value


def _list_problems(values: dict[str, Leaf]) -> list[Problem]:
    wanted = {"experiments": str, "worlds": int, "seeds": int, "folds": int}
    problems = []
    for key, leaf in values.items():
        if key == "folds" and leaf.value == "all":
            continue
        if (key in wanted or key.startswith("axes.")) and not (isinstance(leaf.value, list) and leaf.value):
            problems.append(Problem(leaf.where, f"{key}: expected a list, not {leaf.value!r}"))
        elif key in wanted and not all(type(item) is wanted[key] for item in leaf.value):  # type: ignore[attr-defined]
            problems.append(Problem(leaf.where, f"{key}: expected a list of {wanted[key].__name__}, not {leaf.value!r}"))
        elif key == "worlds" and any(world < 0 for world in _list(leaf)):
            problems.append(Problem(leaf.where, f"worlds: a world is at least 0, not {leaf.value!r}"))
    return problems


def plan(sweep: Sweep, overrides: Sequence[str] = ()) -> list[PlannedRun]:
    """Every run of a sweep, seeds and then worlds outermost, so that an interrupted sweep leaves whole repetitions.

    Data that is not simulated has one world: the sweep's worlds are not asked for there.

    Raises:
        ConfigError: a configuration that cannot be, each problem once.
    """
    problems: dict[str, Problem] = {}
    runs: list[PlannedRun] = []
    arms = [dict(zip(sweep.axes, values, strict=True)) for values in itertools.product(*sweep.axes.values())]
    worlds = None if any(text.startswith("data.world=") for text in overrides) else sweep.worlds
    for seed in sweep.seeds:
        by_world: dict[int | None, list[PlannedRun]] = {}
        for experiment, arm in itertools.product(sweep.experiments, arms):
            axis = {**sweep.settings, **arm, "seed": seed}
            try:
                first = load(experiment, overrides, axis)
            except ConfigError as error:
                problems |= {str(problem): problem for problem in error.problems}
                continue
            every = range(first.config.data.split.folds)
            folds = every if sweep.folds is None else sweep.folds
            problems |= {
                what: Problem(sweep.name, what)
                for what in (f"folds: there is no fold {fold} of {len(every)}" for fold in folds if fold not in every)
            }
            for world in worlds if worlds and world_of(first.config.data) is not None else [None]:
                by_world.setdefault(world, []).extend(_placed(experiment, axis, first, fold, world) for fold in folds)
        runs += itertools.chain.from_iterable(by_world.values())
    if problems:
        raise ConfigError(list(problems.values()))
    unique = {(run.experiment, str(run.loaded.config)): run for run in runs}
    return list(unique.values())


def _placed(experiment: str, axis: dict[str, object], loaded: Loaded, fold: int, world: int | None) -> PlannedRun:
    """The same configuration on another fold and world; resolving it again would cost most of a plan's time."""
    data = replace(loaded.config.data, split=replace(loaded.config.data.split, fold=fold))
    place: dict[str, object] = {"data.split.fold": fold}
    if world is not None:
        data, place = replace(data, world=world), {"data.world": world, **place}
    origins = {**loaded.origins, **dict.fromkeys(place, "the sweep")}
    return PlannedRun(experiment, {**axis, **place}, replace(loaded, config=replace(loaded.config, data=data), origins=origins))


def experiment_names(text: str) -> list[str]:
    """`a,b` as experiments, each of which must exist."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("no experiment is named", "`anomalynet ls experiments` lists them")
    for name in names:
        locate.find("experiments", name)
    return names
