"""What is compared over data sets, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from anomalynet.errors import NothingToCompareError
from anomalynet.reporting.comparison.blocks import blocks_of, comparable, compare_models
from anomalynet.reporting.comparison.document import METRICS, write_comparison
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
    assert comparison.experiments == MODELS
    blocks = blocks_of(comparison, "f1_attack")
    assert blocks.names == ("city, world 3", "city, world 5", "toy")
    assert blocks.values.shape == (3, 3)
    city = comparison.models["city"]["cnn"]
    assert blocks.values[1, 0] == city.values[0, 0, 5]["f1_attack"]


def test_a_model_that_one_data_set_lacks_or_has_twice_is_left_out(tmp_path: Path) -> None:
    a = runs(tmp_path, "a", (*MODELS, "hybrid", "cnn_lstm"))
    b = runs(tmp_path, "b", (*MODELS, "hybrid"))
    config = {"training": {"epochs": 3}}
    b.append(record(tmp_path / "more", "hybrid", seed=9, data="b", config=config))
    comparison = compare_models({"a": a, "b": b})
    assert comparison.experiments == MODELS
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
    blocks = blocks_of(comparison, "auroc_fold_mean")
    assert blocks.names == ("toy",)
    assert blocks.left_out == ("calm (no value: CNN, LSTM, Logistic)",)


def test_the_report(tmp_path: Path) -> None:
    records = {"toy": runs(tmp_path, "toy"), "city": runs(tmp_path, "city", worlds=(3, 5))}
    path = write_comparison(records, tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# 3 models on 2 data sets\n")
    assert text.count("over 3 blocks and 3 models; with so few blocks p is rough") == len(METRICS)
    assert "- `city`: Data: city. Split: group; 2 folds" in text
    for name in METRICS:
        svg = (tmp_path / "out" / "figures" / f"ranks_{name}.svg").read_bytes()
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    table = rows(tmp_path / "out" / "tables" / "ranks.csv")
    table = [row for row in table if row["metric"] == "f1_attack"]
    assert len(table) == 9
    for block in ("toy", "city, world 3", "city, world 5"):
        assert sum(float(row["rank"]) for row in table if row["block"] == block) == 6
    best = min(table[:3], key=lambda row: float(row["rank"]))
    assert float(best["value"]) == max(float(row["value"]) for row in table[:3])
    turned = {name: list(reversed(own)) for name, own in reversed(records.items())}
    again = write_comparison(turned, tmp_path / "again")
    assert snapshot(again.parent) == snapshot(path.parent)


def test_too_little_to_compare_is_said_and_writes_nothing(tmp_path: Path) -> None:
    few = {"a": runs(tmp_path, "a", MODELS[:2]), "b": runs(tmp_path, "b", MODELS[1:])}
    with pytest.raises(NothingToCompareError, match="`cnn` has no run on b"):
        write_comparison(few, tmp_path / "out")
    with pytest.raises(NothingToCompareError, match="2 data sets"):
        write_comparison({"a": few["a"]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
