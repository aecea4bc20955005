"""The overview of a folder of reports has each report's verdict and figure, and keeps the README
of somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.cli.sweep import print_report
from anomalynet.reporting.formats.overview import write_overview

REPORT = "# Report on {0}\n\n**{0} wins** by F1.\n\n- ⚠ a\n\n![Behind](figures/board.svg)\n"


def test_each_report_has_its_line_and_figure(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name / "figures").mkdir(parents=True)
        (tmp_path / name / "report.md").write_text(REPORT.format(name), encoding="utf-8")
        (tmp_path / name / "figures/board.svg").write_text("<svg/>")
    (tmp_path / "a/report.html").write_text("page")
    write_overview(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.index("[Report on a](a/report.md)") < text.index("[Report on b](b/report.md)")
    for part in ("**a wins** by F1.", "![Behind](b/figures/board.svg)"):
        assert part in text
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="a/report.html"' in page and 'href="b/report.md"' in page
    assert page.count("data:image/svg+xml") == 2
    (tmp_path / "b/report.md").unlink()
    write_overview(tmp_path)
    assert "Report on b" not in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_titles_are_those_of_the_reports_and_links_lead_into_them(tmp_path: Path) -> None:
    verdict = "**Trial 1.** [best.yaml](best.yaml), [a page](https://example.org)."
    for name, title in (("one", "Report"), ("other", "Report"), ("third", "Search")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.md").write_text(f"# {title}\n\n{verdict}\n")
    write_overview(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    titles = ["[Report](one/", "[Report](other/", "[Search](third/"]
    assert all(title in text for title in titles)
    assert text.count("(third/best.yaml)") == 1 and text.count("(https://example.org)") == 3


def test_a_readme_of_somebody_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    write_overview(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert not (tmp_path / "index.html").exists()


def test_a_command_ends_with_the_verdict_as_plain_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# Report\n\n- ⚠ a\n\n**Trial 1** wins, see [best.yaml](best.yaml) (+1).\n\n**Run:** b\n"
    (tmp_path / "report.md").write_text(text, encoding="utf-8")
    print_report(tmp_path / "report.html")
    said = capsys.readouterr()
    assert said.err == "Trial 1 wins, see best.yaml (+1).\n"
    assert said.out == f"{tmp_path / 'report.html'}\n"
