"""Collecting runs: what is unfinished is left out, what is damaged is said."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from anomalynet.errors import RunError, UsageError
from anomalynet.runs.code import code_hash
from anomalynet.runs.collect import compare_runs, list_runs, load_results, read_runs
from anomalynet.runs.folder import RunFolder
from tests.reporting.synthetic import record


def store(runs: Path, experiment: str, **known: Any) -> Path:
    made = record(runs, experiment, folds=1, **known)
    environment = json.dumps({"code": made.code})
    (made.folder / "environment.json").write_text(environment, encoding="utf-8")
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


def test_a_time_that_was_not_taken_is_left_out_and_no_metrics_are_said(tmp_path: Path) -> None:
    folder = store(tmp_path, "cnn")
    (folder / "timings.json").write_text(
        '{"train_seconds": 2.5, "microseconds_single": null, "score_seconds": "long"}'
    )
    assert load_results(tmp_path)[0].timings == {"train_seconds": 2.5}
    path = folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": "good"}))
    with pytest.raises(RunError, match=r"result\.json: not a result"):
        load_results(tmp_path)


def test_a_table_has_a_row_per_finished_run(tmp_path: Path) -> None:
    empty = list_runs(tmp_path)
    assert empty.rows() == []
    assert " ".join(empty.columns) == "id experiment data seed fold world status folder"
    metrics = {"test/f1_attack": 0.5, "test/auroc": None}
    hybrid = store(tmp_path, "hybrid", seed=3, world=2, code=code_hash(), metrics=metrics)
    RunFolder(hybrid).seal((hybrid / "result.json").read_bytes())
    cnn = store(tmp_path, "cnn", data="skab", metrics={"test/f1_attack": 1.0, "test/mcc": -0.25})
    (store(tmp_path, "lstm") / "result.json").unlink()
    table = list_runs(tmp_path)
    assert table.columns[8:] == ["test/f1_attack", "test/mcc", "test/auroc"]
    assert table.rows() == [
        ("cnn0000", "cnn", "skab", 0, 0, None, "stale", str(cnn), 1.0, -0.25, None),
        ("hybr030002", "hybrid", "toy", 3, 0, 2, "done", str(hybrid), 0.5, None, None),
    ]
    assert set(table.dtypes[8:]) == {pl.Float64}


def test_runs_are_meant_by_folder_table_record_or_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [store(tmp_path / "runs", name) for name in ("cnn", "lstm")]
    records = load_results(tmp_path / "runs")
    assert read_runs(tmp_path / "runs") == records
    assert read_runs(list_runs(tmp_path / "runs")) == records
    assert read_runs([records[1], folders[0], str(folders[1])]) == [records[n] for n in (1, 0, 1)]
    monkeypatch.chdir(tmp_path)
    assert [one.result.id for one in read_runs(["lstm"])] == ["lstm0000"]
    with pytest.raises(UsageError, match="run 'hybrid' in runs"):
        read_runs(["hybrid"])


def test_two_runs_side_by_side(tmp_path: Path) -> None:
    metrics = {"test/f1_attack": 0.5, "test/auroc": 0.75, "test/mcc": None}
    store(tmp_path, "cnn", metrics=metrics, config={"training": {"epochs": 3}})
    other = {"test/f1_attack": 0.25, "test/auroc": 0.75, "validation/loss": 0.125}
    store(tmp_path, "lstm", metrics=other, config={"training": {"epochs": 5, "patience": 2}})
    compared = compare_runs("cnn", "lstm", tmp_path)
    scores = pl.read_parquet(tmp_path / "cnn" / "cnn0000" / "scores.parquet")
    alarms = str(scores.filter(pl.col("score") >= pl.col("threshold"), split="test").height)
    assert compared.columns == ["kind", "name", "a", "b", "difference"]
    assert compared.rows() == [
        ("run", "experiment", "cnn", "lstm", None),
        ("setting", "model.name", "cnn", "lstm", None),
        ("setting", "training.epochs", "3", "5", None),
        ("setting", "training.patience", None, "2", None),
        ("metric", "test/f1_attack", "0.5", "0.25", -0.25),
        ("metric", "test/auroc", "0.75", "0.75", 0.0),
        ("metric", "test/mcc", None, None, None),
        ("metric", "validation/loss", None, "0.125", None),
        ("scores", "steps", "60", "60", 0.0),
        ("scores", "steps of both", "60", None, None),
        ("scores", "alarms in steps of both", alarms, alarms, 0.0),
        ("scores", "alarms of both", alarms, None, None),
        ("scores", "rank correlation", "1.0", None, None),
    ]
    one = load_results(tmp_path)[0]
    same = compare_runs(one, one)
    assert set(same["kind"]) == {"metric", "scores"}
