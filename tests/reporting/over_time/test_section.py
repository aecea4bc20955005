"""The section on detection over time: what is read, how folds and steps without score or label
combine, and what is written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.over_time.measured import (
    ALWAYS_ON,
    BUDGETS,
    MODEL,
    RANDOM,
    ArmTimeline,
    detection,
    read_steps,
    timeline_of,
)
from anomalynet.reporting.over_time.section import ALL, COLUMNS, beside, over_time_section
from anomalynet.reporting.section import Section
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record

HOUR = 3_600_000_000
LABELS = [0, 0, 1, 1, 1, 0, 0, 0]
INCIDENTS = [None, None, 1, 1, 1, None, None, None]
EARLY = [0.1, 0.7, 0.9, 0.8, 0.2, 0.1, 0.1, 0.1]
LATE = [0.1, 0.1, 0.2, 0.1, 0.9, 0.1, 0.6, 0.1]


def run(
    runs: Path,
    experiment: str = "cnn",
    *,
    labels: Sequence[int | None] = LABELS,
    scores: Sequence[float | None] = EARLY,
    incidents: Sequence[int | None] = INCIDENTS,
    hours: Sequence[int] = range(8),
    **more: int,
) -> RunRecord:
    """A run whose test part is a series of hourly steps, threshold 0.5."""
    made = record(runs, experiment, labels=labels, scores=scores, incidents=incidents, **more)  # type: ignore[arg-type]
    path = made.folder / "scores.parquet"
    times = pl.Series([hour * HOUR for hour in hours], dtype=pl.Int64).cast(pl.Datetime("us"))
    pl.read_parquet(path).with_columns(times.alias("time")).write_parquet(path)
    return made


def models(records: Sequence[RunRecord]) -> list[ArmMetrics]:
    return [one for one in aggregate(arms(records)) if one.values]


def only(records: Sequence[RunRecord]) -> ArmTimeline:
    (one,) = models(records)
    return timeline_of(one)


def test_a_run_by_hand(tmp_path: Path) -> None:
    """The alarm 1–3 meets two thirds of the attack 2–4, at once; a false one in 8 hours is 3 a
    day."""
    one = only([run(tmp_path, folds=1)])

    def value(metric: str) -> float:
        return one.summary(MODEL, metric).mean

    assert value("range_recall") == pytest.approx(2 / 3)
    assert value("range_precision") == pytest.approx(2 / 3)
    assert value("pa_f1") == pytest.approx(6 / 7)
    assert value("delay_p50") == 0.0
    assert value("undetected") == 0.0
    assert value("event_recall_at_1") == 1.0  # at 0.8, with no false alarm
    assert one.alarm_share == 3 / 8
    assert one.summary(RANDOM, "range_f1").n == 1
    assert next(iter(one.found[RANDOM].values())).alarm_share == 3 / 8
    assert one.summary(ALWAYS_ON, "pa_f1").mean == pytest.approx(6 / 11)
    assert one.summary(ALWAYS_ON, "event_recall_at_10").n == 0, (
        "two alarms in 8 hours, 6 a day, would find everything"
    )
    assert (
        one.reasons(ALWAYS_ON, "event_recall_at_10")
        == "one score for every step: a stretch is one alarm"
    )
    assert one.summary(ALWAYS_ON, "vus_roc").mean < value("vus_roc")


def test_alarms_of_folds_are_judged_together_and_scores_apart(tmp_path: Path) -> None:
    folds = [run(tmp_path, fold=0), run(tmp_path, fold=1, scores=LATE)]
    together, first, second = only(folds), *(only([fold]) for fold in folds)
    assert together.summary(MODEL, "range_recall").mean == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert together.summary(MODEL, "range_precision").mean == pytest.approx(
        (2 / 3 + 1 + 0) / 3
    )  # not the mean of 2/3 and 1/2
    assert (
        together.summary(MODEL, "delay_p50").mean == 3600.0
    )  # of 0 and 2 hours: the incident of two folds is two
    for metric in ("vus_pr", "vus_roc", "event_recall_at_1"):
        apart = (first.summary(MODEL, metric).mean + second.summary(MODEL, metric).mean) / 2
        assert together.summary(MODEL, metric).mean == pytest.approx(apart)


def test_repetitions_are_averaged(tmp_path: Path) -> None:
    one = only([run(tmp_path, seed=0, folds=1), run(tmp_path, seed=1, folds=1, scores=LATE)])
    recall = one.summary(MODEL, "range_recall")
    assert recall.n == 2
    assert recall.mean == pytest.approx(0.5)
    assert recall.spread == pytest.approx(math.sqrt(2 * (1 / 6) ** 2))


def test_an_attack_without_scores_is_undetected_and_takes_no_part_in_ranking(
    tmp_path: Path,
) -> None:
    unseen = [0.1, 0.1, None, None, None, 0.1, 0.1, 0.1]
    blind = only([run(tmp_path / "blind", folds=1, scores=unseen)])
    assert blind.summary(MODEL, "range_recall").mean == 0.0
    assert blind.summary(MODEL, "undetected").mean == 1.0
    assert blind.summary(MODEL, "vus_pr").n == 0
    assert blind.reasons(MODEL, "vus_pr") == "no step of attack"
    assert blind.reasons(MODEL, "range_precision") == "no alarm"
    half = only(
        [run(tmp_path / "half", folds=1, scores=[0.1, 0.1, 0.9, 0.9, None, 0.1, 0.1, math.nan])]
    )
    assert half.summary(MODEL, "range_recall").mean == pytest.approx(2 / 3)
    assert half.summary(MODEL, "vus_pr").mean == pytest.approx(1.0)


def test_a_step_without_label_or_a_gap_ends_a_range(tmp_path: Path) -> None:
    attack = [1] * 8
    runs = {
        "whole": run(tmp_path / "0", folds=1, labels=attack, scores=EARLY),
        "unlabelled": run(
            tmp_path / "1", folds=1, labels=[*attack[:4], None, *attack[5:]], scores=EARLY
        ),
        "gap": run(
            tmp_path / "2", folds=1, labels=attack, scores=EARLY, hours=[0, 1, 2, 3, 6, 7, 8, 9]
        ),
    }
    recall = {name: only([one]).summary(MODEL, "range_recall").mean for name, one in runs.items()}
    assert recall["whole"] == pytest.approx(3 / 8)
    assert recall["unlabelled"] == pytest.approx((3 / 4 + 0) / 2)
    assert recall["gap"] == pytest.approx((3 / 4 + 0) / 2)


def test_the_alarms_and_the_step_are_read_as_a_run_wrote_them(tmp_path: Path) -> None:
    steps = read_steps(
        run(tmp_path, folds=1, scores=[0.5, 0.49, None, math.nan, 0.9, 0.1, 0.1, 0.1])
    )
    assert steps.alarms.tolist() == [True, False, False, False, True, False, False, False]
    assert steps.step_seconds == 3600.0
    assert detection([steps]).curve[BUDGETS.index(200.0)] == 1.0


def test_scores_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    one = run(tmp_path, folds=1)
    (one.folder / "scores.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"scores\.parquet: cannot be read"):
        read_steps(one)


def test_the_random_detector_is_the_same_beside_every_model_that_alarms_as_often(
    tmp_path: Path,
) -> None:
    same = [0.1, 0.9, 0.7, 0.8, 0.2, 0.1, 0.1, 0.1]
    two = [
        timeline_of(one)
        for one in models([run(tmp_path, folds=1), run(tmp_path, "lstm", folds=1, scores=same)])
    ]
    drawn = (next(iter(one.found[RANDOM].values())).values for one in two)
    values = [{name: value.value for name, value in one.items()} for one in drawn]
    assert values[0] == pytest.approx(values[1], nan_ok=True)


def test_the_section(tmp_path: Path) -> None:
    quiet = [0.1] * 8
    records = [
        *(
            run(tmp_path, name, fold=fold, scores=LATE if fold else EARLY)
            for name in ("cnn", "logistic")
            for fold in range(2)
        ),
        *(run(tmp_path, "isolation_forest", fold=fold, scores=quiet) for fold in range(2)),
    ]
    section = over_time_section(aggregate(arms(records)), "toy")
    text = "\n\n".join(section.parts)
    assert text.startswith("## Detection over time\n\n")
    lines = [line for line in text.splitlines() if line.startswith("| **CNN**")]
    assert len(lines) == 2
    assert "| 50.00 |" in lines[0]  # range recall
    assert "- Isolation forest: Range precision, Affiliation precision undefined: no alarm." in text
    assert (
        "Delay, 50 % of the detected, Delay, 90 % of the detected undefined: no incident detected."
        in text
    )
    assert "| *Random, alarms as often as CNN* |" in text
    assert text.count("| *Always on* |") == 2
    assert "### Point-adjusted, for comparison with papers that use it" in text
    captions = [line for line in text.splitlines() if line.startswith("> **")]
    assert len(captions) == 3
    assert all(
        "Split: group; 2 folds" in caption and "Not run: LSTM" not in caption
        for caption in captions
    )
    table = list(csv.DictReader(io.StringIO(section.files["tables/over_time.csv"].decode())))
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 3 * 3 * len(ALL)
    of_cnn = {(row["detector"], row["metric"]): row for row in table if row["model"] == "cnn"}
    assert of_cnn[MODEL, "range_recall"]["mean"] == "50.0000"
    assert of_cnn[MODEL, "delay_p50"]["mean"] == "3600.0000"
    key = ("isolation_forest", MODEL, "range_precision")
    unalarmed = {(row["model"], row["detector"], row["metric"]): row for row in table}[key]
    assert (unalarmed["mean"], unalarmed["n"], unalarmed["undefined"]) == ("", "0", "no alarm")
    budgets = section.files["tables/over_time_budgets.csv"].decode()
    curve = list(csv.DictReader(io.StringIO(budgets)))[: len(BUDGETS)]
    assert [row["false_alarms_per_day"] for row in curve] == [f"{one:g}" for one in BUDGETS]
    assert ElementTree.fromstring(section.files["figures/over_time.svg"]).tag.endswith("svg")
    again = over_time_section(aggregate(arms(list(reversed(records)))), "toy")
    assert (list(again.parts), dict(again.files)) == (list(section.parts), dict(section.files))


def test_nothing_without_runs(tmp_path: Path) -> None:
    unrun = [one for one in aggregate(arms([run(tmp_path)])) if not one.values]
    assert over_time_section(unrun, "toy") == Section()


def test_the_twins_are_those_of_the_model_that_alarms_middlingly(tmp_path: Path) -> None:
    levels = {"cnn": [0.9] * 8, "lstm": EARLY, "hybrid": [0.1] * 8}
    made = [run(tmp_path, name, folds=1, scores=scores) for name, scores in levels.items()]
    found = [timeline_of(one) for one in models(made)]
    assert beside(found).model.arm.name == "lstm"
    assert beside([one for one in found if one.model.arm.name != "lstm"]).model.arm.name == "hybrid"
