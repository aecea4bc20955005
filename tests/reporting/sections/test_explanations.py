"""Example incidents are chosen by rule, and their sentences are the numbers of the files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.sections.explanations import (
    columns_of,
    explanations_section,
    sentence,
    spans,
)
from anomalynet.reporting.sections.timelines import (
    Timeline,
    choose,
    delay,
    errors,
    examples,
    read_timeline,
)
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.files import write_json
from anomalynet.runs.schema import EXPLANATION_COLUMNS
from tests.reporting.synthetic import context, measured, record, rows

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
    explained: bool = True,
    attention: bool = True,
    **known: Any,
) -> RunRecord:
    """A run with one series an incident, `scores` of its ten steps, threshold 0.5."""
    run = record(runs, experiment, **{"code": "c0de", "epochs": 3, **known})
    times = [START + timedelta(seconds=30 * step) for step in range(STEPS)]
    during = [FIRST <= step < LAST for step in range(STEPS)]
    weights = [[0.1, 0.2, 0.3, 0.4]] * FIRST + [[0.0, 0.1, 0.1, 0.8]] * (STEPS - FIRST)
    looks = weights if attention else [None] * STEPS
    tables, kept = [], []
    for incident, own in scores.items():
        series = [f"s{incident}"] * STEPS
        columns = {
            "series": series,
            "time": times,
            "split": ["test"] * STEPS,
            "label": pl.Series(during).cast(pl.Int8),
            "incident": pl.Series([incident if one else None for one in during], dtype=pl.Int32),
            "kind": ["flood" if inside else None for inside in during],
            "score": pl.Series(own, dtype=pl.Float64),
        }
        tables.append(pl.DataFrame(columns))
        error = [[0.25, 1.0] if step < FIRST else [2.5, 1.5] for step in range(STEPS)]
        values = ([incident] * STEPS, series, times, [[0.5, 0.0]] * STEPS, error, looks)
        schema = dict(zip(EXPLANATION_COLUMNS, TYPES, strict=True))
        kept.append(pl.DataFrame(dict(zip(schema, values, strict=True)), schema=schema))
    table = pl.concat(tables).with_columns(threshold=pl.lit(0.5))
    table.write_parquet(run.folder / "scores.parquet")
    if explained:
        pl.concat(kept).write_parquet(run.folder / "explanations.parquet")
    note = {"type": "flood", "cause": "attack", "severity": 2}
    write_json(run.folder / "incidents.json", {str(incident): note for incident in scores})
    return run


def course(*during: float) -> list[float]:
    return [0.1] * FIRST + list(during) + [0.2] * (STEPS - LAST)


def hybrid(models: Sequence[ArmMetrics]) -> ArmMetrics:
    return next(one for one in models if one.arm.experiment == "hybrid")


def test_examples_are_the_first_the_middle_and_the_last_by_share_alarmed(tmp_path: Path) -> None:
    first = {1: course(0.9, 0.9, 0.4), 2: course(0.1, 0.2, 0.3), 3: course(0.9, 0.9, 0.9)}
    second = {4: course(0.6, 0.6, 0.6), 5: course(0.4, 0.4, 0.6), 3: course(0.0, 0.0, 0.0)}
    folds = [write(tmp_path, "hybrid", own, fold=fold) for fold, own in enumerate((first, second))]
    ranked = examples(hybrid(measured(*folds)))
    alarmed = [(one.incident, round(one.alarmed_share, 3)) for one in ranked]
    assert alarmed == [(3, 1.0), (4, 1.0), (1, 0.667), (5, 0.333), (2, 0.0)]
    assert ranked[0].margin == pytest.approx(0.4)
    assert ranked[0].record.result.fold == 0, "what two runs explain counts in the first"
    chosen = [{name: one.incident for name, one in choose(ranked[:n]).items()} for n in (5, 2)]
    assert chosen == [{"best": 3, "middle": 1, "worst": 2}, {"best": 3, "worst": 4}]
    assert list(choose(ranked[:1])) == ["best"]
    assert choose([]) == {}


def the_only(*runs: RunRecord) -> Timeline:
    models = measured(*runs)
    return read_timeline(examples(hybrid(models))[0], hybrid(models), models)


def test_the_sentence_is_the_mean_before_and_during(tmp_path: Path) -> None:
    line = the_only(write(tmp_path, "hybrid", {7: course(0.4, 0.9, 0.9)}))
    assert line.seconds.tolist() == [30.0 * step for step in range(-FIRST, STEPS - FIRST)]
    assert line.example.alarmed_share == pytest.approx(2 / 3)
    assert delay(line) == 30.0
    assert errors(line) == {"pressure": (0.25, 2.5), "mask": (1.0, 1.5)}
    numbers = re.findall(r"\d[\d.]*\d|\d", sentence(line))
    assert numbers == ["67", "3", "30", "0.25", "2.5", "1", "1.5"]


def test_a_network_without_attention_or_error_says_nothing_of_them(tmp_path: Path) -> None:
    line = the_only(write(tmp_path, "hybrid", {7: course(0.1, 0.1, 0.1)}, attention=False))
    assert line.attention is None
    assert math.isnan(delay(line))
    assert "attention" not in sentence(line)
    longer = replace(line, example=replace(line.example, steps=100))
    assert re.findall(r"\d+", sentence(longer))[:3] == ["0", "100", "3"]
    quiet = replace(line, error=None)
    assert errors(quiet) == {}
    assert re.findall(r"\d+", sentence(quiet)) == ["0", "3"]
    falling = replace(line, error=np.linspace(2.0, 1.0, STEPS)[:, None].repeat(2, axis=1))
    before, during = errors(falling)["pressure"]
    assert (before, during) == pytest.approx((2 - 1.5 / 9, 2 - 5 / 9))
    assert re.findall(r"\d+", sentence(falling)) == ["0", "3"]


def test_other_models_of_the_same_place_stand_beside(tmp_path: Path) -> None:
    others: list[tuple[str, int, list[float], dict[str, Any]]] = [
        ("cnn", 7, course(0.3, 0.6, 0.3), {}),
        ("lstm", 7, course(0.6, 0.6, 0.6), {"fold": 1}),
        ("autoencoder", 7, course(9.0, 9.0, 0.1), {"probability": False}),
        ("logistic", 8, course(0.6, 0.6, 0.6), {}),
    ]
    runs = [write(tmp_path, "hybrid", {7: course(0.9, 0.9, 0.9)})]
    for name, incident, scores, known in others:
        runs.append(write(tmp_path, name, {incident: scores}, explained=False, **known))
    line = the_only(*runs)
    alarmed = [(one.title, one.alarms.nonzero()[0].tolist()) for one in line.others]
    assert alarmed == [("CNN", [5]), ("Autoencoder", [4, 5])]
    assert line.others[0].scores.tolist() == course(0.3, 0.6, 0.3)
    found = explanations_section(context(*runs))
    svg = found.files["figures/example_best.svg"].decode()
    for name in ("CNN", "Hybrid", "its threshold", "pressure"):
        assert f"<!-- {name} -->" in svg
    assert found == explanations_section(context(*reversed(runs)))
    # a score that is no probability is in the alarms alone
    assert svg.count("<!-- Autoencoder -->") == 1


@pytest.mark.usefixtures("no_figures")
def test_the_section_names_rule_run_and_incident(tmp_path: Path) -> None:
    runs = [
        write(tmp_path, "hybrid", {1: course(0.9, 0.9, 0.4), 2: course(0.1, 0.2, 0.3)}),
        write(tmp_path, "hybrid", {3: course(0.9, 0.4, 0.4)}, fold=1),
        write(tmp_path, "cnn", {1: course(0.6, 0.6, 0.6)}, code="0ther"),
    ]
    found = explanations_section(context(*runs))
    text = "\n\n".join(found.parts)
    assert "Of 3 incidents that Hybrid explains" in text
    for name, number, share in (("best", 1, 67), ("worst", 2, 0)):
        title = f"> **Found {name}: flood {number}, severity 2, on s{number}.**"
        assert f"{title} Run `hybrid/hybr0000`. {share} % of 3" in text
    assert "![In the middle: flood 3, severity 2, on s3](" in text
    cells = {
        (row["example"], row["quantity"], row["channel"]): (row["before"], row["during"])
        for row in rows(found.files["tables/examples.csv"])
    }
    assert cells["middle", "steps alarmed", ""] == ("", "33.3333")
    assert cells["best", "squared error", "pressure"] == ("0.2500", "2.5000")
    assert cells["worst", "delay of the first alarm", ""] == ("", "")
    assert found == explanations_section(context(*reversed(runs)))


@pytest.mark.usefixtures("no_figures")
def test_without_a_hybrid_another_network_is_shown_and_without_files_nothing(
    tmp_path: Path,
) -> None:
    known = {"attention": False, "probability": False}
    other = write(tmp_path, "autoencoder", {1: course(9.0, 9.0, 9.0)}, **known)
    text = "\n".join(explanations_section(context(other)).parts)
    assert "Run `autoencoder/auto0000`" in text
    run = write(tmp_path, "hybrid", {1: course(0.9, 0.9, 0.9)}, explained=False)
    assert explanations_section(context(run)).parts == ()
    (run.folder / "explanations.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(RunError, match=r"explanations\.parquet: cannot be read"):
        explanations_section(context(run))


def test_a_gap_is_an_empty_column() -> None:
    at = columns_of(np.array([0.0, 30.0, 60.0, 600.0, 630.0]))
    assert at.tolist() == [0, 1, 2, 4, 5]
    assert spans(np.array([True, True, True, True, False]), at) == [(-0.5, 3.0), (3.5, 1.0)]
