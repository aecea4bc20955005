"""`run_sweep` from Python: the runs, the report, and nothing left to do for the second call."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from anomalynet.errors import UsageError
from anomalynet.reporting.render import write_report
from anomalynet.runs.collect import compare_runs, list_runs
from anomalynet.sweep.runner import run_sweep
from tests.regression.training import in_process
from tests.training.small import WORLD

SWEEP_FILE = "windows.yaml"
SWEEP = """\
# windows — how many steps does a window need?
experiment: logistic
folds: [0]
axes: {data.window: [32, 24]}
"""
OVERRIDES = [*WORLD, "data.stride=8", "data.split.folds=3"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Path:
    """A working folder with a sweep of two runs, which are trained in this process, and reports
    without figures."""
    monkeypatch.chdir(tmp_path)
    in_process(monkeypatch)
    (tmp_path / SWEEP_FILE).write_text(SWEEP)
    return tmp_path


def test_a_sweep_from_python_then_its_runs_and_a_report_of_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = run_sweep(SWEEP_FILE, overrides=OVERRIDES, slots=1, plan_only=True)
    assert [(job.number, job.state) for job in planned.jobs] == [(1, "waiting"), (2, "waiting")]
    assert (planned.slots, planned.report, list(here.iterdir())) == (1, None, [here / SWEEP_FILE])
    first = run_sweep(SWEEP_FILE, overrides=OVERRIDES, slots=1, only="2")
    assert (first.report, [job.state for job in first.jobs]) == (None, ["done"])
    outcome = run_sweep(SWEEP_FILE, overrides=OVERRIDES, slots=1)
    assert [job.was_done for job in outcome.jobs] == [False, True]
    assert (outcome.count("done"), outcome.failed, outcome.label) == (2, 0, planned.label)
    assert outcome.report == Path("reports") / planned.label / "report.md"
    assert "How many steps does a window need?" in outcome.report.read_text()
    assert capsys.readouterr() == ("", "")
    files = [*Path("runs").glob("logistic/*/result.json"), outcome.report]
    stamps = [path.stat().st_mtime_ns for path in files]
    again = run_sweep(SWEEP_FILE, overrides=OVERRIDES, slots=1)
    assert (again.label, again.report, again.count("done")) == (outcome.label, outcome.report, 2)
    assert [path.stat().st_mtime_ns for path in files] == stamps

    ids = [job.folder.path.name for job in outcome.jobs]
    table = list_runs()
    assert set(table["id"]) == set(ids)
    assert table.select("experiment", "seed", "fold", "status").unique().rows() == [
        ("logistic", 0, 0, "done")
    ]
    wide, narrow = (
        json.loads((job.folder.path / "result.json").read_text())["metrics"] for job in outcome.jobs
    )
    compared = compare_runs(*ids)
    settings = compared.filter(pl.col("kind") == "setting")
    assert settings.select("name", "a", "b").rows() == [("data.window", "32", "24")]
    (auroc,) = compared.filter(pl.col("name") == "test/auroc")["difference"]
    assert auroc == narrow["test/auroc"] - wide["test/auroc"]
    one = write_report(table.filter(pl.col("id") == ids[0]), "one", formats=["csv"])
    assert one == Path("one/tables")
    listed = Path("one/tables/runs.csv").read_text()
    assert [one in listed for one in ids[:2]] == [True, False]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"formats": ["pdf"]}, r"no form 'pdf'.*\n.*formats are"),
        ({"overrides": ["seed=3"]}, "seed=3: the sweep sets seeds"),
        ({"only": "3"}, "runs 1 to 2"),
        ({"trials": 2}, "windows is not a search"),
        ({"slots": 0}, "at least 1, not 0"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_first_run(
    wrong: dict[str, object], message: str
) -> None:
    own = {"overrides": OVERRIDES, **wrong}
    with pytest.raises(UsageError, match=message):
        run_sweep(SWEEP_FILE, **own)  # type: ignore[arg-type]
    assert not Path("runs").exists()
