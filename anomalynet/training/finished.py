"""A finished run, opened again: its configuration, scores and detector; and the same detector on other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.config.load import load
from anomalynet.config.schema import Config
from anomalynet.data.module import TelemetryDataModule, step_table
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import Prepared
from anomalynet.data.ranges import Ranges
from anomalynet.data.windows import Windows, WindowShape
from anomalynet.errors import DataError
from anomalynet.models import build, model_type
from anomalynet.models._classical import Classical
from anomalynet.models._detector import Detector
from anomalynet.runs.collect import find_run
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result
from anomalynet.training import evaluate
from anomalynet.training.fit import load_network
from anomalynet.training.reproducibility import prepare_process


@dataclass(frozen=True)
class FinishedRun:
    """A run whose result is there."""

    folder: RunFolder
    config: Config
    result: Result

    @cached_property
    def scores(self) -> pl.DataFrame:
        """A row a step of the validation and test parts; columns as in `runs/schema.py`."""
        return pl.read_parquet(self.folder.scores)

    @cached_property
    def data(self) -> TelemetryDataModule:
        """The data module that the run was trained with."""
        module = TelemetryDataModule(self.config, train_target=model_type(self.config).trains_on)
        module.prepare_data()
        module.setup()
        return module

    @cached_property
    def detector(self) -> Detector | Classical:
        """The trained model, its best epoch on validation, and its threshold."""
        model = build(self.config, WindowShape(self.config.data.window, len(self.result.channels)))
        if isinstance(model, Classical):
            model.load(self.folder.classical)
        else:
            load_network(model, self.folder)
        return model

    def score(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (window,) of windows x (window, time, channel) of calibrated readings: the larger, the more an attack."""
        return evaluate.score_windows(self.detector, x)


@dataclass(frozen=True, slots=True)
class Tested:
    """A run's detector on other data, with the run's own threshold."""

    scores: pl.DataFrame
    metrics: dict[str, float | None]
    data: str
    fingerprint: str


def open_run(run: str | Path, runs: str | Path = "runs") -> FinishedRun:
    """Open a run by its folder or the start of its id.

    Raises:
        UsageError: no such run, or several.
        RunError: it is not finished.
    """
    folder = find_run(str(run), Path(runs))
    result = folder.read_result()
    return FinishedRun(folder, load(str(folder.config)).config, result)


def evaluate_on(run: FinishedRun, overrides: Sequence[str]) -> Tested:
    """Score other data with a run's detector, calibration rule and threshold; nothing is chosen anew.

    The run's own data is scored on its test part alone, because the rest trained it; other data is scored whole.

    Raises:
        DataError: the data has other channels than the run reads.
    """
    loaded = load(str(run.folder.config), overrides)
    prepare_process(loaded.config)
    prepared = prepare(loaded.config.data)
    channels = tuple(channel.name for channel in prepared.channels)
    if channels != run.result.channels:
        raise DataError(
            f"the run reads the channels {', '.join(run.result.channels)}; {loaded.config.data.name} has {', '.join(channels)}",
            "test on data with the same channels in the same order",
        )
    own = prepared.fingerprint == run.result.fingerprint
    windows = run.data.windows("test") if own else Windows(prepared, _whole(prepared), loaded.config.data.window)
    scores = evaluate.score(run.detector, windows).scores
    if own:
        table = run.data.steps("test", scores)
    else:
        table = step_table(prepared, windows.ends()).with_columns(pl.lit("test").alias("split"), pl.Series("score", scores))
    limit = run.result.threshold
    return Tested(
        scores=evaluate.scores_table([table], limit),
        metrics=evaluate.metrics(table, limit, probability=run.result.probability),
        data=loaded.config.data.name,
        fingerprint=prepared.fingerprint,
    )


def _whole(prepared: Prepared) -> Ranges:
    return Ranges(prepared.segment_starts, prepared.segment_stops)
