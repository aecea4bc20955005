"""The section on detection over time: what is read, how folds and steps without score or label
combine, and what is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.arms import RepetitionKey
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.sections.over_time import (
    ALL,
    ALWAYS_ON,
    BUDGETS,
    MAJORITY,
    MODEL,
    RANDOM,
    Detection,
    detection,
    judge,
    judge_trivial,
    over,
    over_time_section,
    read_steps,
    reasons,
)
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import context, measured, record, rows

HOUR = 3_600_000_000
LABELS = [0, 0, 1, 1, 1, 0, 0, 0]
INCIDENTS = [None, None, 1, 1, 1, None, None, None]
EARLY = [0.1, 0.7, 0.9, 0.8, 0.2, 0.1, 0.1, 0.1]
LATE = [0.1, 0.1, 0.2, 0.1, 0.9, 0.1, 0.6, 0.1]


def run(
    runs: Path, experiment: str = "cnn", *, hours: Sequence[int] = range(8), **more: Any
) -> RunRecord:
    """A run whose test part is a series of hourly steps, threshold 0.5."""
    usual = {"labels": LABELS, "scores": EARLY, "incidents": INCIDENTS}
    made = record(runs, experiment, **{**usual, **more})
    path = made.folder / "scores.parquet"
    times = pl.Series([hour * HOUR for hour in hours], dtype=pl.Int64).cast(pl.Datetime("us"))
    pl.read_parquet(path).with_columns(times.alias("time")).write_parquet(path)
    return made


def models(*records: RunRecord) -> list[ArmMetrics]:
    return [one for one in measured(*records) if one.values]


def found(one: ArmMetrics, detector: str = MODEL) -> dict[RepetitionKey, Detection]:
    """The results of a detector in each repetition."""
    if detector == MODEL:
        return dict(one.of(judge))
    return {key: own[detector].detection for key, own in one.of(judge_trivial).items()}


def only(*records: RunRecord) -> ArmMetrics:
    (one,) = models(*records)
    return one


def mean(one: ArmMetrics, metric: str, detector: str = MODEL) -> float:
    return over(found(one, detector), metric).mean


def test_a_run_by_hand(tmp_path: Path) -> None:
    """The alarm 1–3 meets two thirds of the attack 2–4, at once; a false one in 8 hours is 3 a
    day."""
    one = only(run(tmp_path, folds=1))
    assert mean(one, "range_recall") == pytest.approx(2 / 3)
    assert mean(one, "range_precision") == pytest.approx(2 / 3)
    assert mean(one, "pa_f1") == pytest.approx(6 / 7)
    # the last at 0.8, with no false alarm
    names = ("delay_p50", "undetected", "event_recall_at_1")
    assert [mean(one, name) for name in names] == [0.0, 0.0, 1.0]
    assert over(found(one, RANDOM), "range_f1").n == 1
    values = next(iter(one.of(judge_trivial).values()))[RANDOM].values
    # as many alarms as attack steps
    assert values["true_positives"] + values["false_positives"] == sum(LABELS)
    always = next(iter(one.of(judge_trivial).values()))[ALWAYS_ON].values
    assert (always["f1_attack"], always["accuracy"]) == pytest.approx((6 / 11, 3 / 8))
    majority = next(iter(one.of(judge_trivial).values()))[MAJORITY].values
    assert (majority["f1_attack"], majority["accuracy"]) == (0.0, 5 / 8)
    assert majority["false_alarms_per_device_day_fold_mean"] == 0.0
    assert mean(one, "pa_f1", ALWAYS_ON) == pytest.approx(6 / 11)
    # two alarms in 8 hours, 6 a day, would find everything
    assert over(found(one, ALWAYS_ON), "event_recall_at_10").n == 0
    assert "one score for every step" in reasons(found(one, ALWAYS_ON), "event_recall_at_10")
    assert mean(one, "vus_roc", ALWAYS_ON) < mean(one, "vus_roc")


def test_alarms_of_folds_are_judged_together_and_scores_apart(tmp_path: Path) -> None:
    folds = [run(tmp_path, fold=0), run(tmp_path, fold=1, scores=LATE)]
    together, first, second = only(*folds), *(only(fold) for fold in folds)
    assert mean(together, "range_recall") == pytest.approx((2 / 3 + 1 / 3) / 2)
    # not the mean of 2/3 and 1/2
    assert mean(together, "range_precision") == pytest.approx((2 / 3 + 1 + 0) / 3)
    # of 0 and 2 hours: the incident of two folds is two
    assert mean(together, "delay_p50") == 3600.0
    for metric in ("vus_pr", "vus_roc", "event_recall_at_1"):
        apart = (mean(first, metric) + mean(second, metric)) / 2
        assert mean(together, metric) == pytest.approx(apart)
    seeds = [run(tmp_path / "2", folds=1, seed=seed, scores=[EARLY, LATE][seed]) for seed in (0, 1)]
    recall = over(found(only(*seeds)), "range_recall")
    assert (recall.n, recall.mean) == pytest.approx((2, 0.5)), "repetitions are averaged"
    assert recall.spread == pytest.approx(math.sqrt(2 * (1 / 6) ** 2))


def test_an_attack_without_scores_is_undetected_and_takes_no_part_in_ranking(
    tmp_path: Path,
) -> None:
    unseen = [0.1, 0.1, None, None, None, 0.1, 0.1, 0.1]
    blind = only(run(tmp_path / "blind", folds=1, scores=unseen))
    assert (mean(blind, "range_recall"), mean(blind, "undetected")) == (0.0, 1.0)
    assert over(found(blind), "vus_pr").n == 0
    assert reasons(found(blind), "vus_pr") == "no step of attack"
    assert reasons(found(blind), "range_precision") == "no alarm"
    partly = [0.1, 0.1, 0.9, 0.9, None, 0.1, 0.1, math.nan]
    half = only(run(tmp_path / "half", folds=1, scores=partly))
    assert mean(half, "range_recall") == pytest.approx(2 / 3)
    assert mean(half, "vus_pr") == pytest.approx(1.0)


def test_a_step_without_label_or_a_gap_ends_a_range(tmp_path: Path) -> None:
    changes: list[tuple[dict[str, Any], float]] = [
        ({}, 3 / 8),
        ({"labels": [1] * 4 + [None] + [1] * 3}, (3 / 4 + 0) / 2),
        ({"hours": [0, 1, 2, 3, 6, 7, 8, 9]}, (3 / 4 + 0) / 2),
    ]
    for place, (change, recall) in enumerate(changes):
        one = run(tmp_path / f"{place}", folds=1, **{"labels": [1] * 8, **change})
        assert mean(only(one), "range_recall") == pytest.approx(recall)


def test_the_alarms_and_the_step_are_read_as_a_run_wrote_them(tmp_path: Path) -> None:
    one = run(tmp_path, folds=1, scores=[0.5, 0.49, None, math.nan, 0.9, 0.1, 0.1, 0.1])
    steps = read_steps(one)
    assert steps.alarms.nonzero()[0].tolist() == [0, 4]
    assert steps.step_seconds == 3600.0
    assert detection([steps]).curve[BUDGETS.index(200.0)] == 1.0
    (one.folder / "scores.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"scores\.parquet: cannot be read"):
        read_steps(one)


def test_the_random_detector_is_the_same_beside_every_model_that_alarms_as_often(
    tmp_path: Path,
) -> None:
    same = [0.1, 0.9, 0.7, 0.8, 0.2, 0.1, 0.1, 0.1]
    runs = run(tmp_path, folds=1), run(tmp_path, "lstm", folds=1, scores=same)
    drawn = (next(iter(found(one, RANDOM).values())).values for one in models(*runs))
    first, second = ({name: value.value for name, value in one.items()} for one in drawn)
    assert first == pytest.approx(second, nan_ok=True)


def test_the_section(tmp_path: Path) -> None:
    scores = {"cnn": (EARLY, LATE), "logistic": (EARLY, LATE), "isolation_forest": ([0.1] * 8,) * 2}
    records = [
        run(tmp_path, name, fold=fold, scores=own[fold])
        for name, own in scores.items()
        for fold in range(2)
    ]
    section = over_time_section(context(*records))
    text = "\n\n".join(section.parts)
    assert text.startswith("## Detection over time\n\n")
    (first,) = (line for line in text.splitlines() if line.startswith("| **CNN**"))
    assert "Isolation forest: Affiliation precision" in text and "undefined: no alarm." in text
    assert text.count("| *Random* |") == text.count("| *Always on* |") == 1
    table = rows(section.files["tables/over_time.csv"])
    assert len(table) == (3 + 2) * len(ALL)
    assert f"{mean(models(*records)[0], 'pa_f1') * 100:.2f} |" in first
    cells = {(row["model"], row["detector"], row["metric"]): row for row in table}
    assert cells["cnn", MODEL, "range_recall"]["mean"] == "50.0000"
    assert cells["cnn", MODEL, "delay_p50"]["mean"] == "3600.0000"
    unalarmed = cells["isolation_forest", MODEL, "range_precision"]
    assert (unalarmed["mean"], unalarmed["n"], unalarmed["undefined"]) == ("", "0", "no alarm")
    curve = rows(section.files["tables/over_time_budgets.csv"])[: len(BUDGETS)]
    assert [row["false_alarms_per_device_day"] for row in curve] == [f"{one:g}" for one in BUDGETS]
    assert ElementTree.fromstring(section.files["figures/over_time.svg"]).tag.endswith("svg")
    again = over_time_section(context(*reversed(records)))
    assert (list(again.parts), dict(again.files)) == (list(section.parts), dict(section.files))
    unrun = [one for one in measured(records[0]) if not one.values]
    assert over_time_section(ReportContext.of(unrun)) == Section()
