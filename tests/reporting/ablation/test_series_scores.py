"""A metric of each series, by hand and against scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from anomalynet.errors import RunError
from anomalynet.reporting.ablation.arms import SeriesResults, by_series, run_key
from anomalynet.reporting.ablation.contrasts import clusters
from anomalynet.reporting.arms import Repetition
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record, write_scores

REFERENCES = {
    "average_precision": average_precision_score,
    "auroc": roc_auc_score,
    "f1_attack": lambda labels, scores: f1_score(labels, scores >= 0.5),
}


def measured(run: RunRecord, metric: str) -> SeriesResults:
    return by_series((metric,))(Repetition(0, 0, None, (run,), ()))


def values(run: RunRecord, metric: str) -> dict[str, float]:
    found = measured(run, metric).values[metric][run_key(run)]
    return {name: value for (_, name), value in found.items()}


@pytest.mark.parametrize("metric", REFERENCES)
def test_each_series_is_scored_alone(tmp_path: Path, metric: str) -> None:
    random = np.random.default_rng(2)
    series, labels = random.choice(["a", "b", "c"], 300), random.integers(0, 2, 300)
    scores = random.random(300).round(2)
    run = record(tmp_path, labels=labels.tolist(), scores=scores.tolist(), series=series.tolist())
    expected = {
        name: REFERENCES[metric](labels[series == name], scores[series == name]) for name in "abc"
    }
    assert values(run, metric) == pytest.approx(expected)


def test_nodes_of_a_radio_cell_are_joined(tmp_path: Path) -> None:
    """Four nodes in two cells, without any incident; of other data none are joined."""
    names = [f"node-000{number}" for number in range(4)]
    run = record(tmp_path, labels=[0] * 4, scores=[0.1] * 4, series=names)
    scenario = "deployment.nodes=4 deployment.cell_nodes=2"
    for name, cells in (("smart_city", [0, 0, 1, 1]), ("skab", [0, 1, 2, 3])):
        own = replace(run, config={"data": {"name": name, "scenario": scenario}})
        keys = [(None, one) for one in names]
        found = clusters(keys, measured(own, "average_precision").touched)
        firsts = list(dict.fromkeys(found.values()))
        assert [firsts.index(found[key]) for key in keys] == cells


def test_what_of_a_series_does_not_count(tmp_path: Path) -> None:
    """Missed and unlabelled steps, but their incidents do; a series never scored has no value."""
    run = record(
        tmp_path,
        labels=[1, 0, 1, None, 0, 1, 1],
        scores=[0.9, 0.1, None, 0.7, float("nan"), 0.2, None],
        series=["a", "a", "a", "a", "b", "b", "c"],
        incidents=[4, None, 5, 6, None, 7, None],
    )
    found, recall = measured(run, "recall_attack"), values(run, "recall_attack")
    assert math.isnan(recall.pop("c"))
    assert recall == {"a": 1.0, "b": 0.0}
    incidents = {"a": (4, 5, 6), "b": (7,)}
    assert found.touched == {
        ((None, name), (run.result.fingerprint, number))
        for name, numbers in incidents.items()
        for number in numbers
    }
    assert sum(own.sum() for own in found.counts.values()) == 3


def test_one_class_leaves_a_metric_undefined_unless_it_is_of_that_class(tmp_path: Path) -> None:
    labels, scores = [0, 0, 0, 1, 0], [0.9, 0.1, 0.1, 0.8, 0.3]
    run = record(tmp_path, labels=labels, scores=scores, series=["a", "a", "a", "b", "b"])
    both = ("average_precision", "auroc", "f1_attack", "balanced_accuracy", "precision_normal")
    for metric in both:  # an F1 of 0 for one false alarm would count them only where there are some
        found = values(run, metric)
        assert (math.isnan(found["a"]), found["b"]) == (True, 1.0)
    assert values(run, "false_positives") == {"a": 1.0, "b": 0.0}
    assert values(run, "recall_normal") == pytest.approx({"a": 2 / 3, "b": 1.0})


def test_validation_steps_are_not_read_and_damage_is_the_runs_fault(tmp_path: Path) -> None:
    run = record(tmp_path)
    file = run.folder / "scores.parquet"
    write_scores(file, [0, 1], [0.1, 0.9], 0.5, split="validation", incidents=[1, 2])
    found = measured(run, "accuracy")
    assert (values(run, "accuracy"), found.counts, found.touched) == ({}, {}, frozenset())
    file.write_bytes(b"half a fi")
    with pytest.raises(RunError, match=r"scores\.parquet: cannot be read"):
        measured(run, "accuracy")
