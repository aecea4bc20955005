"""The tour of the Python API runs as it stands, and its notebook shows the same cells."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from anomalynet.config import locate
from anomalynet.models import Detector
from tests.docs.notebook import code_cells, execute
from tests.regression.training import in_process

FILE = Path(__file__).parents[2] / "experiments" / "tour.py"
TEXT = FILE.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures")
def test_the_tour_runs_and_writes_only_into_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    folder, elsewhere = tmp_path / "tour", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("TOUR", str(folder))
    monkeypatch.setenv("ANOMALYNET_DATA", str(elsewhere))  # and back after the test
    module, outputs = execute(TEXT)
    found = vars(module)
    assert math.isfinite(found["tested"]["test/f1_attack"])
    assert math.isfinite(found["outcome"].result.metrics["test/f1_attack"])
    scores: pl.DataFrame = found["scores"]
    assert scores["score"].drop_nulls().is_finite().all()
    assert len(scores) == found["dm"].summary("test").steps
    whole = scores["score"].drop_nulls().to_numpy()  # one array instead of batches
    assert found["dm"].score_table(whole).equals(scores)
    assert issubclass(found["Perceptron"], Detector)
    assert found["epochs"].count == 2
    assert [job.was_done for job in found["swept"].jobs] == [True, False], "one run was there"
    assert found["report"].is_file() and found["report"].is_relative_to(folder)
    assert [one["output_type"] for shown in outputs for one in shown].count("display_data") == 1
    assert not list(elsewhere.iterdir())


def test_the_notebook_has_the_cells_of_the_file_and_their_outputs() -> None:
    notebook = json.loads(FILE.with_suffix(".ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert ["".join(cell["source"]) for cell in code] == code_cells(TEXT), "make tour"
    pictures = [one for cell in code for one in cell["outputs"] if "data" in one]
    assert [list(one["data"]) for one in pictures] == [["image/png"]]


def test_the_tour_is_no_experiment() -> None:
    assert "tour" not in locate.files("experiments")
