"""The means of a report's main tables, recomputed from `scores.parquet` by NumPy alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from anomalynet.reporting.ablation.arms import Ablation
from anomalynet.reporting.ablation.document import write_ablation
from anomalynet.reporting.comparison import write_comparison
from anomalynet.reporting.render import write_report
from anomalynet.runs import scores
from anomalynet.runs.collect import RunRecord
from tests.reporting.ablations import arm
from tests.reporting.synthetic import record, rows

pytestmark = pytest.mark.usefixtures("no_figures")

Floats = NDArray[np.float64]
MODELS = ("hybrid", "cnn", "logistic")
FOLDS = 3


def made(runs: Path, model: str, seed: int, fold: int, **known: Any) -> RunRecord:
    """Folds of different sizes, prevalences, scales of scores and thresholds; with ties, steps
    without a score, and steps without a label."""
    random = np.random.default_rng([MODELS.index(model), seed, fold])
    size = 60 + 80 * fold
    labels = random.random(size) < 0.1 + 0.2 * fold
    scale = 1.0 if known.get("probability", True) else 10.0**fold
    drawn = scale * np.round(random.random(size) * 0.7 + 0.3 * labels, 2)
    shown = [None if number % 19 == 3 else float(one) for number, one in enumerate(drawn)]
    stated = [None if number % 23 == 5 else int(one) for number, one in enumerate(labels)]
    known |= {"threshold": scale * (0.5 + 0.1 * fold), "seed": seed, "fold": fold, "folds": FOLDS}
    known["epochs"] = None if model == "logistic" else 3
    series = [f"s{fold}{number % 4}" for number in range(size)]
    return record(runs, model, labels=stated, scores=shown, series=series, **known)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    runs = tmp_path_factory.mktemp("runs")
    places = [(model, seed, fold) for model in MODELS for seed in range(3) for fold in range(FOLDS)]
    return [made(runs, *place, probability=place[0] != "cnn") for place in places]


def ranking(attack: Floats, score: Floats) -> tuple[float, float]:
    """AUROC, ties half; average precision, a mean over attacks of precision at their score."""
    above = score[:, None] < score[attack == 1]
    tied = score[:, None] == score[attack == 1]
    pairs = (above + 0.5 * tied)[attack == 0].mean()
    ahead = score[:, None] >= score[attack == 1]
    return float(pairs), float((ahead[attack == 1].sum(0) / ahead.sum(0)).mean())


def recomputed(records: Iterable[RunRecord]) -> dict[str, tuple[float, float]]:
    """Metric → mean and standard deviation over the seeds of one model, in percent or counts."""
    by_seed, values = defaultdict[int, list[Floats]](list), defaultdict[str, list[float]](list)
    for run in records:
        table = pl.read_parquet(run.folder / "scores.parquet").drop_nulls(["label", "score"])
        by_seed[run.result.seed].append(table["label", "score", "threshold"].to_numpy().T)
    for folds in by_seed.values():
        attack, score, threshold = np.concatenate(folds, axis=1)
        tp, fp, fn, tn = (
            float(np.sum((attack == label) & ((score >= threshold) == alarm)))
            for label, alarm in ((1, True), (0, True), (1, False), (0, False))
        )
        normal, found = tn / (tn + fp), tp / (tp + fn)
        one = {"true_negatives": tn, "false_positives": fp, "false_negatives": fn}
        one |= {"true_positives": tp}
        margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        pr, pa = tn / (tn + fn), tp / (tp + fp)
        shares = {
            "precision_normal": pr,
            "precision_attack": pa,
            "recall_normal": normal,
            "recall_attack": found,
            "f1_normal": 2 * pr * normal / (pr + normal),
            "f1_attack": 2 * pa * found / (pa + found),
            "accuracy": (tn + tp) / len(attack),
            "balanced_accuracy": (normal + found) / 2,
            "eq13_accuracy_normal": pr / (pr + 1 - pa),
            "eq13_accuracy_attack": pa / (pa + 1 - pr),
            "precision_at_paper_prevalence": 0.7137
            * found
            / (0.7137 * found + 0.2863 * (1 - normal)),
            "accuracy_at_half": np.mean((score >= 0.5) == attack),
        }
        by_fold = np.mean([ranking(*fold[:2]) for fold in folds], axis=0)
        names = "auroc_fold_mean", "average_precision_fold_mean", "auroc_pooled"
        order = (*by_fold, *ranking(attack, score))
        shares |= zip((*names, "average_precision_pooled"), order, strict=True)
        one |= {name: 100 * float(share) for name, share in shares.items()}
        for name, value in {**one, "mcc": (tp * tn - fp * fn) / margins**0.5}.items():
            values[name].append(value)
    return {name: (float(np.mean(own)), float(np.std(own, ddof=1))) for name, own in values.items()}


@pytest.fixture(scope="module")
def expected(records: list[RunRecord]) -> Mapping[str, Mapping[str, tuple[float, float]]]:
    own = {name: [one for one in records if one.result.experiment == name] for name in MODELS}
    return {name: recomputed(mine) for name, mine in own.items()}


OF_RUNS = {"false_alarms_per_device_day_fold_mean"}  # from `result.json`
TABLES = ("table_2_precision", "table_3_recall", "table_4_f1", "table_5_accuracy", "confusion")
Expected = Mapping[str, Mapping[str, tuple[float, float]]]


def test_every_mean_and_spread_of_the_main_tables(
    records: list[RunRecord], expected: Expected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    read = scores.read

    def counted(path: Path, query: scores.Query = lambda frame: frame) -> pl.DataFrame:
        reads.append(path)
        return read(path, query)

    monkeypatch.setattr(scores, "read", counted)
    folder = write_report(records, tmp_path).parent / "tables"
    assert sorted(reads) == sorted(one.folder / "scores.parquet" for one in records), "each once"
    checked = 0
    for name in (*TABLES, "classical_and_unsupervised", "ranking_and_incidents"):
        for row in rows(folder / f"{name}.csv"):
            if row["model"] not in MODELS or row["metric"] in OF_RUNS:
                continue
            if (row["model"], row["metric"]) == ("cnn", "accuracy_at_half"):
                assert row["mean"] == "", "its scores are no probabilities"
                continue
            found = float(row["mean"]), float(row["spread"])
            assert found == pytest.approx(expected[row["model"]][row["metric"]], abs=6e-5), row
            checked += 1
    assert checked == 2 * 16 + 8 + 3 * 7 - 1
    for row in rows(folder / "claims.csv"):
        if row["claimed"] and row["metric"] in expected["hybrid"]:
            mean = expected["hybrid"][row["metric"]][0]
            assert float(row["value"]) == pytest.approx(mean, abs=1e-3)
            assert float(row["effect"]) == pytest.approx(mean - float(row["claimed"]), abs=1e-3)
    board = [row for row in rows(folder / "leaderboard.csv") if row["model"] in MODELS]
    means = {(row["model"], row["metric"]): float(row["mean"] or "nan") for row in board}
    for (model, metric), mean in means.items():
        if metric in expected[model]:
            assert mean == pytest.approx(expected[model][metric][0], abs=6e-5)
    for row in rows(folder / "differences.csv"):
        gap = expected[row["best"]]["f1_attack"][0] - expected[row["model"]]["f1_attack"][0]
        assert float(row["difference"]) == pytest.approx(gap, abs=1e-3)


def test_an_ablation_and_a_comparison_have_the_same_numbers_under_the_same_names(
    records: list[RunRecord], expected: Expected, tmp_path: Path
) -> None:
    own = {name: [one for one in records if one.result.experiment == name] for name in MODELS}
    arms = tuple(
        arm(name, {"experiment": name}, mine, reference=name == "hybrid")
        for name, mine in own.items()
    )
    axes: dict[str, list[object]] = {"experiment": list(MODELS)}
    asked = Ablation("models", "", "one_at_a_time", axes, "test/average_precision", arms)
    folder = write_ablation(asked, tmp_path / "ablation", "T").parent
    table = rows(folder / "tables/arms.csv")
    assert len(table) == 3 * 4
    for row in table:
        found = float(row["mean"]), float(row["spread"])
        assert found == pytest.approx(expected[row["arm"]][row["metric"]], abs=6e-5), row
        if row["arm"] != "hybrid":  # all repetitions are shared
            means = [expected[name][row["metric"]][0] for name in (row["arm"], "hybrid")]
            assert float(row["difference"]) == pytest.approx(means[0] - means[1], abs=1e-4)
    again = [made(tmp_path, *place, data="other") for place in places(records)]
    folder = write_comparison({"toy": records, "other": again}, tmp_path / "comparison").parent
    blocks = [row for row in rows(folder / "tables/ranks.csv") if row["block"] == "toy"]
    for row in blocks:
        mean, _ = expected[row["model"]][row["metric"]]
        assert float(row["value"]) == pytest.approx(mean, abs=6e-5)
    assert len(blocks) == 3 * 4


def places(records: Iterable[RunRecord]) -> list[tuple[str, int, int]]:
    results = [one.result for one in records]
    return [(result.experiment, result.seed, result.fold) for result in results]
