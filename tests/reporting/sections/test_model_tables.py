"""Figure 1 shows the networks that were trained, and says which run each is of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from anomalynet.errors import RunError
from anomalynet.reporting import figures
from anomalynet.reporting.sections.model_tables import figure_1_section, read_network
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import context, record, rows


def part(name: str, parameters: int, *shapes: list[int]) -> dict[str, Any]:
    within = {"Linear": 2, "ReLU": 1}
    numbers = {"parameters": parameters, "shapes": shapes, "within": within}
    return {"name": name, "type": "Block", **numbers}


NETWORK = {
    "input": [32, 8],
    "layers": [part("autoencoder", 1200, [32], [256]), part("head", 130, [2])],
    "parameters": 1330,
}


def trace(run: RunRecord, network: object = NETWORK) -> RunRecord:
    (run.folder / "architecture.json").write_text(json.dumps(network), encoding="utf-8")
    return run


def test_damage_is_named_and_what_an_earlier_version_wrote_is_missing(tmp_path: Path) -> None:
    run = record(tmp_path)
    nothing: list[object] = [[], {}]
    for damaged in (*nothing, {**NETWORK, "input": None}, {**NETWORK, "layers": [{"name": "a"}]}):
        with pytest.raises(RunError, match=r"architecture\.json"):
            read_network(trace(run, damaged))
    assert read_network(trace(run, {"input": [4, 1], "parts": [], "output": []})) is None


def test_the_caption_names_the_run_and_all_parameters(tmp_path: Path) -> None:
    runs = [trace(record(tmp_path, "hybrid", fold=fold)) for fold in range(2)]
    found = figure_1_section(context(*runs))
    text = "\n".join(found.parts)
    assert "Hybrid: 1 330 parameters, from run `hybrid/hybr0000`." in text
    svg = found.files["figures/figure_1_architecture.svg"].decode()
    for shown in ("autoencoder", "Block, 32 and 256", "1 200 parameters", "32 steps × 8 channels"):
        assert f"<!-- {shown} -->" in svg
    table = rows(found.files["tables/architecture.csv"])
    assert [(row["model"], row["run"], row["part"], row["parameters"]) for row in table] == [
        ("hybrid", "hybrid/hybr0000", "autoencoder", "1200"),
        ("hybrid", "hybrid/hybr0000", "head", "130"),
    ]
    assert found == figure_1_section(context(*reversed(runs))), "whatever their order"


def test_arrows_end_at_boxes_and_cross_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("autoencoder", "sequence.convolution", "sequence.recurrent", "head")
    layers = [part(name, 1200, [16, 64]) for name in names]
    run = trace(record(tmp_path, "hybrid"), {**NETWORK, "layers": layers, "parameters": 4800})
    shown: list[Figure] = []

    def drawn(_: str, __: str, ___: str, draw: Callable[[], Figure]) -> dict[str, bytes]:
        shown.append(draw())
        return {}

    monkeypatch.setattr(figures, "drawn", drawn)
    figure_1_section(context(run))
    shown[0].canvas.draw()
    texts = shown[0].axes[0].texts
    boxes = [one.get_window_extent() for one in texts if one.get_text()]
    arrows = [(one.xyann, one.xy) for one in texts if isinstance(one, Annotation)]
    assert (len(boxes), len(arrows)) == (6, 6)
    for arrow in arrows:
        start, end = shown[0].axes[0].transData.transform(arrow)
        line = np.linspace(start, end, 50)
        assert not any(box.count_contains(line) for box in boxes)


def test_the_commonest_network_is_drawn_and_the_others_are_counted(tmp_path: Path) -> None:
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    runs = [record(tmp_path, "hybrid", seed=seed, fold=fold) for seed, fold in places]
    trace(runs[0], {**NETWORK, "layers": [part("head", 1, [2])], "parameters": 1})
    trace(runs[1])
    trace(runs[2])
    text = "\n".join(figure_1_section(context(*runs)).parts)
    assert "run `hybrid/hybr0001` (not shown: 1 with another network and 1 without one)" in text


def test_without_it_the_section_says_so_and_without_a_network_it_is_absent(tmp_path: Path) -> None:
    old = figure_1_section(context(record(tmp_path, "hybrid")))
    assert "No run of the hybrid has stored the parts of its network" in "\n".join(old.parts)
    assert not old.files
    assert figure_1_section(context(record(tmp_path, "logistic", epochs=None))).parts == ()
