"""Arms, repetitions and their means, by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from anomalynet.errors import RunError, UsageError
from anomalynet.reporting.aggregate import aggregate, difference, read_test_scores, summarise
from anomalynet.reporting.arms import Arm, ExpectedRuns, odd_code
from anomalynet.reporting.arms import arms as all_arms
from anomalynet.reporting.captions import prevalence_text, seeds_text, worlds_text
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record, suite, write_scores


def arms(records: Sequence[RunRecord], expected: ExpectedRuns | None = None) -> tuple[Arm, ...]:
    """Those arms that have runs, or should have."""
    return tuple(arm for arm in all_arms(records, expected) if arm.repetitions)


def test_folds_are_pooled_each_with_its_own_threshold(tmp_path: Path) -> None:
    folds = [([0, 0, 1, 1], [0.1, 0.3, 0.2, 0.9], 0.25), ([0, 1], [10.0, 30.0], 20.0)]
    made = []
    for fold, (labels, scores, threshold) in enumerate(folds):
        own: dict[str, Any] = {"threshold": threshold, "probability": False}
        made.append(record(tmp_path, fold=fold, labels=labels, scores=scores, **own))
    (metrics,) = aggregate(arms(made))
    values = metrics.values[0, 0, None]
    # fold 0: one true negative, one false positive, one false negative, one true positive; fold 1
    # is right twice
    counts = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [values[name] for name in counts] == [2, 1, 1, 2]
    assert values["accuracy"] == pytest.approx(4 / 6)
    assert values["precision_attack"] == pytest.approx(2 / 3)
    assert values["auroc_fold_mean"] == pytest.approx((0.75 + 1.0) / 2)
    # pooled, fold 1's normal step outranks both attacks of fold 0: (1 + 2 + 3) of 9 pairs
    assert values["auroc"] == pytest.approx(6 / 9)
    assert values["missed"] == 4
    assert values["missed_attack"] == 2
    assert math.isnan(values["accuracy_at_half"])


def test_average_precision_fold_mean_by_hand(tmp_path: Path) -> None:
    first = record(tmp_path, fold=0, labels=[0, 1, 1], scores=[0.8, 0.9, 0.7])
    second = record(tmp_path, fold=1, labels=[0, 1], scores=[0.2, 0.9])
    (metrics,) = aggregate(arms([first, second]))
    assert metrics.summary("average_precision_fold_mean").mean == pytest.approx(
        ((1 + 2 / 3) / 2 + 1) / 2
    )


def test_mean_and_spread_are_over_repetitions(tmp_path: Path) -> None:
    good = record(tmp_path, seed=0, folds=1, labels=[0, 0, 1, 1], scores=[0.1, 0.2, 0.8, 0.9])
    poor = record(tmp_path, seed=1, folds=1, labels=[0, 0, 1, 1], scores=[0.1, 0.7, 0.3, 0.9])
    (metrics,) = aggregate(arms([good, poor]))
    summary = metrics.summary("accuracy")
    assert (summary.mean, summary.n) == (0.75, 2)
    assert summary.spread == pytest.approx(math.sqrt(0.125))


def test_undefined_values_are_left_out_and_counted() -> None:
    summary = summarise([1.0, math.nan, 3.0])
    assert (summary.mean, summary.n) == (2.0, 2)
    assert summary.spread == pytest.approx(math.sqrt(2))
    assert math.isnan(summarise([math.nan]).mean)
    assert math.isnan(summarise([1.0]).spread)


def test_metrics_of_incidents_are_means_over_runs(tmp_path: Path) -> None:
    made = []
    for fold, values in enumerate([(1.0, None, 2.0), (0.5, 8.0, 4.0)]):
        names = ("test/event_recall", "test/detection_delay", "test/false_alarms_per_day")
        made.append(record(tmp_path, fold=fold, metrics=dict(zip(names, values, strict=True))))
    (metrics,) = aggregate(arms(made))
    assert metrics.summary("event_recall").mean == 0.75
    assert metrics.summary("detection_delay").mean == 8.0
    assert metrics.summary("false_alarms_per_day").mean == 3.0


def test_validation_missed_and_unlabelled_steps_take_no_part(tmp_path: Path) -> None:
    run = record(tmp_path, labels=[0, 1, None, 1, 0], scores=[0.1, 0.9, 0.9, None, math.nan])
    assert read_test_scores(run).scores.tolist() == [0.1, 0.9]
    write_scores(run.folder / "scores.parquet", [0, 1], [0.1, 0.9], 0.5, split="validation")
    assert read_test_scores(run).labels.tolist() == []


@pytest.mark.parametrize("damage", ["absent", "truncated"])
def test_scores_that_cannot_be_read_are_named(tmp_path: Path, damage: str) -> None:
    run = record(tmp_path)
    path = run.folder / "scores.parquet"
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=r"scores\.parquet: cannot be read"):
        aggregate(arms([run]))


def test_a_repetition_that_lacks_a_fold_is_marked_and_left_out(tmp_path: Path) -> None:
    whole = [record(tmp_path, seed=0, fold=fold, folds=3, skill=2.0) for fold in range(3)]
    part = [record(tmp_path, seed=1, fold=fold, folds=3, skill=-5.0) for fold in (0, 2)]
    (arm,) = arms([*part, *whole])
    assert not arm.complete
    assert arm.status == "incomplete: 5 of 6 runs (seed 1 lacks fold 1)"
    assert [repetition.seed for repetition in arm.counted] == [0]
    (alone,) = aggregate(arms(whole))
    (metrics,) = aggregate([arm])
    assert metrics.values == alone.values


def test_without_any_complete_repetition_what_there_is_is_shown(tmp_path: Path) -> None:
    (arm,) = arms([record(tmp_path, fold=0, folds=5)])
    assert arm.status == "incomplete: 1 of 5 runs (seed 0 lacks folds 1, 2, 3, 4)"
    assert aggregate([arm])[0].summary("accuracy").n == 1


def test_what_a_sweep_expects_decides_what_is_missing(tmp_path: Path) -> None:
    runs = [record(tmp_path, "cnn", seed=0, fold=0, folds=5)]
    complete, absent = arms(
        runs, [("cnn", 0, 0, None), ("hybrid", 0, 0, None), ("hybrid", 1, 0, None)]
    )
    assert complete.status == "complete"
    assert absent.status == "incomplete: 0 of 2 runs (seed 0 lacks fold 0; seed 1 lacks fold 0)"
    (arm,) = arms(runs, [("cnn", 0, 0, None), ("cnn", 3, 0, None), ("cnn", 3, 1, None)])
    assert arm.status == "incomplete: 1 of 3 runs (seed 3 lacks folds 0, 1)"


def test_two_configurations_of_one_experiment_are_two_arms(tmp_path: Path) -> None:
    short = record(tmp_path / "a", config={"training": {"epochs": 3}})
    long = record(tmp_path / "b", config={"training": {"epochs": 5}})
    assert [arm.name for arm in arms([long, short])] == [
        "cnn [training.epochs=3]",
        "cnn [training.epochs=5]",
    ]


def test_epochs_make_no_arm_of_a_model_without_any(tmp_path: Path) -> None:
    runs = []
    for n in range(2):
        own: dict[str, Any] = {"epochs": None, "config": {"training": {"epochs": n}}}
        runs.append(record(tmp_path / str(n), "logistic", fold=n, **own))
    assert [(arm.name, arm.status) for arm in arms(runs)] == [("logistic", "complete")]


def test_hardware_and_root_make_no_arm(tmp_path: Path) -> None:
    made = []
    for fold, root in enumerate(("/here", "/there")):
        config = {"hardware": {"devices": 1 + fold}, "data": {"window": 32, "root": root}}
        made.append(record(tmp_path / str(fold), fold=fold, config=config))
    assert [arm.status for arm in arms(made)] == ["complete"]


def test_two_runs_of_one_place_are_not_averaged(tmp_path: Path) -> None:
    one, two = record(tmp_path / "a", folds=1), record(tmp_path / "b", folds=1)
    (arm,) = arms([one, two])
    assert len(arm.records) == 1
    assert arm.duplicates == (two.result.id,)


def test_of_two_runs_of_one_place_the_commoner_code_counts(tmp_path: Path) -> None:
    old = record(tmp_path / "a", fold=0, code="0ld")
    new = [record(tmp_path / "b", fold=fold, code="new") for fold in range(2)]
    (arm,) = arms([old, *new])
    assert [run.code for run in arm.records] == ["new", "new"]


def test_kinds_of_arms(tmp_path: Path) -> None:
    runs = [
        *(record(tmp_path, name) for name in ("cnn", "my_network")),
        record(
            tmp_path / "off", "hybrid", config={"model": {"name": "hybrid", "attention": False}}
        ),
        record(tmp_path, "autoencoder", probability=False),
        record(tmp_path, "logistic", epochs=None),
    ]
    kinds = {arm.experiment: arm.kind for arm in arms(runs)}
    other = {"autoencoder": "other", "logistic": "other"}
    assert kinds == {"cnn": "paper", "hybrid": "deep", "my_network": "deep", **other}


def test_runs_of_two_data_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mine, skab"):
        arms([record(tmp_path, data="skab"), record(tmp_path, fold=1, data="mine")])


def test_runs_of_other_code_are_found(tmp_path: Path) -> None:
    runs = [*suite(tmp_path, ["cnn", "lstm"], seeds=1), record(tmp_path, "hybrid", code="new")]
    assert odd_code(arms(runs)) == ("c0de" * 16, frozenset({"hybrid"}))
    assert odd_code(arms(runs[:-1]))[1] == frozenset()


def test_difference_is_paired_by_repetition(tmp_path: Path) -> None:
    own: dict[str, Any] = {"folds": 1, "labels": [0, 1]}
    worse = [record(tmp_path, "cnn", seed=seed, scores=[0.6, 0.9], **own) for seed in (0, 1)]
    better = [record(tmp_path, "lstm", seed=seed, scores=[0.1, 0.9], **own) for seed in (1, 2)]
    cnn, lstm = aggregate(arms([*worse, *better]))
    assert difference(lstm, cnn, "accuracy").mean == 0.5
    assert difference(lstm, cnn, "accuracy").n == 1


def test_the_papers_models_have_an_arm_without_any_run(tmp_path: Path) -> None:
    found = all_arms([record(tmp_path, "lstm", folds=1)])
    assert [(arm.name, arm.kind, len(arm.records)) for arm in found] == [
        ("cnn", "paper", 0),
        ("lstm", "paper", 1),
        ("cnn_lstm", "paper", 0),
        ("hybrid", "paper", 0),
    ]


def in_worlds(runs: Path, worlds: int = 2, seeds: int = 1, **more: Any) -> list[RunRecord]:
    """Runs of one fold in several worlds, each with its own content."""
    return [
        record(runs, seed=seed, folds=1, world=world, fingerprint=f"{world}" * 64, **more)
        for world in range(worlds)
        for seed in range(seeds)
    ]


def test_worlds_are_repetitions_of_one_arm(tmp_path: Path) -> None:
    (arm,) = arms(in_worlds(tmp_path, worlds=2, seeds=2))
    assert (arm.name, arm.status, arm.worlds) == ("cnn", "complete", (0, 1))
    assert [repetition.key for repetition in arm.repetitions] == [
        (0, 0, 0),
        (1, 1, 0),
        (0, 0, 1),
        (1, 1, 1),
    ]
    (metrics,) = aggregate([arm])
    assert metrics.summary("accuracy").n == 4
    assert (seeds_text(arm), worlds_text(arm)) == ("0, 1", "0, 1")


def test_a_world_whose_content_has_changed_is_another_arm(tmp_path: Path) -> None:
    old = record(tmp_path / "old", folds=1, world=1, fingerprint="a" * 64)
    found = arms([*in_worlds(tmp_path), old])
    assert [arm.name for arm in found] == [
        "cnn [data fingerprint=0000000000, data.world=0]",
        "cnn [data fingerprint=1111111111, data.world=1]",
        "cnn [data fingerprint=aaaaaaaaaa, data.world=1]",
    ]
    assert [len(arm.records) for arm in found] == [1, 1, 1]


def test_changed_data_of_one_world_is_another_arm(tmp_path: Path) -> None:
    runs = [record(tmp_path / name, folds=1, fingerprint=name * 64) for name in ("a", "b")]
    assert [arm.name for arm in arms(runs)] == [
        f"cnn [data fingerprint={name * 10}]" for name in ("a", "b")
    ]


def test_a_world_that_a_sweep_expects_is_missed(tmp_path: Path) -> None:
    (arm,) = arms(in_worlds(tmp_path, worlds=1), [("cnn", 0, 0, 0), ("cnn", 0, 0, 2)])
    assert arm.status == "incomplete: 1 of 2 runs (seed 0, world 2, lacks fold 0)"


def test_differences_are_paired_within_a_world(tmp_path: Path) -> None:
    worse = in_worlds(tmp_path, worlds=2, labels=[0, 1], scores=[0.6, 0.9])
    own: dict[str, Any] = {"folds": 1, "world": 1, "fingerprint": "1" * 64, "labels": [0, 1]}
    cnn, lstm = aggregate(arms([*worse, record(tmp_path, "lstm", scores=[0.1, 0.9], **own)]))
    assert difference(lstm, cnn, "accuracy").n == 1


def test_prevalence_is_told_from_the_lowest_to_the_highest_world(tmp_path: Path) -> None:
    low = record(
        tmp_path,
        folds=1,
        world=0,
        fingerprint="0" * 64,
        labels=[0, 0, 0, 1],
        scores=[0.1, 0.1, 0.1, 0.9],
    )
    high = record(
        tmp_path, folds=1, world=1, fingerprint="1" * 64, labels=[0, 1], scores=[0.1, 0.9]
    )
    (metrics,) = aggregate(arms([low, high]))
    assert prevalence_text(metrics) == "25.00 to 50.00 % attack in 2 worlds"
    (alone,) = aggregate(arms([low]))
    assert prevalence_text(alone) == "25.00 % attack"
