"""Plans a sweep: its arms (the values that each sets, its name, and which one is the reference),
and the runs of each arm, one per seed and fold; or writes it as a sweep of W&B."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from anomalynet.config import locate
from anomalynet.config.bounds import value_of
from anomalynet.config.leaves import read_overrides
from anomalynet.config.load import Loaded, load
from anomalynet.config.show import scalar
from anomalynet.data import sources
from anomalynet.data.injection import kinds_of
from anomalynet.data.sources.simulated import generated, world_of
from anomalynet.data.split.parts import fold_count
from anomalynet.errors import ConfigError, DataError, Problem, UsageError
from anomalynet.sweep.axes import levels, size
from anomalynet.sweep.file import Sweep

OF_WORLDS = {"data.scenario", "data.worlds"}  # keys that other data does not have
MAX_ARMS, MAX_RUNS = 10_000, 100_000  # of one sweep


@dataclass(frozen=True, slots=True)
class Arm:
    """One point of a sweep: an experiment with some values of its own."""

    name: str
    experiment: str
    values: dict[str, object]  # the values that it sets, besides the sweep's settings
    levels: dict[str, object]  # its level on every axis; for an extra arm, its values
    on_axes: bool = True
    reference: bool = False


def arms(sweep: Sweep, overrides: Sequence[str] = ()) -> list[Arm]:
    """Every arm of a sweep that is not excluded, the reference first if there is one; a search has
    none. Raises ConfigError: too many arms, every arm is excluded, or one of `exclude` is none."""
    if sweep.design == "search":
        return []
    several, alone = len(sweep.experiments) > 1, sweep.design == "one_at_a_time"
    sizes = [int(size(axis)) for axis in sweep.axes.values()]
    count = (sum(sizes) + 1 if alone else math.prod(sizes)) + len(sweep.extras)
    if count * len(sweep.experiments) > MAX_ARMS:
        what = f"{count * len(sweep.experiments):,} arms, of which a sweep has at most {MAX_ARMS:,}"
        hint = "`design: search` tries some of them, `design: one_at_a_time` varies each axis alone"
        raise ConfigError([Problem(sweep.name, what)], hint)
    found: list[Arm] = []
    for experiment in sweep.experiments:
        base = _base(sweep, experiment, overrides)
        if alone:
            points = [dict(base)]
            for key, axis in sweep.axes.items():
                points += [{**base, key: level} for level in levels(axis) if level != base[key]]
        else:
            every = itertools.product(*map(levels, sweep.axes.values()))
            points = [dict(zip(sweep.axes, point, strict=True)) for point in every]
        judge = not several or sweep.reference.get("experiment", sweep.experiments[0]) == experiment
        for point in points:
            reference = judge and all(point[key] == base[key] for key in sweep.axes)
            named = (key for key in point if not alone or point[key] != base[key])
            difference = ", ".join(f"{key}={scalar(point[key])}" for key in named)
            if not difference and reference and not several:
                difference = "reference"
            own = {"experiment": experiment, **point} if several else point
            name = _arm_name(difference, experiment, several)
            found.append(Arm(name, experiment, point, own, reference=reference))
        for label, values in sweep.extras.items():
            name = _arm_name(label, experiment, several)
            found.append(Arm(name, experiment, values, values, on_axes=False))
    return sorted(_kept(sweep, found), key=lambda arm: not arm.reference)


def _kept(sweep: Sweep, found: Sequence[Arm]) -> list[Arm]:
    """The arms that are not excluded."""
    points = [{"experiment": arm.experiment, **arm.values} for arm in found]
    where, problems = sweep.locations.get("exclude", sweep.name), []
    for one in sweep.exclude:
        if not any(one.items() <= point.items() for point in points):
            text = ", ".join(f"{key}: {scalar(value)}" for key, value in one.items())
            problems.append(Problem(where, f"exclude: no arm has {text}"))
    kept = [arm for arm in found if not sweep.excludes(arm.experiment, arm.values)]
    if not kept:
        problems.append(Problem(where, "exclude: every arm is excluded"))
    if problems:
        raise ConfigError(problems)
    return kept


def refuse_overridden_axes(sweep: Sweep, overrides: Sequence[str]) -> None:
    """Raise UsageError if an override sets what a sweep varies: its arms would become one."""
    varied = {*sweep.axes, *(key for values in sweep.extras.values() for key in values)}
    varied |= {"model.name"} if len(sweep.experiments) > 1 else set()
    for leaf in read_overrides(overrides):
        if leaf.key in varied:
            varies = "is an axis of" if leaf.key in sweep.axes else "has several values in"
            what = f"{leaf.key} {varies} {sweep.name}: every arm would have this one"
            raise UsageError(what, "remove it from the command, or from the sweep's file")


def _base(sweep: Sweep, experiment: str, overrides: Sequence[str]) -> dict[str, object]:
    """The reference's level on each axis: from the sweep file, else from the experiment."""
    if not sweep.axes:
        return {}
    fixed = {key: value for key, value in sweep.reference.items() if key != "experiment"}
    config = load(experiment, overrides, {**sweep.settings, **fixed}, sweep.locations).config
    return {key: fixed.get(key, value_of(config, key)) for key in sweep.axes}


def _arm_name(difference: str, experiment: str, several: bool) -> str:
    if several and difference:
        return f"{experiment}: {difference}"
    return difference or experiment


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run that a sweep wants."""

    arm: Arm
    axis: dict[str, object]  # values that the sweep sets: settings, arm, seed, fold and world
    loaded: Loaded
    overrides: tuple[str, ...] = ()  # `key=value` of the command line, which win over the sweep

    @property
    def expected(self) -> tuple[str, int, int, int | None]:
        """(experiment, seed, fold, world) as a report asks for; world None: not simulated."""
        config = self.loaded.config
        return self.loaded.name, config.seed, config.data.split.fold, world_of(config.data)

    @property
    def repetition(self) -> str:
        """Seed, fold and world as text."""
        _, seed, fold, world = self.expected
        return f"seed {seed} fold {fold}" + ("" if world is None else f" world {world}")


def plan(
    sweep: Sweep, overrides: Sequence[str] = (), wanted: Iterable[Arm] | None = None
) -> list[PlannedRun]:
    """Every run of a sweep, or of its `wanted` arms, ordered by seed, so that an interrupted sweep
    leaves complete repetitions. Raises ConfigError: each problem once; arms of one configuration
    are one, unless the command line set what they vary: then the first one is planned.

    The sweep's worlds, and its settings of `OF_WORLDS`, are ignored if the data is not
    simulated."""
    problems: dict[str, Problem] = {}
    runs: list[PlannedRun] = []
    wanted = arms(sweep, overrides) if wanted is None else list(wanted)
    counts: dict[object, int] = {}
    own_worlds = sweep.worlds and not any(text.startswith("data.world=") for text in overrides)
    for seed in sweep.seeds:
        for arm in wanted:
            axis = {**sweep.settings, **arm.values, "seed": seed}
            try:
                loaded = load(arm.experiment, overrides, axis, sweep.locations)
                if OF_WORLDS & sweep.settings.keys() and not generated(loaded.config.data):
                    axis = {key: value for key, value in axis.items() if key not in OF_WORLDS}
                    loaded = load(arm.experiment, overrides, axis, sweep.locations)
                kinds_of(loaded.config.training.injection)  # raises UsageError
                with suppress(DataError):  # whoever needs the data says what is wrong with it
                    loaded = replace(loaded, config=sources.completed(loaded.config))
            except ConfigError as error:
                problems |= {str(problem): problem for problem in error.problems}
                continue
            first, data = PlannedRun(arm, axis, loaded, tuple(overrides)), loaded.config.data
            if "data.world" in arm.values and not generated(data):
                what = f"data.world: {data.name} is not simulated and has one world"
                problems[what] = Problem(sweep.locations.get("data.world", sweep.name), what)
                continue
            key = data.name, data.root, data.subset, data.worlds, data.split
            if key not in counts:
                counts[key] = fold_count(data)
            every = range(counts[key])
            folds = every if len(every) == 1 or sweep.folds is None else sweep.folds
            for fold in folds:
                if fold not in every:
                    what = f"folds: there is no fold {fold} of {len(every)}"
                    problems[what] = Problem(sweep.locations.get("folds", sweep.name), what)
            count = len(sweep.seeds) * len(wanted) * len(folds)
            if count > MAX_RUNS:
                what = f"{count:,} runs, of which a sweep has at most {MAX_RUNS:,}"
                raise ConfigError([Problem(sweep.name, what)])
            world = seed if own_worlds and generated(data) else None
            runs += [_repeat(first, fold, world) for fold in folds]
    unique: dict[tuple[str, str], PlannedRun] = {}
    fixed = {text.partition("=")[0] for text in overrides}
    for run in runs:
        one = unique.setdefault((run.arm.experiment, str(run.loaded.config)), run).arm
        if one.name != run.arm.name and not fixed & {*one.values, *run.arm.values}:
            what = f"the arms {one.name!r} and {run.arm.name!r} are the same configuration"
            what += "; the one without changes is an arm already" * (one.name == "reference")
            problems[what] = Problem(sweep.name, what)
    if problems:
        raise ConfigError(list(problems.values()))
    return list(unique.values())


def _repeat(run: PlannedRun, fold: int, world: int | None) -> PlannedRun:
    """The same configuration on another fold and world, without resolving it again (slow)."""
    loaded = run.loaded
    data = replace(loaded.config.data, split=replace(loaded.config.data.split, fold=fold))
    own: dict[str, object] = {"data.split.fold": fold}
    if world is not None:
        data, own = replace(data, world=world), {"data.world": world, **own}
    origins = {**loaded.origins, **dict.fromkeys(own, "the sweep")}
    repeated = replace(loaded, config=replace(loaded.config, data=data), origins=origins)
    return replace(run, axis={**run.axis, **own}, loaded=repeated)


def as_wandb(sweep: Sweep, overrides: Sequence[str], given: str) -> str:
    """The YAML of a W&B sweep whose agents call `anomalynet train`, for `wandb sweep FILE` and
    `wandb agent`. Each key of the sweep becomes a parameter of W&B, except those of the overrides,
    which win. `given`: the sweep as the user named it. Raises UsageError: the sweep is not a plain
    grid of one experiment over numbers, texts, true and false."""
    import yaml

    runs = plan(sweep, overrides)
    values = {key: levels(axis) for key, axis in sweep.axes.items() if sweep.design == "factorial"}
    folds = sorted({run.loaded.config.data.split.fold for run in runs})
    values |= {"seed": list(sweep.seeds), "data.split.fold": list(folds)}
    varied = len(sweep.experiments) > 1 or sweep.exclude or sweep.extras or sweep.worlds == "seed"
    fixed = {text.partition("=")[0] for text in overrides}
    parameters = {key: {"values": own} for key, own in values.items() if key not in fixed}
    every = [value for own in parameters.values() for value in own["values"]]
    plain = all(isinstance(value, bool | int | float | str) for value in every)
    if sweep.design != "factorial" or varied or not plain:
        what = "W&B supports only a plain grid: `design: factorial` of one experiment, without "
        what += "`exclude`, `arms`, `worlds: seed`, empty values and lists"
        raise UsageError(f"{sweep.name}: {what}", "use `anomalynet sweep` without --as wandb")
    set_before = fixed | parameters.keys()
    always = [f"{key}={scalar(v)}" for key, v in sweep.settings.items() if key not in set_before]
    command = ["${env}", "anomalynet", "train", sweep.experiments[0], "${args_no_hyphens}"]
    text = {
        "name": given,
        "project": os.environ.get("WANDB_PROJECT", "anomalynet"),
        "program": "anomalynet",
        "method": "grid",
        "metric": {"name": "validation/average_precision", "goal": "maximize"},
        "parameters": parameters,
        "command": [*command, *always, *overrides, "tracking=wandb"],
    }
    return yaml.safe_dump(text, sort_keys=False, allow_unicode=True)


def experiment_names(text: str) -> list[str]:
    """The names in `a,b`. Raises UsageError: an experiment does not exist, or none is named."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("no experiment is named", "`anomalynet ls experiments` lists them")
    for name in names:
        locate.find("experiments", name)
    return names
