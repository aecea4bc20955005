"""Draws the figures of a search with Optuna. The same trials give the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anomalynet.reporting.figures import encode, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna.study import Study

TITLES = {
    "history": "History of the search",
    "importances": "How much of the variation each value explains (fANOVA)",
    "slices": "Each key separately",
    "parallel": "The values of every complete trial",
    "pareto": "Trade-off between the objectives",
}
MIN_TRIALS = {"history": 1, "importances": 5, "slices": 3, "parallel": 3, "pareto": 2}
"""Smallest number of complete trials for each figure; importances also need two per key."""


def draw(
    study: Study, objectives: Sequence[str], space: Sequence[str]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Every figure that can be drawn, as path → content; and name → reason of the others.

    Args:
        study: every trial by index, with scaled values.
        objectives: their titles, with units.
        space: keys that are varied.
    """
    from optuna.exceptions import OptunaError

    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    complete = sum(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))
    single = ("history", "importances", "slices", "parallel")  # for a single objective
    for name in single if len(objectives) == 1 else ("pareto",):
        needed = max(MIN_TRIALS[name], 2 * len(space) if name == "importances" else 0)
        if complete < needed:
            present = f"there {'is' if complete == 1 else 'are'} {complete}"
            missing[name] = f"it needs {needed} complete trials, and {present}"
            continue
        try:
            files |= _drawn(name, study, objectives, space)
        except (ValueError, RuntimeError, OptunaError) as error:
            missing[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
    return files, missing


def _drawn(
    name: str, study: Study, objectives: Sequence[str], space: Sequence[str]
) -> dict[str, bytes]:
    """Draw one figure in a size that leaves room for the longest key."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = {
        "history": (8.0, 4.0),
        "importances": (9.0, 1.4 + 0.4 * len(space)),
        "slices": (3.1 * len(space), 4.2),
        "parallel": (2.0 * (len(space) + 2), 4.8),
        "pareto": (8.0, 4.6),
    }
    with style(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its figures experimental
        figure = _figure(name, study, objectives, space)
        figure.set_size_inches(*sizes[name])
        for axes in figure.axes:
            axes.set_title("", loc="left")
            axes.set_title("")
            axes.set_xlabel(_broken(axes.get_xlabel()))
            axes.tick_params(labelsize=8)
        if name == "parallel":  # Optuna sorts the keys, and shortens long ones
            labels = [objectives[0].replace(" on ", "\non "), *map(_broken, sorted(space))]
            figure.axes[0].set_xticks(range(len(labels)), labels, rotation=0)
        figure.suptitle(TITLES[name], x=0.012, y=1.02, ha="left", fontsize=11, fontweight="bold")
        matplotlib.rcParams["savefig.bbox"] = "tight"
        content = {f"figures/search_{name}.{suffix}": data for suffix, data in encode(figure)}
        pyplot.close(figure)
    return content


def _figure(name: str, study: Study, objectives: Sequence[str], space: Sequence[str]) -> Figure:
    import numpy as np
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.visualization import matplotlib as plots

    target: dict[str, Any] = {"target_name": objectives[0]}
    varied: dict[str, Any] = {"params": list(space)}
    fanova = FanovaImportanceEvaluator(seed=0)
    drawn_by: dict[str, Any] = {
        "history": lambda: plots.plot_optimization_history(study, **target),
        "importances": lambda: plots.plot_param_importances(study, evaluator=fanova, **target),
        "slices": lambda: plots.plot_slice(study, **varied, **target),
        "parallel": lambda: plots.plot_parallel_coordinate(study, **varied, **target),
        "pareto": lambda: plots.plot_pareto_front(study, target_names=list(objectives)),
    }
    axes = np.ravel(drawn_by[name]())[0]
    figure: Figure = axes.figure
    return figure


def _broken(key: str) -> str:
    """A key with a line break after its section."""
    return key.replace(".", ".\n", 1)
