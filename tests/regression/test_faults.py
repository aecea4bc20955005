"""Planted faults are caught by the goldens, and honest re-runs are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch

from anomalynet.cli.main import main
from anomalynet.data.importing.import_table import import_table
from tests.regression.faults import FAULTS
from tests.regression.training import in_process, rows_request
from tests.training.small import table

GOLDEN = ("check", "--only", "golden", "--slots", "1", "--experiments")
EXPERIMENTS = sorted({fault.experiment for fault in FAULTS.values()})


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Goldens of this machine, by this code."""
    path = tmp_path_factory.mktemp("gate") / "baseline.json"
    kept = ["--against", str(path), "--runs", str(path.with_name("runs"))]
    with pytest.MonkeyPatch.context() as patch:
        in_process(patch)
        assert main([*GOLDEN, ",".join(EXPERIMENTS), *kept, "--update", "for tests"]) == 0
    return path


def test_a_golden_is_exactly_twenty_optimiser_steps_of_any_network(baseline: Path) -> None:
    files = list(baseline.with_name("runs").glob("golden/*/*/checkpoints/last.ckpt"))
    steps = [torch.load(file, weights_only=True)["global_step"] for file in files]
    assert steps == [20] * len(EXPERIMENTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_a_regression_with_experiment_metric_and_size(
    name: str, baseline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = FAULTS[name]
    in_process(monkeypatch)
    fault.apply(monkeypatch)
    assert main([*GOLDEN, fault.experiment, "--against", str(baseline), "--json"]) == 3
    told = capsys.readouterr()
    found = json.loads(told.out)["findings"]
    first = "threshold" if name == "threshold" else "train/loss by epoch"  # along the pipeline
    assert (found[0]["experiment"], found[0]["metric"]) == (fault.experiment, first)
    assert abs(found[0]["difference"]) > 1e-3
    lines = [line for line in told.err.splitlines() if line.startswith(f"{fault.experiment}: ")]
    assert f"({found[0]['difference']:+.3g}, tolerance 1e-05): regression" in lines[0]


@pytest.mark.slow
def test_a_worker_of_its_own_finds_a_changed_value_and_the_command_exits_with_3(
    baseline: Path, tmp_path: Path
) -> None:
    changed = json.loads(baseline.read_text())
    for environment in changed["environments"].values():
        environment["golden"]["cnn"]["values"]["threshold"] = [0.25]
    (tmp_path / "baseline.json").write_text(json.dumps(changed))
    words = [*GOLDEN, "cnn", "--against", str(tmp_path / "baseline.json"), "--json"]
    command = [sys.executable, "-m", "anomalynet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    regressions = [one for one in json.loads(done.stdout)["findings"] if one["difference"]]
    assert [(one["experiment"], one["metric"]) for one in regressions] == [("cnn", "threshold")]


def test_other_threads_and_another_order_of_rows_raise_no_alarm_and_other_values_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    sweep = tmp_path / "plant.yaml"
    data = "data.name: gate_rows, data.calibration_rows: 50, data.stride: 4"
    settings = f"{{{data}, training.epochs: 2}}"
    sweep.write_text(f"experiments: [cnn]\nfolds: [0]\npresets: {{quick: {settings}}}\n")
    file = table(tmp_path / "rows.csv")
    rows = pl.read_csv(file)
    request = rows_request(file, "gate_rows")
    command = [*GOLDEN, "cnn", "--golden", str(sweep), "--against", str(tmp_path / "baseline.json")]

    def imported(frame: pl.DataFrame) -> None:
        frame.write_csv(file)
        import_table(request)

    imported(rows)
    assert main([*command, "--update", "rows in order"]) == 0
    assert main([*command, "hardware.threads=2"]) == 0
    imported(rows.sample(fraction=1.0, shuffle=True, seed=1))
    assert main(command) == 0
    imported(rows.with_columns(pl.col("a") * 1.01 + 0.1 * pl.col("b")))
    assert main(command) == 3
