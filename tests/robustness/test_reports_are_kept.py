"""No command and no function replaces a report of more or other runs, or a sweep's, unless asked to
replace it or the same sweep wrote it; the refusal names a free folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import UsageError
from anomalynet.reporting.formats.files import refuse_other_report
from anomalynet.reporting.render import write_report
from anomalynet.sweep.runner import run_sweep
from tests.cli.test_report import store
from tests.regression.training import in_process
from tests.reporting.synthetic import snapshot
from tests.sweep.test_runner import OVERRIDES, SWEEP, SWEEP_FILE

COMMITTED = Path(__file__).parents[2] / "reports"

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a report on two runs."""
    monkeypatch.chdir(tmp_path)
    for experiment in ("cnn", "lstm"):
        store(tmp_path / "runs", experiment, "skab")
    assert main(["report"]) == 0
    return tmp_path


def test_other_or_fewer_runs_are_refused_before_anything_is_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "reports/skab-2").mkdir()
    before = snapshot(here / "reports")
    store(here / "tiny", "cnn", "skab")  # the same run as one of the two
    store(here / "tiny", "cnn", "lwsndr", seed=1)  # comes first, and has a free folder
    assert main(["report", "--runs", "tiny"]) == 2
    assert snapshot(here / "reports") == before
    shown = capsys.readouterr().err
    assert [text in shown for text in ("reports/skab ", "1 of its 2", "reports/skab-3 ")] == [
        True
    ] * 3
    assert main(["report", "skab-3", "--data", "skab", "--runs", "tiny"]) == 0
    assert (here / "reports/skab-3/report.md").is_file()
    assert main(["report", "--runs", "tiny", "--replace"]) == 0
    assert (here / "reports/lwsndr/report.md").is_file()


def test_from_python_too(here: Path) -> None:
    before = snapshot(here / "reports")
    store(here / "tiny", "cnn", "skab")
    with pytest.raises(UsageError, match="1 of its 2"):
        write_report("tiny", "reports/skab")
    assert snapshot(here / "reports") == before
    write_report("tiny", "reports/skab", replace=True)
    write_report("runs", "reports/skab")
    assert "\nlstm/" in Path("reports/skab/tables/runs.csv").read_text(encoding="utf-8")


def test_a_sweep_replaces_only_what_it_is_made_of_or_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    in_process(monkeypatch)
    Path(SWEEP_FILE).write_text(SWEEP)
    sweep = partial(run_sweep, SWEEP_FILE, overrides=OVERRIDES, slots=1)
    planned = sweep(plan_only=True)
    folder = Path("reports") / planned.label
    folder.mkdir(parents=True)
    ids = [job.folder.path.name for job in planned.jobs]
    committed = "# windows\n\n## Arms\n" + "".join(f"\n| `logistic/{one}` | x |" for one in ids)

    (folder / "report.md").write_text(f"{committed}\n| `logistic/0123456789` | x |")
    with pytest.raises(UsageError, match=f"1 of its 3.*\n.*{folder}-2"):
        sweep(out=folder)
    assert not Path("runs").exists()  # refused before the first run

    (folder / "report.md").write_text(committed)
    planned.jobs[0].fail("no reason")
    with pytest.raises(UsageError, match="1 of its 2"):
        sweep()  # one run failed
    assert (folder / "report.md").read_text() == committed

    (folder / "report.md").unlink()
    sweep()
    Path(SWEEP_FILE).write_text(SWEEP.replace("[32, 24]", "[40]"))
    assert sweep().report == folder / "report.md"
    written = (folder / "report.md").read_text()
    assert [one in written for one in ids] == [False, False]

    (folder / "report.md").write_text(f"{written}\nMy remark.\n")
    Path(SWEEP_FILE).write_text(SWEEP)
    with pytest.raises(UsageError, match="1 of its 1"):
        sweep(out=folder)
    beside = folder.with_name(f"{folder.name}-2") / "report.md"
    assert sweep().report == beside and beside.is_file()  # nobody named the folder
    assert sweep().report == beside
    assert (folder / "report.md").read_text() == f"{written}\nMy remark.\n"


@pytest.mark.parametrize("kept", ["tables/runs.csv", "report.html"])
def test_a_report_without_its_markdown_is_kept_too(here: Path, kept: str) -> None:
    assert main(["report", "--format", "html"]) == 0
    for name in {"report.md", "tables/runs.csv", "report.html"} - {kept}:
        (here / "reports/skab" / name).unlink()
    before = snapshot(here / "reports")
    store(here / "tiny", "cnn", "skab")
    assert main(["report", "--runs", "tiny"]) == 2
    assert snapshot(here / "reports") == before
    if kept == "tables/runs.csv":  # what a killed command leaves
        assert main(["report"]) == 0


def test_a_report_that_names_no_results_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("# Of somebody else\n", encoding="utf-8")
    with pytest.raises(UsageError, match="does not name") as refused:
        refuse_other_report(tmp_path, ["cnn/0a"])
    assert "0 of its 0" not in str(refused.value)


def test_a_report_of_the_same_and_further_runs_replaces(here: Path) -> None:
    assert main(["report"]) == 0
    store(here / "runs", "hybrid", "skab")
    assert main(["report"]) == 0
    assert "hybrid/" in (here / "reports/skab/tables/runs.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.parent.name for path in COMMITTED.glob("*/report.md")))
def test_no_committed_report_is_replaced_by_a_few_runs(name: str) -> None:
    for made_of in ([], ["cnn/0123456789"], ["trial 0", "trial 1"], ["skab"]):
        with pytest.raises(UsageError, match=name):
            refuse_other_report(COMMITTED / name, made_of, sweep=True)


def test_each_kind_of_report_is_replaced_by_what_it_is_made_of() -> None:
    sweep = COMMITTED / "tune_hybrid-smart_city-quick"
    refuse_other_report(sweep, [f"trial {number}" for number in range(30)], sweep=True)
    refuse_other_report(COMMITTED / "comparison", ["skab", "smart_city", "mine"])
    with pytest.raises(UsageError, match="1 of its 30"):
        refuse_other_report(sweep, [f"trial {number}" for number in range(29)], sweep=True)


def test_a_search_replaces_no_other_search_with_trials_of_the_same_numbers() -> None:
    sweep = COMMITTED / "tune_hybrid-smart_city-quick"
    title = sweep.joinpath("report.md").read_text(encoding="utf-8").partition("\n")[0]
    trials = [f"trial {number}" for number in range(40)]
    refuse_other_report(sweep, trials, sweep=True, search=title.removeprefix("# "))
    with pytest.raises(UsageError, match="30 of its 30"):
        refuse_other_report(sweep, trials, sweep=True, search="tune_latency on smart_city")


def test_a_sweeps_report_is_only_replaced_by_a_sweeps(tmp_path: Path) -> None:
    text = "# components on toy\n\n## Arms\n\n| `cnn/0a` | CNN |\n"
    (tmp_path / "report.md").write_text(text, encoding="utf-8")
    refuse_other_report(tmp_path, ["cnn/0a"], sweep=True)
    with pytest.raises(UsageError, match="sweep"):
        refuse_other_report(tmp_path, ["cnn/0a", "cnn/0b"])
