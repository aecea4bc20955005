"""`ls` and `compare` tell runs apart, and tables fit a terminal of 80 columns."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

from anomalynet.cli import output
from anomalynet.cli.main import main
from anomalynet.config.load import load
from anomalynet.config.schema import SplitPolicy
from anomalynet.config.show import as_yaml
from anomalynet.runs.files import write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun, write_sweep
from tests.runs.test_collect import store
from tests.runs.test_folder import result


class Terminal(io.StringIO):
    """A terminal that remembers what it shows."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    return Terminal()


def test_ids_are_never_wrapped_and_columns_give_way(narrow: Terminal) -> None:
    key = "training.validation_windows"
    row = {"key": key, "long": "a b " * 30, "seed": 7, "date": "2026-01-02 03:04", "none": None}
    with redirect_stdout(narrow):
        output.print_table([row, row], drop=("seed", "none", "date"))
    lines = narrow.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(key in line for line in lines) == 2
    assert "seed" in lines[-1] and "date" not in lines[-1] and "none" not in "".join(lines)
    assert "2026-01-02 03:04" in narrow.getvalue()


def test_a_column_that_fits_where_a_wider_one_does_not_is_shown(narrow: Terminal) -> None:
    row = {"id": "a" * 30, "seed": 7, "wide": "b" * 60}
    with redirect_stdout(narrow):
        output.print_table([row], title="a title " * 5, drop=("seed", "wide"))
    title, head, _, left_out = narrow.getvalue().splitlines()
    assert (title.strip(), head.split()) == ("a title " * 4 + "a title", ["id", "seed"])
    assert left_out.endswith(": wide")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A finished, a failed and an interrupted run of two sweeps."""
    both = ["training.patience=3"]  # of the sweep's runs
    own = {"aaaa": both, "bbbb": [*both, "training.epochs=7"], "cccc": ["seed=3"]}
    for name, overrides in own.items():
        folder = RunFolder(tmp_path / "cnn" / name)
        folder.path.mkdir(parents=True)
        folder.config.write_text(as_yaml(load("cnn", ["data.stride=5", *overrides])))
        if name == "aaaa":
            folder.write_result(result(id=name, metrics={"test/f1_attack": 0.25}))
    write_json(RunFolder(tmp_path / "cnn" / "bbbb").failed, {"reason": "no\nthe disk is full"})
    RunFolder(tmp_path / "cnn" / "cccc").append_progress({"epoch": 0})
    runs = tuple(SweepRun(n, "cnn", name, "cnn", "", 7) for n, name in enumerate(("aaaa", "bbbb")))
    record = SweepRecord("window-quick", "window", "quick", (), 1, "2026", "reports", runs)
    write_sweep(tmp_path, record)
    return tmp_path


def listed(runs: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, object]]:
    assert main(["ls", "runs", "--json", "--runs", str(runs), *more]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["rows"]
    return found


def test_runs_have_a_state_a_sweep_and_what_was_changed(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = listed(runs, capsys, "--sort", "id")
    assert (first["state"], first["sweep"], first["F1"]) == ("done", "window-quick", 0.25)
    assert (second["state"], second["reason"]) == ("failed", "the disk is full")
    assert (third["state"], third["sweep"], third["seed"]) == ("interrupted 1/100", None, 3)
    assert [row["changed"] for row in (first, second)] == [
        {"data.stride": 5, "training.patience": 3},
        {"data.stride": 5, "training.patience": 3, "training.epochs": 7},
    ]
    assert main(["ls", "runs", "--runs", str(runs)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("data.stride=5") == 1  # of all, so once
    assert shown.count("training.epochs=7") == 1
    assert "changed in all of window-quick: training.patience=3\n" in shown
    assert shown.count("training.patience=3") == 1


def test_a_comparison_names_the_command_that_tests_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["--runs", str(tmp_path)]
    store(tmp_path, "lstm", metrics={"test/auroc": 0.75, "test/detection_delay": 60.0})
    for seed in (0, 1):
        metrics = {"test/mcc": 0.25, "test/average_precision": 0.5, "test/f1_attack": 0.5}
        store(tmp_path, "cnn", seed=seed, metrics=metrics)
    assert main(["compare", "cnn0000", "lstm", *runs]) == 0
    shown = capsys.readouterr()
    printed = shown.out.partition("# metrics")[2].partition("# settings")[0].splitlines()[2:]
    assert printed == [
        "test/mcc\t0.2500\t\t",
        "test/average_precision\t0.5000\t\t",
        "test/f1_attack\t0.5000\t\t",
        "test/auroc\t\t0.7500\t",
    ]
    assert "`anomalynet sweep FILE`" in shown.err and "their metrics" not in shown.err
    other = store(tmp_path, "hybrid")  # found by its experiment, whose only run it is
    scores = pl.read_parquet(other / "scores.parquet")
    later = scores.with_columns(pl.col("time") + pl.duration(days=1))
    later.write_parquet(other / "scores.parquet")
    assert main(["compare", "cnn0000", "hybrid", *runs]) == 0
    assert "share 0 of 60 test steps: their metrics are of other" in capsys.readouterr().err
    assert main(["compare", "cnn", "hybrid", *runs]) == 2  # which has two runs
    assert "ambiguous" in capsys.readouterr().err


def test_changes_are_the_users_and_can_be_pasted(
    tmp_path: Path, narrow: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["data.scenario=duration=18h deployment.nodes=24", "tracking=wandb"]
    for name in ("aaaaaaaaaa", "bbbbbbbbbb"):
        loaded = load("hybrid", [*both, *(["training.epochs=10"] if name[0] == "b" else [])])
        data = replace(loaded.config.data, calibration_rows=100)
        filled = replace(loaded, config=replace(loaded.config, data=data))
        filled.origins["data.calibration_rows"] = "the data"
        folder = RunFolder(tmp_path / "hybrid" / name)
        folder.path.mkdir(parents=True)
        folder.config.write_text(as_yaml(filled, origin=True))
    scenario = {"data.scenario": "duration=18h deployment.nodes=24"}
    changed = [row["changed"] for row in listed(tmp_path, capsys, "--sort", "id")]
    assert changed == [scenario, scenario | {"training.epochs": 10}]
    with redirect_stdout(narrow):
        assert main(["ls", "runs", "--runs", str(tmp_path)]) == 0
    shown = narrow.getvalue()
    assert "changed in all of them: 'data.scenario=duration=18h deployment.nodes=24'\n" in shown
    assert "training.epochs=10" in shown, "the last column that gives way"


@pytest.mark.parametrize(
    ("more", "ids"),
    [
        (["--sweep", "win"], {"aaaa", "bbbb"}),
        (["--failed"], {"bbbb", "cccc"}),
        (["--data", "skab"], set()),
        (["--sort", "F1", "-n", "1"], {"aaaa"}),
        (["--sort", "changed", "-n", "2"], {"aaaa", "cccc"}),
    ],
)
def test_runs_are_chosen(
    more: list[str], ids: set[str], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {row["id"] for row in listed(runs, capsys, *more)} == ids


def test_a_column_that_is_not_there_is_named(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (runs, runs / "none"):
        assert main(["ls", "runs", "--runs", str(folder), "--sort", "f1"]) == 2
        assert "--sort f1" in capsys.readouterr().err


def test_keys_of_a_section(narrow: Terminal) -> None:
    with redirect_stdout(narrow):
        assert main(["show", "--keys", "data.quality"]) == 0
    lines = narrow.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line[0] != " "]
    assert all(line.startswith("data.quality.") for line in heads)
    assert "data.quality.hampel_window: int = 15" in heads


def test_choices_of_a_key_break_between_words(narrow: Terminal) -> None:
    with redirect_stdout(narrow):
        assert main(["show", "--keys", "data.split.policy"]) == 0
    lines = narrow.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for choice in get_args(SplitPolicy):
        assert any(repr(choice) in line for line in lines)


def test_a_model_is_described_by_a_whole_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "models", "--json"]) == 0
    texts = {row["name"]: row["what"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert "Fig. 1" in texts["hybrid"] and texts["random_forest"].count(".") == 1
    assert all(text.endswith(".") for text in texts.values())


def test_a_shell_completes_ids_names_and_options(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "runs").symlink_to(runs)

    def completed(line: str) -> list[str]:
        env = {**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        env |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "out"), "_ARGCOMPLETE_IFS": "\n"}
        code = "from anomalynet.cli.main import main; main()"
        subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path / "here", check=False)
        return [text.strip() for text in (tmp_path / "out").read_text().splitlines()]

    assert completed("anomalynet export b") == ["bbbb"]
    assert {"skab", "smart_city"} <= set(completed("anomalynet audit s"))
    assert completed("anomalynet sweep components --pre") == ["--preset"]
