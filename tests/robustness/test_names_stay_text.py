"""A name is text wherever it leaves: it cannot steer a terminal, be computed by a spreadsheet, be
HTML or a link in a report, or be a formula in a figure."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console
from rich.live import Live

from anomalynet import errors
from anomalynet.cli import output
from anomalynet.cli.main import main, parse
from anomalynet.cli.output import print_table, warn
from anomalynet.cli.progress import SimulationProgress, TrainingProgress
from anomalynet.detection.records import Steps
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.errors import DataError, UsageError, printable
from anomalynet.reporting.figures import draw_all, encode, style
from anomalynet.reporting.formats.files import harmless, translate
from anomalynet.reporting.render import write_report
from anomalynet.reporting.tables import paper_tables, to_csv
from anomalynet.sweep.progress import SweepProgress, audit_progress
from tests.reporting.formats.documents import COMMITTED
from tests.reporting.synthetic import context, record

STEERING = "\x1b[2J\x1b]0;mine\x07\r\x9b31m\u202e"
HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LINK = "[a](javascript:alert(1)) ![b](https://evil.example/x.png)"
FORMULA = '=HYPERLINK("http://evil.example";"x")'
MATH = r"$\frac$ 5$"


def test_the_terminal_is_not_steered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = STEERING.replace("\r", "")
    Path("t.csv").write_text(f"model,accuracy,{name}\n{name},94,1\n", encoding="utf-8")
    assert main(["audit-table", "t.csv"]) == 0
    assert main(["audit-table", f"{STEERING}.csv"]) == 2
    print_table([{"name": STEERING}], title=STEERING)
    warn([STEERING])
    shown = "".join(capsys.readouterr())
    assert not set(STEERING) - set("[2J]0;mine31") & set(shown)
    assert shown.count(r"\u001b[2J\u001b]0;mine\u0007") >= 6
    assert main(["audit-table", "t.csv", "--json"]) == 0
    text = capsys.readouterr().out
    assert not set("\x1b\x07\r\x9b\u202e") & set(text)
    assert json.loads(text)["rows"][0]["model"] == name


def test_no_error_or_print_of_a_command_steers_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(kind: str) -> list[str]:
        print(STEERING)
        print(STEERING, file=sys.stderr)
        raise PermissionError(errno.EACCES, "Permission denied", STEERING)

    monkeypatch.setattr("anomalynet.config.locate.files", refused)
    assert main(["ls", "experiments"]) == 2
    shown = capsys.readouterr()
    assert not set("\x1b\x07\r\x9b\u202e") & set(shown.out + shown.err)
    assert [stream.count(r"\u001b[2J") for stream in shown] == [1, 2]


def test_only_what_the_program_draws_may_steer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with output.guarded_streams():
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        audit_progress(STEERING)("fold 0")
        with Live(console=Console(file=errors.terminal(sys.stdout), force_terminal=True)):
            print(STEERING, file=sys.stderr)
    shown = capsys.readouterr()
    assert shown.err.startswith("\r\x1b[Kaudit \\u001b[2J")
    assert shown.err.count("\x1b") == 1
    assert "\x1b[?25l" in shown.out  # Rich hides the cursor
    assert "\x1b[2J" not in shown.out


def test_what_is_printed_as_next_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_next("anomalynet export é", f"anomalynet export {STEERING}")
    assert capsys.readouterr().err == "next: anomalynet export é\n"


MARKUP = f"a[/b] [link=http://evil.example]x[/link] [red]{STEERING}"


def test_no_name_is_markup_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    monkeypatch.setattr(sys, "stdout", shown)
    with TrainingProgress(MARKUP, 3) as training:
        training.epoch({"epoch": 1, "train/loss": 0.5}, 3)
    with SimulationProgress(MARKUP, 2, 3600.0) as simulation:
        simulation(3600.0)
    arm = SimpleNamespace(arm=SimpleNamespace(name=MARKUP), repetition=MARKUP)
    job: Any = SimpleNamespace(run=arm, state="failed", was_done=False)
    with SweepProgress([job]) as sweep:
        sweep()
    print_table([{MARKUP: MARKUP}], title=MARKUP)
    text = shown.getvalue()
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    assert "\x1b[2J" not in text and "\x1b]" not in text  # a link is such a sequence
    # It is 5 times on the screen; bars are drawn again, and the highlighter may colour words.
    assert re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text).count(printable(MARKUP).strip()) >= 5


@pytest.mark.parametrize("name", ["f\x1b[2Jq", "a\nb"])
@pytest.mark.parametrize("verb", ["show", "train", "sweep"])
def test_a_file_whose_name_cannot_be_printed_is_refused(
    verb: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.yaml").write_text("extends: cnn\n")
    with pytest.raises(UsageError, match="cannot be printed"):
        parsed = parse([verb, f"{name}.yaml"])
        parsed.run(parsed)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.yaml"]


@pytest.mark.parametrize("text", ["Größe\t∞ – ✓\n", "מבחן", "\u200d👩‍💻"])
def test_letters_of_every_language_stay_as_they_are(text: str) -> None:
    assert printable(text) == text
    assert str(DataError(text)) == text


@pytest.mark.parametrize("text", [FORMULA, "+1+1", "-1+cmd", "@SUM(1)", " =1+1", "\t=1"])
def test_a_cell_of_a_csv_is_never_a_formula(text: str) -> None:
    _, (cell,) = csv.reader(io.StringIO(to_csv(["name"], [[text]])))
    assert cell == f"'{text}"


@pytest.mark.parametrize("name", ["=1+1", "@SUM(1)", "-1+cmd", "-12", "node 7"])
def test_a_device_is_no_formula_in_a_csv_of_scores_and_itself_in_json(
    tmp_path: Path, name: str
) -> None:
    one, nan = np.zeros(1, np.int64), np.full((1, 1), np.nan)
    for suffix in (".csv", ".jsonl"):
        file = ScoresFile(tmp_path / f"scores{suffix}")
        file.put([name], Steps(one, one, one == 0, nan, np.ones(1)))
        file.close()
    (row,) = csv.DictReader((tmp_path / "scores.csv").read_text().splitlines())
    assert row["device"] == (name if name in ("-12", "node 7") else f"'{name}")
    assert row["score"] == "1.0"
    assert json.loads((tmp_path / "scores.jsonl").read_text())["device"] == name


def test_numbers_of_a_csv_stay_numbers() -> None:
    _, row = csv.reader(io.StringIO(to_csv("abcde", [[-1.5, -2, "-0.25", "+1e-3", "−"]])))
    assert row == ["-1.5000", "-2", "-0.25", "+1e-3", "−"]


def test_markdown_has_no_html_no_foreign_link_and_no_control_character() -> None:
    text = f"# {HTML}\n\n| {HTML} | `{HTML}` |\n| --- | --- |\n| `{LINK} | {HTML}` {STEERING} |\n"
    made = translate({"report.md": text.encode()}, [])["report.md"].decode()
    assert not re.search(r"<[A-Za-z/!?]|\]\([a-z]+:|\x1b|\x07|\r|\x9b|\u202e", made)
    tricks = ["\\<script>", "<!--", "<?x", "</b>", "[a](//evil.example)", "[a](&#106;avascript:x)"]
    assert not any(re.search(r"<[A-Za-z/!?]|\]\((//|&)", harmless(one)) for one in tricks)


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: str(folder.name))
def test_nothing_that_a_report_says_itself_is_changed(folder: Path) -> None:
    for path in folder.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert harmless(text) == text


@pytest.mark.usefixtures("no_figures")
def test_a_report_of_hostile_names_in_every_form(tmp_path: Path) -> None:
    name = f"{HTML}{LINK}{FORMULA}{MATH}{STEERING}"
    config = {"data": {"window": 32, "label": name}}
    own = [record(tmp_path / "runs", "cnn", seed=seed, folds=1, data=name) for seed in range(2)]
    own.append(record(tmp_path / "runs", "lstm", folds=1, data=name, config=config))
    own.append(record(tmp_path / "more", "lstm", folds=1, data=name, warnings=(name,)))
    path = write_report(own, tmp_path / "out", title=name, formats=["all"])
    for file in path.parent.glob("report.*"):
        assert not set("\x1b\x07\r\x9b\u202e") & set(file.read_text(encoding="utf-8"))
    text = (path.parent / "report.md").read_text(encoding="utf-8")
    assert not re.search(r"<[A-Za-z/!?]|\]\([a-z]+:", text)
    page = (path.parent / "report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert not re.search(r"<img src=x|href=\"javascript|src=\"https", page)


@pytest.mark.filterwarnings("ignore:Glyph")  # of the label of a tick
@pytest.mark.parametrize("name", [MATH, STEERING, "$x_1$ --> \x00 <b>", "\\$ { } ^ _ % #"])
def test_a_figure_shows_every_name_as_it_is(name: str) -> None:
    with style():
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4000], label=name)
        axes.set_xticks([1, 2], [name, "b"])
        axes.set_title(name)
        axes.set_yscale("log")
        figure.legend()
        files = dict(encode(figure))
    drawing = files["svg"].decode()
    ElementTree.fromstring(drawing)
    assert "<!-- 1000 -->" in drawing  # numbers of axes are no formulas
    assert printable(name).replace("-->", "").split()[0] in drawing.replace("-->", "")


def test_the_papers_figures_show_every_name_as_it_is(tmp_path: Path) -> None:
    made = record(tmp_path, "cnn", folds=1, data=f"{MATH}{STEERING}", split=MATH)
    own = context(made, record(tmp_path, f"x{MATH}\x1b", folds=1, data=made.result.data))
    for path, content in draw_all(paper_tables(own), own).items():
        assert not path.endswith(".svg") or ElementTree.fromstring(content) is not None
