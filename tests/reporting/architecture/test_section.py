"""Figure 1 shows what the runs traced, and says where it comes from."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.architecture.graph import INPUT, OUTPUT, read_network
from anomalynet.reporting.architecture.section import figure_1_section
from anomalynet.reporting.arms import arms
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record


def part(name: str, parameters: int, sources: list[str], *shapes: list[int]) -> dict[str, Any]:
    layers = [
        {"layer": "Linear(in_features=8, out_features=3)", "parameters": parameters},
        {"layer": "ReLU()", "parameters": 0},
    ]
    return {
        "name": name,
        "kind": "Block",
        "parameters": parameters,
        "from": sources,
        "shapes": shapes,
        "layers": layers,
    }


GRAPH = {
    "input": [32, 8],
    "parts": [
        part("encoder", 1200, ["input"], [32], [256]),
        part("head", 130, ["encoder", "input"], [2]),
    ],
    "output": ["head"],
}


def trace(run: RunRecord, graph: object = GRAPH) -> RunRecord:
    (run.folder / "architecture.json").write_text(json.dumps(graph), encoding="utf-8")
    return run


def measured(*records: RunRecord) -> tuple[ArmMetrics, ...]:
    return aggregate(arms(records))


def test_the_graph_is_read_as_it_was_traced(tmp_path: Path) -> None:
    found = read_network(trace(record(tmp_path)).folder)
    assert found is not None
    assert (found.steps, found.channels, found.parameters) == (32, 8, 1330)
    assert found.edges == (
        (INPUT, "encoder"),
        ("encoder", "head"),
        (INPUT, "head"),
        ("head", OUTPUT),
    )
    assert (found.parts[0].shapes, found.parts[0].layers) == (
        ((32,), (256,)),
        (("Linear", 1), ("ReLU", 1)),
    )


def test_a_part_may_be_called_input(tmp_path: Path) -> None:
    graph = {"input": [4, 1], "parts": [part("output", 1, ["input"], [2])], "output": ["output"]}
    found = read_network(trace(record(tmp_path), graph).folder)
    assert found is not None
    assert found.edges == ((INPUT, "output"), ("output", OUTPUT))


@pytest.mark.parametrize(
    "graph",
    [
        [],
        {},
        {**GRAPH, "output": ["tail"]},
        {**GRAPH, "input": None},
        {**GRAPH, "parts": [{"name": "a"}]},
    ],
)
def test_a_damaged_graph_is_named(tmp_path: Path, graph: object) -> None:
    run = trace(record(tmp_path), graph)
    with pytest.raises(RunError, match=r"architecture\.json: not the graph of a network"):
        read_network(run.folder)


def test_the_caption_names_the_run_and_all_parameters(tmp_path: Path) -> None:
    runs = [trace(record(tmp_path, "hybrid", fold=fold)) for fold in range(2)]
    found = figure_1_section(measured(*runs), "toy")
    text = "\n".join(found.parts)
    assert (
        "> **Figure 1. Architecture of the hybrid.** Hybrid: 1 330 parameters, traced in run "
        "`hybrid/hybr0000`. Data: toy." in text
    )
    assert "| `head` | Block | Linear, ReLU | encoder, input | 2 | 130 |" in text
    assert "| **all** |  |  |  |  | **1 330** |" in text
    svg = found.files["figures/figure_1_architecture.svg"].decode()
    for shown in (
        "encoder",
        "32 and 256 · 1 200 parameters",
        "32 steps × 8 channels",
        "Hybrid: 1 330 parameters",
    ):
        assert f"<!-- {shown} -->" in svg
    rows = list(csv.DictReader(io.StringIO(found.files["tables/architecture.csv"].decode())))
    assert [(row["model"], row["run"], row["part"], row["parameters"]) for row in rows] == [
        ("hybrid", "hybrid/hybr0000", "encoder", "1200"),
        ("hybrid", "hybrid/hybr0000", "head", "130"),
    ]
    assert found == figure_1_section(measured(*reversed(runs)), "toy"), (
        "the order of runs does not matter"
    )


def test_the_commonest_graph_is_drawn_and_the_others_are_counted(tmp_path: Path) -> None:
    other = {
        **GRAPH,
        "parts": [part("encoder", 7, ["input"], [32]), part("head", 1, ["encoder"], [2])],
    }
    runs = [
        record(tmp_path, "hybrid", seed=seed, fold=fold) for seed in range(2) for fold in range(2)
    ]
    trace(runs[0], other)
    trace(runs[1])
    trace(runs[2])
    text = "\n".join(figure_1_section(measured(*runs), "toy").parts)
    assert (
        "traced in run `hybrid/hybr0001` (beside 1 with another graph and 1 without a graph)"
        in text
    )


def test_other_networks_stand_beside_and_code_of_others_is_marked(tmp_path: Path) -> None:
    runs = [
        trace(record(tmp_path, "hybrid", fold=0)),
        trace(record(tmp_path, "hybrid", fold=1)),
        trace(record(tmp_path, "mine", code="0ther")),
    ]
    found = figure_1_section(measured(*runs), "toy")
    captions = [part for part in found.parts if part.startswith("![")]
    assert len(captions) == 2
    assert "‡ Mine: 1 of 1 runs were made by another version of the code" in captions[1]
    assert "‡" not in captions[0]


def test_without_a_graph_the_section_says_so_and_without_a_network_it_is_absent(
    tmp_path: Path,
) -> None:
    old = figure_1_section(measured(record(tmp_path, "hybrid")), "toy")
    assert "No run of the hybrid has kept its network's graph" in "\n".join(old.parts)
    assert not old.files
    assert figure_1_section(measured(record(tmp_path, "logistic", epochs=None)), "toy").parts == ()
