"""Training on injected incidents: no label reaches the model, its stop or its threshold."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import polars as pl
import pytest
import torch

from anomalynet.cli.main import main
from anomalynet.config.load import load
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.errors import ConfigError, UsageError
from anomalynet.layers.encoding import usual_change
from anomalynet.models import LSTM, Hybrid
from anomalynet.models.hybrid import SAMPLE
from anomalynet.reporting.injected import draw_injected
from anomalynet.training.finished import open_run
from anomalynet.training.run import TrainingOutcome, train
from tests.training.small import imported, short, weights

BLIND = ("training.incidents=injected", "evaluation.threshold=alarm_budget")
KEYS = (*BLIND, "evaluation.alarms_per_day=2000", "data.calibration_rows=50", "data.stride=4")


def run_on(folder: Path, experiment: str, name: str, *keys: str) -> TrainingOutcome:
    outcome = train(short(experiment, f"data.name={name}", *KEYS, *keys), folder / "runs")
    assert outcome is not None
    return outcome


def relabelled(folder: Path, name: str) -> str:
    """The table of `imported` with other labels: reversed in training, moved in validation."""
    from anomalynet.data.importing.import_table import import_table
    from anomalynet.data.importing.request import ImportRequest
    from tests.training.small import table

    path = table(folder / f"{name}.csv")
    attack, training = pl.col("attack"), pl.col("part") == "train"
    other = pl.when(training).then(1 - attack).otherwise(attack.reverse())
    pl.read_csv(path).with_columns(attack=other).write_csv(path)
    request = ImportRequest(
        file=path, name=name, time="time", series="device", label="attack", split="part"
    )
    import_table(request)
    return name


@pytest.mark.parametrize(
    ("experiment", "keys"),
    [
        ("lstm", ("model.hidden=8", "training.injection.trim=0.2")),
        ("gradient_boosting", ("model.iterations=5",)),
    ],
)
def test_other_labels_or_none_give_the_same_model_stop_and_threshold(
    tmp_path: Path, experiment: str, keys: tuple[str, ...]
) -> None:
    names = [imported(tmp_path, f"{experiment}1"), relabelled(tmp_path, f"{experiment}2")]
    names.append(imported(tmp_path, f"{experiment}3", labels=False))
    outcomes = [run_on(tmp_path, experiment, name, *keys) for name in names]
    one, *others = outcomes
    first = pl.read_parquet(one.folder.scores)
    assert first["score"].n_unique() > 10
    for other in others:
        found = pl.read_parquet(other.folder.scores)
        columns = ["series", "time", "split", "score", "threshold", "alarm"]
        assert found.select(columns).equals(first.select(columns))
        assert other.result.threshold == one.result.threshold
        assert other.result.best_epoch == one.result.best_epoch
        if experiment == "lstm":
            a, b = weights(one.folder.best), weights(other.folder.best)
            assert all(torch.equal(a[name], b[name]) for name in a)
            assert other.folder.read_progress() == one.folder.read_progress()
    assert others[0].result.metrics["test/auroc"] != one.result.metrics["test/auroc"]
    assert open_run(one.folder.path).scores.equals(first)


def test_incidents_beside_labels_change_the_model_and_leave_validation_as_it_is(
    tmp_path: Path,
) -> None:
    name = imported(tmp_path, "beside")
    keys = (f"data.name={name}", "data.calibration_rows=50", "data.stride=4", "training.epochs=1")
    labels, both = (
        train(short("lstm", *keys, "model.hidden=8", f"training.incidents={one}"), tmp_path)
        for one in ("labels", "both")
    )
    assert labels is not None and both is not None
    a, b = weights(labels.folder.best), weights(both.folder.best)
    assert not torch.equal(a["head.classes.weight"], b["head.classes.weight"])
    dm = TelemetryDataModule(load("lstm", [*keys, "training.incidents=both"]).config)
    _, target, _ = next(iter(dm.val_dataloader()))
    assert target.tolist() == dm.windows("validation").targets().tolist()
    learned = torch.cat([batch.target for batch in dm.train_dataloader()]).double().mean()
    assert learned > dm.windows("train").targets().mean() + 0.2


def test_pretraining_injects_in_the_first_half_of_the_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"data.name={imported(tmp_path, 'first')}", "data.calibration_rows=50"]
    keys += ["data.stride=4", "training.epochs=3"]
    shares = {}
    for incidents in ("labels", "both", "pretrained"):
        dm = TelemetryDataModule(load("lstm", [*keys, f"training.incidents={incidents}"]).config)
        for epoch in range(3):
            monkeypatch.setattr(dm, "_epoch", partial(int, epoch))
            found = [batch.target for batch in dm.train_dataloader()]
            shares[incidents, epoch] = float(torch.cat(found).double().mean())
    assert [shares["pretrained", epoch] for epoch in range(3)] == [
        shares["both", 0],
        shares["both", 1],
        shares["labels", 2],
    ]
    assert shares["both", 0] != shares["both", 1] > shares["labels", 1] + 0.2
    keys[-1] = "training.epochs=7"
    every = [*keys, "training.incidents=pretrained", "training.patience=1", "model.hidden=4"]
    outcome = train(load("lstm", every), tmp_path)
    assert outcome is not None and outcome.result.best_epoch is not None
    assert outcome.result.best_epoch >= 5  # of the labels alone, whatever was better before
    with pytest.raises(UsageError, match="fitted without epochs"):
        train(load("random_forest", [*keys, "training.incidents=pretrained"]), tmp_path)


def test_the_usual_change_is_that_of_the_training_windows(tmp_path: Path) -> None:
    outcome = run_on(tmp_path, "unlabelled", imported(tmp_path, "usual", labels=False))
    run = open_run(outcome.folder.path)
    model = run.detector
    assert isinstance(model, Hybrid)
    x, _ = run.data.learned(run.data.training_sample(SAMPLE))
    expected = usual_change(model.normalise(torch.from_numpy(x)))
    torch.testing.assert_close(model.usual_change, expected)
    assert (expected[:-1] != 1).all(), "each sensor changes"


def test_an_own_trainer_stops_and_chooses_the_threshold_without_labels(tmp_path: Path) -> None:
    found = []
    for name in (imported(tmp_path, "own1"), relabelled(tmp_path, "own2")):
        overrides = ["training.incidents=injected", "evaluation.threshold=alarm_budget"]
        dm = TelemetryDataModule(data=name, calibration_rows=50, stride=8, overrides=overrides)
        torch.manual_seed(0)
        model = LSTM(dm.shape, hidden=4, threshold="alarm_budget", alarms_per_day=2000)
        options: dict[str, Any] = {"max_epochs": 1, "logger": False}
        options["enable_checkpointing"] = False
        trainer = L.Trainer(default_root_dir=tmp_path, enable_progress_bar=False, **options)
        trainer.fit(model, dm)
        logged = {key: float(value) for key, value in trainer.callback_metrics.items()}
        found.append((float(model.threshold), logged))
    assert found[0] == found[1] and found[0][0] < 1
    assert {"validation/average_precision", "validation/auroc"} <= found[0][1].keys()


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"f1 .*evaluation\.threshold=alarm_budget"):
        load("random_forest", ["training.incidents=injected"])
    with pytest.raises(ConfigError, match=r"training\.injection\.smallest"):
        load("cnn", ["training.injection.smallest=9"])
    with pytest.raises(ConfigError, match=r"training\.injection\.trim.*\[0, 1\)"):
        load("hybrid_injected", ["training.injection.trim=1"])
    with pytest.raises(ConfigError, match=r"training\.label_smoothing"):
        load("cnn", ["training.label_smoothing=0.1"])
    name = imported(tmp_path, "refused", labels=False)
    with pytest.raises(UsageError, match="autoencoder"):
        train(short("autoencoder", f"data.name={name}", "training.incidents=injected"), tmp_path)


def test_the_figure_draws_each_kind_on_the_users_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = imported(tmp_path, "drawn", labels=False)
    file = tmp_path / "kinds.svg"
    keys = ["data.calibration_rows=50", "training.injection.kinds=bias stuck"]
    assert main(["show", "--injected", name, *keys, "--out", str(file)]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(file)
    words = shlex.split(said.err.splitlines()[-1])
    assert words == ["next:", "anomalynet", "train", "unlabelled", *keys, f"data.name={name}"]
    shown = file.read_text()
    assert f"windows of {name}" in shown and "bias (" in shown and "stuck (" in shown
    assert "ramp (" not in shown
    with pytest.raises(UsageError, match=r"kinds\.pdf"):
        draw_injected(load("hybrid_injected", [f"data.name={name}"]).config, Path("kinds.pdf"))
    with pytest.raises(UsageError, match=r"training\.incidents=labels"):
        draw_injected(load("cnn", [f"data.name={name}", *keys[:1]]).config, file)
