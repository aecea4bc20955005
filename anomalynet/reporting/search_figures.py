"""The figures of a search, drawn by Optuna's own visualisation; the same trials give the same
bytes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anomalynet.reporting.figures import encode, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

TITLES = {
    "history": "How the search went",
    "importances": "How much of the variation each value explains (fANOVA)",
    "slices": "Each value alone",
    "parallel": "The values of every complete trial",
    "pareto": "What one objective costs in another",
}
ENOUGH = {"history": 1, "importances": 5, "slices": 3, "parallel": 3, "pareto": 2}
"""Complete trials without which a figure would say nothing; importances need two for each value
besides."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What figures are made from.

    Attributes:
        study: every trial in order of its place, with values as the report shows them.
        names: the objectives, with their units.
        space: the values that are varied.
        best: places of the best trials.
    """

    study: Study
    names: Sequence[str]
    space: Mapping[str, BaseDistribution]
    best: Sequence[int]


def draw(drawn: Drawn) -> tuple[dict[str, bytes], dict[str, str]]:
    """Every figure that can be drawn, as file name → content; and of each other, why not."""
    from optuna.exceptions import OptunaError

    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    complete = sum(
        trial.state.name == "COMPLETE" for trial in drawn.study.get_trials(deepcopy=False)
    )
    for name in (
        ("history", "importances", "slices", "parallel") if len(drawn.names) == 1 else ("pareto",)
    ):
        enough = max(ENOUGH[name], 2 * len(drawn.space)) if name == "importances" else ENOUGH[name]
        if complete < enough:
            missing[name] = (
                f"it needs {enough} complete trials, and there "
                f"{'is' if complete == 1 else 'are'} {complete}"
            )
            continue
        try:
            files |= {f"search_{name}.{suffix}": content for suffix, content in _drawn(name, drawn)}
        except (ValueError, RuntimeError, OptunaError) as error:
            missing[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
    return files, missing


def _drawn(name: str, drawn: Drawn) -> list[tuple[str, bytes]]:
    """One figure as SVG and PNG, in a size that leaves room for the longest key."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = {
        "history": (8.0, 4.0),
        "importances": (9.0, 1.4 + 0.4 * len(drawn.space)),
        "slices": (3.1 * len(drawn.space), 4.2),
        "parallel": (2.0 * (len(drawn.space) + 2), 4.8),
        "pareto": (8.0, 4.6),
    }
    with style(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its figures experimental
        figure = _figure(name, drawn)
        figure.set_size_inches(*sizes[name])
        for axes in figure.axes:
            axes.set_title("", loc="left")
            axes.set_title("")
            axes.set_xlabel(_broken(axes.get_xlabel()))
            axes.tick_params(labelsize=8)
        if name == "parallel":  # Optuna sorts the keys, and shortens long ones
            labels = [drawn.names[0].replace(" on ", "\non "), *map(_broken, sorted(drawn.space))]
            figure.axes[0].set_xticks(range(len(labels)), labels, rotation=0)
        figure.suptitle(TITLES[name], x=0.012, y=1.02, ha="left", fontsize=11, fontweight="bold")
        matplotlib.rcParams["savefig.bbox"] = "tight"
        content = list(encode(figure))
        pyplot.close(figure)
    return content


def _figure(name: str, drawn: Drawn) -> Figure:
    import numpy as np
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.visualization import matplotlib as plots

    study, target = drawn.study, drawn.names[0]
    drawn_by: dict[str, Any] = {
        "history": lambda: plots.plot_optimization_history(study, target_name=target),
        "importances": lambda: plots.plot_param_importances(
            study, evaluator=FanovaImportanceEvaluator(seed=0), target_name=target
        ),
        "slices": lambda: plots.plot_slice(study, params=list(drawn.space), target_name=target),
        "parallel": lambda: plots.plot_parallel_coordinate(
            study, params=list(drawn.space), target_name=target
        ),
        "pareto": lambda: plots.plot_pareto_front(study, target_names=list(drawn.names)),
    }
    axes = np.ravel(drawn_by[name]())[0]
    figure: Figure = axes.figure
    return figure


def _broken(key: str) -> str:
    """A key in two lines, its section in the first."""
    return key.replace(".", ".\n", 1)
