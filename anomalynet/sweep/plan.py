"""A sweep as a list of the runs that should exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from anomalynet.config import locate
from anomalynet.config.load import Loaded, load
from anomalynet.data.sources.simulated import world_of
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.sweep.arms import Arm, arms
from anomalynet.sweep.file import Sweep


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run that a sweep wants."""

    arm: Arm
    axis: dict[str, object]
    """What the sweep sets in it: settings, arm, seed, fold and world."""
    loaded: Loaded
    overrides: tuple[str, ...] = field(default=())
    """`key=value` arguments of the command line, which win over the sweep."""

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
    """Every run of a sweep, seeds and then worlds outermost, so that an interrupted sweep leaves
    whole repetitions.

    Data that is not simulated has one world: the sweep's worlds are not asked for there. Arms that
    come to the same configuration are one: the first.

    Args:
        sweep: as read.
        overrides: `key=value` arguments.
        wanted: the arms; by default all that the sweep's design asks for.

    Raises:
        ConfigError: a configuration that cannot be, each problem once.
    """
    problems: dict[str, Problem] = {}
    runs: list[PlannedRun] = []
    wanted = arms(sweep, overrides) if wanted is None else list(wanted)
    asked = None if any(text.startswith("data.world=") for text in overrides) else sweep.worlds
    for seed in sweep.seeds:
        worlds = [seed] if asked == "seed" else asked
        by_world: dict[int | None, list[PlannedRun]] = {}
        for arm in wanted:
            axis = {**sweep.settings, **arm.values, "seed": seed}
            try:
                first = PlannedRun(
                    arm, axis, load(arm.experiment, overrides, axis, sweep.places), tuple(overrides)
                )
            except ConfigError as error:
                problems |= {str(problem): problem for problem in error.problems}
                continue
            data = first.loaded.config.data
            every = range(data.split.folds)
            folds = every if sweep.folds is None else sweep.folds
            problems |= {
                what: Problem(sweep.places.get("folds", sweep.name), what)
                for what in (
                    f"folds: there is no fold {fold} of {len(every)}"
                    for fold in folds
                    if fold not in every
                )
            }
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
    """The same configuration on another fold and world; resolving it again would cost most of a
    plan's time."""
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
