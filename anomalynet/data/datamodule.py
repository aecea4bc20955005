"""The one LightningDataModule: all models, classical ones too, see these windows."""

from __future__ import annotations

from typing import Literal

import lightning as L
import numpy as np
import polars as pl

from anomalynet.config.schema import Config
from anomalynet.data.batches import OrderedBatches, TrainBatches
from anomalynet.data.prepare import Prepared, prepare
from anomalynet.data.prepared import Float32, Float64, Int64
from anomalynet.data.split.parts import Split, split
from anomalynet.data.windows import Windows, WindowShape
from anomalynet.errors import DataError
from anomalynet.runs.schema import PartSummary

Part = Literal["train", "validation", "test"]


class TelemetryDataModule(L.LightningDataModule):
    """Windows of one data set, one split.

    Args:
        config: of the run; its data, seed and batch size matter here.
        train_target: which training windows are used: `labelled` (target 0 or 1), or all without a
        step labelled as attack.
    Raises: DataError (from `setup`) if the data cannot be read, split, or has no training window of
    `train_target`.
    """

    prepared: Prepared  # this and the next two after `setup`
    split: Split
    shape: WindowShape

    def __init__(
        self, config: Config, train_target: Literal["labelled", "not_attack"] = "labelled"
    ) -> None:
        super().__init__()
        self.config, self.train_target = config, train_target
        self._windows: dict[str, Windows] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open or build the prepared data and split it; again does nothing."""
        if self._windows:
            return
        data = self.config.data
        self.prepared = prepare(data)
        self.split = split(self.prepared, data)
        parts, labelled = self.split.parts, self.train_target == "labelled"
        label_step = data.label_step if labelled else "any"
        every = Windows(self.prepared, parts["train"], data.window, data.stride, label_step)
        train = every.select((0, 1) if labelled else (-1, 0))
        if len(train) == 0:
            wanted = "labelled" if labelled else "normal or unlabelled"
            hint = "data without labels trains the experiments autoencoder and isolation_forest"
            what = f"none of the {len(every)} training windows of {data.name} is {wanted}"
            raise DataError(what, hint if labelled else None)
        self.shape = every.shape
        self._windows = {"train": train}
        for part in ("validation", "test"):
            self._windows[part] = Windows(self.prepared, parts[part], data.window)

    def windows(self, part: Part) -> Windows:
        """Windows of a part: with the configured stride, label step and `train_target` for
        training; every step otherwise."""
        return self._windows[part]

    def train_dataloader(self) -> TrainBatches:
        """Batches in an order that depends on (seed, epoch) alone, cut by rank."""
        trainer = self.trainer
        rank, world = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        size, seed = self.config.training.batch_size, self.config.seed
        return TrainBatches(self._windows["train"], size, seed, self._epoch, rank, world)

    def val_dataloader(self) -> OrderedBatches:
        """Validation windows in row order, the same on every rank."""
        return OrderedBatches(self._windows["validation"])

    def _epoch(self) -> int:
        return 0 if self.trainer is None else self.trainer.current_epoch

    def normalisation(self) -> tuple[Float32, Float32]:
        """Mean and deviation of each channel over the training windows' rows, float32
        (channel,)."""
        return self._windows["train"].moments()

    def summary(self, part: Part) -> PartSummary:
        """What `result.json` says of a part."""
        rows = self.split.assigned_rows[part].rows()
        labels, missed = self.prepared.labels[rows], self.split.missed(part)
        names = np.unique(self.prepared.series_of(rows))
        return PartSummary(
            series=tuple(self.prepared.series[i] for i in names),
            windows=len(self._windows[part]),
            steps=len(rows),
            labelled=int((labels >= 0).sum()),
            attack=int((labels == 1).sum()),
            missed=missed.labelled,
            missed_attack=missed.attack,
        )

    def steps(self, part: Part, scores: Float64) -> pl.DataFrame:
        """Every step of a part with its score, null where it was missed. `scores`: float64
        (window,), one a window of `windows(part)`, in order.

        Returns: the columns series, time, split, label, incident, kind, score of
        `runs.schema.SCORES_COLUMNS`.
        """
        return scored_steps(self.prepared, self.rows(part), self._windows[part], scores, part)

    def rows(self, part: Part) -> Int64:
        """Row of each step of a part, ascending: int64 (step,)."""
        return np.sort(self.split.assigned_rows[part].rows())


def scored_steps(
    prepared: Prepared, rows: Int64, windows: Windows, scores: Float64, part: Part
) -> pl.DataFrame:
    """Some rows with the scores of the windows that end on them, null where none does; columns as
    in `TelemetryDataModule.steps`. `rows`: ascending int64 (step,), among them each window's last;
    `scores`: float64 (window,)."""
    column = np.full(len(rows), np.nan)
    column[np.searchsorted(rows, windows.ends())] = scores
    return (
        step_table(prepared, rows)
        .with_columns(pl.lit(part).alias("split"), pl.Series("score", column).fill_nan(None))
        .select("series", "time", "split", "label", "incident", "kind", "score")
    )


def step_table(prepared: Prepared, rows: Int64) -> pl.DataFrame:
    """What is known of some rows: series, time, label, incident, kind; null where there is none."""
    series = pl.Series("series", prepared.series, dtype=pl.String).gather(prepared.series_of(rows))
    kinds, none = prepared.kinds[rows].astype(np.int64), len(prepared.kind_names)
    kinds[kinds < 0] = none
    names = pl.Series("kind", [*prepared.kind_names, None], dtype=pl.String).gather(kinds)
    table = pl.DataFrame(
        {
            "time": pl.Series(prepared.times[rows]).cast(pl.Datetime("us")),
            "label": pl.Series(np.asarray(prepared.labels[rows])),
            "incident": pl.Series(np.asarray(prepared.incidents[rows])),
        }
    ).with_columns(pl.col("label", "incident").replace(-1, None))
    return table.insert_column(0, series).with_columns(names)
