"""A finished run, opened again, with configuration, scores and detector, also on other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.config.leaves import read_overrides, read_yaml
from anomalynet.config.load import Loaded, load
from anomalynet.config.schema import Config
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import PARTS, Bool, Int64, Prepared
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.steps import metrics, scored_steps, scores_table
from anomalynet.data.windows import Windows, WindowShape
from anomalynet.errors import DataError, RunError, UsageError
from anomalynet.models import WindowModel, build, model_type
from anomalynet.runs.collect import find_run
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result
from anomalynet.runs.scores import read
from anomalynet.training.reproducibility import prepare_process

OTHER_DATA: tuple[str, ...] = ("data.name", "data.root", "data.subset", "data.scenario")
OTHER_DATA += ("data.world", "data.worlds")
"""What may differ from the run when its detector is tested: which data."""


@dataclass(frozen=True)
class FinishedRun:
    """A run whose result is there."""

    folder: RunFolder
    config: Config
    result: Result

    @cached_property
    def scores(self) -> pl.DataFrame:
        """A row a step of the validation and test parts; columns as in `runs/schema.py`."""
        return read(self.folder.scores)

    @cached_property
    def data(self) -> TelemetryDataModule:
        """The data module that the run was trained with. Raises RunError: this version splits the
        data otherwise."""
        module = TelemetryDataModule(self.config, train_target=model_type(self.config).trains_on)
        module.setup()
        if module.split.label != self.result.split:
            what = f"the split was {self.result.split!r} and is {module.split.label!r} now"
            raise RunError(f"{self.folder.path}: {what}", "train it again")
        return module

    @cached_property
    def detector(self) -> WindowModel:
        """The trained model, its best epoch on validation, and its threshold."""
        model = build(self.config, WindowShape(self.config.data.window, len(self.result.channels)))
        model.load(self.folder.best.with_suffix(model.suffix))
        return model

    def score(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (window,) of windows x (window, time, channel) of calibrated readings: the larger,
        the more an attack. Raises UsageError: another length or type, no array of NumPy, or values
        that are masked or not finite."""
        shape = self.detector.shape
        kind, dtype = type(x), getattr(x, "dtype", None)
        there = isinstance(x, np.ndarray) and x.shape[1:] == tuple(shape) and x.ndim == 3
        if not there or dtype != np.float32 or isinstance(x, np.ma.MaskedArray):
            found = f"{kind.__module__}.{kind.__qualname__} {dtype} {np.shape(x)}"
            found += f" on {x.device}" if hasattr(x, "device") else ""
            raise UsageError(
                f"this run scores float32 arrays of NumPy (n, {shape.steps}, {shape.channels}), "
                f"not {found}",
                "run.data.windows(…).gather(…) gives such",
            )
        if not np.isfinite(x).all():
            number = int(np.argwhere(~np.isfinite(x))[0, 0])
            raise UsageError(f"window {number} holds a value that is not finite", "leave it out")
        return self.detector.score_array(np.require(x, requirements=["C", "W"]))


@dataclass(frozen=True, slots=True)
class Tested:
    """A run's detector on other data, with the run's own threshold."""

    scores: pl.DataFrame
    metrics: dict[str, float | None]
    data: str
    fingerprint: str
    warnings: tuple[str, ...]


def open_run(run: str | Path, runs: str | Path = "runs") -> FinishedRun:
    """Open a run by its folder or the start of its id; a user's own model file in its folder is
    executed. Raises UsageError: no such run, or several; RunError: it is not finished."""
    folder = find_run(str(run), Path(runs))
    result = folder.read_result()
    return FinishedRun(folder, _load(folder).config, result)


def _load(folder: RunFolder, overrides: Sequence[str] = ()) -> Loaded:
    """A run's configuration, with the model file as it was when it was trained."""
    own: dict[str, object] = {}
    if folder.model_file.exists():  # its options go along: another `model.name` alone drops them
        leaves = read_yaml(folder.config)
        own = {leaf.key: leaf.value for leaf in leaves if leaf.key.startswith("model.")}
        own["model.name"] = str(folder.model_file)
    return load(str(folder.config), overrides, own)


def evaluate_on(run: FinishedRun, overrides: Sequence[str]) -> Tested:
    """Score other data (keys of `OTHER_DATA`) with a run's detector, calibration rule and
    threshold; nothing is chosen anew.

    The run's own data is scored on its test part alone, because the rest trained it; other data is
    scored whole, without the steps of the run's own training or validation part, which are known as
    long as the run's data exists. Raises UsageError: another key; DataError: the data
    has other channels than the run reads."""
    keys = [leaf.key for leaf in read_overrides(overrides)]
    strangers = [key for key in keys if key not in OTHER_DATA]
    if strangers:
        what = f"{strangers[0]}: a finished run keeps its model, window and threshold"
        raise UsageError(what, f"what may change: {', '.join(OTHER_DATA)}")
    elsewhere = ["data.root=null", "data.subset=null", "data.scenario=null"]
    elsewhere = elsewhere if "data.name" in keys else []
    loaded = _load(run.folder, [*elsewhere, *overrides])
    prepare_process(loaded.config)
    prepared = prepare(loaded.config.data)
    channels = tuple(channel.name for channel in prepared.channels)
    if channels != run.result.channels:
        raise DataError(
            f"the run reads the channels {', '.join(run.result.channels)}; "
            f"{loaded.config.data.name} has {', '.join(channels)}",
            "test on data with the same channels in the same order",
        )
    limit, warnings = run.result.threshold, list(prepared.warnings)
    used = "trained the run or chose its threshold"
    then, now = run.result.fingerprint[:10], prepared.fingerprint[:10]
    if then != now and loaded.config.data == run.config.data:
        what = f"{loaded.config.data.title} has changed since the run: its fingerprint was {then}"
        warnings.insert(0, f"{what} and is {now}; these numbers are of other data than the run's")
        used = "may have trained the run or chosen its threshold"
    if prepared.fingerprint == run.result.fingerprint:
        scores = run.detector.score_windows(run.data.windows("test"))
        table = run.data.steps("test", scores)
    else:
        scored = [segment for segment in prepared.segments if not segment.train_only]
        whole = Ranges.of((segment.start, segment.stop) for segment in scored)
        others = loaded.config.evaluation.other_incidents == "normal"
        windows = Windows(prepared, whole, loaded.config.data.window, others=others)
        rows = whole.rows()
        scores = run.detector.score_windows(windows)
        table = scored_steps(prepared, rows, windows, scores, "test")
        seen = _seen(run, prepared, rows)
        if seen.any():
            warnings.append(f"{int(seen.sum())} of {len(rows)} steps {used}: they are left out")
            table = table.filter(~seen)
    return Tested(
        scores=scores_table({"test": table}, limit).collect(),
        metrics=metrics(table, limit, probability=run.result.probability),
        data=loaded.config.data.title,
        fingerprint=prepared.fingerprint,
        warnings=tuple(warnings),
    )


def _seen(run: FinishedRun, prepared: Prepared, rows: Int64) -> Bool:
    """Which rows stand, by time and readings, in the run's training or validation part, bool
    (row,); none where its data is gone. A step at which nothing was heard is in no part."""
    try:
        own = run.data
    except DataError:
        return np.zeros(len(rows), np.bool_)
    known = np.concatenate(
        [own.split.assigned_rows[part].rows() for part in PARTS if part != "test"]
    )

    def content(of: Prepared, some: Int64) -> pl.DataFrame:
        columns = pl.Series("time", of.times[some]), pl.Series("row", some)
        return pl.DataFrame(of.values[some]).with_columns(*columns)

    trained = content(own.prepared, known)
    same = content(prepared, rows).join(trained, on=pl.all().exclude("row"), how="semi")
    found = same["row"].to_numpy()
    found = found[~prepared.unheard(found)]
    return np.isin(rows, found)
