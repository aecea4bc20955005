"""What a user of Lightning writes, line by line: own Trainer, loggers, callbacks, own classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import polars as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from anomalynet import TelemetryDataModule, train
from anomalynet.data.steps import metrics, threshold
from anomalynet.errors import ConfigError, DataError, RunError, UsageError
from anomalynet.models import Autoencoder, Detector, Hybrid, HybridCausal, Output, RandomForest
from anomalynet.models.window_model import configured
from tests.tiny import TINY
from tests.training.small import shared

KEYS: dict[str, Any] = {"scenario": TINY, "calibration_rows": 50, "stride": 8, "folds": 3}
KEYS["worlds"] = None


def data(**keys: Any) -> TelemetryDataModule:
    """The tiny world, as a user asks for it."""
    dm = TelemetryDataModule(data="smart_city", **KEYS | keys)
    dm.setup("fit")
    return dm


def trainer(folder: Path, **options: Any) -> L.Trainer:
    """A Trainer with Lightning's own defaults, but for what it prints."""
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary"), False)
    plain: dict[str, Any] = {"max_epochs": 2, "accelerator": "cpu", "logger": CSVLogger(folder)}
    return L.Trainer(**plain | quiet | {"default_root_dir": folder} | options)


class Tour:
    """The example of the documentation, carried out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dm = data(seed=3)  # another than the model's
        torch.manual_seed(0)
        self.model = Hybrid(self.dm.shape, autoencoder_depth=1, attention=True, head=8)
        stop = EarlyStopping("validation/loss", patience=1)
        self.trainer = trainer(folder, callbacks=[stop])
        self.trainer.fit(self.model, self.dm)
        self.fitted = float(self.model.threshold)
        self.logged: dict[str, float] = dict(self.trainer.test(self.model, self.dm)[0])
        self.predictions = self.trainer.predict(self.model, self.dm)
        self.model.eval()  # a fit leaves dropout on

    @property
    def checkpoint(self) -> str:
        callback = self.trainer.checkpoint_callback
        assert isinstance(callback, ModelCheckpoint)
        return callback.best_model_path


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    return Tour(tmp_path_factory.mktemp("tour"))


def test_normalisation_is_that_of_the_training_part(tour: Tour) -> None:
    mean, deviation = tour.dm.normalisation()
    assert np.array_equal(tour.model.mean.numpy(), mean)
    assert np.array_equal(tour.model.scale.numpy(), deviation)


def test_the_threshold_is_that_of_the_rule_on_the_validation_part(tour: Tour) -> None:
    scores = tour.model.score_windows(tour.dm.windows("validation"))
    table = tour.dm.steps("validation", scores)
    assert tour.fitted == pytest.approx(
        threshold(tour.model.config.evaluation, table, tour.dm.devices), abs=1e-6
    )


def test_test_logs_every_metric_at_the_stored_threshold(tour: Tour) -> None:
    table = tour.dm.steps("test", tour.model.score_windows(tour.dm.windows("test")))
    found = metrics(table, tour.fitted, probability=True)
    known = {f"test/{name}": value for name, value in found.items() if value is not None}
    assert tour.logged == pytest.approx(known, rel=1e-5)
    assert {"test/f1_attack", "test/precision_attack", "test/recall_attack"} <= known.keys()
    assert {"test/average_precision", "test/auroc", "test/event_recall"} <= known.keys()
    assert {"test/average_precision_all", "test/auroc_all"} <= known.keys()


def test_predictions_become_a_table_of_steps(tour: Tour) -> None:
    table = tour.dm.score_table(tour.predictions)
    expected = tour.model.score_windows(tour.dm.windows("test"))
    assert table.columns == ["series", "time", "split", "label", "incident", "kind", "score"]
    assert table["split"].unique().to_list() == ["test"]
    np.testing.assert_allclose(table["score"].drop_nulls().to_numpy(), expected, atol=1e-6)
    assert table.height == tour.dm.summary("test").steps
    with pytest.raises(DataError, match=f"{len(expected)} scores for .* of the validation part"):
        tour.dm.score_table(tour.predictions, "validation")


def test_a_checkpoint_is_plain_and_makes_the_network_again(tour: Tour) -> None:
    saved = torch.load(tour.checkpoint, weights_only=True)
    assert saved["hyper_parameters"]["input_shape"] == list(tour.dm.shape)
    assert saved["datamodule_hyper_parameters"]["data"]["window"] == 32
    again = Hybrid.load_from_checkpoint(tour.checkpoint)
    x = tour.dm.windows("test").gather(np.arange(5))
    assert np.array_equal(again.score_array(x), tour.model.score_array(x))
    assert float(again.threshold) == tour.fitted
    assert (again.config.model, again.shape) == (tour.model.config.model, tour.dm.shape)
    with pytest.raises(RunError, match="no checkpoint of HybridCausal"):
        HybridCausal.load_from_checkpoint(tour.checkpoint)
    with pytest.raises(RunError, match="no checkpoint of Hybrid"):
        Hybrid.load_from_checkpoint(tour.folder / "none.ckpt")


def test_a_checkpoint_makes_the_data_module_again(tour: Tour, tmp_path: Path) -> None:
    again = TelemetryDataModule.load_from_checkpoint(tour.checkpoint)
    again.setup()
    assert again.config == tour.dm.config and again.config.seed == 3
    assert again.train_target == tour.dm.train_target
    other = TelemetryDataModule.load_from_checkpoint(tour.checkpoint, window=8, seed=1)
    assert (other.config.data.window, other.config.seed, other.shape.steps) == (8, 1, 8)
    assert other.config.data.scenario == TINY
    with pytest.raises(RunError, match="no such file"):
        TelemetryDataModule.load_from_checkpoint(tmp_path / "none.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "bare.ckpt")
    with pytest.raises(RunError, match="no TelemetryDataModule"):
        TelemetryDataModule.load_from_checkpoint(tmp_path / "bare.ckpt")


def test_a_data_module_is_printed_with_its_windows(tour: Tour) -> None:
    assert repr(TelemetryDataModule(data="skab", window=16, fold=2)) == (
        "TelemetryDataModule(skab, window 16, fold 2)"
    )
    for part in ("train", "validation", "test"):
        assert f"{len(tour.dm.windows(part))} {part} windows" in str(tour.dm)


def test_the_best_checkpoint_of_a_run_is_such_a_checkpoint() -> None:
    run = shared("hybrid").open()
    again = Hybrid.load_from_checkpoint(run.folder.best)
    x = run.data.windows("test").gather(np.arange(3))
    assert np.array_equal(again.score_array(x), run.score(x))
    assert float(again.threshold) == run.result.threshold


def test_the_users_logger_has_hyperparameters_and_metrics(tour: Tour) -> None:
    (folder,) = (tour.folder / "lightning_logs").glob("version_0")
    rows = pl.read_csv(folder / "metrics.csv")
    assert {"train/loss", "validation/loss", "validation/auroc", "test/f1_attack"} <= {
        *rows.columns
    }
    assert "autoencoder_depth: 1" in (folder / "hparams.yaml").read_text()


def test_a_state_is_carried_through_test_and_predict(tmp_path: Path) -> None:
    dm = data()
    model = HybridCausal(dm.shape, head=8, hidden=8, channels=8)
    own = trainer(tmp_path, max_epochs=1, logger=False, enable_checkpointing=False)
    own.fit(model, dm)
    expected = model.eval().score_windows(dm.windows("test"))
    table = dm.score_table(own.predict(model, dm))
    np.testing.assert_allclose(table["score"].drop_nulls().to_numpy(), expected, atol=1e-6)
    found = metrics(dm.steps("test", expected), float(model.threshold), probability=True)
    assert own.test(model, dm)[0]["test/f1_attack"] == pytest.approx(found["f1_attack"])


def test_a_model_without_labels_has_an_alarm_budget_and_its_own_windows(tmp_path: Path) -> None:
    dm = data()
    model = Autoencoder(dm.shape, depth=1, alarms_per_day=50)
    own = trainer(tmp_path, max_epochs=1, logger=False, enable_checkpointing=False)
    own.fit(model, dm)
    assert 1 not in dm.windows("train").targets()
    table = dm.steps("validation", model.score_windows(dm.windows("validation")))
    assert float(model.threshold) == pytest.approx(
        threshold(model.config.evaluation, table, dm.devices)
    )
    limited = trainer(tmp_path, limit_test_batches=1, logger=False)
    assert 0 < limited.test(model, dm)[0]["test/prevalence"] < 1


class Mine(Detector):
    """As in a cell of a notebook: own arguments, no file, no configuration."""

    def __init__(self, shape: Any, width: int = 4, scale: Any = None) -> None:
        super().__init__(shape)
        first = nn.Linear(shape.steps * shape.channels, width)
        self.layers = nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Output:
        return Output(logits=self.layers(self.normalise(x)))


class Older(Detector):
    """As in a model file: (config, shape)."""

    def __init__(self, config: Any, shape: Any) -> None:
        super().__init__(config, shape)
        self.layer = nn.Linear(shape.steps * shape.channels, 2 if config.seed == 3 else 1)

    def forward(self, x: Tensor) -> Output:
        return Output(logits=self.layer(self.normalise(x).flatten(1)))


def test_a_class_of_a_notebook_is_trained_and_loaded(tmp_path: Path) -> None:
    dm = data(window=8)
    model = Mine(dm.shape, width=3, scale=np.ones(7))
    own = trainer(tmp_path, max_epochs=1, logger=False)
    own.fit(model, dm)
    assert np.isfinite(float(model.threshold)) and model.mean.any()
    own.save_checkpoint(tmp_path / "mine.ckpt")
    again = Mine.load_from_checkpoint(tmp_path / "mine.ckpt")
    x = dm.windows("test").gather(np.arange(2))
    assert np.array_equal(again.score_array(x), model.eval().score_array(x))


def test_a_class_that_takes_config_and_shape_is_loaded_with_them(tmp_path: Path) -> None:
    shape = data().shape
    model = Older(configured(Older, shape, {"seed": 3}), shape)
    own = trainer(tmp_path, logger=False)
    own.strategy.connect(model)
    own.save_checkpoint(tmp_path / "older.ckpt")
    again = Older.load_from_checkpoint(tmp_path / "older.ckpt")
    assert torch.equal(again.layer.weight, model.layer.weight)


def test_keywords_are_checked_and_the_nearest_is_named() -> None:
    shape = (8, 3)
    model = Hybrid(shape, learning_rate=0.5, loss="cross_entropy", seed=7)  # type: ignore[arg-type]
    assert (model.config.training.learning_rate, model.config.seed) == (0.5, 7)
    assert model.hparams["loss"] == "cross_entropy"
    with pytest.raises(ConfigError, match=r"autoencoder_deep.*'autoencoder_depth'"):
        Hybrid(model.shape, autoencoder_deep=2)
    with pytest.raises(ConfigError, match=r"\(depth=.*'autoencoder_depth'"):
        Hybrid(model.shape, depth=2)
    with pytest.raises(ConfigError, match=r"'learning_rate'"):
        RandomForest(model.shape, rate=0.1)
    with pytest.raises(ConfigError, match=r"model\.kernel: must be odd"):
        Hybrid(model.shape, kernel=2)
    with pytest.raises(UsageError, match="a configuration and kernel"):
        Hybrid(model.shape, model.config, kernel=3)
    assert RandomForest(model.shape, trees=7).estimator(0).n_estimators == 7


def test_keywords_of_the_data_module(tmp_path: Path) -> None:
    dm = TelemetryDataModule(
        data="skab",
        root=tmp_path,
        window=16,
        batch_size=4,
        split="blocked",
        fold=2,
        seed=5,
        overrides=["data.quality.impute=zero"],
    )
    found = dm.config.data
    assert (found.name, found.root, found.window) == ("skab", str(tmp_path), 16)
    assert (found.split.policy, found.split.fold, found.split.assignment) == ("blocked", 2, 5)
    assert (dm.config.training.batch_size, found.quality.impute) == (4, "zero")
    assert TelemetryDataModule(dm.config).config is dm.config
    with pytest.raises(UsageError, match=r"windows\n.*there are data, root"):
        TelemetryDataModule(windows=3)
    with pytest.raises(ConfigError, match=r"keyword fold: data\.split\.fold: must be below"):
        TelemetryDataModule(fold=9)
    with pytest.raises(UsageError, match="a configuration and window"):
        TelemetryDataModule(dm.config, window=3)


class Counter(L.Callback):
    """Counts epochs."""

    epochs = 0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.epochs += 1


SMALL = ["data.calibration_rows=50", "data.split.folds=3", "model.head=8", "training.epochs=2"]


def test_train_takes_callbacks_and_loggers_beside_ours(tmp_path: Path) -> None:
    verb, counter = shared("cnn"), Counter()
    made = train(
        "cnn",
        tmp_path / "runs",
        overrides=SMALL,
        scenario=TINY,
        worlds=None,
        stride=8,
        callbacks=[counter],
        logger=CSVLogger(tmp_path),
        progress=True,
    )
    assert made is not None
    assert (counter.epochs, made.folder.path.name) == (2, verb.folder.path.name), "one identity"
    assert made.result.metrics == verb.result.metrics
    assert made.folder.last.exists() and made.folder.scores.exists()
    assert list(tmp_path.glob("lightning_logs/version_0/metrics.csv"))
    note = json.loads(made.folder.environment.read_text())["trainer"]
    assert note == {"callbacks": ["Counter"], "arguments": {}}
    assert "trainer" not in json.loads(verb.folder.environment.read_text())
    assert [text for text in made.result.warnings if "Counter" in text]
    assert made.open().result == made.result


def test_a_callers_early_stopping_and_arguments_count(tmp_path: Path) -> None:
    stop = EarlyStopping("train/loss", patience=0, min_delta=1e9)
    keys: dict[str, Any] = {"scenario": TINY, "stride": 8, "callbacks": [stop]}
    keys["worlds"] = None
    few = {"limit_train_batches": 2}
    epochs = [*SMALL[:-1], "training.epochs=5"]
    made = train("cnn", tmp_path, overrides=epochs, trainer_kwargs=few, **keys)
    assert made is not None and made.result.epochs == 2
    note = json.loads(made.folder.environment.read_text())["trainer"]
    assert note == {"callbacks": ["EarlyStopping"], "arguments": {"limit_train_batches": "2"}}
    with pytest.raises(UsageError, match=r"max_epochs is decided by training\.epochs"):
        train("cnn", tmp_path, trainer_kwargs={"max_epochs": 3})
    with pytest.raises(UsageError, match="random_forest is not trained by Lightning"):
        train("random_forest", tmp_path, overrides=SMALL[:2], **keys)


def test_a_run_refuses_to_score_what_it_does_not_read() -> None:
    run = shared("cnn").open()
    steps, channels = run.detector.shape
    good: Any = np.zeros((2, steps, channels), np.float32)
    assert run.score(good).shape == (2,)
    wrong: Any
    for wrong, found in (
        (good[:, 1:], rf"ndarray float32 \(2, {steps - 1}, {channels}\)"),
        (good.astype(float), rf"ndarray float64 \(2, {steps}, {channels}\)"),
        (torch.from_numpy(good), r"torch\.Tensor torch\.float32 .* on cpu"),
        ([[1.0]], r"list None \(1, 1\)"),
    ):
        with pytest.raises(UsageError, match=f"this run scores float32 arrays .* not .*{found}"):
            run.score(wrong)
    model: Any = run.detector
    with pytest.raises(UsageError, match=r"CNN scores windows .* on cpu, not .* on meta"):
        model.score(torch.zeros(2, steps, channels, device="meta"))
