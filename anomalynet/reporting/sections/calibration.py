"""How far scores that are called probabilities may be read as such: bins of scores, expected
calibration error, Brier score, and the section with its reliability diagrams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting.aggregate import ArmMetrics, pooled_scores
from anomalynet.reporting.arms import RepetitionKey
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.figures import broken_names, drawn, foot, heading
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import defined, table_csv, table_of, to_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

BINS = 15
NAME, TITLE = "calibration", "Calibration"
FIGURE, FIGURE_TITLE = "calibration_reliability", "Reliability of the scores"
METRICS = ("brier", "brier_constant", "ece", "ece_equal_mass", "mean_score", "prevalence")
COLUMNS: tuple[str, ...] = ("model", "data", "bin", "low", "high", "steps", "score", "attack")
COLUMNS += ("attack_lowest", "attack_highest")

PANELS = 4  # most panels beside each other
BLUE, GREY = "#0072B2", "#B8B8B8"

NOTE = (
    "*Brier score*: mean squared difference between score and label; *share of attack alone*: "
    "what always saying the test part's own share would have, so that a Brier score above it is "
    "worse than no model. *Calibration error*: how far the share of attack in a bin of scores is "
    f"from their mean, averaged over steps; {BINS} bins of equal width, or with equally many steps "
    "each. Lower is better in all four. Where the *mean score* is far from the *share of attack* "
    "(prevalence), scores are too high or too low as a whole. Folds are pooled within a repetition."
)


@dataclass(frozen=True, slots=True)
class Bins:
    """Scored steps by their score, float64 arrays of shape (bin,): how many, the sum of their
    scores, how many are attack; a score on one of the (bin + 1,) edges belongs below it."""

    edges: Floats
    steps: Floats
    scores: Floats
    attacks: Floats

    @property
    def predicted(self) -> Floats:
        """Mean score; NaN where a bin is empty."""
        return self.scores / np.where(self.steps > 0, self.steps, NAN)

    @property
    def observed(self) -> Floats:
        """Share of attack; NaN where a bin is empty."""
        return self.attacks / np.where(self.steps > 0, self.steps, NAN)

    @property
    def error(self) -> float:
        """Expected calibration error: |observed − predicted|, mean over steps."""
        total = float(self.steps.sum())
        return float(np.abs(self.attacks - self.scores).sum() / total) if total else NAN


def equal_width(bins: int = BINS) -> Floats:
    """Edges between 0 and 1, equally far from each other."""
    return np.linspace(0.0, 1.0, bins + 1)


def equal_mass(scores: Floats, bins: int = BINS) -> Floats:
    """Edges between which lie equally many scores; equal scores stay in one bin, so that some may
    be empty."""
    return np.percentile(scores, 100 * np.linspace(0.0, 1.0, bins + 1))


def binned(labels: NDArray[np.int8], scores: Floats, edges: Floats) -> Bins:
    """Sort steps into bins: labels (steps,) 0 normal, 1 attack; scores (steps,) within [0, 1];
    edges (bin + 1,), ascending."""
    place = np.searchsorted(edges[1:-1], scores)

    def total(weights: Floats | None) -> Floats:
        return np.bincount(place, weights, minlength=len(edges) - 1).astype(np.float64)

    return Bins(edges, total(None), total(scores), total((labels == 1).astype(np.float64)))


def calibration_metrics(labels: NDArray[np.int8], scores: Floats) -> dict[str, float]:
    """Brier score, that of always saying the share of attack, both expected calibration errors, and
    the mean score; NaN without steps. Arguments as of `binned`.

    Source: not in the paper. Brier, 1950; Naeini, Cooper and Hauskrecht, 2015 (equal width); Nixon
    et al., 2019 (equal mass).
    """
    if not len(labels):
        return dict.fromkeys(METRICS[:-1], NAN)
    attack = (labels == 1).astype(np.float64)
    share = float(attack.mean())
    return {
        "brier": float(np.mean((scores - attack) ** 2)),
        "brier_constant": share * (1 - share),
        "ece": binned(labels, scores, equal_width()).error,
        "ece_equal_mass": binned(labels, scores, equal_mass(scores)).error,
        "mean_score": float(scores.mean()),
    }


@dataclass(frozen=True, slots=True)
class Calibrated:
    """An arm whose score is a probability: its metrics with those of calibration among them, and
    bins of equal width by repetition."""

    metrics: ArmMetrics
    bins: Mapping[RepetitionKey, Bins]

    @property
    def pooled(self) -> Bins:
        """Bins of all repetitions together."""
        steps, scores, attacks = (
            np.sum([getattr(one, name) for one in self.bins.values()], axis=0)
            for name in ("steps", "scores", "attacks")
        )
        return Bins(equal_width(), steps, scores, attacks)

    @property
    def observed_range(self) -> tuple[Floats, Floats]:
        """Lowest and highest share of attack of a repetition, (bin,); NaN where none has steps
        there."""
        shares = np.stack([one.observed for one in self.bins.values()])
        return np.fmin.reduce(shares), np.fmax.reduce(shares)


def calibrate(
    models: Sequence[ArmMetrics],
) -> tuple[tuple[Calibrated, ...], tuple[ArmMetrics, ...]]:
    """The calibration of every arm whose scores are probabilities; and the arms whose are not: they
    say so themselves, or a score lies outside [0, 1].

    Raises: RunError: a run's scores cannot be read.
    """
    found = [(one, _calibrated(one)) for one in models if one.values]
    known = tuple(calibrated for _, calibrated in found if calibrated is not None)
    return known, tuple(one for one, calibrated in found if calibrated is None)


def _calibrated(one: ArmMetrics) -> Calibrated | None:
    if not all(record.result.probability for record in one.arm.records):
        return None
    values, bins = {}, {}
    for repetition in one.arm.counted:
        pool = pooled_scores(repetition)
        labels, scores = pool.labels, pool.scores
        if len(scores) and not (scores.min() >= 0.0 and scores.max() <= 1.0):
            return None
        key = repetition.key
        values[key] = {**one.values[key], **calibration_metrics(labels, scores)}
        bins[key] = binned(labels, scores, equal_width())
    return Calibrated(ArmMetrics(one.arm, values), bins)


def calibration_section(context: ReportContext) -> Section:
    """Table and reliability diagram of every model whose score is a probability; the others are
    named.

    Raises: RunError: a run's scores cannot be read.
    """
    known, others = calibrate(context.models)
    said = (
        f"The scores of {', '.join(one.arm.title for one in others)} are no probabilities: "
        "nothing there can be calibrated or not."
    )
    if not known:
        return Section([f"## {TITLE}", said]) if others else Section()
    shown = [one.metrics for one in known]
    table = table_of(context, NAME, TITLE, METRICS, shown)
    several = max(len(one.bins) for one in known) > 1
    spread = "; a vertical line goes from the lowest to the highest repetition" if several else ""
    note = (
        f"Points: {BINS} bins of equal width, all repetitions together{spread}. On the diagonal a "
        "score is what it says; below: steps."
    )
    parts = [
        f"## {TITLE}",
        NOTE,
        *([said] if others else []),
        markdown.matrix(table, context.signs),
        context.caption(TITLE, shown, f"{NAME}.csv"),
        context.figure(FIGURE, FIGURE_TITLE, shown, note),
        "Numbers: [reliability.csv](tables/reliability.csv).",
    ]
    reliability = to_csv(COLUMNS, (row for one in known for row in _rows(one, context.data)))
    files = {f"tables/{NAME}.csv": table_csv(table), "tables/reliability.csv": reliability}
    encoded = {name: text.encode() for name, text in files.items()}
    return Section(parts, encoded | drawn(FIGURE, lambda: _figure(known, context)))


def _rows(one: Calibrated, data: str) -> Iterator[list[object]]:
    pooled = one.pooled
    columns = (pooled.predicted, pooled.observed, *one.observed_range)
    for index, steps in enumerate(pooled.steps):
        yield [
            one.metrics.arm.name,
            data,
            index,
            float(pooled.edges[index]),
            float(pooled.edges[index + 1]),
            int(steps),
            *(defined(float(column[index])) for column in columns),
        ]


def _figure(models: Sequence[Calibrated], context: ReportContext) -> Figure:
    """A panel a model, share of attack over mean score, and how many steps each bin has."""
    from matplotlib.figure import Figure

    columns = min(PANELS, len(models))
    lines = -(-len(models) // columns)
    size = (max(2.5 * columns + 0.4, 6.0), 3.3 * lines + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[2.3, 1.0] * lines)
    names = broken_names([one.metrics.arm for one in models], context)
    for place in range(lines * columns):
        line, column = divmod(place, columns)
        above, below = grid[2 * line][column], grid[2 * line + 1][column]
        if place >= len(models):
            above.axis("off")
            below.axis("off")
            continue
        _reliability(above, models[place])
        _counts(below, models[place].pooled)
        above.set_title(names[place], loc="left", fontsize=9.5)
        if column == 0:
            above.set_ylabel("share of attack")
            below.set_ylabel("steps")
        below.set_xlabel("score")
    heading(figure, FIGURE_TITLE)
    foot(figure, context.short_facts([one.metrics for one in models]))
    return figure


def _reliability(axes: Axes, one: Calibrated) -> None:
    """Bins of all repetitions together, with the range over repetitions; the diagonal is
    perfect."""
    pooled, (low, high) = one.pooled, one.observed_range
    there = pooled.steps > 0
    x, y = pooled.predicted[there], pooled.observed[there]
    axes.plot([0, 1], [0, 1], color="#808080", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.vlines(x, low[there], high[there], color=BLUE, linewidth=1.0)
    axes.plot(x, y, "o-", color=BLUE, markersize=3.5, linewidth=1.0)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_xticks(np.linspace(0, 1, 6), [""] * 6)


def _counts(axes: Axes, bins: Bins) -> None:
    """Steps by bin on a logarithmic scale: most scores are near zero."""
    axes.bar(
        bins.edges[:-1],
        bins.steps,
        width=np.diff(bins.edges),
        align="edge",
        color=GREY,
        edgecolor="#404040",
        linewidth=0.4,
    )
    if bins.steps.any():
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks(np.linspace(0, 1, 6))
