"""What stands under tables and in sentences: warnings, accuracy of one class, machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomalynet.reporting.aggregate import aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import facts, warnings
from anomalynet.reporting.findings import majority_sentence
from anomalynet.reporting.prose import abstract, provenance
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record


def told(tmp_path: Path, *texts: str) -> tuple[str, ...]:
    return warnings(
        arms(
            [
                record(tmp_path, fold=fold, folds=len(texts), warnings=(text,))
                for fold, text in enumerate(texts)
            ]
        )
    )


def test_warnings_that_differ_in_numbers_alone_are_one(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        "12 of 1,200 incidents, at 2.5 % of E2, fold 0.",
        "7 of 1,200 incidents, at 2.5 % of E2, fold 1.",
        "another",
    )
    assert found == ("7 to 12 of 1,200 incidents, at 2.5 % of E2, fold 0 to 1.", "another")


def test_numbers_that_are_the_same_stay(tmp_path: Path) -> None:
    assert told(tmp_path, "window of 32 steps", "window of 32 steps") == ("window of 32 steps",)


def test_one_warning_with_many_endings_says_how_many(tmp_path: Path) -> None:
    few = told(
        tmp_path / "few",
        *(f"held out in fold {fold}: {kind}" for fold, kind in enumerate(("jamming", "replay"))),
    )
    assert few == ("held out in fold 0: jamming", "held out in fold 1: replay")
    many = told(
        tmp_path / "many",
        *(f"held out in fold {fold}: {kind}" for fold, kind in enumerate(("a", "b", "c", "d"))),
    )
    assert many == ("held out in fold 0 to 3: 4 different ones, each in its run's result.json",)


def test_seeds_and_worlds_that_go_together_are_told_together(tmp_path: Path) -> None:
    crossed = [
        record(tmp_path / "crossed", seed=seed, world=world, folds=1)
        for seed in (0, 1)
        for world in (0, 1)
    ]
    paired = [record(tmp_path / "paired", seed=place, world=place, folds=1) for place in (0, 1)]
    cnn = [aggregate(arms(records))[:1] for records in (crossed, paired)]
    assert "seeds of the repetitions: 0, 1; worlds 0, 1." in facts(cnn[0])
    assert "seeds of the repetitions: 0, 1, each in the world of its number." in facts(cnn[1])


LABELS = [1, 0, 0, 0]


def test_models_less_accurate_than_the_commoner_class_are_named(tmp_path: Path) -> None:
    right = record(tmp_path, "cnn", labels=LABELS, scores=[0.9, 0.1, 0.1, 0.1], folds=1)
    wrong = record(tmp_path, "lstm", labels=LABELS, scores=[0.9, 0.9, 0.9, 0.1], folds=1)
    level = record(tmp_path, "hybrid", labels=LABELS, scores=[0.1, 0.1, 0.1, 0.1], folds=1)
    told = majority_sentence(aggregate(arms([right, wrong, level])))
    assert "right in 75.00 % of the steps" in told
    assert told.endswith("1 of 3 models are less accurate: LSTM.")
    assert majority_sentence(aggregate(arms([wrong]))).endswith("every model is less accurate.")
    assert majority_sentence(aggregate(arms([right]))).endswith("no model is less accurate.")


def test_of_several_worlds_the_spread_is_told_and_attack_may_be_the_commoner(
    tmp_path: Path,
) -> None:
    records = [
        record(tmp_path, "cnn", seed=world, world=world, labels=labels, scores=[0.9] * 4, folds=1)
        for world, labels in enumerate(([1, 1, 1, 0], [0, 1, 0, 1]))
    ]
    assert "right in 62.50 ± 17.68 % of the steps" in majority_sentence(aggregate(arms(records)))


def test_without_labels_nothing_is_said(tmp_path: Path) -> None:
    assert (
        majority_sentence(
            aggregate(
                arms([record(tmp_path, "cnn", labels=[None, None], scores=[0.1, 0.2], folds=1)])
            )
        )
        == ""
    )


PACKAGES = {"anomalynet": "0.1.0", "torch": "2.13.0+cpu", "numpy": "2.4.6"}
HERE = {
    "cpu": "AVX2",
    "cores": 2,
    "gpus": [],
    "threads": 1,
    "devices": 1,
    "platform": "Linux-6",
    "python": "3.11.7",
    "packages": PACKAGES,
}


def made_on(run: RunRecord, **changes: Any) -> RunRecord:
    (run.folder / "environment.json").write_text(json.dumps({**HERE, **changes}), encoding="utf-8")
    return run


def test_what_all_runs_share_is_said_once(tmp_path: Path) -> None:
    timings = {"train_seconds": 100.4, "score_seconds": 0.5}
    runs = [made_on(record(tmp_path, fold=fold, timings=timings)) for fold in range(2)]
    assert provenance(runs, "anomalynet reproduce") == (
        "Hardware: 2 CPU cores (AVX2), no GPU, Linux-6; 1 thread and 1 device a run. Software: "
        f"anomalynet 0.1.0, torch 2.13.0+cpu, Python 3.11.7. Code: `{runs[0].code[:10]}`. Device "
        "time: 202 s of training and scoring. `anomalynet reproduce` makes it again."
    )


def test_different_machines_and_codes_are_counted(tmp_path: Path) -> None:
    runs = [
        made_on(record(tmp_path, fold=0)),
        made_on(record(tmp_path, fold=1), gpus=["H100", "H100"], threads=4),
        made_on(record(tmp_path, seed=1, code="0ther"), gpus=["H100", "H100"], threads=4),
    ]
    text = provenance(runs)
    assert (
        "Hardware: 2 CPU cores (AVX2), 2 × H100, Linux-6; 4 threads and 1 device a run (2 runs); "
        "2 CPU cores (AVX2), no GPU" in text
    )
    assert "Code: `c0dec0dec0` (2 runs); `0ther` (1 run)." in text
    assert provenance(list(reversed(runs))) == text


def test_what_a_run_does_not_say_is_left_out(tmp_path: Path) -> None:
    silent = record(tmp_path, fold=0, timings={"microseconds_per_window": 5.0}, code="")
    assert provenance([silent]) == ""
    loud = record(tmp_path, fold=1, timings={"train_seconds": 10.0}, code="")
    assert (
        provenance([silent, loud])
        == "Device time: 10 s of training and scoring (1 of 2 runs do not say)."
    )


def test_the_abstract_holds_it_as_a_paragraph_of_its_own(tmp_path: Path) -> None:
    runs = [made_on(record(tmp_path, fold=fold)) for fold in range(2)]
    first, second = abstract(aggregate(arms(runs)), "anomalynet report --data toy").split("\n\n")
    assert first.startswith("2 runs of 1 model (CNN) on `toy`")
    assert second == provenance(runs, "anomalynet report --data toy")
