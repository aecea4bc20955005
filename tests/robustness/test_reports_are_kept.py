"""`anomalynet report` never replaces a report of more or other runs, or a sweep's, unless told so
with `--replace`; the refusal names a free folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import UsageError
from anomalynet.reporting.formats.files import refuse_other_report
from tests.cli.test_report import store
from tests.reporting.synthetic import snapshot

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
    assert "reports/skab has another report, 'Report on skab': 1 of its 2 results" in shown
    assert "reports/skab-3 is free: `anomalynet report skab-3 --data NAME`" in shown
    assert main(["report", "skab-3", "--data", "skab", "--runs", "tiny"]) == 0
    assert (here / "reports/skab-3/report.md").is_file()
    assert main(["report", "--runs", "tiny", "--replace"]) == 0
    assert (here / "reports/lwsndr/report.md").is_file()


def test_a_report_of_the_same_and_further_runs_replaces(here: Path) -> None:
    assert main(["report"]) == 0
    store(here / "runs", "hybrid", "skab")
    assert main(["report"]) == 0
    assert "hybrid/" in (here / "reports/skab/report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.parent.name for path in COMMITTED.glob("*/report.md")))
def test_no_committed_report_is_replaced_by_a_few_runs(name: str) -> None:
    for made_of in ([], ["cnn/0123456789"], ["trial 0", "trial 1"], ["skab"]):
        with pytest.raises(UsageError, match=f"{name} has another report"):
            refuse_other_report(COMMITTED / name, made_of, sweep=True)


def test_each_kind_of_report_is_replaced_by_what_it_is_made_of() -> None:
    sweep = COMMITTED / "tune_hybrid-smart_city-quick"
    refuse_other_report(sweep, [f"trial {number}" for number in range(30)], sweep=True)
    refuse_other_report(COMMITTED / "comparison", ["skab", "smart_city", "mine"])
    with pytest.raises(UsageError, match="1 of its 30 results"):
        refuse_other_report(sweep, [f"trial {number}" for number in range(29)], sweep=True)


def test_a_sweeps_report_is_only_replaced_by_a_sweeps(tmp_path: Path) -> None:
    text = "# components on toy\n\n## Arms\n\n| `cnn/0a` | CNN |\n"
    (tmp_path / "report.md").write_text(text, encoding="utf-8")
    refuse_other_report(tmp_path, ["cnn/0a"], sweep=True)
    with pytest.raises(UsageError, match="it is a sweep's"):
        refuse_other_report(tmp_path, ["cnn/0a", "cnn/0b"])
