"""Numbers that no detector or import can work with are refused, finite ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.cli.main import main

DETECT = ("threshold", "clear", "cool-down", "lateness", "snapshot-every", "patience")


@pytest.mark.parametrize("value", ["1e-300", "1e300"])
@pytest.mark.parametrize("option", [*DETECT, "drift-every"])
def test_detect(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if (option, value) == ("threshold", "1e-300"):
        return  # scores are from 0 on: every one is above it
    command = ["detect", "--follow", "-", "--model", str(tmp_path / "none.onnx")]
    try:
        code = main([*command, f"--{option}", value])
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    error = capsys.readouterr().err
    assert "none.onnx" not in error and (value in error or f"{float(value):g}" in error)


@pytest.mark.parametrize("value", ["1e-300", "1e300", "1e-7"])
def test_import(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("v\n1\n2\n")
    command = ["data", "import", str(tmp_path / "t.csv"), "--name", "mine", "--period", value]
    assert main(command) == 2
    assert "--period" in capsys.readouterr().err
