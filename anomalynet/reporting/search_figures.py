"""The figures of a search; the same trials give the same bytes. Importances are Optuna's, the drawing is ours: Optuna's cuts labels."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anomalynet.reporting.figures import encode, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
"""Complete trials without which a figure would say nothing; importances need two for each value besides."""

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#999999"
COLUMNS = 4


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

    def of(self, state: str) -> list[tuple[int, Any]]:
        """The trials of a state that have a value, with their places."""
        every = enumerate(self.study.get_trials(deepcopy=False))
        return [(place, trial) for place, trial in every if trial.state.name == state and trial.values]


def draw(drawn: Drawn) -> tuple[dict[str, bytes], dict[str, str]]:
    """Every figure that can be drawn, as file name → content; and of each other, why not."""
    from optuna.exceptions import OptunaError

    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    complete = len(drawn.of("COMPLETE"))
    makers = {"history": _history, "importances": _importances, "slices": _slices, "parallel": _parallel}
    for name, make in makers.items() if len(drawn.names) == 1 else [("pareto", _pareto)]:
        enough = max(ENOUGH[name], 2 * len(drawn.space)) if name == "importances" else ENOUGH[name]
        if complete < enough:
            missing[name] = f"it needs {enough} complete trials, and there {'is' if complete == 1 else 'are'} {complete}"
            continue
        try:
            with style():
                for suffix, content in encode(_titled(make(drawn), TITLES[name])):
                    files[f"search_{name}.{suffix}"] = content
        except (ValueError, RuntimeError, OptunaError) as error:
            missing[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
    return files, missing


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _titled(figure: Figure, title: str) -> Figure:
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    return figure


def _history(drawn: Drawn) -> Figure:
    figure = _figure(8.0, 3.6)
    axes = figure.subplots()
    complete, pruned = drawn.of("COMPLETE"), drawn.of("PRUNED")
    better = max if drawn.study.direction.name == "MAXIMIZE" else min
    places, values = [place for place, _ in complete], [trial.values[0] for _, trial in complete]
    axes.step(places, list(itertools.accumulate(values, better)), where="post", color=ORANGE, linewidth=1.6, label="best so far")
    axes.scatter(places, values, s=22, color=BLUE, zorder=3, label="complete")
    if pruned:
        given_up = [trial.values[0] for _, trial in pruned]
        axes.scatter([place for place, _ in pruned], given_up, s=22, marker="x", color=GREY, label="pruned, at its last value")
    axes.set_xlabel("trial")
    axes.set_ylabel(drawn.names[0])
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    figure.legend(loc="outside upper right", ncols=3, frameon=False)
    return figure


def _importances(drawn: Drawn) -> Figure:
    from optuna import importance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = importance.get_param_importances(drawn.study, evaluator=importance.FanovaImportanceEvaluator(seed=0))
    names = sorted(found, key=lambda name: (found[name], name))
    figure = _figure(8.0, 0.9 + 0.32 * len(names))
    axes = figure.subplots()
    shares = [100 * found[name] for name in names]
    axes.barh(names, shares, color=BLUE, height=0.62)
    for line, share in enumerate(shares):
        axes.text(share + 0.6, line, f"{share:.0f}", va="center", fontsize=8)
    axes.set_xlim(0, 100)
    axes.set_xlabel("percent")
    axes.tick_params(axis="y", length=0)
    return figure


def _slices(drawn: Drawn) -> Figure:
    from matplotlib.ticker import MaxNLocator

    complete = drawn.of("COMPLETE")
    lines = math.ceil(len(drawn.space) / COLUMNS)
    columns = min(COLUMNS, len(drawn.space))
    figure = _figure(2.6 * columns + 0.8, 0.6 + 2.3 * lines)
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    places, values = [place for place, _ in complete], [trial.values[0] for _, trial in complete]
    dots = None
    for axes in grid.flat[len(drawn.space) :]:
        axes.set_visible(False)
    for axes, (key, distribution) in zip(grid.flat, drawn.space.items(), strict=False):
        where = [_height(trial.params[key], distribution) for _, trial in complete]
        dots = axes.scatter(where, values, c=places, cmap="viridis_r", s=20, edgecolor="#404040", linewidth=0.3)
        for place, trial in complete:
            if place in drawn.best:
                at = _height(trial.params[key], distribution)
                axes.scatter([at], [trial.values[0]], s=90, facecolor="none", edgecolor=ORANGE, linewidth=1.6)
        axes.set_xlim(-0.08, 1.08)
        axes.set_xticks(*zip(*_ticks(distribution), strict=True))
        axes.set_xlabel(key)
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    for line in grid:
        line[0].set_ylabel(drawn.names[0], fontsize=8)
    assert dots is not None
    bar = figure.colorbar(dots, ax=grid, label="trial (the best is ringed)", aspect=30)
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    return figure


def _parallel(drawn: Drawn) -> Figure:
    import matplotlib

    complete = drawn.of("COMPLETE")
    figure = _figure(max(8.0, 1.5 * (len(drawn.space) + 1)), 4.2)
    axes = figure.subplots()
    values = [trial.values[0] for _, trial in complete]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    colours = matplotlib.colormaps["viridis_r"]
    up = drawn.study.direction.name == "MAXIMIZE"
    for place, trial in sorted(complete, key=lambda one: one[1].values[0], reverse=not up):
        share = (trial.values[0] - low) / span
        line = [*(_height(trial.params[key], distribution) for key, distribution in drawn.space.items()), share]
        chosen = place in drawn.best
        colour = ORANGE if chosen else colours(share if up else 1 - share)
        axes.plot(range(len(line)), line, color=colour, linewidth=2.4 if chosen else 0.9, alpha=1 if chosen else 0.75, zorder=3 + chosen)
    for column, distribution in enumerate(drawn.space.values()):
        _scale(axes, column, _ticks(distribution))
    _scale(axes, len(drawn.space), [(0.0, f"{low:.4g}"), (1.0, f"{high:.4g}")])
    axes.set_xticks(
        range(len(drawn.space) + 1), [*(key.replace(".", ".\n", 1) for key in drawn.space), drawn.names[0].replace(" on ", "\non ")]
    )
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.25, len(drawn.space) + 0.35)
    figure.supxlabel("a line a trial, the darker the better; the best is orange", fontsize=7, color="#404040", x=0.012, ha="left")
    return figure


def _scale(axes: Axes, column: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(column, color="#404040", linewidth=0.8, zorder=2)
    for height, text in ticks:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        axes.text(column + 0.05, height, text, fontsize=7, va="center", zorder=5, bbox=box)


def _pareto(drawn: Drawn) -> Figure:
    pairs = list(itertools.combinations(range(len(drawn.names)), 2))
    figure = _figure(6.4 * len(pairs), 4.2)
    grid = figure.subplots(1, len(pairs), squeeze=False)
    complete = drawn.of("COMPLETE")
    for axes, (across, upward) in zip(grid.flat, pairs, strict=True):
        rest = [trial.values for place, trial in complete if place not in drawn.best]
        front = sorted((trial.values[across], trial.values[upward], place) for place, trial in complete if place in drawn.best)
        axes.scatter([one[across] for one in rest], [one[upward] for one in rest], s=18, color=GREY, label="beaten by another in both")
        x, y = [one[0] for one in front], [one[1] for one in front]
        if len(drawn.names) == 2:
            axes.plot(x, y, color=ORANGE, linewidth=1.0, linestyle=":")
        axes.scatter(x, y, s=34, color=ORANGE, edgecolor="#404040", linewidth=0.5, zorder=3, label="Pareto front, with the trial's number")
        for at, height, place in front:
            axes.annotate(str(place), (at, height), textcoords="offset points", xytext=(5, 5), fontsize=7)
        axes.set_xlabel(drawn.names[across])
        axes.set_ylabel(drawn.names[upward])
        axes.grid(color="#E5E5E5", linewidth=0.6)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _height(value: object, distribution: Any) -> float:
    """Where a value stands between the ends of its axis, from 0 to 1; levels are at even distances."""
    if hasattr(distribution, "choices"):
        return distribution.choices.index(value) / max(len(distribution.choices) - 1, 1)  # type: ignore[no-any-return]
    assert isinstance(value, int | float)
    low, high = distribution.low, distribution.high
    if distribution.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)  # type: ignore[no-any-return]


def _ticks(distribution: Any) -> list[tuple[float, str]]:
    """Where an axis has numbers, and which: its levels, else both ends and the middle."""
    if hasattr(distribution, "choices"):
        return [
            (_height(choice, distribution), str(choice).lower() if choice is True or choice is False else str(choice))
            for choice in distribution.choices
        ]
    low, high = distribution.low, distribution.high
    middle = math.sqrt(low * high) if distribution.log else (low + high) / 2
    return [(_height(value, distribution), f"{value:.2g}" if value < 100 else f"{value:.0f}") for value in (low, middle, high)]
