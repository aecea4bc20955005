"""Checks a search, names its study, selects the best trials and writes them as experiments."""

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
from anomalynet.config.load import load, with_text
from anomalynet.config.show import scalar
from anomalynet.errors import ConfigError, Problem, UsageError
from anomalynet.runs.files import write_text
from anomalynet.sweep.axes import Range, has
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.plan import Arm, plan, refuse_overridden_axes
from anomalynet.sweep.search import space

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOLDER = ".search"  # below the folder of the runs: journals and locks
MAX_FILES = 10  # largest number of points of a Pareto front that are written


def check(sweep: Sweep, overrides: Sequence[str]) -> None:
    """Check a search and its overrides. Raises UsageError or ConfigError: it is invalid."""
    name, count = sweep.name, len(sweep.experiments)
    if count != 1:
        what = f"{name}: a search tunes one experiment, not {count}"
        raise UsageError(what, "write one sweep file per experiment")
    if not sweep.axes:
        raise UsageError(f"{name}: a search needs `axes`")
    if sweep.extras:
        hint = "remove them; compare the best trial with them in a sweep of `design: factorial`"
        raise UsageError(f"{name}: a search cannot have `arms`", hint)
    refuse_overridden_axes(sweep, overrides)
    for excluded in sweep.exclude:
        own = [key for key in excluded if key in sweep.axes]
        if missing := [key for key in own if not has(sweep.axes[key], excluded[key])]:
            where = sweep.locations.get("exclude", name)
            what = f"exclude: {missing[0]} is never {scalar(excluded[missing[0]])}"
            raise ConfigError([Problem(where, what)])
    space.distributions(sweep.axes)
    if sweep.search.sampler == "grid":
        space.every(sweep)
    problems = [problem for key in sweep.axes for problem in _axis_problems(sweep, overrides, key)]
    if problems:
        raise ConfigError(problems)


def _axis_problems(sweep: Sweep, overrides: Sequence[str], key: str) -> list[Problem]:
    """The problems of an axis if neither of its ends gives a valid configuration."""
    axis, found = sweep.axes[key], []
    for end in (axis.low, axis.high) if isinstance(axis, Range) else (axis[0], axis[-1]):
        try:
            load(sweep.experiments[0], overrides, {**sweep.settings, key: end}, sweep.locations)
        except ConfigError as error:
            found.append(list(error.problems))
        else:
            return []
    return found[0]


def base_jobs(sweep: Sweep, overrides: Sequence[str], runs: Path) -> list[Job]:
    """The runs of the unchanged experiment. They have the data, seeds and folds of every trial."""
    return jobs_of(plan(sweep, overrides, wanted=[Arm("base", sweep.experiments[0], {}, {})]), runs)


def files_of(runs: Path, label: str) -> tuple[Path, Path]:
    """The journal of a search, and the lock for proposing trials."""
    folder = runs / FOLDER
    return folder / f"{label}.journal", folder / f"{label}.lock"


def study_name(sweep: Sweep, base: Sequence[Job]) -> str:
    """The name of the study: the sweep, and ten digits of a hash of everything that determines the
    trials: space, settings and the ids of the experiment's runs. The number of trials and the batch
    are left out, because they may change."""
    settings = sweep.search
    judged = [settings.objectives, settings.sampler, settings.pruner, settings.seed]
    runs = sorted(f"{job.folder.path.parent.name}/{job.folder.path.name}" for job in base)
    text = json.dumps([[sweep.axes, sweep.exclude, *judged], runs], default=asdict)
    return f"{sweep.name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def best(trials: Sequence[FrozenTrial], directions: Sequence[str]) -> list[int]:
    """The index of the best trial (the first of equal ones); with several objectives, the indices
    of the Pareto front, best first."""
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    losses = {
        index: [sign * value for sign, value in zip(signs, trial.values, strict=True)]
        for index, trial in enumerate(trials)
        if trial.state.name == "COMPLETE"
    }

    def order(index: int) -> tuple[list[float], int]:
        return losses[index], index

    def beaten(one: list[float]) -> bool:
        others = (other for other in losses.values() if other != one)
        return any(all(a <= b for a, b in zip(other, one, strict=True)) for other in others)

    if len(directions) == 1:
        return [min(losses, key=order)] if losses else []
    return sorted((index for index, one in losses.items() if not beaten(one)), key=order)


def write_best(
    sweep: Sweep, overrides: Sequence[str], best: Mapping[int, Mapping[str, object]], out: Path
) -> dict[int, str]:
    """Write the best trials (index → values) as experiments for `anomalynet train`: `best.yaml`, or
    with several objectives `pareto_<trial>.yaml` for each of the first `MAX_FILES`. Older files of
    these names are removed. Returns the file of each written trial."""
    several, chosen = len(sweep.search.objectives) > 1, list(best)[:MAX_FILES]
    names = {index: f"pareto_{index}.yaml" if several else "best.yaml" for index in chosen}
    for index, name in names.items():
        write_text(out / name, _experiment(sweep, overrides, index, best[index], out))
    for path in [*out.glob("pareto_*.yaml"), out / "best.yaml"]:
        if path.name not in names.values():
            path.unlink(missing_ok=True)
    return names


def _experiment(
    sweep: Sweep, overrides: Sequence[str], index: int, params: Mapping[str, object], out: Path
) -> str:
    parent, path = sweep.experiments[0], locate.find("experiments", sweep.experiments[0])
    values = {**sweep.settings, **params}  # and the data that the trial is the best on
    values = {"data.name": load(parent, overrides, values).config.data.name, **values}
    for leaf in read_overrides(overrides):
        values[leaf.key] = with_text(leaf.key, leaf.value, leaf.text)
    sections: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        if not key.startswith("hardware."):
            sections.setdefault(section, {})[name] = value
    extends = os.path.relpath(path, out) if parent.endswith((".yaml", ".yml")) else path.name
    judged = ", ".join(sweep.search.objectives)
    lines = [f"# best of {sweep.name} — the values of trial {index}; judged by {judged}"]
    lines.append(f"extends: {scalar(extends)}")
    for section, own in sections.items():
        if list(own) == [""]:
            lines.append(f"{section}: {scalar(own[''])}")
        else:
            lines += [f"{section}:", *(f"  {key}: {scalar(value)}" for key, value in own.items())]
    return "\n".join(lines) + "\n"
