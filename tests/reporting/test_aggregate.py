"""Arms, repetitions and their means, by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from anomalynet.errors import RunError, UsageError
from anomalynet.reporting.aggregate import ArmMetrics, Scored, aggregate, difference, summarise
from anomalynet.reporting.arms import Arm, ExpectedRuns, arms, odd_code
from anomalynet.reporting.captions import ReportContext
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import read_test_steps
from tests.reporting.synthetic import record, suite, write_scores


def counted(*records: RunRecord, expected: ExpectedRuns | None = None) -> tuple[Arm, ...]:
    """Those arms that have runs, or should have."""
    return tuple(arm for arm in arms(records, expected) if arm.repetitions)


def metrics_of(*records: RunRecord) -> ArmMetrics:
    (only,) = aggregate(counted(*records))
    return only


def test_folds_are_pooled_each_with_its_own_threshold(tmp_path: Path) -> None:
    folds = [([0, 0, 1, 1], [0.1, 0.3, 0.2, 0.9], 0.25), ([0, 1], [10.0, 30.0], 20.0)]
    made = []
    for fold, (labels, scores, threshold) in enumerate(folds):
        own: dict[str, Any] = {"threshold": threshold, "probability": False}
        made.append(record(tmp_path, fold=fold, labels=labels, scores=scores, **own))
    values = metrics_of(*made).values[0, 0, None]
    # fold 0: one true negative, one false positive, one false negative, one true positive; fold 1
    # is right twice
    counts = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [values[name] for name in counts] == [2, 1, 1, 2]
    assert values["accuracy"] == pytest.approx(4 / 6)
    assert values["precision_attack"] == pytest.approx(2 / 3)
    assert values["auroc_fold_mean"] == pytest.approx((0.75 + 1.0) / 2)
    # pooled, fold 1's normal step outranks both attacks of fold 0: (1 + 2 + 3) of 9 pairs
    assert values["auroc_pooled"] == pytest.approx(6 / 9)
    assert not {"auroc", "average_precision"} & values.keys(), "no ranking without its estimand"
    assert (values["missed"], values["missed_attack"]) == (4, 2)
    assert math.isnan(values["accuracy_at_half"])


def test_means_over_folds_runs_and_repetitions_by_hand(tmp_path: Path) -> None:
    made = []
    parts = [([0, 1, 1], [0.8, 0.9, 0.7], (1.0, None, 2.0)), ([0, 1], [0.2, 0.9], (0.5, 8.0, 4.0))]
    for fold, (labels, scores, values) in enumerate(parts):
        names = ("test/event_recall", "test/detection_delay", "test/false_alarms_per_device_day")
        known: dict[str, Any] = {"metrics": dict(zip(names, values, strict=True))}
        made.append(record(tmp_path, fold=fold, labels=labels, scores=scores, **known))
    found = metrics_of(*made)
    precision = found.summary("average_precision_fold_mean").mean
    assert precision == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    names = ("event_recall", "detection_delay", "false_alarms_per_device_day")
    assert [found.summary(f"{name}_fold_mean").mean for name in names] == [0.75, 8.0, 3.0]
    own: dict[str, Any] = {"folds": 1, "labels": [0, 0, 1, 1]}
    good = record(tmp_path / "2", seed=0, scores=[0.1, 0.2, 0.8, 0.9], **own)
    poor = record(tmp_path / "2", seed=1, scores=[0.1, 0.7, 0.3, 0.9], **own)
    summary = metrics_of(good, poor).summary("accuracy")
    assert (summary.mean, summary.n) == (0.75, 2)
    assert summary.spread == pytest.approx(math.sqrt(0.125))
    summary = summarise([1.0, math.nan, 3.0])
    assert (summary.mean, summary.n) == (2.0, 2), "undefined values are left out and counted"
    assert summary.spread == pytest.approx(math.sqrt(2))
    assert math.isnan(summarise([math.nan]).mean) and math.isnan(summarise([1.0]).spread)


def test_what_takes_no_part_and_what_cannot_be_read(tmp_path: Path) -> None:
    run = record(tmp_path, labels=[0, 1, None, 1, 0], scores=[0.1, 0.9, 0.9, None, math.nan])
    assert Scored.of(read_test_steps(run)).scores.tolist() == [0.1, 0.9]
    path = run.folder / "scores.parquet"
    write_scores(path, [0, 1], [0.1, 0.9], 0.5, split="validation")
    assert Scored.of(read_test_steps(run)).labels.tolist() == []
    path.write_bytes(path.read_bytes()[:50])
    for _ in ("truncated", "absent"):
        with pytest.raises(RunError, match=r"scores\.parquet: cannot be read"):
            metrics_of(run)
        path.unlink(missing_ok=True)


def test_a_repetition_that_lacks_a_fold_is_marked_and_left_out(tmp_path: Path) -> None:
    whole = [record(tmp_path, seed=0, fold=fold, folds=3, skill=2.0) for fold in range(3)]
    part = [record(tmp_path, seed=1, fold=fold, folds=3, skill=-5.0) for fold in (0, 2)]
    (arm,) = counted(*part, *whole)
    assert not arm.complete
    assert arm.status == "incomplete: 5 of 6 runs (seed 1 lacks fold 1)"
    assert [repetition.seed for repetition in arm.counted] == [0]
    assert aggregate([arm])[0].values == metrics_of(*whole).values
    (arm,) = counted(record(tmp_path / "alone", fold=0, folds=5))
    assert arm.status == "incomplete: 1 of 5 runs (seed 0 lacks folds 1, 2, 3, 4)"
    assert aggregate([arm])[0].summary("accuracy").n == 1, "without any complete one it is shown"


def test_what_a_sweep_expects_decides_what_is_missing(tmp_path: Path) -> None:
    run = record(tmp_path, "cnn", seed=0, fold=0, folds=5)
    places = [("cnn", 0, 0, None), ("hybrid", 0, 0, None), ("hybrid", 1, 0, None)]
    complete, absent = counted(run, expected=places)
    assert complete.status == "complete"
    assert absent.status == "incomplete: 0 of 2 runs (seed 0 lacks fold 0; seed 1 lacks fold 0)"
    places = [("cnn", 0, 0, None), ("cnn", 3, 0, None), ("cnn", 3, 1, None)]
    (arm,) = counted(run, expected=places)
    assert arm.status == "incomplete: 1 of 3 runs (seed 3 lacks folds 0, 1)"
    world = record(tmp_path / "world", folds=1, world=0)
    (arm,) = counted(world, expected=[("cnn", 0, 0, 0), ("cnn", 0, 0, 2)])
    assert arm.status == "incomplete: 1 of 2 runs (seed 0, world 2, lacks fold 0)"


def test_what_makes_an_arm_and_what_does_not(tmp_path: Path) -> None:
    """Epochs do where there are any, and changed data; hardware and root do not."""

    def named(name: str, changes: Sequence[dict[str, Any]], model: str = "cnn") -> list[str]:
        made = [
            record(tmp_path / f"{name}{fold}", model, fold=fold, **own)
            for fold, own in enumerate(changes)
        ]
        return [f"{arm.name}, {len(arm.records)}" for arm in counted(*made)]

    epochs: list[dict[str, Any]] = [{"config": {"training": {"epochs": n}}} for n in (5, 3)]
    expected = ["cnn [training.epochs=3], 1", "cnn [training.epochs=5], 1"]
    assert named("epochs", epochs) == expected
    tandem = [
        {"config": {"training": {"epochs": n, "patience": n, "batch_size": n}}} for n in (3, 5)
    ]
    assert named("tandem", tandem) == [
        "cnn [training.batch_size=3, …], 1",
        "cnn [training.batch_size=5, …], 1",
    ]
    assert named("none", [{**own, "epochs": None} for own in epochs], "logistic") == ["logistic, 2"]
    places = [
        {"hardware": {"devices": 1 + fold}, "data": {"window": 32, "root": root}}
        for fold, root in enumerate(("/here", "/there"))
    ]
    assert named("places", [{"config": config} for config in places]) == ["cnn, 2"]
    changed = [f"cnn [data fingerprint={name * 10}], 1" for name in ("a", "b")]
    assert named("data", [{"fingerprint": name * 64} for name in ("a", "b")]) == changed


def test_of_two_runs_of_one_place_the_commoner_code_counts(tmp_path: Path) -> None:
    one, two = record(tmp_path / "1", folds=1), record(tmp_path / "2", folds=1)
    (arm,) = counted(one, two)
    assert len(arm.records) == 1, "not averaged"
    assert arm.duplicates == (two.result.id,)
    old = record(tmp_path / "a", fold=0, code="0ld")
    (arm,) = counted(old, *(record(tmp_path / "b", fold=fold, code="new") for fold in range(2)))
    assert [run.code for run in arm.records] == ["new", "new"]
    runs = [*suite(tmp_path, ["cnn", "lstm"], seeds=1), record(tmp_path, "hybrid", code="new")]
    assert odd_code(counted(*runs)) == ("c0de" * 16, frozenset({"hybrid"}))
    assert odd_code(counted(*runs[:-1]))[1] == frozenset()


def test_kinds_of_arms(tmp_path: Path) -> None:
    hybrid = {"model": {"name": "hybrid", "attention": False}}
    runs = [
        *(record(tmp_path, name) for name in ("cnn", "my_network")),
        record(tmp_path / "off", "hybrid", config=hybrid),
        record(tmp_path, "autoencoder", probability=False),
        record(tmp_path, "logistic", epochs=None),
    ]
    kinds = {arm.experiment: arm.kind for arm in counted(*runs)}
    other = {"autoencoder": "other", "logistic": "other"}
    assert kinds == {"cnn": "paper", "hybrid": "deep", "my_network": "deep", **other}
    found = arms([record(tmp_path, "lstm", folds=1)])
    assert [(arm.name, arm.kind) for arm in found if not arm.records] == [
        (name, "paper") for name in ("cnn", "cnn_lstm", "hybrid")
    ]
    with pytest.raises(UsageError, match="mine, skab"):
        arms([record(tmp_path, "a", data="skab"), record(tmp_path, "b", data="mine")])


def in_worlds(runs: Path, worlds: int = 2, seeds: int = 1, **more: Any) -> list[RunRecord]:
    """Runs of one fold in several worlds, each with its own content."""
    return [
        record(runs, seed=seed, folds=1, world=world, fingerprint=f"{world}" * 64, **more)
        for world in range(worlds)
        for seed in range(seeds)
    ]


def test_differences_are_paired_by_repetition_and_world(tmp_path: Path) -> None:
    own: dict[str, Any] = {"folds": 1, "labels": [0, 1]}
    worse = [record(tmp_path, "cnn", seed=seed, scores=[0.6, 0.9], **own) for seed in (0, 1)]
    better = [record(tmp_path, "lstm", seed=seed, scores=[0.1, 0.9], **own) for seed in (1, 2)]
    cnn, lstm = aggregate(counted(*worse, *better))
    assert difference(lstm, cnn, "accuracy").mean == 0.5
    assert difference(lstm, cnn, "accuracy").n == 1
    worse = in_worlds(tmp_path, worlds=2, labels=[0, 1], scores=[0.6, 0.9])
    own |= {"world": 1, "fingerprint": "1" * 64}
    better = [record(tmp_path, "lstm", scores=[0.1, 0.9], **own)]
    cnn, lstm = aggregate(counted(*worse, *better))
    assert difference(lstm, cnn, "accuracy").n == 1
    halves = [record(tmp_path / "half", name, fold=at) for at, name in enumerate(("cnn", "lstm"))]
    cnn, lstm = aggregate(counted(*halves))
    assert difference(lstm, cnn, "accuracy").n == 0, "two folds of one seed are no pair"


def test_worlds_are_repetitions_of_one_arm_unless_their_content_changed(tmp_path: Path) -> None:
    (arm,) = counted(*in_worlds(tmp_path, worlds=2, seeds=2))
    assert (arm.name, arm.status, arm.worlds) == ("cnn", "complete", (0, 1))
    keys = [repetition.key for repetition in arm.repetitions]
    assert keys == [(0, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1)]
    assert aggregate([arm])[0].summary("accuracy").n == 4
    facts = ReportContext.of(aggregate([arm])).by_arm["cnn"]
    assert (facts.seeds, facts.worlds) == ("0, 1", "0, 1")
    old = record(tmp_path / "old", folds=1, world=1, fingerprint="a" * 64)
    found = counted(*in_worlds(tmp_path / "new"), old)
    assert [(arm.name, len(arm.records)) for arm in found] == [
        (f"cnn [data fingerprint={name * 10}, data.world={world}]", 1)
        for name, world in (("0", 0), ("1", 1), ("a", 1))
    ]


def test_prevalence_is_told_from_the_lowest_to_the_highest_world(tmp_path: Path) -> None:
    parts = [([0, 0, 0, 1], [0.1, 0.1, 0.1, 0.9]), ([0, 1], [0.1, 0.9])]
    low, high = (
        in_worlds(tmp_path / f"{world}", labels=labels, scores=scores)[world]
        for world, (labels, scores) in enumerate(parts)
    )
    both, one = (
        ReportContext.of([metrics_of(*own)]).by_arm["cnn"] for own in ((low, high), (low,))
    )
    assert both.tested == "25.00 to 50.00 % attack in 2 worlds"
    assert (one.tested, one.prevalence) == ("25.00 % attack", 25.0)
