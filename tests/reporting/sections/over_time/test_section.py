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
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.sections.over_time.measured import (
    ALWAYS_ON,
    BUDGETS,
    MODEL,
    RANDOM,
    ArmTimeline,
    detection,
    read_steps,
    timeline_of,
)
from anomalynet.reporting.sections.over_time.section import (
    ALL,
    COLUMNS,
    compared_model,
    over_time_section,
)
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import context, measured, record, rows

HOUR = 3_600_000_000
LABELS = [0, 0, 1, 1, 1, 0, 0, 0]
INCIDENTS = [None, None, 1, 1, 1, None, None, None]
EARLY = [0.1, 0.7, 0.9, 0.8, 0.2, 0.1, 0.1, 0.1]
LATE = [0.1, 0.1, 0.2, 0.1, 0.9, 0.1, 0.6, 0.1]


def run(
    runs: Path,
    experiment: str = "cnn",
    *,
    hours: Sequence[int] = range(8),
    **more: Any,
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


def only(*records: RunRecord) -> ArmTimeline:
    (one,) = models(*records)
    return timeline_of(one)


def mean(one: ArmTimeline, metric: str, detector: str = MODEL) -> float:
    return one.summary(detector, metric).mean


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
    assert one.alarm_share == 3 / 8
    assert one.summary(RANDOM, "range_f1").n == 1
    assert next(iter(one.found[RANDOM].values())).alarm_share == 3 / 8
    assert mean(one, "pa_f1", ALWAYS_ON) == pytest.approx(6 / 11)
    # two alarms in 8 hours, 6 a day, would find everything
    assert one.summary(ALWAYS_ON, "event_recall_at_10").n == 0
    assert "one score for every step" in one.reasons(ALWAYS_ON, "event_recall_at_10")
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
    recall = only(*seeds).summary(MODEL, "range_recall")
    assert (recall.n, recall.mean) == pytest.approx((2, 0.5)), "repetitions are averaged"
    assert recall.spread == pytest.approx(math.sqrt(2 * (1 / 6) ** 2))


def test_an_attack_without_scores_is_undetected_and_takes_no_part_in_ranking(
    tmp_path: Path,
) -> None:
    unseen = [0.1, 0.1, None, None, None, 0.1, 0.1, 0.1]
    blind = only(run(tmp_path / "blind", folds=1, scores=unseen))
    assert (mean(blind, "range_recall"), mean(blind, "undetected")) == (0.0, 1.0)
    assert blind.summary(MODEL, "vus_pr").n == 0
    assert blind.reasons(MODEL, "vus_pr") == "no step of attack"
    assert blind.reasons(MODEL, "range_precision") == "no alarm"
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
    drawn = (next(iter(timeline_of(one).found[RANDOM].values())).values for one in models(*runs))
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
    first, _ = (line for line in text.splitlines() if line.startswith("| **CNN**"))
    assert "| 50.00 |" in first  # range recall
    assert "- Isolation forest: Range precision, Affiliation precision undefined: no alarm." in text
    assert "90 % of the detected undefined: no incident detected." in text
    assert "| *Random, alarms as often as CNN* |" in text
    assert text.count("| *Always on* |") == 2
    assert "### Point-adjusted, for comparison with papers that use it" in text
    captions = [line for line in text.splitlines() if line.startswith("> **")]
    assert len(captions) == 3
    for caption in captions:
        assert "Split: group; 2 folds" in caption and "Not run: LSTM" not in caption
    table = rows(section.files["tables/over_time.csv"])
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 3 * 3 * len(ALL)
    found = {(row["model"], row["detector"], row["metric"]): row for row in table}
    assert found["cnn", MODEL, "range_recall"]["mean"] == "50.0000"
    assert found["cnn", MODEL, "delay_p50"]["mean"] == "3600.0000"
    unalarmed = found["isolation_forest", MODEL, "range_precision"]
    assert (unalarmed["mean"], unalarmed["n"], unalarmed["undefined"]) == ("", "0", "no alarm")
    curve = rows(section.files["tables/over_time_budgets.csv"])[: len(BUDGETS)]
    assert [row["false_alarms_per_device_day"] for row in curve] == [f"{one:g}" for one in BUDGETS]
    assert ElementTree.fromstring(section.files["figures/over_time.svg"]).tag.endswith("svg")
    again = over_time_section(context(*reversed(records)))
    assert (list(again.parts), dict(again.files)) == (list(section.parts), dict(section.files))
    unrun = [one for one in measured(records[0]) if not one.values]
    assert over_time_section(ReportContext.of(unrun)) == Section()


def test_the_twins_are_those_of_the_model_that_alarms_middlingly(tmp_path: Path) -> None:
    levels = {"cnn": [0.9] * 8, "lstm": EARLY, "hybrid": [0.1] * 8}
    made = [run(tmp_path, name, folds=1, scores=scores) for name, scores in levels.items()]
    found = [timeline_of(one) for one in models(*made)]
    assert compared_model(found).model.arm.name == "lstm"
    assert (
        compared_model([one for one in found if one.model.arm.name != "lstm"]).model.arm.name
        == "hybrid"
    )
