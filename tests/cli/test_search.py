"""`anomalynet sweep` of a search, from its file to its report, on real runs of the tiny world."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from anomalynet.cli.main import main
from anomalynet.config.load import load
from anomalynet.runs.sweeps import read_sweeps
from anomalynet.training.run import planned_folder
from tests.regression.training import in_process
from tests.training.small import SHORT

FILE = """\
# mine — what is best?
experiment: cnn
design: search
seeds: [0]
folds: [0, 1]
axes: {{model.channels: [4, 8, 16], training.learning_rate: {{low: 0.0005, high: 0.01, log: true}}}}
search: {search}
presets: {{quick: {{training.patience: 5, training.epochs: 1}}}}
"""
TINY = [text for text in SHORT if not text.startswith("training.epochs")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder; runs are trained in this process."""
    monkeypatch.chdir(tmp_path)
    in_process(monkeypatch)
    return tmp_path


def search(settings: str, *arguments: str, text: str = FILE) -> list[str]:
    """The command of a search that is written to `mine.yaml`."""
    Path("mine.yaml").write_text(text.format(search=settings))
    return ["sweep", "mine.yaml", "--out", "report", *TINY, *arguments]


def contents() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path("report").rglob("*") if path.is_file()}


def test_a_search_from_its_file_to_its_report(capsys: pytest.CaptureFixture[str]) -> None:
    command = search("{trials: 2, sampler: random}", "--slots", "1")
    assert main([*command, "--plan"]) == 0
    told = capsys.readouterr().out
    assert "\n2 trials of 2 runs, 0 done, 2 left; about " in told
    assert not Path("runs").exists()
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == "report/report.md\n"
    assert "[2/2] trial 1 " in said.err
    name = "validation/average_precision"
    table = pl.read_csv("report/tables/trials.csv")
    assert table["state"].to_list() == ["complete", "complete"]
    for row in table.iter_rows(named=True):
        paths = [Path("runs", run, "result.json") for run in row["runs"].split()]
        results = [json.loads(path.read_text()) for path in paths]
        values = [result["metrics"][name] for result in results]
        assert row[name] == pytest.approx(sum(values) / 2, rel=1e-12)
        assert [result["fold"] for result in results] == [0, 1]
    report = Path("report/report.md").read_text()
    best = table.sort(name, "trial", descending=[True, False]).row(0, named=True)
    assert f"**Trial {best['trial']}.**" in report
    assert "folds 0, 1 of 3; seeds of the repetitions: 0; world 0." in report
    assert "it needs 5 complete trials, and there are 2." in report

    folds: list[dict[str, object]] = [{"data.split.fold": fold} for fold in (0, 1)]
    chosen = [planned_folder(load("report/best.yaml", (), fold), "runs").path for fold in folds]
    assert [path.name for path in chosen] == [Path(run).name for run in best["runs"].split()]
    record = read_sweeps(Path("runs"))[0]
    assert (record.trials, len(record.runs), record.runs[2].arm) == (2, 4, "trial 1")
    assert main(["status"]) == 0
    assert "4 runs, 2 trials wanted: 4 done" in capsys.readouterr().out

    files, stamp = contents(), Path("report/report.md").stat().st_mtime_ns
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trials"], found["complete"], found["best"][0]["trial"]) == (2, 2, best["trial"])
    assert (contents(), Path("report/report.md").stat().st_mtime_ns) == (files, stamp)
    Path("report/report.md").unlink()
    assert main(command) == 0
    assert contents() == files
    capsys.readouterr()
    assert main([*command, "--format", "html,csv"]) == 0
    assert capsys.readouterr().out == "report/report.html\n"
    assert 'href="best.yaml"' in Path("report/report.html").read_text()
    again = pl.read_parquet("report/tables/trials.parquet")
    assert again[name].to_list() == table[name].to_list()
    assert main(["report", "mine", "--out", "again", "--format", "latex"]) == 0
    assert capsys.readouterr().out.strip().endswith("/report.tex")
    assert Path("report/report.md").read_text() == report
    assert main([*command, "--plan", "--json", "--trials", "5"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["wanted"], plan["left"], plan["best"]) == (5, 3, [best["trial"]])
    assert plan["seconds_left"] > 0


def test_a_pareto_front_has_a_file_a_point() -> None:
    settings = (
        "{trials: 4, sampler: random, objectives: [validation/average_precision, parameters]}"
    )
    assert main(search(settings, text=FILE.replace("folds: [0, 1]", "folds: [0]"))) == 0
    table = pl.read_csv("report/tables/trials.csv")
    points = list(zip(table["validation/average_precision"], table["parameters"], strict=True))
    front = {
        f"pareto_{place}.yaml"
        for place, (precision, size) in enumerate(points)
        if not any(p >= precision and s <= size and (p, s) != (precision, size) for p, s in points)
    }
    assert {path.name for path in Path("report").glob("*.yaml")} == front
    assert Path("report/figures/search_pareto.svg").is_file()
    assert "Trained weights" in Path("report/report.md").read_text()


def test_a_failed_trial_makes_the_command_fail_and_says_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = FILE.replace("low: 0.0005, high: 0.01", "low: 1e37, high: 1e38")
    assert main(search("{trials: 1}", "training.loss=cross_entropy", text=text)) == 1
    said = capsys.readouterr().err
    assert "failed: trial 0: " in said
    assert "--rerun failed" in said
    assert "No trial is complete." in Path("report/report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--print"], "cannot be listed in advance"),
        (["--trials", "0"], "at least 1"),
        (["model.channels=4"], "is an axis"),
        (["--storage", "nonsense"], "cannot be opened"),
    ],
)
def test_mistakes_are_one_message(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(search("{trials: 1}", *arguments)) == 2
    assert message in capsys.readouterr().err
