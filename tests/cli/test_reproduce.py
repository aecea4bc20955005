"""`anomalynet reproduce`: what is refused is refused before the first run, and its audit is of the
data it trained on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from anomalynet.cli.arguments import data_set
from anomalynet.cli.main import main
from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data.audit import identity
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import UsageError
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of, label_of
from anomalynet.sweep.plan import plan
from tests.regression.training import in_process
from tests.training.small import table


def test_a_split_that_must_be_refused_is_refused_before_the_first_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without calibration rows 15 blocks of 78 or 79 steps: the last five have attacks, one a fold.
    file, steps = tmp_path / "late.csv", range(1200)
    labels = [int(step >= 800) for step in steps]
    pl.DataFrame({"time": steps, "a": steps, "label": labels}).write_csv(file)
    import_table(ImportRequest(file=file, name="late", time="time", label="label"))
    command = ["reproduce", "--data", "late", "--models", "logistic", "data.calibration_rows=20"]
    assert main([*command, "--runs", str(tmp_path / "runs")]) == 2
    assert "data.split.interleave=3," in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_plan_trains_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "--models", "cnn,logistic", "--plan"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("preset quick: data.worlds=3 ")
    assert "\n6 runs of 2 arms, 0 done, 6 left; about " in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_figures")
def test_a_report_of_one_model_of_own_data_then_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    monkeypatch.chdir(tmp_path)
    request = ImportRequest(
        file=table(tmp_path / "own.csv"),
        name="mill",
        time="time",
        series="device",
        label="attack",
        ignore=("part",),
    )
    import_table(request)
    command = ["reproduce", "--data", "mill", "--models", "logistic", "--out", "report"]
    command += ["data.split.folds=3", "data.split.policy=group", "data.calibration_rows=20"]
    assert main([*command, "data.stride=4"]) == 0
    text = Path("report/report.md").read_text()
    assert "3 runs of 1 model (fingerprint" in text
    assert "Not run: CNN, LSTM, CNN-LSTM, Hybrid" in text
    assert "row position" in text
    assert "calibration by offset" in text
    capsys.readouterr()
    assert main([*command, "data.stride=4", "--json"]) == 0
    assert "3 runs on mill, 3 done" in capsys.readouterr().err
    assert Path("report/report.md").read_text() == text


def test_an_audit_is_known_by_everything_it_depends_on_but_the_fold_and_the_place() -> None:
    config = DataConfig(name="skab")
    own = identity(config, 0, "f")
    assert identity(replace(config, root="/elsewhere", split=SplitConfig(fold=3)), 0, "f") == own
    others = [
        replace(config, calibration="deviation"),
        replace(config, mask_channel=False),
        replace(config, split=SplitConfig(interleave=20)),
    ]
    every = {own, identity(config, 1, "f"), identity(config, 0, "g")}
    assert len(every | {identity(other, 0, "f") for other in others}) == 6


def labelled(
    *overrides: str,
    sweep: str = "paper_models",
    preset: str = "quick",
    models: tuple[str, ...] = (),
) -> str:
    read = replace(read_sweep(sweep, preset), seeds=[0])
    return label_of(read, jobs_of(plan(read, overrides), Path("runs")), overrides, models)


def test_a_report_is_named_by_its_sweep_data_and_preset() -> None:
    assert labelled() == "smart_city-quick"
    assert labelled("hardware.threads=2", preset="full") == "smart_city"
    policy = "data.split.policy=held_out_types"
    assert labelled(policy) == "smart_city-held_out_types-quick"
    other = labelled("data.name=healthcare", sweep="components")
    assert other == "components-healthcare-quick"
    assert labelled(sweep="components", preset="full") == "components-smart_city"


def test_other_settings_and_other_worlds_have_reports_of_their_own(tmp_path: Path) -> None:
    every = [
        labelled(),
        labelled("data.label=any"),
        labelled("data.label=any", models=("cnn",)),
        labelled("data.label=fault"),
        labelled(sweep="components"),
        labelled("data.label=any", sweep="components"),
    ]
    assert len(set(every)) == len(every)
    worlds = []
    for seed in (0, 1):
        root = tmp_path / "city 3"
        scenario = ["duration=1h", "deployment.nodes=2", "deployment.cell_nodes=2", f"seed={seed}"]
        assert main(["simulate", "smart_city", *scenario, "--out", str(root)]) == 0
        worlds.append(labelled("data.name=simulated", f"data.root={root}"))
        shutil.rmtree(root)
    assert len(set(worlds)) == 2
    assert all(world.startswith("city-3-quick-") for world in worlds)


def test_a_data_set_is_named_or_is_the_folder_of_a_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_set("skab") == ("skab", [])
    assert data_set("nowhere") == ("nowhere", [])
    for folder in ("mine", "skab"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "scenario.yaml").touch()
    with pytest.raises(
        UsageError, match=r"mine: not the folder of a finished world: missing manifest\.json"
    ):
        data_set("mine")
    for folder in ("mine", "skab"):
        (tmp_path / folder / "manifest.json").touch()
    assert data_set("mine") == ("simulated", ["data.root=mine"])
    assert data_set("skab") == ("skab", [])
    assert data_set("./skab") == ("simulated", ["data.root=./skab"])
    with pytest.raises(UsageError, match=r"missing scenario\.yaml"):
        data_set(str(tmp_path))
