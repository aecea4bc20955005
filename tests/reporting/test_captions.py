"""What stands under tables and in sentences: warnings, accuracy of one class, machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.output import warn
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import bullets, warnings
from anomalynet.reporting.leaderboard import Leaderboard, doubts
from anomalynet.reporting.prose import conditions, provenance
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.schema import NOTE
from tests.reporting.synthetic import context, record


def told(tmp_path: Path, *texts: str) -> tuple[str, ...]:
    folds = len(texts)
    own = [record(tmp_path, fold=at, folds=folds, warnings=(texts[at],)) for at in range(folds)]
    return warnings(arms(own))


def test_warnings_that_differ_in_numbers_alone_are_one(tmp_path: Path) -> None:
    """Numbers that are the same stay; one with many endings says how many."""
    first, second = (f"{n} of 1,200, at 2.5 % of E2, fold {f}." for n, f in ((12, 0), (7, 1)))
    found = told(tmp_path / "numbers", first, second, "another")
    assert found == ("7 to 12 of 1,200, at 2.5 % of E2, fold 0 to 1.", "another")
    same = "window of 32 steps"
    assert told(tmp_path / "same", same, same) == (same,)
    few = [f"held out in fold {fold}: {kind}" for fold, kind in enumerate(("jamming", "replay"))]
    assert told(tmp_path / "few", *few) == tuple(few)
    (many,) = told(
        tmp_path / "many", *(f"held out in fold {fold}: {kind}" for fold, kind in enumerate("abcd"))
    )
    assert many.startswith("held out in fold 0 to 3: 4 different ones")


def test_alarms_beside_their_budget_are_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    note, warning = f"{NOTE}: 0.5 alarms, 1 allowed", "drifts"
    assert bullets([note, warning]) == f"- T{note[1:]}\n- ⚠ Drifts"
    warn([note, warning])
    assert capsys.readouterr().err == f"note: {note}\nwarning: {warning}\n"


def test_seeds_and_worlds_that_go_together_are_told_together(tmp_path: Path) -> None:
    crossed, paired = (
        [record(tmp_path / name, seed=seed, world=world, folds=1) for seed, world in places]
        for name, places in (
            ("crossed", [(0, 0), (0, 1), (1, 0), (1, 1)]),
            ("paired", [(0, 0), (1, 1)]),
        )
    )
    assert "seeds of the repetitions: 0, 1; worlds 0, 1." in context(*crossed).facts()
    together = context(*paired).facts()
    assert "seeds of the repetitions: 0, 1, each in the world with the same number." in together


LABELS = [1, 0, 0, 0]


def test_models_less_accurate_than_the_commoner_class_are_named(tmp_path: Path) -> None:
    all_scores = {"cnn": [0.9, 0.1, 0.1, 0.1], "lstm": [0.9, 0.9, 0.9, 0.1], "hybrid": [0.1] * 4}
    right, wrong, level = (
        record(tmp_path, name, labels=LABELS, scores=scores, folds=1)
        for name, scores in all_scores.items()
    )
    told = "\n".join(doubts(Leaderboard.of(context(right, wrong, level))))
    assert "commoner class: LSTM (1 of 3 models)." in told
    assert "trained once" in told
    assert "commoner class" not in "\n".join(doubts(Leaderboard.of(context(right))))
    unlabelled = record(tmp_path / "none", labels=[None, None], scores=[0.1, 0.2], folds=1)
    assert doubts(Leaderboard.of(context(unlabelled))) == []


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
    first, second, *_ = conditions(context(*runs))
    assert first.startswith("2 runs of 1 model (fingerprint ffffffffff; [runs.csv]")
    assert second == provenance(runs)
    for told in (
        "Hardware: 2 CPU cores (AVX2), no GPU, Linux-6; 1 thread and 1 device per run. ",
        "Software: anomalynet 0.1.0, torch 2.13.0+cpu, Python 3.11.7. ",
        f"Source hash: `{runs[0].code[:10]}`. Device time: 202 s.",
    ):
        assert told in second


def test_what_differs_is_counted_and_what_a_run_does_not_say_is_left_out(tmp_path: Path) -> None:
    other: dict[str, Any] = {"gpus": ["H100", "H100"], "threads": 4}
    runs = [
        made_on(record(tmp_path, fold=0)),
        made_on(record(tmp_path, fold=1), **other),
        made_on(record(tmp_path, seed=1, code="0ther"), **other),
    ]
    text = provenance(runs)
    two = "2 CPU cores (AVX2), 2 × H100, Linux-6; 4 threads and 1 device per run (2 runs)"
    assert f"Hardware: {two}; 2 CPU cores (AVX2), no GPU" in text
    assert "Source hash: `c0dec0dec0` (2 runs); `0ther` (1 run)." in text
    assert provenance(list(reversed(runs))) == text
    silent, loud = (
        record(tmp_path / "quiet", fold=fold, timings={name: 10.0}, code="")
        for fold, name in enumerate(("microseconds_per_window", "train_seconds"))
    )
    assert provenance([silent]) == ""
    said = "Device time: 10 s (unknown for 1 of 2 runs)."
    assert provenance([silent, loud]) == said
