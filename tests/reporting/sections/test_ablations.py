"""A report quotes the ablations on its data in their own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.ablation.arms import Ablation
from anomalynet.reporting.ablation.document import (
    ablation_reports,
    ablations_section,
    write_ablation,
)
from anomalynet.runs.files import write_json
from anomalynet.runs.sweeps import SweepRecord, SweepRun, write_sweep
from tests.reporting.ablations import factorial, one_at_a_time

pytestmark = pytest.mark.usefixtures("no_figures")


def start(
    runs: Path, label: str, ablation: Ablation, report: Path, trials: int | None = None
) -> None:
    """Keep the record of a sweep, and its runs' results."""
    own = []
    for number, record in enumerate((record for arm in ablation.arms for record in arm.records), 1):
        write_json(record.folder / "result.json", {"data": record.result.data})
        own.append(SweepRun(number, record.folder.parent.name, record.folder.name, "", "", 1))
    known = (label, ablation.name, "quick", (), 1, "2026-01-01T00:00:00+00:00", str(report))
    write_sweep(runs, SweepRecord(*known, tuple(own), trials))


def test_the_verdict_is_that_of_the_ablations_own_report(tmp_path: Path) -> None:
    ablation = one_at_a_time(tmp_path / "runs", {True: 0.0, False: -0.2})
    path = write_ablation(ablation, tmp_path / "reports/attention-toy", "attention on toy")
    start(tmp_path / "runs", "attention-toy", ablation, path.parent)
    found = ablation_reports(tmp_path / "runs", tmp_path / "reports/toy", "toy")
    text = "\n\n".join(ablations_section(found).parts)
    verdict = path.read_text(encoding="utf-8").split("\n\n")[1]
    assert f"- **attention-toy**: {verdict}" in text
    assert (
        "**Worse than the reference:** model.attention=false, −20.00 (−20.00 to −20.00" in verdict
    )
    (link,) = re.findall(r"\]\(([^)]+)\)", text)
    assert (tmp_path / "reports/toy" / link).resolve() == path.resolve()


def test_that_nothing_could_pass_is_quoted_and_not_tested(tmp_path: Path) -> None:
    axes: dict[str, list[object]] = {"model.cnn": [True, False], "model.depth": [1, 2]}
    cells = {(cnn, depth): 0.6 if cnn else 0.5 for cnn in (True, False) for depth in (1, 2)}
    ablation = factorial(tmp_path / "runs", axes, cells, series=2)  # type: ignore[arg-type]
    path = write_ablation(ablation, tmp_path / "elsewhere", "parts on toy")
    start(tmp_path / "runs", "parts-toy", ablation, path.parent)
    found = ablation_reports(tmp_path / "runs", tmp_path / "reports/toy", "toy")
    text = "\n\n".join(ablations_section(found).parts)
    assert "**No arm could be told from the reference by any result**: 2 series in 2 cl" in text
    assert "](" not in text, "a report that is elsewhere has no link"
    own = path.read_text(encoding="utf-8")
    assert "Main effects: **No main effect could be told" in own
    assert not re.search(r"\| (p|Holm|verdict) \|", own)


def test_other_data_searches_and_the_paper_itself_are_left_out(tmp_path: Path) -> None:
    ablation = one_at_a_time(tmp_path / "runs", {True: 0.0, False: 0.0})
    start(tmp_path / "runs", "attention-toy", ablation, tmp_path / "nowhere")
    start(tmp_path / "runs", "tune-toy", ablation, tmp_path / "nowhere", trials=3)
    found = ablation_reports(tmp_path / "runs", tmp_path / "reports/toy", "toy")
    assert [(one.label, one.folder, one.link) for one in found] == [("attention-toy", None, "")]
    assert "`anomalynet report attention` writes it" in "\n".join(ablations_section(found).parts)
    assert ablation_reports(tmp_path / "runs", tmp_path / "reports/toy", "skab") == ()
    assert ablations_section(()).parts == ()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    ablation = one_at_a_time(tmp_path / "runs", {True: 0.0, False: 0.0})
    path = write_ablation(ablation, tmp_path / "reports/attention-toy", "attention on toy")
    start(tmp_path / "runs", "attention-toy", ablation, path.parent)
    (path.parent / "findings.md").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match=r"findings\.md: cannot be read"):
        ablations_section(ablation_reports(tmp_path / "runs", tmp_path / "reports/toy", "toy"))
