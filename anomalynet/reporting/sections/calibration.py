"""Tests whether scores that are meant as probabilities are calibrated: bins of scores, expected
calibration error, Brier score, and the section with its reliability diagrams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import ArmMetrics, Scored
from anomalynet.reporting.arms import Repetition
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.tables import Row, csv_file, defined, table_of
from anomalynet.runs.scores import read_test_steps

Floats = NDArray[np.float64]

BINS = 15
NAME, TITLE = "calibration", "Calibration"
FIGURE, FIGURE_TITLE = "calibration_reliability", "Reliability of the scores"
METRICS = ("brier", "brier_constant", "ece", "ece_equal_mass", "mean_score", "prevalence")

WIDTHS: Floats = np.linspace(0.0, 1.0, BINS + 1)  # edges of bins of equal width

NOTE = (
    "A Brier score above that of the *share of attack alone* is worse than no model. *Calibration "
    f"error*: of {BINS} bins of scores, equally wide or equally full."
)


@dataclass(frozen=True, slots=True)
class Bins:
    """Scored steps in bins of scores, float64."""

    edges: Floats  # (bin + 1,); a score on an edge belongs to the bin below it
    steps: Floats  # (bin,) number of steps
    scores: Floats  # (bin,) sum of their scores
    attacks: Floats  # (bin,) number of attacks

    @property
    def predicted(self) -> Floats:
        """Mean score of each bin; NaN if it is empty."""
        return self.scores / np.where(self.steps > 0, self.steps, NAN)

    @property
    def observed(self) -> Floats:
        """Share of attack in each bin; NaN if it is empty."""
        return self.attacks / np.where(self.steps > 0, self.steps, NAN)

    @property
    def error(self) -> float:
        """Expected calibration error: |observed − predicted|, mean over steps."""
        total = float(self.steps.sum())
        return float(np.abs(self.attacks - self.scores).sum() / total) if total else NAN


def binned(labels: NDArray[np.int8], scores: Floats, edges: Floats) -> Bins:
    """Sort steps into bins: labels (steps,) 0 normal, 1 attack; scores (steps,) within [0, 1];
    edges (bin + 1,), ascending."""
    index = np.searchsorted(edges[1:-1], scores)

    def total(weights: Floats | None) -> Floats:
        return np.bincount(index, weights, minlength=len(edges) - 1).astype(np.float64)

    return Bins(edges, total(None), total(scores), total((labels == 1).astype(np.float64)))


def calibration_metrics(labels: NDArray[np.int8], scores: Floats) -> dict[str, float]:
    """Brier score of the scores and of the constant share of attack, both expected calibration
    errors, and the mean score; NaN without steps. Arguments as in `binned`. Equal scores share a
    bin, so bins of equal mass may be empty.

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
        "ece": binned(labels, scores, WIDTHS).error,
        "ece_equal_mass": binned(labels, scores, np.percentile(scores, 100 * WIDTHS)).error,
        "mean_score": float(scores.mean()),
    }


@dataclass(frozen=True, slots=True)
class Calibrated:
    """An arm whose score is a probability."""

    metrics: ArmMetrics  # its metrics, including those of calibration
    bins: Sequence[Bins]  # of each repetition, of equal width

    @property
    def pooled(self) -> Bins:
        """Bins of all repetitions together."""
        return Bins(WIDTHS, *np.sum([(b.steps, b.scores, b.attacks) for b in self.bins], axis=0))

    @property
    def observed_range(self) -> tuple[Floats, Floats]:
        """Lowest and highest share of attack of any repetition, (bin,); NaN if always empty."""
        shares = np.stack([one.observed for one in self.bins])
        return np.fmin.reduce(shares), np.fmax.reduce(shares)


def calibration_of(repetition: Repetition) -> tuple[dict[str, float], Bins] | None:
    """The metrics and bins of a repetition; None if its scores are not probabilities: its results
    say so, or a score is outside [0, 1]."""
    if not all(record.result.probability for record in repetition.records):
        return None
    pool = Scored.of(*map(read_test_steps, repetition.records))
    labels, scores = pool.labels, pool.scores
    if len(scores) and not (scores.min() >= 0.0 and scores.max() <= 1.0):
        return None
    return calibration_metrics(labels, scores), binned(labels, scores, WIDTHS)


def calibrate(one: ArmMetrics) -> Calibrated | None:
    """The calibration of an arm; None if a repetition has none."""
    found = {key: own for key, own in one.of(calibration_of).items() if own is not None}
    if len(found) < len(one.values):
        return None
    values = {key: {**one.values[key], **metrics} for key, (metrics, _) in found.items()}
    return Calibrated(ArmMetrics(one.arm, values), [bins for _, bins in found.values()])


def calibration_section(context: ReportContext) -> Section:
    """Table and reliability diagram of every model whose score is a probability; a sentence names
    the others."""
    found = [(one, calibrate(one)) for one in context.run]
    known = [calibrated for _, calibrated in found if calibrated]
    others = ", ".join(one.arm.title for one, calibrated in found if not calibrated)
    uncalibrated = f"Scores of {others} are no probabilities."
    if not known:
        return Section([f"## {TITLE}", uncalibrated]) if others else Section()
    table = table_of(context, NAME, TITLE, METRICS, [one.metrics for one in known])
    note = f"{BINS} bins of equal width, all repetitions; vertical lines span the repetitions."
    parts = [
        f"## {TITLE}",
        NOTE + (f" {uncalibrated}" if others else ""),
        markdown.matrix(table, context.signs),
        context.caption(TITLE, csv=f"{NAME}.csv"),
        context.figure(FIGURE, FIGURE_TITLE, note, "reliability.csv"),
    ]
    facts = context.facts()
    files = figures.drawn(FIGURE, FIGURE_TITLE, facts, lambda: _figure(known, context))
    rows = (row for one in known for row in _rows(one, context.data))
    return Section(parts, {**files, **table.files, **csv_file("reliability", rows)})


def _rows(one: Calibrated, data: str) -> Iterator[Row]:
    pooled, (lowest, highest) = one.pooled, one.observed_range
    shares = {"score": pooled.predicted, "attack": pooled.observed}
    shares |= {"attack_lowest": lowest, "attack_highest": highest}
    for index, steps in enumerate(pooled.steps):
        low, high = pooled.edges[index : index + 2].tolist()
        head = {"model": one.metrics.arm.name, "data": data, "bin": index}
        own = {name: defined(float(values[index])) for name, values in shares.items()}
        yield {**head, "low": low, "high": high, "steps": int(steps), **own}


def _figure(models: Sequence[Calibrated], context: ReportContext) -> Figure:
    """Share of attack over mean score, a line per model; the diagonal is perfect calibration."""
    figure, axes = figures.panel(6.4, 3.8, "score", "share of attack")
    looks = figures.looks(context)
    axes.plot([0, 1], [0, 1], color="#808080", linewidth=0.8, linestyle="--")
    for one in models:
        arm, pooled, (low, high) = one.metrics.arm, one.pooled, one.observed_range
        filled = pooled.steps > 0
        x, y = pooled.predicted[filled], pooled.observed[filled]
        look = {**looks[arm.name], "linewidth": 1.0, "markersize": 4}
        axes.vlines(x, low[filled], high[filled], color=look["color"], linewidth=0.8, alpha=0.6)
        axes.plot(x, y, label=arm.title + context[one.metrics].sign, **look)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
