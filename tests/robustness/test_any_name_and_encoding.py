"""Names that are too long or not UTF-8, and terminals that know only ASCII, give one message or
escaped text, in every verb: never a traceback, never half a result."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from tests.cli.test_report import store
from tests.detection.conftest import echo
from tests.detection.graphs import content
from tests.reporting.synthetic import snapshot

LONG, STRANGE = "n" * 300, os.fsdecode(b"caf\xe9")  # a name in Latin-1

NAMED = (
    "train {0}.yaml",
    "train cnn --runs {0}",
    "train cnn data.name=skab data.root={0}",
    "train ./{0}.py",
    "test 0123456789 --runs {0}",
    "sweep {0}.yaml",
    "reproduce --data {0}",
    "status --runs {0}",
    "report --runs {0}",
    "report --out {0}",
    "check --against {0}.json",
    "audit skab data.root={0}",
    "audit-table {0}.csv",
    "data import {0}.csv --name other",
    "data import there.csv --name {0}",
    "data info skab data.root={0}",
    "data fetch {0}",
    "data rows mine --out {0}",
    "simulate smart_city --out {0} duration=30min deployment.nodes=2",
    "simulate {0}.yaml --out world",
    "export 0123456789 --runs {0} --out model.onnx",
    "export {0} --out model.onnx",
    "detect {0}.csv --model model.onnx",
    "detect there.csv --model {0}.onnx",
    "ls runs --runs {0}",
    "show {0}.yaml",
    "show {0}",
    "sync --runs {0}",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    Path("there.csv").write_text("time,a\n2026-01-01,1\n2026-01-02,2\n2026-01-03,3\n")
    return tmp_path


@pytest.fixture
def full(folder: Path, no_figures: None) -> Path:
    """The folder with an imported data set, a finished run and a model too."""
    import_table(ImportRequest(file=Path("there.csv"), name="mine", time="time"))
    store(folder / "runs", "cnn", "skab")
    Path("model.onnx").write_bytes(content(echo()))
    return folder


@pytest.mark.parametrize("command", NAMED)
def test_a_name_that_is_too_long_is_one_message(
    command: str, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(full)
    assert main(command.format(LONG).split()) == 2
    shown = capsys.readouterr()
    assert shown.err.count(LONG[:100]) >= 1, shown  # one may be shortened
    assert "Traceback" not in shown.err and "unexpected" not in shown.err
    assert snapshot(full) == before


@pytest.mark.parametrize("words", [["show", STRANGE], ["report", f"--out=a/{STRANGE}"]])
def test_a_name_that_is_not_utf8_is_one_message(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(folder)
    assert main(words) == 2
    assert "caf\\udce9' is not UTF-8" in capsys.readouterr().err
    assert snapshot(folder) == before


class AsciiTerminal(io.TextIOWrapper):
    """A stream as under PYTHONIOENCODING=ascii."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii", write_through=True)

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("ascii")


SHOWN = {
    "--help": 0,
    "train --help": 0,
    "ls experiments": 0,
    "ls models": 0,
    "show hybrid": 0,
    "show --keys": 0,
    "doctor": 0,
    "simulate --list": 0,
    "show nothing-like-it": 2,
    "report --runs there.csv": 2,
}
"""Command → exit code."""


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", SHOWN)
def test_an_ascii_terminal_shows_everything(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = AsciiTerminal(), AsciiTerminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    try:
        code = main(command.split())
    except SystemExit as ended:
        code = 0 if ended.code is None else int(ended.code)
    assert code == SHOWN[command], err.text
    assert "unexpected" not in err.text
    assert out.text + err.text


@pytest.mark.parametrize("name", ["größe", STRANGE, "温度", "😀"])
def test_json_is_valid_in_any_encoding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from anomalynet.cli.output import guarded_streams, print_json

    out = AsciiTerminal()
    monkeypatch.setattr(sys, "stdout", out)
    with guarded_streams():
        print_json({"name": name})
    assert json.loads(out.text)["name"] == name


def test_files_whose_names_are_not_utf8_are_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        (folder / "in").mkdir()
        (folder / "in" / f"{STRANGE}.csv").write_text(Path("there.csv").read_text())
    except OSError:
        pytest.skip("this file system has no such names")
    code = main(["data", "import", "in", "--name", "mine"])
    shown = capsys.readouterr()
    assert (code, "unexpected" in shown.err) == (2, False), shown.err


def test_a_report_in_a_folder_that_is_not_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        (tmp_path / STRANGE).mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    monkeypatch.chdir(tmp_path / STRANGE)
    store(Path("runs"), "cnn", "skab")
    assert main(["ls", "runs"]) == 0
    assert "skab" in capsys.readouterr().out
    assert main(["show", "hybrid", "--json"]) == 0
    assert "unexpected" not in capsys.readouterr().err
