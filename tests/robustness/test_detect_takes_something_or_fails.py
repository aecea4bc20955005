"""`detect` never ends as if all were well when no reading of its input could be taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from tests.detection import graphs
from tests.detection.conftest import echo

GOOD = '{"device": "d", "time": 60, "values": [1]}\n'
REFUSED = {
    "another model's columns": "device,time,b\nd,60,1\n",
    "unknown device": "device,time,a\nx,60,1\n",
    "lines.jsonl": "what\n{}\n" + GOOD.replace("60", '"soon"'),
    "empty.jsonl": "",
    "blank.jsonl": "\n\n",
    "only announced.jsonl": '{"gateway": "g", "time": 60, "readings": []}\n',
}


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "model.onnx").write_bytes(graphs.content(echo()))
    (tmp_path / "devices").write_text("d\n")
    devices = ["--devices", str(tmp_path / "devices")]
    return ["detect", "--model", str(tmp_path / "model.onnx"), *devices]


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_file_of_which_nothing_is_taken_is_an_error(
    tmp_path: Path,
    command: list[str],
    name: str,
    json: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / (name if name.endswith("jsonl") else f"{name}.csv")
    file.write_text(REFUSED[name])
    assert main([*command, str(file), *json]) == 2
    error = capsys.readouterr().err
    assert file.name in error and "unexpected" not in error
    file.write_text(GOOD if name.endswith("jsonl") else "device,time,a\nd,60,1\n")
    assert main([*command, str(file), *json]) == 0


@pytest.mark.parametrize("lines", ["what\n", GOOD.replace('"d"', '"x"'), GOOD.replace("[1]", "[]")])
def test_a_pipe_of_which_nothing_is_taken_is_an_error(
    command: list[str], lines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.dup(0)
    try:
        for text, code in ((lines, 2), (lines + GOOD, 0), ("", 0), ("\n\n", 0)):
            reading, writing = os.pipe()
            os.write(writing, text.encode())
            os.close(writing)
            os.dup2(reading, 0)
            os.close(reading)
            assert main([*command, "--follow", "-"]) == code
            assert ("no reading was taken" in capsys.readouterr().err) == (code == 2)
    finally:
        os.dup2(before, 0)
        os.close(before)
