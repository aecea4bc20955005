"""Draws the figures of a search: its history, each key, their importances, the Pareto front."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from anomalynet.reporting import figures
from anomalynet.reporting.figures import BLUE, ORANGE

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

TITLES = {
    "history": "History of the search",
    "importances": "How much of the variation each key explains (fANOVA)",
    "slices": "Each key separately",
    "pareto": "Trade-off between the objectives",
}
MIN_TRIALS = {"history": 1, "importances": 5, "slices": 3, "pareto": 2}
"""Smallest number of complete trials for each figure; importances also need two per key."""

GREY = "#8C8C8C"


def draw(
    study: Study, objectives: Sequence[str], space: Sequence[str], facts: str
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Every figure that can be drawn, as path → content; and name → reason of the others. `study`
    has every trial with scaled values; `objectives` are titles with units, `space` the keys."""
    from optuna.exceptions import OptunaError

    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    complete = [trial for trial in study.get_trials() if trial.state.name == "COMPLETE"]
    for name in ("history", "slices", "importances") if len(objectives) == 1 else ("pareto",):
        needed = max(MIN_TRIALS[name], 2 * len(space) if name == "importances" else 0)
        if len(complete) < needed:
            present = f"there {'is' if len(complete) == 1 else 'are'} {len(complete)}"
            missing[name] = f"it needs {needed} complete trials, and {present}"
            continue
        try:
            build = _BUILD[name]
            own = partial(build, study, complete, objectives, space)
            files |= figures.drawn(f"search_{name}", TITLES[name], facts, own)
        except (ValueError, RuntimeError, OptunaError) as error:
            missing[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
    return files, missing


Trials = Sequence["FrozenTrial"]


def _history(study: Study, trials: Trials, objectives: Sequence[str], _: Sequence[str]) -> Figure:
    """The value of each trial, and the best so far."""
    figure, axes = figures.panel(6.4, 3.0, "trial", objectives[0])
    numbers = [trial.number for trial in trials]
    values = np.array([trial.values[0] for trial in trials])
    rising = study.directions[0].name == "MAXIMIZE"
    best = (np.maximum if rising else np.minimum).accumulate(values)
    axes.plot(numbers, values, "o", color=BLUE, markersize=4, label="trial")
    axes.step(numbers, best, where="post", color=ORANGE, linewidth=1.4, label="best so far")
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


def _slices(_: Study, trials: Trials, objectives: Sequence[str], space: Sequence[str]) -> Figure:
    """The value against each key."""
    columns, rows = min(len(space), 4), -(-len(space) // 4)
    figure = Figure(figsize=(2.1 * columns, 2.3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for own in axes[len(space) :]:
        own.axis("off")
    for own, key in zip(axes, space, strict=False):
        own.grid(color=figures.LINES, linewidth=0.6)
        kept = [trial for trial in trials if key in trial.params]
        values = [trial.params[key] for trial in kept]
        levels: Mapping[Any, int] = {}
        if any(isinstance(value, bool | str) or value is None for value in values):
            levels = {level: at for at, level in enumerate(sorted(set(values), key=str))}
            own.set_xticks(range(len(levels)), [str(level).lower() for level in levels])
            own.set_xlim(-0.5, len(levels) - 0.5)
        elif getattr(kept[0].distributions[key], "log", False):
            own.set_xscale("log")
        at = [levels.get(value, value) for value in values]
        shown = [trial.values[0] for trial in kept]
        own.plot(at, shown, "o", color=BLUE, markersize=3.5, alpha=0.7)
        own.set_xlabel(key.replace(".", ".\n", 1))
    for own in axes[: len(space) : 4]:
        own.set_ylabel(objectives[0].replace(" on ", "\non "))
    return figure


def _importances(study: Study, _: Trials, __: Sequence[str], space: Sequence[str]) -> Figure:
    """The share of each key in the variation of the values."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental, as Optuna says
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    order = sorted(found, key=lambda key: found[key])
    figure, axes = figures.panel(6.4, 0.8 + 0.28 * len(space), "share of the variation, %")
    axes.barh(order, [100 * found[key] for key in order], color=BLUE, height=0.6)
    axes.tick_params(axis="y", length=0)
    return figure


def _pareto(study: Study, trials: Trials, objectives: Sequence[str], _: Sequence[str]) -> Figure:
    """The first two objectives of each trial; those that no other one beats are connected."""
    figure, axes = figures.panel(5.4, 3.6, objectives[0], objectives[1])
    front = sorted((trial.values[:2] for trial in study.best_trials), key=lambda pair: pair[0])
    axes.plot(*np.transpose([one.values[:2] for one in trials]), "o", color=GREY, markersize=4)
    axes.plot(*np.transpose(front), "o-", color=ORANGE, markersize=5, linewidth=1.2)
    return figure


_BUILD = {"history": _history, "slices": _slices, "importances": _importances, "pareto": _pareto}
