"""What stands under tables: warnings in as few lines as say everything."""

from __future__ import annotations

from pathlib import Path

from anomalynet.reporting.aggregate import aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import facts, warnings
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
