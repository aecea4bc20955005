"""`anomalynet check` as a user runs it, on a small table of the tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.regression.baseline import read_baseline
from tests.regression.training import in_process
from tests.training.small import imported

SETTINGS = "{data.name: gate_cli, data.calibration_rows: 50, data.stride: 4}"
GOLDEN = f"experiments: [logistic]\nfolds: [0]\npresets: {{quick: {SETTINGS}}}\n"
SMOKE = GOLDEN + "seeds: [0, 1, 2, 3, 4, 5]\n"
FILES = "--golden golden.yaml --sweep smoke.yaml --against baseline.json"
COMMAND = ("check", *FILES.split(), "--slots", "1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small sweeps and their baseline."""
    folder = tmp_path_factory.mktemp("made")
    imported(folder, "gate_cli")
    (folder / "golden.yaml").write_text(GOLDEN)
    (folder / "smoke.yaml").write_text(SMOKE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        in_process(patch)
        assert main([*COMMAND, "--update", "first"]) == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a copy of them."""
    for name in ("golden.yaml", "smoke.yaml", "baseline.json"):
        shutil.copy(made / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(variable, raising=False)
    in_process(monkeypatch)
    return tmp_path


def worse(folder: Path) -> None:
    """A baseline that was better than what is trained."""
    path = folder / "baseline.json"
    raw = json.loads(path.read_text())
    for environment in raw["environments"].values():
        for place, run in enumerate(environment["statistical"]["logistic"]["runs"]):
            run["metrics"]["test/auroc"] += 0.1 + 0.001 * place
    path.write_text(json.dumps(raw))


def test_nothing_changed_then_a_loss_with_table_annotations_summary_and_files(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*COMMAND]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    heading = "part experiment metric baseline now difference interval verdict history"
    assert rows[0] == heading.split()
    assert [row[7] for row in rows[1:-1]] == ["same"] * 5
    assert rows[-1][0].startswith("no regression (5 comparisons with baseline.json, torch ")
    worse(here)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary"))
    assert main([*COMMAND, "--only", "statistical", "--json", "--out", "out"]) == 3
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["exit_code"] == 3
    assert answer == {"schema": 1, **json.loads((here / "out/check.json").read_text())}
    (bad,) = [one for one in answer["findings"] if one["verdict"] == "regression"]
    assert (bad["experiment"], bad["metric"]) == ("logistic", "test/auroc")
    assert bad["difference"] == pytest.approx(-0.1025)
    assert bad["low"] < -0.1025 < bad["high"] < 0
    assert "::error title=statistical regression logistic::logistic: test/auroc " in told.err
    assert ", interval [-0.104, -0.101], tolerance 0.03): regression" in told.err
    summary = (here / "summary").read_text()
    assert summary.strip() == (here / "out/check.md").read_text().strip()
    assert "❌ 1 regression" in summary
    assert "| statistical | logistic | test/auroc |" in summary


def test_every_run_is_trained_afresh_in_a_folder_that_must_be_empty(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--only", "golden", "--runs", "kept"]) == 0
    assert len(list(here.glob("kept/golden/logistic/*/result.json"))) == 1
    assert "training 1 runs" in capsys.readouterr().err
    assert main([*COMMAND, "--only", "golden", "--runs", "kept"]) == 2
    assert "must be empty: check trains every run" in capsys.readouterr().err
    assert sorted(path.name for path in here.iterdir() if path.is_dir()) == ["kept"]


def test_an_experiment_that_went_or_came_is_nothing_to_compare(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "golden.yaml").write_text(GOLDEN.replace("logistic", "random_forest"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main([*COMMAND]) == 4
    told = capsys.readouterr()
    assert (
        "::error title=anomalynet check::logistic: in the baseline (golden), missing " in told.err
    )
    assert "golden%0Arandom_forest: " in told.err
    assert "random_forest: in sweep golden, missing in the baseline (golden)" in told.err
    steps = told.err[told.err.rindex("→") :]
    assert 'logistic: repeat the command with --only golden --update "reason"' in steps
    assert "--only golden --experiments random_forest --update" in steps
    (here / "golden.yaml").write_text(GOLDEN.replace("logistic", "removed"))
    assert main([*COMMAND]) == 4
    told = capsys.readouterr()
    assert "sweep golden.yaml: unknown experiment 'removed'" in told.err
    assert "then `anomalynet check --only golden --update" in told.err
    (here / "golden.yaml").write_text(GOLDEN)
    (here / "baseline.json").unlink()
    assert main([*COMMAND]) == 4
    assert "baseline.json: baseline is missing" in capsys.readouterr().err


def test_update_keeps_the_history_and_an_experiment_taken_out_goes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (here / "baseline.json").read_bytes()
    assert main([*COMMAND, "--update", "  "]) == 2
    assert "--update needs a reason" in capsys.readouterr().err
    assert (here / "baseline.json").read_bytes() == before
    two = SMOKE.replace("[logistic]", "[isolation_forest]").replace("[0, 1, 2, 3, 4, 5]", "[0]")
    (here / "smoke.yaml").write_text(two)
    assert main([*COMMAND, "--only", "statistical", "--update", "another model"]) == 0
    baseline = read_baseline(here / "baseline.json")
    assert [entry.reason for entry in baseline.history] == ["first", "another model"]
    (environment,) = baseline.environments.values()
    assert set(environment.golden) == {"logistic"}
    assert set(environment.statistical) == {"isolation_forest"}
    capsys.readouterr()
    assert main([*COMMAND, "--history", "--json"]) == 0
    means = [list(entry["means"]) for entry in json.loads(capsys.readouterr().out)["rows"]]
    assert means == [["logistic"], ["isolation_forest"]]
    assert main([*COMMAND, "--history", "--out", "history.svg", "--experiments", "logistic"]) == 0
    assert "isolation_forest" not in capsys.readouterr().out
    assert b"logistic" in (here / "history.svg").read_bytes()


def test_a_run_that_fails_passes_no_gate_and_changes_no_baseline(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (here / "baseline.json").read_bytes()
    monkeypatch.setattr("anomalynet.training.run.threshold", lambda *_, **__: 1 / 0)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary"))
    assert main([*COMMAND, "--only", "golden"]) == 1
    failed = "logistic: run of seed 0 fold 0: failed (ZeroDivisionError: division by zero)"
    told = capsys.readouterr().err
    assert failed in told
    assert f"::error title=anomalynet check::every run failed%0A{failed}" in told
    assert f"❌ every run failed\n{failed}" in (here / "summary").read_text()
    assert main([*COMMAND, "--update", "broken"]) == 1
    assert (here / "baseline.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--experiments", "hybird"], "unknown experiment 'hybird'"),
        (["data.stride=2"], "data.stride=2: only hardware.* can be overridden"),
        (["--golden", "nowhere"], "unknown sweep 'nowhere'"),
        (["--golden", "attention"], "has axes, arms or a search"),
        (["--history", "--out", "history.pdf"], "expected a figure's file, .svg or .png"),
        (["--slots", "0"], "--slots must be at least 1"),
        (["--out", "golden.yaml"], "--out golden.yaml: expected a folder"),
        (["--out", "golden.yaml/below"], "golden.yaml is no folder"),
        (["--history", "--out", "folder.svg"], "--out folder.svg: expected a file"),
        (["--history", "--out", "golden.yaml/h.svg"], "golden.yaml is no folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    arguments: list[str], told: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "folder.svg").mkdir()
    assert main([*COMMAND, *arguments]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "training" not in err or "--slots" in told


def test_ctrl_c_writes_nothing_and_says_so(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = (here / "baseline.json").read_bytes()
    monkeypatch.setattr("anomalynet.sweep.launch.Launch.run", interrupted)
    assert main([*COMMAND, "--update", "never"]) == 130
    assert "nothing was compared and nothing written" in capsys.readouterr().err
    assert (here / "baseline.json").read_bytes() == before
