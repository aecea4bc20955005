"""Scores of all windows of a part, with a carried state where a network has one, and the threshold
and metrics that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import polars as pl
import torch
from torch import Tensor

from anomalynet.data.batches import OrderedBatches
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.prepared import Float64, Int64
from anomalynet.data.steps import metrics, threshold
from anomalynet.data.windows import Windows
from anomalynet.metrics.classification import point_metrics
from anomalynet.metrics.threshold import choose_threshold

if TYPE_CHECKING:
    from anomalynet.models.base import Detector

STEPS_AT_ONCE = 4096  # steps read at once, over all segments together


class Touched(NamedTuple):
    """The segments in which windows end."""

    starts: Int64  # (segment,), the first row of each
    lengths: Int64  # (segment,), its steps up to the last end of a window
    of: Int64  # (window,), the segment of each window
    at: Int64  # (window,), the step on which it ends, counted from the segment's first

    @property
    def longest(self) -> int:
        """Steps of the longest."""
        return int(self.lengths.max(initial=0))

    def rows(self, steps: Int64, some: slice = slice(None)) -> Int64:
        """Rows (segment, step) of these steps of some segments; one that is over repeats its last
        step."""
        rows: Int64 = self.starts[some, None] + np.minimum(steps, self.lengths[some, None] - 1)
        return rows


def touched(windows: Windows) -> Touched:
    """Which segments must be read, and how far, to score these windows with a carried state."""
    ends, known = windows.ends(), windows.prepared.segment_starts
    numbers, of = np.unique(np.searchsorted(known, ends, side="right") - 1, return_inverse=True)
    starts, lengths = known[numbers], np.zeros(len(numbers), np.int64)
    at = ends - starts[of]
    np.maximum.at(lengths, of, at + 1)
    return Touched(starts, lengths, of, at)


def carried_scores(model: Detector, windows: Windows) -> Float64:
    """Scores (window,) of the steps on which windows end, with a state that began where the step's
    segment begins: a segment is read once, and a step is scored with the readings before it,
    whichever part they belong to, never with labels."""
    segments = touched(windows)
    count, longest = len(segments.starts), segments.longest
    found = np.empty((count, longest), np.float32)
    state, size = model.initial_state(count), max(1, STEPS_AT_ONCE // max(1, count))
    for first in range(0, longest, size):
        x = windows.prepared.values[segments.rows(np.arange(first, min(first + size, longest)))]
        state, read = model.advance(state, torch.from_numpy(x).to(model.device))
        found[:, first : first + size] = read.cpu().numpy()
    return found[segments.of, segments.at].astype(np.float64)


def data_module(model: Detector) -> TelemetryDataModule | None:
    """The data module that the model's Trainer has, where it is ours."""
    data = getattr(model.trainer, "datamodule", None)
    return data if isinstance(data, TelemetryDataModule) else None


def threshold_of(model: Detector, scores: Tensor, target: Tensor) -> float:
    """The threshold that the run's rule chooses from the validation windows that were scored.
    Raises DataError: they allow none."""
    rule, loader = model.config.evaluation, model.trainer.val_dataloaders
    data = data_module(model)
    if data is not None and data.reads_no_label:  # what was scored has injected incidents
        steps = data.steps("validation", model.score_windows(data.windows("validation")))
        return threshold(rule, steps, data.devices, reads_labels=False)
    judged = _judged(model, loader, scores)
    if rule.threshold == "alarm_budget":  # by series and time
        found = _steps(model, loader, judged)
        if data is not None and found is not None:
            return threshold(rule, found, data.devices)
    return choose_threshold(rule, target.numpy(), judged, np.zeros(len(judged), np.int64), nan)


def metrics_of(model: Detector, scores: Tensor, target: Tensor) -> Mapping[str, float | None]:
    """Every metric of the test windows that were scored, at the model's threshold."""
    loader, limit = model.trainer.test_dataloaders, float(model.threshold)
    judged = _judged(model, loader, scores)
    steps = _steps(model, loader, judged)
    if steps is not None:
        return metrics(steps, limit, probability=model.probability)
    return point_metrics(target.numpy(), judged, limit, model.probability)


def _judged(model: Detector, loader: object, scores: Tensor) -> Float64:
    """Scores (window,) of a loader's windows as they are judged: with the state of their segment
    where the network carries one."""
    if model.carries_state and isinstance(loader, OrderedBatches):
        return carried_scores(model, loader.windows)[: len(scores)]
    return np.asarray(scores.cpu().double().numpy())


def _steps(model: Detector, loader: object, judged: Float64) -> pl.DataFrame | None:
    """The scored steps of a part of our data module; of the windows that `limit_…_batches` left out
    the score is NaN. None for other loaders."""
    data = data_module(model)
    part = data.part_of(loader) if data else None
    if data is None or not part:
        return None
    full = np.full(len(cast("OrderedBatches", loader).windows), nan)
    full[: len(judged)] = judged
    return data.steps(part, full)
