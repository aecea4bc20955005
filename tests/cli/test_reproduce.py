"""`anomalynet reproduce`: what is refused is refused before the first run, and its audit is of the data it trained on."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from anomalynet.cli.arguments import data_set
from anomalynet.cli.main import main
from anomalynet.cli.reproduce import _report_name
from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data.audit import identity
from anomalynet.data.importing import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import UsageError
from tests.training.small import table


def test_a_split_that_must_be_refused_is_refused_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = 600
    file = tmp_path / "late.csv"
    pl.DataFrame({"time": range(steps), "a": range(steps), "label": [int(step >= 400) for step in range(steps)]}).write_csv(file)
    import_table(ImportRequest(file=file, name="late", time="time", label="label"))
    code = main(["reproduce", "--data", "late", "--models", "logistic", "--runs", str(tmp_path / "runs"), "data.calibration_rows=20"])
    assert code == 2
    assert "data.split.interleave=20" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_report_of_one_model_of_own_data_then_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = ImportRequest(file=table(tmp_path / "own.csv"), name="mill", time="time", series="device", label="attack", ignore=("part",))
    import_table(request)
    arguments = ["reproduce", "--data", "mill", "--models", "logistic", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "report")]
    keys = ["data.split.folds=3", "data.split.policy=group", "data.calibration_rows=20", "data.stride=4"]
    assert main([*arguments, *keys]) == 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "9 runs of 1 model (Logistic)" in text
    assert "Not run: CNN, LSTM, CNN-LSTM, Hybrid" in text
    assert "row position" in text
    assert "calibration by offset" in text
    capsys.readouterr()
    assert main([*arguments, *keys, "--json"]) == 0
    assert "9 runs on mill, 9 done" in capsys.readouterr().err
    assert (tmp_path / "report" / "report.md").read_text() == text


def test_an_audit_is_known_by_everything_it_depends_on_but_the_fold_and_the_place() -> None:
    config = DataConfig(name="skab")
    own = identity(config, 0, "f")
    assert identity(replace(config, root="/elsewhere", split=SplitConfig(fold=3)), 0, "f") == own
    others = [
        replace(config, calibration="deviation"),
        replace(config, mask_channel=False),
        replace(config, split=SplitConfig(interleave=20)),
    ]
    assert len({own, identity(config, 1, "f"), identity(config, 0, "g"), *(identity(other, 0, "f") for other in others)}) == 6


@pytest.mark.parametrize(
    ("config", "overrides", "preset", "name"),
    [
        (DataConfig(name="smart_city"), [], "quick", "smart_city-quick"),
        (DataConfig(name="smart_city"), ["hardware.threads=2"], "full", "smart_city"),
        (
            DataConfig(name="smart_city", split=SplitConfig(policy="held_out_types")), ["data.split.policy=held_out_types"], "quick",
            "smart_city-held_out_types-quick",
        ),
        (DataConfig(name="ton_iot", subset="fridge"), [], "full", "ton_iot-fridge"),
        (DataConfig(name="places/harbour.yaml"), [], "quick", "harbour-quick"),
    ],
)  # fmt: skip
def test_another_setting_never_overwrites_a_report(config: DataConfig, overrides: list[str], preset: str, name: str) -> None:
    args = argparse.Namespace(overrides=overrides, preset=preset, models=None)
    assert _report_name(config, args, "f" * 64) == name


def test_other_settings_and_other_worlds_have_reports_of_their_own() -> None:
    def name(config: DataConfig, *overrides: str, models: str | None = None, fingerprint: str = "a") -> str:
        return _report_name(config, argparse.Namespace(overrides=list(overrides), preset="quick", models=models), fingerprint)

    city, world = DataConfig(name="smart_city"), DataConfig(name="simulated", root="worlds/city")
    every = [
        name(city),
        name(city, "data.label=any"),
        name(city, "data.label=any", models="cnn"),
        name(city, "data.label=fault"),
        name(world),
        name(world, fingerprint="b"),
    ]
    assert len(set(every)) == len(every)
    assert name(city, "data.root=elsewhere", "hardware.threads=2") == name(city) == "smart_city-quick"
    assert name(world).startswith("city-quick-")
    assert name(DataConfig(name="simulated", root="worlds/city 3")).startswith("city-3-quick-")


def test_a_data_set_is_named_or_is_the_folder_of_a_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_set("skab") == ("skab", [])
    assert data_set("nowhere") == ("nowhere", [])
    for folder in ("mine", "skab"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "scenario.yaml").touch()
    with pytest.raises(UsageError, match=r"mine: not the folder of a finished world, it has no manifest\.json"):
        data_set("mine")
    for folder in ("mine", "skab"):
        (tmp_path / folder / "manifest.json").touch()
    assert data_set("mine") == ("simulated", ["data.root=mine"])
    assert data_set("skab") == ("skab", [])
    assert data_set("./skab") == ("simulated", ["data.root=./skab"])
    with pytest.raises(UsageError, match=r"it has no scenario\.yaml"):
        data_set(str(tmp_path))
