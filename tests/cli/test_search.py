"""`anomalynet sweep` of a search, from its file to its report, on real runs of the tiny world."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch

from anomalynet.cli.main import main
from anomalynet.config.load import load
from anomalynet.runs.sweeps import read_sweeps
from anomalynet.training.run import planned_folder, train
from tests.training.small import SHORT, weights

FILE = """\
# mine — what is best?
experiment: cnn
design: search
seeds: [0]
folds: [0, 1]
axes: {{model.channels: [4, 8, 16], training.learning_rate: {{low: 0.0005, high: 0.01, log: true}}}}
search: {search}
presets: {{quick: {{training.patience: 5}}}}
"""


def written(folder: Path, search: str, text: str = FILE) -> str:
    path = folder / "mine.yaml"
    path.write_text(text.format(search=search))
    return str(path)


def test_a_search_from_its_file_to_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [
        "sweep",
        written(tmp_path, "{trials: 2, sampler: random}"),
        "--slots",
        "2",
        "--out",
        "report",
        *SHORT,
    ]
    assert main([*command, "--plan"]) == 0
    assert capsys.readouterr().out.startswith(
        "2 trials of 2 runs, 0 done, 2 left; time left unknown"
    )
    assert not (tmp_path / "runs").exists()
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == "report/report.md\n"
    assert "[2/2] trial 1 " in said.err
    table = pl.read_csv("report/tables/trials.csv")
    assert table["state"].to_list() == ["complete", "complete"]
    for row in table.iter_rows(named=True):
        results = [
            json.loads((tmp_path / "runs" / run / "result.json").read_text())
            for run in row["runs"].split()
        ]
        values = [result["metrics"]["validation/average_precision"] for result in results]
        assert row["validation/average_precision"] == pytest.approx(sum(values) / 2, rel=1e-12)
        assert [result["fold"] for result in results] == [0, 1]
    report = Path("report/report.md").read_text()
    best = table.sort("validation/average_precision", "trial", descending=[True, False]).row(
        0, named=True
    )
    assert f"**Trial {best['trial']}.**" in report
    assert (
        "Split: group_blocked; folds 0, 1 of 3; seeds of the repetitions: 0; world 0. Test part: "
        in report
    )
    assert (
        "No figure “How much of the variation each value explains (fANOVA)”: it needs 5 complete "
        "trials, and there are 2." in report
    )

    chosen = [
        planned_folder(load("report/best.yaml", (), {"data.split.fold": fold}), "runs").path.name
        for fold in (0, 1)
    ]
    assert chosen == [run.partition("/")[2] for run in best["runs"].split()]
    record = read_sweeps(Path("runs"))[0]
    assert (record.trials, len(record.runs), record.runs[2].arm) == (2, 4, "trial 1")
    assert main(["status"]) == 0
    assert "4 runs, 2 trials wanted: 4 done" in capsys.readouterr().out

    files = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in Path("report").rglob("*")
        if path.is_file()
    }
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trials"], told["complete"], told["best"][0]["trial"]) == (2, 2, best["trial"])
    assert files == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    Path("report/report.md").unlink()
    assert main(command) == 0
    assert {path: content for path, (content, _) in files.items()} == {
        path: path.read_bytes() for path in files
    }
    capsys.readouterr()
    assert main([*command, "--format", "html,csv"]) == 0
    assert capsys.readouterr().out == "report/report.html\n"
    assert 'href="best.yaml"' in Path("report/report.html").read_text()
    assert (
        pl.read_parquet("report/tables/trials.parquet")["validation/average_precision"].to_list()
        == table["validation/average_precision"].to_list()
    )
    assert main(["report", "mine", "--out", "again", "--format", "latex"]) == 0
    assert capsys.readouterr().out.strip().endswith("/report.tex")
    assert Path("report/report.md").read_text() == report
    assert main([*command, "--plan", "--json", "--trials", "5"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["wanted"], plan["left"], plan["best"]) == (5, 3, [best["trial"]])
    assert plan["seconds_left"] > 0


def test_a_pareto_front_has_a_file_a_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    search = "{trials: 4, sampler: random, objectives: [validation/average_precision, parameters]}"
    file = written(tmp_path, search, FILE.replace("folds: [0, 1]", "folds: [0]"))
    assert main(["sweep", file, "--out", "report", *SHORT, "training.epochs=1"]) == 0
    table = pl.read_csv("report/tables/trials.csv")
    points = list(zip(table["validation/average_precision"], table["parameters"], strict=True))
    front = {
        place
        for place, (precision, size) in enumerate(points)
        if not any(p >= precision and s <= size and (p, s) != (precision, size) for p, s in points)
    }
    assert {path.name for path in Path("report").glob("*.yaml")} == {
        f"pareto_{place}.yaml" for place in front
    }
    assert Path("report/figures/search_pareto.svg").is_file()
    assert "Trained weights" in Path("report/report.md").read_text()


def test_a_failed_trial_makes_the_command_fail_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILE.replace("[4, 8, 16]", "[4]").replace(
        "low: 0.0005, high: 0.01, log: true", "low: 1.0e+37, high: 1.0e+38, log: true"
    )
    command = [
        "sweep",
        written(tmp_path, "{trials: 1}", text),
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "report"),
        *SHORT,
    ]
    assert main([*command, "training.loss=cross_entropy"]) == 1
    said = capsys.readouterr().err
    assert "failed: trial 0: " in said
    assert "--rerun failed" in said
    assert "No trial is complete." in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--print"], "its runs are not known before"),
        (["--trials", "0"], "at least 1"),
        (["model.channels=4"], "it is an axis"),
        (["--storage", "nonsense"], "cannot be opened"),
    ],
)
def test_mistakes_are_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    command = [
        "sweep",
        written(tmp_path, "{trials: 1}"),
        "--runs",
        str(tmp_path / "runs"),
        *SHORT,
        *arguments,
    ]
    assert main(command) == 2
    assert message in capsys.readouterr().err


def test_a_search_of_runs_on_two_devices_draws_each_trial_once(tmp_path: Path) -> None:
    """Lightning starts the second process by repeating `train`, which knows nothing of the search;
    takes about 40 s."""
    text = (
        FILE.replace("folds: [0, 1]", "folds: [0]")
        .replace("experiment: cnn", "experiment: hybrid")
        .replace("[4, 8, 16]", "[8]")
    )
    file = written(tmp_path, "{trials: 3, sampler: random, pruner: hyperband}", text)
    options = [
        *SHORT,
        "training.epochs=3",
        "model.dropout=0",
        "hardware.accelerator=cpu",
        "hardware.devices=2",
    ]
    command = [
        sys.executable,
        "-m",
        "anomalynet",
        "sweep",
        file,
        "--slots",
        "1",
        "--out",
        str(tmp_path / "report"),
        *options,
    ]
    done = subprocess.run(
        [*command, "--runs", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    table = pl.read_csv(tmp_path / "report" / "tables" / "trials.csv")
    assert len(table) == 3
    assert set(table["state"]) <= {"complete", "pruned"}
    assert table["training.learning_rate"].n_unique() == 3
    first = table.row(0, named=True)
    assert first["state"] == "complete"
    axis = {
        "training.patience": 5,
        "model.channels": 8,
        "training.learning_rate": first["training.learning_rate"],
        "data.split.fold": 0,
    }
    alone = train(load("hybrid", options[:-1], axis), tmp_path / "one")
    assert alone is not None
    together = tmp_path / "runs" / first["runs"]
    assert together.name == alone.folder.path.name
    a, b = weights(alone.folder.last), weights(together / "checkpoints" / "last.ckpt")
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-2, atol=1e-3)
