"""The one LightningDataModule: all models, classical ones too, see these windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, get_args

import lightning as L
import numpy as np
import polars as pl
import torch
from lightning.pytorch.trainer.states import TrainerFn

from anomalynet.config.identity import flatten_tree
from anomalynet.config.load import load
from anomalynet.config.schema import Config
from anomalynet.data import sources
from anomalynet.data.batches import OrderedBatches, TrainBatches, stratified_sample
from anomalynet.data.injection import STREAM, Injector, typical_deviation, usual_gap
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import Float32, Float64, Int8, Int64, Prepared
from anomalynet.data.sources.simulated import several_worlds
from anomalynet.data.split.parts import Split, split
from anomalynet.data.steps import scored_steps
from anomalynet.data.windows import Windows, WindowShape, labels_of
from anomalynet.errors import DataError, RunError, UsageError, first_line
from anomalynet.runs.schema import PartSummary

Part = Literal["train", "validation", "test"]
Target = Literal["labelled", "not_attack", "all"]
SCORED: tuple[Literal["validation", "test"], ...] = ("validation", "test")
"""The parts whose steps are scored."""
PARTS: tuple[Part, ...] = get_args(Part)
_OF_DATA: tuple[str, ...] = ("root", "scenario", "worlds", "subset", "label", "window", "stride")
_OF_DATA += ("calibration_rows",)
KEYS = {"data": "data.name", **{name: f"data.{name}" for name in _OF_DATA}}
KEYS |= {"split": "data.split.policy", "folds": "data.split.folds", "fold": "data.split.fold"}
KEYS |= {"batch_size": "training.batch_size", "seed": "seed"}
"""Keyword of `TelemetryDataModule` → key of the configuration."""


class TelemetryDataModule(L.LightningDataModule):
    """Windows of one data set, one split, for training, validation and test.

        dm = TelemetryDataModule(data="skab", root="SKAB", window=32, fold=1)
        model = Hybrid(dm.shape)                        # reads and splits the data
        trainer.fit(model, dm)
        x, target, weight = next(iter(dm.train_dataloader()))

    A batch is a named tuple: x, float32 (batch, time, channel), calibrated, in the units of the
    data; target, int64 (batch,), 1 attack, 0 normal, -1 unlabelled; weight, float32 (batch,),
    by which a loss per window is multiplied before it is summed.

    Args:
        config: of a run; its data, seed and batch size matter here. Without one the keywords say
            what differs from `experiments/base.yaml`, as on the command line.
        train_target: which training windows are used: `labelled` (target 0 or 1), `not_attack`
            (target 0 or -1), or `all`, as always with training.incidents=injected. None: as the
            model asks that the Trainer trains; `labelled` where there is none.
        overrides: more keys of the configuration, `"data.quality.impute=zero"`.
        data: a data set (`anomalynet data ls`), imported data, or the YAML file of a scenario;
            default `smart_city`, which is simulated.
        root: folder of the data set's files; default the data folder, `./data` or
            `$ANOMALYNET_DATA`.
        scenario: changes to a simulated scenario, `"duration=18h deployment.nodes=24"`.
        worlds: how many simulated worlds (6 of `experiments/base.yaml`; the split holds out whole
            ones), or their seeds, `"0-5 100"`; None: one.
        subset: one part of a collection, such as a device of `ton_iot`.
        label: incidents of the positive class: `attack` (default), `any`, `fault`, `environment`.
        window: steps per window, 32.
        stride: steps between the starts of training windows, 3 (of `experiments/base.yaml`);
            validation and test windows start at every step.
        calibration_rows: first readings of each series that calibrate it; never scored.
        split: `auto` (default), `group` (whole series are held out), `blocked`, `group_blocked`,
            `held_out_types`, `given` or `random`, which leaks.
        folds, fold: number of folds, 5, and the one whose recordings are the test part, 0.
        batch_size: training windows per optimiser step, over all devices together, 32.
        seed: of the order of the training windows, 0.

    `anomalynet show --keys` explains these and all that `overrides` takes.

    Raises:
        ConfigError: a key or value that does not exist.
        UsageError: an unknown keyword, `train_target` or part.
        DataError: from `setup`, there is no such data, or it cannot be read or split; from it or
            from the first use of the training windows, none is of `train_target`.
    """

    prepared: Prepared  # this and the next after `setup`
    split: Split

    def __init__(
        self,
        config: Config | None = None,
        train_target: Target | None = None,
        *,
        overrides: Sequence[str] = (),
        **keywords: Any,
    ) -> None:
        super().__init__()
        if not isinstance(config, Config | None):
            hint = "write data='skab', or load_config('hybrid').config"
            raise UsageError(f"the first argument is no Config but {type(config).__name__}", hint)
        if train_target not in (None, *get_args(Target)):
            raise UsageError(f"train_target={train_target!r}", "`all`, `labelled` or `not_attack`")
        if config is not None and (keywords or overrides):
            what = f"a configuration and {', '.join([*keywords, *overrides])}"
            raise UsageError(f"TelemetryDataModule: {what}", "give one or the other")
        self.config = configured(keywords, overrides) if config is None else config
        self.train_target = train_target
        self.save_hyperparameters(
            {"data": asdict(self.config.data), "batch_size": self.config.training.batch_size}
        )
        # for checkpoints, not for loggers: Lightning refuses two seeds that differ, a model has one
        self.hparams.update(seed=self.config.seed, train_target=train_target)
        self._windows: dict[str, Windows] = {}
        self._train: dict[Target, Windows] = {}

    def __repr__(self) -> str:
        data = self.config.data
        what = [data.title, f"window {data.window}", f"fold {data.split.fold}"]
        for part in PARTS if self._windows else ():
            with suppress(DataError):  # unlabelled data may have no training windows
                what.append(f"{len(self.windows(part))} {part} windows")
        return f"{type(self).__name__}({', '.join(what)})"

    __str__ = __repr__  # Lightning's asks for loaders of torch

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, **keywords: Any) -> Self:  # type: ignore[override]
        """The data module of the fit that wrote a checkpoint; `keywords` replace values. Nothing is
        unpickled. Raises RunError: no such file, or its fit had no TelemetryDataModule."""
        try:
            saved = torch.load(checkpoint_path, map_location="cpu", weights_only=True)
            given = saved[cls.CHECKPOINT_HYPER_PARAMS_KEY]
        except Exception as error:  # a damaged or another file shows in many ways
            why = "no such file" if isinstance(error, FileNotFoundError) else first_line(error)
            raise RunError(f"{checkpoint_path}: no {cls.__name__} was stored: {why}") from error
        return cls(**{**given, **keywords})

    def setup(self, stage: str | None = None) -> None:
        """Open or build the prepared data and split it, for every stage; again does nothing."""
        if self._windows:
            return
        self.config = sources.completed(self.config)
        data = self.config.data
        self.prepared = prepare(data)
        self.split = split(self.prepared, data)
        for part in SCORED:
            ranges = self.split.parts[part]
            self._windows[part] = Windows(
                self.prepared, ranges, data.window, others=self._counts_others
            )
        if self.train_target is not None:
            self.windows("train")

    @property
    def shape(self) -> WindowShape:
        """Steps and channels of a window, what a model's first argument is; reads the data where
        `setup` has not yet."""
        return self.windows("test").shape

    def windows(self, part: Part) -> Windows:
        """Windows of a part: with the configured stride, label step and `train_target` for
        training; every step otherwise."""
        self._set_up(part)
        if part != "train":
            return self._windows[part]
        model = None if self.trainer is None else self.trainer.lightning_module
        asked: Target = getattr(model, "trains_on", "labelled")
        target = "all" if self.reads_no_label else self.train_target or asked
        if target not in self._train:
            self._train[target] = self._training_windows(target)
        return self._train[target]

    def _set_up(self, part: Part) -> None:
        """`setup` for a user who asks for a part before. Raises UsageError: no such part."""
        if part not in PARTS:
            raise UsageError(f"no part {part!r}", f"the parts are {', '.join(PARTS)}")
        self.setup()

    def _training_windows(self, target: Target) -> Windows:
        data, labelled = self.config.data, target == "labelled"
        label_step = data.label_step if labelled else "any"
        ranges = self.split.parts["train"]
        others = self.config.training.other_incidents == "normal"
        every = Windows(self.prepared, ranges, data.window, data.stride, label_step, others=others)
        if target == "all":
            return every
        train = every.select((0, 1) if labelled else (-1, 0))
        if len(train) == 0:
            wanted = "labelled" if labelled else "normal or unlabelled"
            hint = "data without labels trains unlabelled, autoencoder and isolation_forest; "
            hint += "others with training.incidents=injected evaluation.threshold=alarm_budget"
            what = f"none of the {len(every)} training windows of {data.name} is {wanted}"
            raise DataError(what, hint if labelled else None)
        return train

    @property
    def reads_no_label(self) -> bool:
        """Whether training, stop and threshold use injected incidents alone."""
        return self.config.training.incidents == "injected"

    @cached_property
    def magnitudes(self) -> Float32:
        """The unit in which the size of an incident is counted, float32 (channel,): the typical
        deviation within a training window, or that of the training part without division by a
        sensor's own."""
        if self.config.data.bound is None:
            return self.normalisation()[1]
        return typical_deviation(self.windows("train").sample(5000))

    @cached_property
    def injector(self) -> Injector | None:
        """What injects incidents into training windows; None: `training.incidents` is `labels`."""
        data, training = self.config.data, self.config.training
        if training.incidents == "labels":
            return None
        some, mask = self.windows("train").sample(5000), self.prepared.mask
        gaps = mask is not None and sources.table_format(data) is not None  # imported data
        return Injector.of(
            self.prepared,
            self.magnitudes,
            training.injection,
            hold=data.max_gap if data.quality.impute == "hold" else 0,
            gap=usual_gap(some[:, :, mask] == 1) if gaps else 0,
            bound=data.bound or np.inf,
            everywhere=self.reads_no_label,
        )

    @property
    def injected_epochs(self) -> int | None:
        """Epochs, from the first, that inject incidents; None: all."""
        training, trainer = self.config.training, self.trainer
        if training.incidents != "pretrained":
            return None
        given = None if trainer is None else trainer.max_epochs
        return -(-(given or training.epochs) // 2)

    def learned(self, ids: Int64) -> tuple[Float32, Int8]:
        """Training windows by number as a model that is fitted at once learns them, with injected
        incidents if the configuration has some: x (n, time, channel), target (n,)."""
        windows = self.windows("train")
        x, target = windows.gather(ids), windows.targets(ids)
        if self.injector is not None:
            random = np.random.default_rng([self.config.seed, int(ids[0]), STREAM])
            x, target = self.injector(random, x, target)
        return x, target

    @property
    def devices(self) -> int:
        """Number of series that can be scored, which share an alarm budget."""
        segments = self.prepared.segments
        return len({segment.series for segment in segments if not segment.train_only})

    def train_dataloader(self) -> TrainBatches:
        """Batches in an order that depends on (seed, epoch) alone, cut by rank."""
        trainer = self.trainer
        rank, world = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        training, windows = self.config.training, self.windows("train")
        size, most, seed = training.batch_size, training.windows_per_epoch, self.config.seed
        strata = self._sizes(windows)
        device = None if trainer is None else trainer.strategy.root_device
        if device is not None and device.type != "cuda":
            device = None  # the rows are in memory already
        return TrainBatches(
            *(windows, size, seed, self._epoch, rank, world),
            sizes=strata,
            most=most,
            device=device,
            injector=self.injector,
            injected=self.injected_epochs,
        )

    def training_sample(self, most: int | None) -> Int64:
        """Numbers of the training windows that a model is fitted on at once: all, or `most`, drawn
        by the run's seed and stratified by world. Ascending int64."""
        windows = self.windows("train")
        if most is None or most >= len(windows):
            return np.arange(len(windows), dtype=np.int64)
        random = np.random.default_rng(self.config.seed)
        return stratified_sample(random, self._sizes(windows), most).astype(np.int64)

    def _sizes(self, windows: Windows) -> list[int]:
        """Number of windows of each simulated world; of all, where there are no several worlds."""
        if not several_worlds(self.config.data):
            return [len(windows)]
        segments = self.prepared.segments
        firsts = [
            one.start
            for before, one in zip((None, *segments), segments, strict=False)
            if before is None or one.group != before.group
        ]
        cuts = np.searchsorted(windows.starts(), [*firsts, len(self.prepared.labels)])
        return [int(size) for size in np.diff(cuts) if size]

    def val_dataloader(self) -> OrderedBatches:
        """Validation windows in row order, the same on every rank. During a fit that chooses no
        threshold, at most `training.validation_windows` of them, with injected incidents if no
        label is read."""
        model = None if self.trainer is None else self.trainer.lightning_module
        fitting = self.trainer is not None and self.trainer.state.fn == TrainerFn.FITTING
        sampled = fitting and getattr(model, "chooses_threshold", True) is False
        most = self.config.training.validation_windows if sampled else None
        injector = self.injector if fitting and self.reads_no_label else None
        return OrderedBatches(self.windows("validation"), most=most, injector=injector)

    def test_dataloader(self) -> OrderedBatches:
        """Test windows in row order, the same on every rank."""
        return OrderedBatches(self.windows("test"))

    def predict_dataloader(self) -> OrderedBatches:
        """The test windows; `score_table` makes a table of what is predicted."""
        return self.test_dataloader()

    def _epoch(self) -> int:
        return 0 if self.trainer is None else self.trainer.current_epoch

    def normalisation(self) -> tuple[Float32, Float32]:
        """Mean and deviation of each channel in the training windows, float32 (channel,)."""
        return self.windows("train").moments()

    def drifted(self) -> list[str]:
        """The channels of which a quarter of the validation readings is beyond the training
        readings, without the outermost 2 % of these: a falling battery."""
        train, validation = (
            self.windows(part).sample(2000).reshape(-1, self.shape.channels) for part in PARTS[:2]
        )
        low, high = np.quantile(train, (0.01, 0.99), axis=0)
        beyond = ((validation < low) | (validation > high)).mean(axis=0) > 0.25
        return [self.prepared.channels[at].name for at in np.flatnonzero(beyond).tolist()]

    def part_of(self, batches: object) -> Part | None:
        """The part whose windows a loader of this module goes through; None: none of its own."""
        own = getattr(batches, "windows", None)
        return next((part for part in SCORED if own is self.windows(part)), None)

    def summary(self, part: Part) -> PartSummary:
        """What `result.json` says of a part."""
        self._set_up(part)
        prepared = self.prepared
        rows = self.split.assigned_rows[part].mask(len(prepared.labels))
        labels, missed = (
            labels_of(prepared, each, others=self._counts_others)
            for each in (rows, self.split.missed(part))
        )
        borders = zip(prepared.series, pairwise(prepared.series_starts.tolist()), strict=True)
        return PartSummary(
            series=tuple(name for name, (first, stop) in borders if rows[first:stop].any()),
            windows=len(self.windows(part)),
            steps=len(labels),
            labelled=int((labels >= 0).sum()),
            attack=int((labels == 1).sum()),
            missed=int((missed >= 0).sum()),
            missed_attack=int((missed == 1).sum()),
        )

    def steps(self, part: Part, scores: Float64) -> pl.DataFrame:
        """Every step of a part with its score, null where it was missed. `scores`: float64
        (window,), one a window of `windows(part)`, in order.

        Returns: the columns series, time, split, label, incident, kind, score, other, visibility,
        silent of `runs.schema.SCORES_COLUMNS`, and event_label, by which alarms are judged.
        """
        windows = self.windows(part)
        return scored_steps(self.prepared, self.rows(part), windows, scores, part)

    @property
    def _counts_others(self) -> bool:
        """Whether incidents of another cause than the positive class count as normal."""
        return self.config.evaluation.other_incidents == "normal"

    def score_table(
        self, predictions: Sequence[Any] | None, part: Literal["validation", "test"] = "test"
    ) -> pl.DataFrame:
        """Every step of a part with its score, from what `trainer.predict(model, dm)` returns;
        `.to_pandas()` needs pandas and pyarrow.

        Args:
            predictions: scores (batch,) of each batch, in order, or one array (window,).
            part: `validation` after `trainer.predict(model, dm.val_dataloader())`.

        Returns:
            series, time, split, label (1 attack, 0 normal, null unlabelled), incident, kind and
            score (float64, null if no window ends on the step).

        Raises:
            DataError: the number of scores is not that of the part's windows.
            UsageError: no such part.
        """
        given = () if predictions is None else predictions
        found = [np.atleast_1d(np.asarray(one, np.float64)) for one in given]
        scores = np.concatenate(found) if found else np.empty(0)
        if len(scores) != len(self.windows(part)):
            what = f"{len(scores)} scores for {len(self.windows(part))} windows of the {part} part"
            raise DataError(what, "predict the whole part, and name it: score_table(…, part)")
        table = self.steps(part, scores).drop("event_label", "other", "visibility", "silent")
        return table.cast({pl.Categorical: pl.String})

    def rows(self, part: Part) -> Int64:
        """Row of each step of a part, ascending: int64 (step,)."""
        self._set_up(part)
        return self.split.assigned_rows[part].rows()


def configured(keywords: Mapping[str, Any], overrides: Sequence[str]) -> Config:
    """`experiments/base.yaml` with the keywords of a data module, then `key=value` texts."""
    given, locations = keys_of(keywords)
    model = {"model.name": "cnn"}  # any: a configuration needs one
    return load("base", overrides, {**model, **given}, locations).config


def keys_of(keywords: Mapping[str, Any]) -> tuple[dict[str, object], dict[str, str]]:
    """The values of keywords by their keys, and where each was given. Raises UsageError:
    an unknown keyword."""
    if unknown := [name for name in keywords if name not in KEYS]:
        what = f"unknown keyword {', '.join(unknown)}"
        more = 'any other key is overrides=["section.key=value"]'
        raise UsageError(what, f"there are {', '.join(KEYS)}; {more}")
    plain = {name: str(one) if isinstance(one, Path) else one for name, one in keywords.items()}
    # `data` of a checkpoint is its whole section, and comes first
    keys = {name: "data" if isinstance(plain[name], Mapping) else KEYS[name] for name in plain}
    given = flatten_tree({keys[name]: value for name, value in plain.items()})
    return given, {KEYS[name]: f"keyword {name}" for name in keywords}
