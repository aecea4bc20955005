"""What a model's file must be; a detector of it needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import helper

from anomalynet.detection.contract import KEY, sealed
from anomalynet.detection.model import Model
from anomalynet.errors import UsageError
from tests.detection.graphs import content, contract


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(content(contract()))
    return path


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(UsageError, match="No such file"):
        Model(path)
    path.write_bytes(b"no model")
    with pytest.raises(UsageError, match="ONNX Runtime cannot load it"):
        Model(path)
    foreign = onnx.load_from_string(content(contract()))
    del foreign.metadata_props[:]
    path.write_bytes(foreign.SerializeToString())
    with pytest.raises(UsageError, match="not a model that `anomalynet export` wrote"):
        Model(path)
    broken = foreign.SerializeToString() + b"\x72\x06\x0a\x01\xff\x12\x01a"  # a property "\xff"
    path.write_bytes(broken)
    with pytest.raises(UsageError, match="metadata is not UTF-8"):
        Model(path)
    helper.set_model_props(foreign, {KEY: contract(form="step").to_json()})
    path.write_bytes(sealed(foreign.SerializeToString()))
    with pytest.raises(UsageError, match="does not have the inputs and outputs"):
        Model(path)


def test_nothing_heavy_is_imported(file: Path) -> None:
    code = (
        "import sys, pathlib; from anomalynet.detection.engine.engine import Engine; "
        "from anomalynet.detection.model import Model; "
        "from anomalynet.detection.records import Message, Reading; "
        "from anomalynet.metrics.events import AlarmRule; "
        f"engine = Engine(Model(pathlib.Path({str(file)!r})), AlarmRule()); "
        "engine.process([Message('d', (Reading('d', 10**15, (1.0, 2.0)),))]); "
        "print([name for name in ('torch', 'lightning', 'polars', 'omegaconf', 'yaml', "
        "'sklearn', 'scipy', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
