"""Example incidents are chosen by rule, and their sentences are the numbers of the files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.explanations.section import explanations_section, places, spans
from anomalynet.reporting.explanations.timeline import (
    Example,
    choose,
    examples,
    numbers,
    sentence,
    timeline,
)
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.schema import EXPLANATION_COLUMNS
from tests.reporting.synthetic import record

START = datetime(2026, 1, 1)
STEPS, FIRST, LAST = 10, 4, 7
"""Ten steps of 30 s; the incident's own are 4, 5 and 6."""

CHANNELS = ("pressure", "mask")
TYPES = (pl.Int32(), pl.String(), pl.Datetime("us"), *[pl.List(pl.Float32)] * 3)


def write(
    runs: Path,
    experiment: str,
    scores: Mapping[int, Sequence[float | None]],
    *,
    fold: int = 0,
    explained: bool = True,
    attention: bool = True,
    probability: bool = True,
    code: str = "c0de",
) -> RunRecord:
    """A run with one series an incident, `scores` of its ten steps, threshold 0.5."""
    run = record(runs, experiment, fold=fold, probability=probability, code=code, epochs=3)
    times = [START + timedelta(seconds=30 * step) for step in range(STEPS)]
    during = [FIRST <= step < LAST for step in range(STEPS)]
    tables, kept = [], []
    for incident, own in scores.items():
        series = [f"s{incident}"] * STEPS
        numbered = pl.Series([incident if inside else None for inside in during], dtype=pl.Int32)
        kind = ["flood" if inside else None for inside in during]
        columns = {
            "series": series,
            "time": times,
            "split": ["test"] * STEPS,
            "label": pl.Series(during).cast(pl.Int8),
        }
        score = pl.Series(own, dtype=pl.Float64)
        tables.append(pl.DataFrame({**columns, "incident": numbered, "kind": kind, "score": score}))
        error = [[0.25, 1.0] if step < FIRST else [2.5, 1.5] for step in range(STEPS)]
        weights: list[list[float] | None] = [
            [0.1, 0.2, 0.3, 0.4] if step < FIRST else [0.0, 0.1, 0.1, 0.8] for step in range(STEPS)
        ]
        values: list[object] = [
            [incident] * STEPS,
            series,
            times,
            [[0.5, 0.0]] * STEPS,
            error,
            weights if attention else [None] * STEPS,
        ]
        schema = dict(zip(EXPLANATION_COLUMNS, TYPES, strict=True))
        kept.append(
            pl.DataFrame(dict(zip(EXPLANATION_COLUMNS, values, strict=True)), schema=schema)
        )
    pl.concat(tables).with_columns(threshold=pl.lit(0.5)).write_parquet(
        run.folder / "scores.parquet"
    )
    if explained:
        pl.concat(kept).write_parquet(run.folder / "explanations.parquet")
    notes = {
        str(incident): {"type": "flood", "cause": "attack", "severity": 2} for incident in scores
    }
    (run.folder / "incidents.json").write_text(json.dumps(notes), encoding="utf-8")
    return run


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time."""
    monkeypatch.setattr("anomalynet.reporting.explanations.section.drawn", lambda name, *_: {})


def course(*during: float) -> list[float]:
    return [0.1] * FIRST + list(during) + [0.2] * (STEPS - LAST)


def measured(*runs: RunRecord) -> tuple[ArmMetrics, ...]:
    return aggregate(arms(runs))


def hybrid(models: Sequence[ArmMetrics]) -> ArmMetrics:
    return next(one for one in models if one.arm.experiment == "hybrid")


def test_examples_are_the_first_the_middle_and_the_last_by_share_alarmed(tmp_path: Path) -> None:
    first = {1: course(0.9, 0.9, 0.4), 2: course(0.1, 0.2, 0.3), 3: course(0.9, 0.9, 0.9)}
    second = {4: course(0.6, 0.6, 0.6), 5: course(0.4, 0.4, 0.6), 3: course(0.0, 0.0, 0.0)}
    folds = [write(tmp_path, "hybrid", own, fold=fold) for fold, own in enumerate((first, second))]
    ranked = examples(hybrid(measured(*folds)))
    alarmed = [(one.incident, round(one.alarmed, 3)) for one in ranked]
    assert alarmed == [(3, 1.0), (4, 1.0), (1, 0.667), (5, 0.333), (2, 0.0)]
    assert ranked[0].margin == pytest.approx(0.4)
    assert ranked[0].record.result.fold == 0, (
        "an incident that two runs explain counts in the first"
    )
    chosen = [{name: one.incident for name, one in choose(ranked[:n]).items()} for n in (5, 2)]
    assert chosen == [{"best": 3, "middle": 1, "worst": 2}, {"best": 3, "worst": 4}]
    assert list(choose(ranked[:1])) == ["best"]
    assert choose([]) == {}


def the_only(runs: Sequence[RunRecord]) -> tuple[Example, ArmMetrics, tuple[ArmMetrics, ...]]:
    models = measured(*runs)
    return examples(hybrid(models))[0], hybrid(models), models


def test_the_sentence_is_the_mean_before_and_during(tmp_path: Path) -> None:
    line = timeline(*the_only([write(tmp_path, "hybrid", {7: course(0.4, 0.9, 0.9)})]))
    found = numbers(line)
    assert line.seconds.tolist() == [30.0 * step for step in range(-FIRST, STEPS - FIRST)]
    assert found.alarmed == pytest.approx(2 / 3)
    assert found.delay == 30.0
    assert found.error == {"pressure": (0.25, 2.5), "mask": (1.0, 1.5)}
    assert (found.newest, found.parts) == (1, 4)
    assert found.attention == pytest.approx((0.4, 0.8))
    assert sentence(line, found) == (
        "67 % of its 3 scored steps are alarmed, the first 30 s after its first scored step; from "
        "before to during the incident the error rose most in pressure (0.25 → 2.5) and mask (1 → "
        "1.5); 80 % of the attention falls on the newest 1 of 4 parts of the window (before: 40 "
        "%)."
    )


def test_a_network_without_attention_or_error_says_nothing_of_them(tmp_path: Path) -> None:
    line = timeline(
        *the_only([write(tmp_path, "hybrid", {7: course(0.1, 0.1, 0.1)}, attention=False)])
    )
    assert line.attention is None
    assert math.isnan(numbers(line).delay)
    assert "attention" not in sentence(line, numbers(line))
    assert "100 scored steps (the first 3 are shown)" in sentence(
        replace(line, example=replace(line.example, steps=100)), numbers(line)
    )
    quiet = replace(line, error=None)
    assert sentence(quiet, numbers(quiet)) == "0 % of its 3 scored steps are alarmed."
    falling = replace(line, error=np.linspace(2.0, 1.0, STEPS)[:, None].repeat(2, axis=1))
    assert "no channel's error rose" in sentence(falling, numbers(falling))


def test_other_models_of_the_same_place_stand_beside(tmp_path: Path) -> None:
    runs = [
        write(tmp_path, "hybrid", {7: course(0.9, 0.9, 0.9)}),
        write(tmp_path, "cnn", {7: course(0.3, 0.6, 0.3)}, explained=False),
        write(tmp_path, "lstm", {7: course(0.6, 0.6, 0.6)}, fold=1, explained=False),
        write(
            tmp_path, "autoencoder", {7: course(9.0, 9.0, 0.1)}, probability=False, explained=False
        ),
        write(tmp_path, "logistic", {8: course(0.6, 0.6, 0.6)}, explained=False),
    ]
    line = timeline(*the_only(runs))
    assert [(one.title, one.alarms.nonzero()[0].tolist()) for one in line.others] == [
        ("CNN", [5]),
        ("Autoencoder", [4, 5]),
    ]
    assert line.others[0].scores.tolist() == course(0.3, 0.6, 0.3)
    found = explanations_section(measured(*runs), "toy")
    svg = found.files["figures/example_best.svg"].decode()
    for name in (
        "CNN",
        "Hybrid",
        "its threshold, 0.5",
        "pressure",
        "Attention by part of the window (4 parts)",
    ):
        assert f"<!-- {name} -->" in svg
    assert found == explanations_section(measured(*reversed(runs)), "toy"), (
        "the order of runs does not matter"
    )
    assert svg.count("<!-- Autoencoder -->") == 1, (
        "a score that is no probability is in the alarms alone"
    )


@pytest.mark.usefixtures("no_figures")
def test_the_section_names_rule_run_and_incident(tmp_path: Path) -> None:
    runs = [
        write(tmp_path, "hybrid", {1: course(0.9, 0.9, 0.4), 2: course(0.1, 0.2, 0.3)}),
        write(tmp_path, "hybrid", {3: course(0.9, 0.4, 0.4)}, fold=1),
        write(tmp_path, "cnn", {1: course(0.6, 0.6, 0.6)}, code="0ther"),
    ]
    found = explanations_section(measured(*runs), "toy")
    text = "\n\n".join(found.parts)
    assert "Of these 3 incidents of Hybrid (2 runs;" in text
    assert (
        "> **The incident found best: flood (number 1, severity 2) on s1.** Run "
        "`hybrid/hybr0000`. 67 % of its 3" in text
    )
    assert (
        "> **The incident found worst: flood (number 2, severity 2) on s2.** Run "
        "`hybrid/hybr0000`. 0 % of its 3" in text
    )
    assert "![The incident in the middle: flood (number 3, severity 2) on s3, toy" in text
    assert text.count("‡ CNN: 1 of 1 runs were made by another version of the code") == 1, (
        "where it is shown"
    )
    rows = list(csv.DictReader(io.StringIO(found.files["tables/examples.csv"].decode())))
    cells = {
        (row["example"], row["quantity"], row["channel"]): (row["before"], row["during"])
        for row in rows
    }
    assert cells["middle", "steps alarmed", ""] == ("", "33.3333")
    assert cells["best", "squared error", "pressure"] == ("0.2500", "2.5000")
    assert cells["best", "attention on the newest 1 of 4 parts", ""] == ("40.0000", "80.0000")
    assert cells["worst", "delay of the first alarm", ""] == ("", "")
    assert found == explanations_section(measured(*reversed(runs)), "toy")


@pytest.mark.usefixtures("no_figures")
def test_without_a_hybrid_another_network_is_shown_and_without_files_nothing(
    tmp_path: Path,
) -> None:
    other = write(
        tmp_path, "autoencoder", {1: course(9.0, 9.0, 9.0)}, attention=False, probability=False
    )
    assert "Run `autoencoder/auto0000`" in "\n".join(
        explanations_section(measured(other), "toy").parts
    )
    assert (
        explanations_section(
            measured(write(tmp_path, "hybrid", {1: course(0.9, 0.9, 0.9)}, explained=False)), "toy"
        ).parts
        == ()
    )


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = write(tmp_path, "hybrid", {1: course(0.9, 0.9, 0.9)})
    (run.folder / "explanations.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(RunError, match=r"explanations\.parquet: cannot be read"):
        explanations_section(measured(run), "toy")


def test_a_gap_is_an_empty_column() -> None:
    at = places(np.array([0.0, 30.0, 60.0, 600.0, 630.0]))
    assert at.tolist() == [0, 1, 2, 4, 5]
    assert spans(np.array([True, True, True, True, False]), at) == [(-0.5, 3.0), (3.5, 1.0)]
