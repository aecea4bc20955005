"""Which study a search is, what is refused before it begins, what it has found, and its best trials
as experiments of their own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.config import locate
from anomalynet.config.leaves import read_overrides
from anomalynet.config.load import load
from anomalynet.config.show import scalar
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.runs.files import write_text
from anomalynet.sweep.axes import Range
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.plan import Arm, plan
from anomalynet.sweep.search import space

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOLDER = ".search"  # below the folder of the runs: journals and locks
MOST = 10  # points of a Pareto front that get a file


def check(sweep: Sweep, overrides: Sequence[str]) -> None:
    """Refuse a search that cannot be carried out as its file or the command says."""
    name, count = sweep.name, len(sweep.experiments)
    if count != 1:
        what = f"{name}: a search tunes one experiment, not {count}"
        raise UsageError(what, "write one file for each")
    if not sweep.axes:
        raise UsageError(f"{name}: a search without `axes` has nothing to try")
    if sweep.extras:
        hint = "another sweep of `design: factorial` compares them with its best"
        raise UsageError(f"{name}: a search has no `arms`", hint)
    for leaf in read_overrides(overrides):
        if leaf.key in sweep.axes:
            what = f"{leaf.key}: it is an axis of {name}: every trial would have this value"
            raise UsageError(what, "take it from the sweep's axes")
    space.distributions(sweep.axes)
    if sweep.search.sampler == "grid":
        space.every(sweep)
    problems = [problem for key in sweep.axes for problem in _axis_problems(sweep, overrides, key)]
    if problems:
        raise ConfigError(problems)


def _axis_problems(sweep: Sweep, overrides: Sequence[str], key: str) -> list[Problem]:
    """What is wrong with an axis of which neither end makes a configuration."""
    axis, found = sweep.axes[key], []
    for end in (axis.low, axis.high) if isinstance(axis, Range) else (axis[0], axis[-1]):
        try:
            load(sweep.experiments[0], overrides, {**sweep.settings, key: end}, sweep.places)
        except ConfigError as error:
            found.append(list(error.problems))
        else:
            return []
    return found[0]


def base_jobs(sweep: Sweep, overrides: Sequence[str], runs: Path) -> list[Job]:
    """The runs of the experiment as it is, which stand for those of every trial: same data, seeds
    and folds."""
    return jobs_of(plan(sweep, overrides, wanted=[Arm("base", sweep.experiments[0], {}, {})]), runs)


def files_of(runs: Path, label: str) -> tuple[Path, Path]:
    """The journal of a search, and the lock that lets one command at a time propose."""
    folder = runs / FOLDER
    return folder / f"{label}.journal", folder / f"{label}.lock"


def study_name(sweep: Sweep, base: Sequence[Job]) -> str:
    """The sweep, and ten digits of what decides which trials come: the space, the settings, and the
    experiment's runs by identity; not the number of trials nor the batch, which may change."""
    settings = sweep.search
    axes = {
        key: asdict(axis) if isinstance(axis, Range) else axis for key, axis in sweep.axes.items()
    }
    judged = [settings.objectives, settings.sampler, settings.pruner, settings.seed]
    runs = sorted(f"{job.folder.path.parent.name}/{job.folder.path.name}" for job in base)
    text = json.dumps([[axes, sweep.exclude, *judged], runs])
    return f"{sweep.name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def best(trials: Sequence[FrozenTrial], directions: Sequence[str]) -> list[int]:
    """The places of the best of the trials (in order of place), the earlier of equals, or with
    several objectives of all that no other beats in everything."""
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    losses = {
        place: [sign * value for sign, value in zip(signs, trial.values, strict=True)]
        for place, trial in enumerate(trials)
        if trial.state.name == "COMPLETE"
    }

    def order(place: int) -> tuple[list[float], int]:
        return losses[place], place

    def beaten(one: list[float]) -> bool:
        others = (other for other in losses.values() if other != one)
        return any(all(a <= b for a, b in zip(other, one, strict=True)) for other in others)

    if len(directions) == 1:
        return [min(losses, key=order)] if losses else []
    return sorted((place for place, one in losses.items() if not beaten(one)), key=order)


def write_best(
    sweep: Sweep, overrides: Sequence[str], best: Mapping[int, Mapping[str, object]], out: Path
) -> dict[int, str]:
    """Write `best.yaml`, or with several objectives `pareto_<trial>.yaml` for each of the first
    points of `best` (trial → values), as experiments that `anomalynet train` takes; earlier ones
    go. Returns the file of each trial that has one."""
    several, chosen = len(sweep.search.objectives) > 1, list(best)[:MOST]
    names = {place: f"pareto_{place}.yaml" if several else "best.yaml" for place in chosen}
    for place, name in names.items():
        write_text(out / name, _experiment(sweep, overrides, place, best[place], out))
    for path in [*out.glob("pareto_*.yaml"), out / "best.yaml"]:
        if path.name not in names.values():
            path.unlink(missing_ok=True)
    return names


def _experiment(
    sweep: Sweep, overrides: Sequence[str], place: int, params: Mapping[str, object], out: Path
) -> str:
    values = {**sweep.settings, **params}
    values |= {leaf.key: leaf.value for leaf in read_overrides(overrides)}
    sections: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        if not key.startswith("hardware."):
            sections.setdefault(section, {})[name] = value
    parent, path = sweep.experiments[0], locate.find("experiments", sweep.experiments[0])
    extends = os.path.relpath(path, out) if parent.endswith((".yaml", ".yml")) else path.name
    judged = ", ".join(sweep.search.objectives)
    lines = [f"# best of {sweep.name} — what trial {place} tried; judged by {judged}"]
    lines.append(f"extends: {scalar(extends)}")
    for section, own in sections.items():
        if list(own) == [""]:
            lines.append(f"{section}: {scalar(own[''])}")
        else:
            lines += [f"{section}:", *(f"  {key}: {scalar(value)}" for key, value in own.items())]
    return "\n".join(lines) + "\n"
