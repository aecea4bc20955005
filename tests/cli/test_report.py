"""`anomalynet report` on a folder of runs."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
import yaml

from anomalynet.cli import report
from anomalynet.cli.main import main
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.reporting.render import write_report
from anomalynet.runs.collect import list_runs
from tests.reporting.synthetic import record

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, no_figures: None) -> Run:
    """The verb with `--runs` and `--out` below a temporary folder, without drawing."""

    def call(*arguments: str) -> int:
        parser = argparse.ArgumentParser()
        report.add_arguments(parser)
        places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "reports")]
        return report.run(parser.parse_args([*arguments, *places]))

    return call


def store(runs: Path, experiment: str, data: str, seed: int = 0) -> None:
    """A run as the trainer leaves it."""
    made = record(runs, experiment, data=data, seed=seed, folds=1)
    (made.folder / "config.yaml").write_text(yaml.safe_dump(made.config), encoding="utf-8")
    for name, value in (
        ("result", asdict(made.result)),
        ("timings", made.timings),
        ("environment", {"code": made.code}),
    ):
        (made.folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Runs of two data sets."""
    for experiment, data in (("cnn", "skab"), ("lstm", "ton_iot/fridge")):
        store(tmp_path / "runs", experiment, data)
    return tmp_path


@pytest.mark.usefixtures("stored")
def test_each_data_set_gets_a_report(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json") == 0
    listed = json.loads(capsys.readouterr().out)["rows"]
    folders = {row["data"]: Path(row["report"]).relative_to(tmp_path) for row in listed}
    assert {data: str(path) for data, path in folders.items()} == {
        "skab": "reports/skab/report.md",
        "ton_iot/fridge": "reports/ton_iot-fridge/report.md",
    }
    assert [row["runs"] for row in listed] == [1, 1]
    assert "# Report on skab" in (tmp_path / "reports/skab/report.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("stored", "no_figures")
def test_a_report_names_the_command_that_writes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "": "anomalynet report --data skab",
        "mine --out reports --runs runs": "anomalynet report mine --data skab",
        f"--out {tmp_path}/own": "anomalynet report --data skab --out '…/own'",
    }
    for words, told in given.items():
        assert main(["report", "--data", "skab", *words.split()]) == 0
        (path,) = tmp_path.glob(f"{'own' if 'own' in told else 'reports'}/*/report.md")
        assert told in path.read_text(encoding="utf-8")
        path.unlink()


def test_from_python_a_report_has_the_bytes_that_the_verb_writes(
    run: Run, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", "skab") == 0
    written = (stored / "reports/skab/report.md").read_bytes()
    (command,) = re.findall(rb"`(anomalynet report [^`]*)`", written)
    runs = list_runs(stored / "runs").filter(pl.col("data") == "skab")
    path = write_report(runs, stored / "skab", command=command.decode())
    assert (path, path.read_bytes()) == (stored / "skab/report.md", written)
    with pytest.raises(UsageError, match="these runs are on skab, ton_iot/fridge"):
        write_report(stored / "runs", stored / "both")
    assert not (stored / "both").exists()


def test_models_that_two_data_sets_have_are_compared(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, data in enumerate(("skab", "lwsndr")):
        for experiment in ("cnn", "lstm", "hybrid"):
            store(tmp_path / "runs", experiment, data, seed)
    assert run("--json") == 0
    listed = json.loads(capsys.readouterr().out)["rows"]
    path = tmp_path / "reports/comparison/report.md"
    assert listed[-1] == {"data": "2 compared", "runs": 6, "report": str(path)}
    assert path.read_text(encoding="utf-8").startswith("# 3 models on 2 data sets\n")
    assert run("--data", "skab") == 0
    assert "compared" not in capsys.readouterr().out


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "arguments, first, files",
    [
        ([], "report.md", {"report.md"}),
        (["--format", "html,md"], "report.html", {"report.md", "report.html"}),
        (["--format", "csv", "--format", "latex"], "tables", {"report.md", "report.tex"}),
        (["--format", "all"], "report.html", {"report.md", "report.html", "report.tex"}),
    ],
)
def test_a_report_has_the_forms_that_are_asked_for_and_the_path_of_the_first_is_printed(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    first: str,
    files: set[str],
) -> None:
    mine = tmp_path / "reports/mine"
    assert run("mine", "--data", "skab") == 0
    text = (mine / "report.md").read_bytes()
    capsys.readouterr()
    assert run("mine", "--data", "skab", "--json", *arguments) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["report"] == str(mine / first)
    assert {path.name for path in mine.iterdir() if path.is_file()} == files
    assert (mine / "report.md").read_bytes() == text
    tables, wanted = mine / "tables", {"csv", "all"} & {*arguments}
    parquet = {path.stem for path in tables.glob("*.parquet")}
    assert parquet == ({path.stem for path in tables.glob("*.csv")} if wanted else set())


@pytest.mark.usefixtures("stored")
def test_a_collection_or_a_subset_can_be_chosen_and_named(run: Run, tmp_path: Path) -> None:
    assert run("mine", "--data", "ton_iot") == 0
    made = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert made == ["README.md", "index.html", "mine"]


@pytest.mark.usefixtures("stored")
def test_a_folder_of_other_files_gets_no_report_unless_it_is_asked_for(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "reports" / "mine"
    folder.mkdir(parents=True)
    (folder / "cost.md").write_text("of a report that was being written")
    assert run("mine", "--data", "skab") == 0
    (folder / "report.md").unlink()
    shutil.rmtree(folder / "tables")
    (folder / "notes.md").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.md\n.*mine-2") as caught:
        run("mine", "--data", "skab")
    assert "--replace" in str(caught.value.next_step)
    assert not (folder / "report.md").exists()
    assert run("mine", "--data", "skab", "--replace") == 0
    assert (folder / "notes.md").read_text() == "mine"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", ""])
def test_a_name_never_leads_out_of_the_folder(run: Run, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="invalid report name"):
        run(name, "--data", "skab")
    assert not (tmp_path / "reports").exists()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "name, folder",
    [("skab", "skab"), ("ton_iot", "ton_iot-fridge"), ("ton_iot-fridge", "ton_iot-fridge")],
)
def test_a_name_alone_is_a_data_set(run: Run, tmp_path: Path, name: str, folder: str) -> None:
    assert run(name) == 0
    assert [path.name for path in (tmp_path / "reports").iterdir() if path.is_dir()] == [folder]


@pytest.mark.usefixtures("stored")
def test_a_name_of_nothing_writes_nothing_and_names_the_nearest(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no sweep or data set 'scab'.*'skab'"):
        run("scab")
    with pytest.raises(UsageError):
        run("mine")
    assert not (tmp_path / "reports").exists()


def test_one_name_for_two_data_sets_is_refused(run: Run, stored: Path) -> None:
    store(stored / "runs", "cnn", "ton_iot/weather", seed=1)
    with pytest.raises(UsageError, match="ton_iot/fridge, ton_iot/weather"):
        run("mine", "--data", "ton_iot")


@pytest.mark.usefixtures("stored")
def test_a_form_that_is_none_and_a_place_that_is_no_folder_are_refused(
    run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--format is empty"):
        run("--format", ",")
    (tmp_path / "reports").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written to: Not a directory"):
        run("--data", "skab")
    assert (tmp_path / "reports").read_text() == "mine"


def test_without_runs_the_next_command_is_named(run: Run) -> None:
    with pytest.raises(NothingToCompareError, match="anomalynet train EXPERIMENT") as caught:
        run()
    assert caught.value.exit_code == 4
    with pytest.raises(UsageError, match="no sweep or data set 'nothing'"):
        run("nothing")
    with pytest.raises(UsageError, match=r"'smart_cty'.*; did you mean 'smart_city'"):
        run("smart_cty")


@pytest.mark.usefixtures("stored")
def test_data_without_runs_names_those_that_have_some(run: Run) -> None:
    with pytest.raises(NothingToCompareError, match="one of skab, ton_iot/fridge"):
        run("--data", "nowhere")
