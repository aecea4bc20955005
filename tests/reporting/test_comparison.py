"""What is compared over data sets, and what is written; ranks and the test against Demšar's
example, SciPy, and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from anomalynet.reporting.comparison import (
    blocks_of,
    comparable,
    compare_models,
    rank,
    write_comparison,
)
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record, rows, snapshot

MODELS = ("cnn", "lstm", "logistic")


def runs(
    folder: Path, data: str, models: Sequence[str] = MODELS, worlds: Sequence[int | None] = (None,)
) -> list[RunRecord]:
    """Two folds of each model; the later rank better."""
    made = []
    for place, name in enumerate(models):
        for world, fold in product(worlds, range(2)):
            known: dict[str, Any] = {"data": data, "world": world, "fingerprint": f"{world}" * 64}
            made.append(record(folder / data, name, fold=fold, skill=1.0 + place, **known))
    return made


def test_blocks_are_data_sets_and_the_worlds_of_one(tmp_path: Path) -> None:
    records = {"toy": runs(tmp_path, "toy"), "city": runs(tmp_path, "city", worlds=(3, 5))}
    comparison = compare_models(records)
    assert tuple(comparison.titles) == MODELS
    blocks, _ = blocks_of(comparison, "f1_attack")
    assert {name: len(values) for name, values in blocks.items()} == {
        "city, world 3": 3,
        "city, world 5": 3,
        "toy": 3,
    }
    city = comparison.models["city"]["cnn"]
    assert blocks["city, world 5"][0] == city.values[0, 0, 5]["f1_attack"]


def test_a_model_that_one_data_set_lacks_or_has_twice_is_left_out(tmp_path: Path) -> None:
    a = runs(tmp_path, "a", (*MODELS, "hybrid", "cnn_lstm"))
    b = runs(tmp_path, "b", (*MODELS, "hybrid"))
    config = {"training": {"epochs": 3}}
    b.append(record(tmp_path / "more", "hybrid", seed=9, data="b", config=config))
    comparison = compare_models({"a": a, "b": b})
    assert tuple(comparison.titles) == MODELS
    left_out = "\n".join(comparison.left_out)
    assert "`cnn_lstm` has no run on b" in left_out
    assert "`hybrid` has runs of several configurations on b" in left_out
    assert comparable({"a": a, "b": b})
    assert not comparable({"a": a})
    assert not comparable({"a": a, "b": [one for one in b if one.result.experiment != "lstm"]})


def test_a_block_without_a_value_is_left_out_by_name(tmp_path: Path) -> None:
    only: dict[str, Any] = {"labels": [0, 0], "scores": [0.1, 0.9], "data": "calm"}
    normal = [
        record(tmp_path / "calm", name, fold=fold, **only) for name in MODELS for fold in range(2)
    ]
    comparison = compare_models({"calm": normal, "toy": runs(tmp_path, "toy")})
    blocks, left_out = blocks_of(comparison, "auroc_fold_mean")
    assert list(blocks) == ["toy"]
    assert left_out == ["calm (no value: CNN, LSTM, Logistic)"]


def test_the_report(tmp_path: Path) -> None:
    records = {"toy": runs(tmp_path, "toy"), "city": runs(tmp_path, "city", worlds=(3, 5))}
    path = write_comparison(records, tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# 3 models on 2 data sets\n")
    assert "**Nothing is tested**: the ranks only show the order of models in 3 blocks" in text
    assert "ranks best** by Average precision, fold mean: first in" in text
    assert "- `city`: Data: city. Split: group; 2 folds" in text
    svg = (tmp_path / "out" / "figures" / "ranks.svg").read_bytes()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    table = rows(tmp_path / "out" / "tables" / "ranks.csv")
    table = [row for row in table if row["metric"] == "f1_attack"]
    assert len(table) == 9
    for block in ("toy", "city, world 3", "city, world 5"):
        assert sum(float(row["rank"]) for row in table if row["block"] == block) == 6
    means = rows(tmp_path / "out" / "tables" / "mean_ranks.csv")
    for row in (row for row in means if row["metric"] == "f1_attack"):
        own = [float(one["rank"]) for one in table if one["model"] == row["model"]]
        assert float(row["mean_rank"]) == pytest.approx(np.mean(own), abs=1e-4)
        assert int(row["first"]) == sum(
            rank == min(float(one["rank"]) for one in table if one["block"] == block)
            for rank, block in zip(own, dict.fromkeys(one["block"] for one in table), strict=True)
        )
    best = min(table[:3], key=lambda row: float(row["rank"]))
    assert float(best["value"]) == max(float(row["value"]) for row in table[:3])
    turned = {name: list(reversed(own)) for name, own in reversed(records.items())}
    again = write_comparison(turned, tmp_path / "again")
    assert snapshot(again.parent) == snapshot(path.parent)


DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
"""AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets (Demšar 2006, Table 6). Two are
printed as 0.975, with ranks 2 and 3."""


def test_demsar_2006() -> None:
    ranks = rank(DEMSAR, higher_is_better=True)
    assert ranks.mean(axis=0) == pytest.approx([3.143, 2.0, 2.893, 1.964], abs=5e-4)  # as printed
    np.testing.assert_array_equal(rank(-DEMSAR, higher_is_better=False), ranks)
