"""The same results give the same bytes, in every form and in every process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from anomalynet.reporting.figures import TITLES, encode, style
from anomalynet.reporting.formats.files import translate, wanted
from anomalynet.reporting.render import write_report
from anomalynet.runs.collect import load_results
from anomalynet.runs.folder import RunFolder
from tests.reporting.formats.documents import files_of
from tests.reporting.sections.test_explanations import write as write_explained
from tests.reporting.sections.test_model_tables import trace
from tests.reporting.synthetic import record, snapshot


class Noisy(ConstrainedLayoutEngine):
    """A layout whose places are off by a few of the last digits, as another process may find
    them."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise

    def execute(self, fig: Figure) -> None:
        super().execute(fig)
        for axes in fig.axes:
            edges = [edge * (1 + self.noise) for edge in axes.get_position(original=True).extents]
            axes._set_position(Bbox.from_extents(*edges))  # type: ignore[attr-defined]


def drawn(noise: float, *suffixes: str) -> dict[str, bytes]:
    with style():
        figure = Figure(layout=Noisy(noise))
        for axes, aspect in zip(figure.subplots(1, 2), ("auto", "equal"), strict=True):
            axes.imshow([[0.0, 1.0], [1.0, 0.5]], aspect=aspect)
            axes.plot([0, 1], [1, 0], label="a line")
        figure.legend(loc="outside right upper")
        figure.suptitle("Title", x=0.012, ha="left")
        figure.supxlabel("foot", x=0.012, ha="left")
        return dict(encode(figure, suffixes or ("svg", "png")))


def explained(runs: Path) -> None:
    """Runs of two models, with an architecture and explanations."""
    scores = {1: [0.1] * 4 + [0.9] * 3 + [0.2] * 3}
    for fold in range(2):
        write_explained(runs, "cnn", scores, fold=fold, explained=False)
        trace(write_explained(runs, "hybrid", scores, fold=fold))
    for made in (RunFolder(path) for path in runs.glob("*/*")):
        name = made.path.parent.name
        twin = record(runs.with_name("twins"), name, fold=int(made.path.name[-2:]))
        made.write_result(replace(twin.result, epochs=3))
        made.config.write_text(f"model: {{name: {name}}}\n", encoding="utf-8")


def write_forms(runs: Path | str, out: Path | str, reverse: bool = False) -> None:
    """A report in all forms; one picture alone as PDF, which takes long."""
    out = Path(out)
    with wanted(("html", "csv"), out):
        records = sorted(load_results(Path(runs)), key=lambda one: one.result.id, reverse=reverse)
        write_report(records, out)
    pdf = drawn(0.0, "pdf")["pdf"]
    files = translate({**files_of(out), "figures/one.pdf": pdf}, ["latex"])
    for name in ("report.tex", "figures/one.pdf"):
        (out / name).write_bytes(files[name])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bytes")
    explained(folder / "runs")
    write_forms(folder / "runs", folder / "out")
    return folder / "out"


@pytest.mark.slow
def test_the_same_runs_in_another_order_and_process_give_the_same_bytes(
    report: Path, tmp_path: Path
) -> None:
    """Sets have another order there."""
    module = "tests.reporting.test_figures"
    code = f"import sys, {module} as tests; tests.write_forms(*sys.argv[1:], reverse=True)"
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "7" else "7"
    command = [sys.executable, "-c", code, str(report.with_name("runs")), str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, check=True)
    assert snapshot(tmp_path) == snapshot(report)


def test_pictures_are_there_with_their_conditions_and_every_link_leads_to_a_file(
    report: Path,
) -> None:
    for name in (*TITLES, "figure_1_architecture", "example_best"):
        svg = report / "figures" / f"{name}.svg"
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        assert b"<dc:date>" not in svg.read_bytes()
        assert b"<dc:title>" in svg.read_bytes() and b"<dc:description>" in svg.read_bytes()
    assert {"report.md", "report.html", "report.tex", "figures/one.pdf"} <= snapshot(report).keys()
    links = re.findall(r"\]\(([^)]+)\)", (report / "report.md").read_text(encoding="utf-8"))
    assert len(links) > 10
    assert all((report / link).is_file() for link in links)


@pytest.mark.parametrize("noise", [1e-15, 1e-13])
def test_noise_in_the_last_digits_of_a_layout_does_not_change_the_bytes(noise: float) -> None:
    assert drawn(noise) == drawn(0.0)
    assert drawn(1e-3) != drawn(0.0), "one that differs visibly does"
