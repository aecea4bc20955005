"""A whole report from synthetic runs: schema, honesty, bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalynet.errors import NothingToCompareError, RunError
from anomalynet.reporting.leaderboard import Leaderboard, doubts, verdict
from anomalynet.reporting.paper import published
from anomalynet.reporting.render import write_report
from anomalynet.reporting.tables import COLUMNS, PAPER_TABLES, cost_rows
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import context, record, rows, snapshot, suite

pytestmark = pytest.mark.usefixtures("no_figures")

TITLES = {**published.TITLES, "autoencoder": "Autoencoder", "logistic": "Logistic"}
TITLES |= {"random_forest": "Random forest"}
MODELS = ("cnn", "lstm", "cnn_lstm", "hybrid", "autoencoder", "logistic", "random_forest")
LEAK = "random split: every number leaks"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    return suite(tmp_path_factory.mktemp("runs"), MODELS, seeds=2)


@pytest.fixture(scope="module")
def report(runs: list[RunRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anomalynet.reporting.figures.drawn", lambda *_: {})
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


def test_the_best_epoch_of_a_run_is_one_of_its_epochs(report: Path) -> None:
    known = [row for row in rows(report.parent / "tables" / "runs.csv") if row["best_epoch"]]
    assert known and all(1 <= int(row["best_epoch"]) <= int(row["epochs"]) for row in known)


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


def test_the_first_screen_says_what_won_by_how_much_how_sure_and_the_catch(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    first, conditions = text.split("\n## ")[:2]
    title, verdict, *rest = first.split("\n\n")
    table = next(part for part in rest if part.startswith("| Model"))
    assert title == "# Report on toy"
    board = rows(report.parent / "tables/leaderboard.csv")
    f1 = {row["model"]: float(row["mean"]) for row in board if row["metric"] == "f1_attack"}
    ranked = sorted((one for one in f1 if one in MODELS), key=lambda one: -f1[one])
    lines = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    assert lines[-3:] == ["| *Random*", "| *Always on*", "| *Majority*"]
    assert lines[0] == f"| **{TITLES[ranked[0]]}**"
    assert verdict.startswith(f"**{TITLES[ranked[0]]} wins** by F1, {f1[ranked[0]]:.2f} ")
    gap = rows(report.parent / "tables/differences.csv")[0]
    assert gap["model"] == ranked[1]
    lead = f"{float(gap['difference']):.2f} points ahead of {TITLES[ranked[1]]}"
    assert lead in verdict and "not certain" in verdict
    assert "independent parts of the data are too few" in verdict
    assert f1["majority"] == 0.0
    assert "**Leakage probes:** not run" in first
    assert len(first.splitlines()) <= 60
    # what holds for all stands once
    assert conditions.startswith("Conditions\n")
    for fact in ("Split: group; 2 folds; seeds", "repetitions: 0, 1. "):
        assert text.count(fact) == 1, fact


def test_a_report_is_short(report: Path) -> None:
    """Prose without cells of tables, and tables."""
    lines = report.read_text(encoding="utf-8").splitlines()
    prose = [line for line in lines if not line.startswith(("|", "!["))]
    assert sum(len(line.split()) for line in prose) <= 1200
    assert sum(line.startswith("| ---") for line in lines) <= 12
    captions = [line for line in lines if line.startswith("> **")]
    assert len(captions) == len(set(captions))


COMMITTED = sorted(Path(__file__).parents[2].glob("reports/*/tables/runs.csv"))


@pytest.mark.parametrize("folder", [None, *(path.parents[1] for path in COMMITTED)])
def test_every_number_of_a_report_is_in_one_of_its_tables(
    report: Path, folder: Path | None
) -> None:
    """Cells and the first screen, by their rounding; conditions and names have no table."""
    path = report if folder is None else folder / "report.md"
    text = path.read_text(encoding="utf-8")
    tables = [rows(path) for path in (path.parent / "tables").glob("*.csv")]
    texts = [cell or "" for table in tables for row in table for cell in row.values()]
    texts = [one.rpartition(", mean ")[2] for one in texts]  # of epochs: "12–48, mean 25.6"
    known = np.unique([abs(float(one)) for one in texts if re.fullmatch(r"-?[\d.]+(e-\d+)?", one)])
    first = text.partition("\n## ")[0].partition("\n**Data:**")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    lines += [line for line in first.splitlines() if not line.startswith(("- ⚠", "> "))]
    cells = [
        number
        for line in lines
        if not line.startswith("| ---")
        for number in re.findall(r"(?<![\w.,=])\d+\.\d+(?![\w.])", line.partition("audit")[0])
    ]
    assert len(cells) > (50 if folder is None else 40)  # a small sweep has fewer
    for cell in cells:
        # half a unit of its last digit, and of the CSV's fourth
        allowed = 0.5 * 10.0 ** -len(cell.partition(".")[2]) + 5.1e-5
        assert np.abs(known - float(cell)).min() <= allowed, cell


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


def test_a_lead_is_certain_only_over_enough_series(tmp_path: Path) -> None:
    """The forest is right everywhere, the hybrid misses one attack of each series but the first."""
    labels, names = [0, 1, 1] * 8, [f"s{at // 3}" for at in range(24)]
    right = [float(label) for label in labels]
    worse = [0.0 if at % 3 == 2 and at > 3 else one for at, one in enumerate(right)]
    for series, certain in ((names, True), (["a"] * 24, False)):
        made = [
            record(tmp_path / str(certain), name, folds=1, labels=labels, scores=own, series=series)
            for name, own in (("random_forest", right), ("hybrid", worse))
        ]
        board = Leaderboard.of(context(*made))
        (gap,) = board.gaps
        # precision 1, recall 9/16
        assert gap.mean == pytest.approx(1 - 2 * 9 / 25)
        assert (gap.sure, gap.clusters) == (certain, 8 if certain else 1)
        assert ("**This is certain**" in verdict(board)) is certain
        assert "Random forest wins** by F1, 100.00 %, 28.00 points ahead of Hybrid" in verdict(
            board
        )


def test_who_ranks_best_is_said_beside_who_wins_and_whose_threshold_keeps_a_budget(
    tmp_path: Path,
) -> None:
    """By F1 the CNN wins; the hybrid's scores are in perfect order, its threshold above them."""
    labels = [0, 0, 0, 1, 1, 0, 0, 1]
    known: dict[str, Any] = {"folds": 1, "labels": labels}
    blind: dict[str, Any] = {
        "scores": [0.1, 0.2, 0.1, 0.3, 0.4, 0.1, 0.2, 0.3],
        "threshold_rule": "alarm_budget",
    }
    made = [
        record(tmp_path, "cnn", scores=[0.1, 0.1, 0.8, 0.9, 0.9, 0.1, 0.1, 0.7], **known),
        record(tmp_path, "hybrid", **known, **blind),
    ]
    board = Leaderboard.of(context(*made))
    said = "Ranked without a threshold, the best is Hybrid by AP (100.00 %) and AUROC (100.00 %)"
    assert said in verdict(board)
    assert any("threshold of Hybrid keeps an alarm budget" in one for one in doubts(board))
    alone = Leaderboard.of(context(made[1]))
    assert not any("alarm budget" in one for one in doubts(alone))


def test_warnings_and_other_code_are_marked(runs: list[RunRecord], tmp_path: Path) -> None:
    known: dict[str, Any] = {"split": "random (LEAKS)", "warnings": (LEAK,), "code": "0ther"}
    leaking = [record(tmp_path / "runs", "mine", fold=fold, **known) for fold in range(2)]
    text = write_report([*runs, *leaking], tmp_path / "out").read_text(encoding="utf-8")
    assert text.index("⚠ Random split: every number leaks") < text.index("## Conditions")
    assert text.count(LEAK[1:]) == 1
    assert "Split: group [Mine: random (LEAKS)]" in text
    gaps = rows(tmp_path / "out" / "tables" / "differences.csv")
    assert "mine" not in {row["model"] for row in gaps}, "a run under another split is not compared"
    assert "| **Mine**‡ |" in text
    assert "‡ Mine: 2 of 2 runs were made by another version of the code" in text


def test_an_incomplete_arm_is_marked(runs: list[RunRecord], tmp_path: Path) -> None:
    places = [(run.result.experiment, run.result.seed, run.result.fold) for run in runs]
    lacking = [run for run, place in zip(runs, places, strict=True) if place != ("lstm", 1, 0)]
    text = write_report(lacking, tmp_path).read_text(encoding="utf-8")
    assert "| **LSTM**† |" in text
    assert text.count("† LSTM is incomplete: 3 of 4 runs (seed 1 lacks fold 0).") == 1
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
    text = path.read_text(encoding="utf-8")
    assert "there is nothing to compare it with" in text
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
    top = text[: text.index("## Conditions")]
    assert "- ⚠ The audit's own warning" in top
    assert "the row position alone, without any sensor, ranks with AUROC 100.00 %" in top
    assert re.search(r"at least as much as the best model\*\* \(9\d\.\d\d %, scores pooled\)", top)
    second = rows(tmp_path / "tables" / "audit.csv")[1]
    cells = [second[name] for name in ("probe", "auroc", "accuracy", "split")]
    assert cells == ["time step", "", "60.0000", "group"]
    assert "another version of the data" not in text
    other = write_report(runs, tmp_path, audit={**AUDIT, "fingerprint": "0"})
    assert "another version of the data" in other.read_text(encoding="utf-8")


def test_other_files_stay_and_a_failure_leaves_the_old_report(
    runs: list[RunRecord], tmp_path: Path
) -> None:
    write_report(runs, tmp_path)
    (tmp_path / "notes.md").write_text("mine", encoding="utf-8")
    before = snapshot(tmp_path)
    broken = record(tmp_path / "runs", "mine")
    (broken.folder / "scores.parquet").unlink()
    with pytest.raises(RunError):
        write_report([*runs, broken], tmp_path)
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before
    assert before["notes.md"] == b"mine"
    assert not any(name.endswith(".tmp") for name in after)
