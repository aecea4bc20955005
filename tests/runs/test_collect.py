"""Collecting runs: what is unfinished is left out, what is damaged is said."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from anomalynet.errors import RunError
from anomalynet.runs.collect import load_results
from tests.reporting.synthetic import record


def store(runs: Path, experiment: str) -> Path:
    made = record(runs, experiment, folds=1)
    (made.folder / "config.yaml").write_text(yaml.safe_dump(made.config), encoding="utf-8")
    (made.folder / "result.json").write_text(json.dumps(asdict(made.result)), encoding="utf-8")
    return made.folder


def test_unfinished_runs_are_left_out_and_damaged_ones_are_named(tmp_path: Path) -> None:
    whole, other, unfinished = (store(tmp_path, name) for name in ("cnn", "lstm", "hybrid"))
    (unfinished / "result.json").unlink()
    assert [one.folder for one in load_results(tmp_path)] == [whole, other]
    (other / "result.json").write_text("{")
    with pytest.raises(RunError, match=r"lstm.*result\.json: cannot be read") as caught:
        load_results(tmp_path)
    assert caught.value.next_step is not None


def test_a_time_that_was_not_taken_is_left_out_and_no_metrics_are_said(
    tmp_path: Path,
) -> None:
    folder = store(tmp_path, "cnn")
    (folder / "timings.json").write_text(
        '{"train_seconds": 2.5, "microseconds_single": null, "score_seconds": "long"}'
    )
    assert load_results(tmp_path)[0].timings == {"train_seconds": 2.5}
    path = folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": "good"}))
    with pytest.raises(RunError, match=r"result\.json: not a result"):
        load_results(tmp_path)
