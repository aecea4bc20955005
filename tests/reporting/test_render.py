"""A whole report from synthetic runs: schema, honesty, bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from anomalynet.errors import NothingToCompareError, RunError
from anomalynet.reporting.findings import best_models
from anomalynet.reporting.paper import published
from anomalynet.reporting.render import write_report
from anomalynet.reporting.tables import COLUMNS, PAPER_TABLES, cost_rows
from anomalynet.runs.collect import RunRecord
from tests.conftest import DRAWING
from tests.reporting.synthetic import context, record, rows, snapshot, suite

pytestmark = pytest.mark.usefixtures("no_figures")

MODELS = ("cnn", "lstm", "cnn_lstm", "hybrid", "autoencoder", "logistic", "random_forest")
LEAK = "random split: every number leaks"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    return suite(tmp_path_factory.mktemp("runs"), MODELS, seeds=2)


@pytest.fixture(scope="module")
def report(runs: list[RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for name in DRAWING.split():
            patch.setattr(f"anomalynet.reporting.{name}", lambda *_: {})
        return write_report(runs, tmp_path_factory.mktemp("report") / "toy")


@pytest.mark.parametrize(
    "name", [*PAPER_TABLES, "classical_and_unsupervised", "ranking_and_incidents"]
)
def test_tables_are_tidy_and_hold_the_papers_cells(report: Path, name: str) -> None:
    table = rows(report.parent / "tables" / f"{name}.csv")
    assert tuple(table[0]) == COLUMNS
    head = "table,model,data,metric,printed,repaired,mean,spread,n,split,prevalence,seeds,folds"
    assert ",".join(COLUMNS[:13]) == head
    assert len({(row["model"], row["data"], row["metric"]) for row in table}) == len(table)
    for row in table:
        known = [row[key] for key in ("table", "data", "split", "seeds", "folds")]
        assert known == [name, "toy", "group", "0, 1", "2"]
        assert (row["status"], row["prevalence"]) == ("complete", "33.3333")
    if name in PAPER_TABLES:
        metrics, numbers = PAPER_TABLES[name][1], published.load()
        cells = [(row["model"], row["metric"]) for row in table]
        assert cells == [(model, metric) for model in published.TITLES for metric in metrics]
        for cell, row in zip(cells, table, strict=True):
            assert (float(row["printed"]) if row["printed"] else None) == numbers.printed(*cell)
            assert float(row["repaired"]) == pytest.approx(numbers.repaired(*cell), abs=5e-5)
            assert int(row["n"]) == 2
    elif name == "classical_and_unsupervised":
        assert {row["model"] for row in table} == {"autoencoder", "logistic", "random_forest"}
        assert not any(row["printed"] or row["repaired"] for row in table)


def test_training_parameters_and_cost_are_tables_of_their_own(report: Path) -> None:
    table = rows(report.parent / "tables" / "table_1_training.csv")
    used = {(row["model"], row["parameter"]): row for row in table}
    assert used["hybrid", "epochs"]["paper"] == "100"
    cells = [used["hybrid", name]["used"] for name in ("epochs", "epochs run", "dropout")]
    assert cells == ["10", "7", "0.2"]
    assert not any(model == "logistic" for model, _ in used)
    cost = {row["model"]: row for row in rows(report.parent / "tables" / "cost.csv")}["cnn"]
    names = ("train_seconds", "microseconds_per_window", "device_seconds")
    assert [float(cost[name]) for name in names] == [10.5, 50, 2 * (10 + 11)]
    # runs of earlier versions do not say how long one window takes
    others = ("parameters", "runs", "score_seconds", "microseconds_single")
    assert [cost[name] for name in others] == ["1000", "4", "", ""]
    line = "| CNN | 1000 | 10.50 ± 0.58 | – | 50.00 ± 0.00 | – | 42.00 | 4 |"
    assert line in report.read_text(encoding="utf-8")


def test_every_caption_names_split_folds_seeds_and_prevalence_and_the_best_model_comes_first(
    report: Path,
) -> None:
    lines = report.read_text(encoding="utf-8").splitlines()
    captions = [line for line in lines if line.startswith("> **")]
    assert len(captions) == 1 + 1 + 4 + 5 + 2 + 2 + 3
    for caption in captions:
        for fact in ("group; 2 folds; seeds", "repetitions: 0, 1. ", "33.33 % attack"):
            assert fact in caption
    first, second, third = (line for line in lines if line.startswith("- **"))
    for line in (first, second, third):
        assert "Random forest" in line and "Hybrid has" in line and "**is behind**" in line
    assert "over 2 shared repetitions" in first


def test_device_time_counts_every_device_and_latency_of_one_window_has_a_column(
    tmp_path: Path,
) -> None:
    made = []
    for fold, (devices, single) in enumerate([(2, 120.0), (1, 140.0)]):
        timings = {"train_seconds": 100.0, "score_seconds": 3.0, "microseconds_single": single}
        hardware = {"hardware": {"devices": devices}}
        made.append(record(tmp_path, "cnn", fold=fold, timings=timings, config=hardware))
    row = next(row for row in cost_rows(context(*made)) if row["model"] == "cnn")
    cells = ("device_seconds", "microseconds_single", "microseconds_single_spread")
    assert [row[name] for name in cells] == pytest.approx([306, 130, 14.1421], abs=1e-4)


def test_a_winning_hybrid_is_named_with_the_runner_up(tmp_path: Path) -> None:
    records = suite(tmp_path / "runs", ["random_forest", "hybrid"], seeds=2)
    sentence = best_models(context(*records))[0]
    assert "best of 2 models is Hybrid" in sentence
    assert "The next, Random forest, has" in sentence
    assert "is behind" not in sentence


def test_only_models_ahead_on_shared_repetitions_are_named(tmp_path: Path) -> None:
    """The random forest has the best mean over its own, easy seed; on the one that it shares with
    the hybrid it is behind."""
    labels = [0, 1] * 10
    right = [float(label) for label in labels]
    half = right[:10] + [0.0] * 10
    kinds = [("hybrid", 0, right), ("hybrid", 1, half), ("random_forest", 0, half)]
    kinds += [("random_forest", seed, right) for seed in (2, 3)]
    made = [
        record(tmp_path, name, seed=seed, folds=1, labels=labels, scores=scores)
        for name, seed, scores in kinds
    ]
    sentence = best_models(context(*made))[0]
    assert "best of 2 models is Random forest" in sentence
    assert "is behind" not in sentence
    # F1 of the half: precision 1, recall 1/2, so 2/3; the hybrid leads by 1 - 2/3 on seed 0
    assert "ahead of it: Hybrid by 33.33 points over 1 shared repetition." in sentence


def test_warnings_and_other_code_are_marked_where_they_touch(
    runs: list[RunRecord], tmp_path: Path
) -> None:
    known: dict[str, Any] = {"split": "random (LEAKS)", "warnings": (LEAK,), "code": "0ther"}
    leaking = [record(tmp_path / "runs", "mine", fold=fold, **known) for fold in range(2)]
    text = write_report([*runs, *leaking], tmp_path / "out").read_text(encoding="utf-8")
    assert text.index(f"**Warning.** {LEAK}") < text.index("## Which model is ahead")
    blocks = {
        block.split(".**")[0]: block
        for block in text.split("\n\n")
        if block.startswith("> **") and "Warning" not in block
    }
    untouched = [title for title, block in blocks.items() if f"⚠ {LEAK}" not in block]
    assert untouched == ["> **Classical and unsupervised models"]
    assert "Split: group [Mine: random (LEAKS)]" in blocks["> **Table 2. Precision, percent"]
    assert "best of 7 models" in text, "a run under another split is not compared"
    assert "| **Mine**‡ |" in text
    assert "‡ Mine: 2 of 2 runs were made by another version of the code" in text


def test_an_incomplete_arm_is_marked(runs: list[RunRecord], tmp_path: Path) -> None:
    places = [(run.result.experiment, run.result.seed, run.result.fold) for run in runs]
    lacking = [run for run, place in zip(runs, places, strict=True) if place != ("lstm", 1, 0)]
    text = write_report(lacking, tmp_path).read_text(encoding="utf-8")
    assert "| **LSTM**† |" in text
    assert text.count("† LSTM is incomplete: 3 of 4 runs (seed 1 lacks fold 0).") > 10
    table = rows(tmp_path / "tables" / "table_2_precision.csv")
    found = {(row["n"], row["seeds"], row["status"]) for row in table if row["model"] == "lstm"}
    assert found == {("1", "0", "incomplete: 3 of 4 runs (seed 1 lacks fold 0)")}


PROBES = [
    ("row position", "nothing", 1.0, 0.94, "leak"),
    ("time step", "nothing", None, 0.6, ""),
    ("all channels", "everything", 1.0, 0.99, ""),
]


def test_the_papers_rows_stand_even_where_nothing_was_run(tmp_path: Path) -> None:
    expected = [(name, 0, 0, None) for name in published.TITLES]
    path = write_report([record(tmp_path / "runs", "cnn", folds=1)], tmp_path / "out", expected)
    table = rows(tmp_path / "out" / "tables" / "table_4_f1.csv")
    hybrid = next(row for row in table if (row["model"], row["metric"]) == ("hybrid", "f1_attack"))
    assert (hybrid["printed"], hybrid["mean"], hybrid["n"]) == ("98.4000", "", "0")
    assert hybrid["status"] == "incomplete: 0 of 1 runs (seed 0 lacks fold 0)"
    assert "nothing to compare" in path.read_text(encoding="utf-8")
    with pytest.raises(NothingToCompareError) as caught:
        write_report([], tmp_path / "none")
    assert caught.value.exit_code == 4
    assert not (tmp_path / "none").exists()


AUDIT: dict[str, object] = {
    "data": "toy",
    "fingerprint": "f" * 64,
    "split": "group",
    "folds": 2,
    "assignment": 0,
    "window": 32,
    "refused": None,
    "days": [],
    "steps": 120,
    "prevalence": 1 / 3,
    "majority": 2 / 3,
    "rule": "above 0.6",
    "warnings": ["the audit's own warning"],
    "probes": [
        dict(zip(("probe", "sees", "auroc", "accuracy", "verdict"), values, strict=True))
        for values in PROBES
    ],
}


def test_probes_stand_in_the_report_and_warn_when_they_are_ahead(
    runs: list[RunRecord], tmp_path: Path
) -> None:
    text = write_report(runs, tmp_path, audit=AUDIT).read_text(encoding="utf-8")
    assert "| row position | no sensor | 100.00 | 94.00 | leak |" in text
    top = text[: text.index("## Which model is ahead")]
    assert "> **Warning.** the audit's own warning" in top
    assert "without any sensor, from row position (AUROC 100.00 %)" in top
    assert re.search(
        r"best model \(AUROC, scores pooled, 9\d\.\d\d %\): row position 100\.00 %", top
    )
    second = rows(tmp_path / "tables" / "audit.csv")[1]
    cells = [second[name] for name in ("probe", "auroc", "accuracy", "split")]
    assert cells == ["time step", "", "0.6000", "group"]
    assert "another version of the data" not in text
    other = write_report(runs, tmp_path, audit={**AUDIT, "fingerprint": "0"})
    assert "another version of the data" in other.read_text(encoding="utf-8")


def test_other_files_stay_and_a_failure_leaves_the_old_report(
    runs: list[RunRecord], tmp_path: Path
) -> None:
    (tmp_path / "notes.md").write_text("mine", encoding="utf-8")
    write_report(runs, tmp_path)
    before = snapshot(tmp_path)
    broken = record(tmp_path / "runs", "mine")
    (broken.folder / "scores.parquet").unlink()
    with pytest.raises(RunError):
        write_report([*runs, broken], tmp_path)
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before
    assert before["notes.md"] == b"mine"
    assert not any(name.endswith(".tmp") for name in after)
