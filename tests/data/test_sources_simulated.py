"""Simulated worlds as data: a folder of one, and presets that are simulated once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from anomalynet.config.identity import run_id
from anomalynet.config.model import CNN
from anomalynet.config.schema import Config, DataConfig, QualityConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.data.describe import describe
from anomalynet.data.prepare import prepare
from anomalynet.data.prepared import PARTS
from anomalynet.data.sources import simulated
from anomalynet.data.split.parts import split
from anomalynet.data.telemetry import Channel
from anomalynet.errors import ConfigError, DataError
from anomalynet.simulation.network.placement import cells, place_nodes
from anomalynet.simulation.scenario import frame_period
from tests.data.world import frame, incident, node, write_world
from tests.tiny import TINY

NODES = [node(0, x=0), node(1, x=10), node(2, x=4), node(3, cell=1), node(4, cell=1, y=3)]


@pytest.mark.parametrize(("nodes", "most"), [(30, 20), (24, 12), (7, 3), (5, 5), (25, 12)])
def test_a_nodes_radio_cell_is_that_of_its_placement(nodes: int, most: int) -> None:
    scenario = f"deployment.nodes={nodes} deployment.cell_nodes={most}"
    config = DataConfig(name="smart_city", scenario=scenario)
    placed = simulated.scenario_of(config)
    expected = {
        name: f"cell {cell}"
        for cell in range(cells(placed))
        for name in place_nodes(placed, cell).names
    }
    assert len(expected) == nodes and simulated.radio_cells(config, expected) == expected
    assert simulated.radio_cells(config, ["world-0003/node-0001"]) == {
        "world-0003/node-0001": "world-0003/cell 0"
    }
    assert simulated.radio_cells(DataConfig(name="skab"), expected) == {}


def by_number(number: int) -> str:
    return f"node-{number:04d}"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataConfig:
    """A world of two cells: node-0002 is silent in a jamming, node-0003 tells lies, node-0004 sends
    one value that cannot be."""
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "home"))
    first = [
        frame(by_number(n), 10 * slot + n + 1, slot)
        for slot in range(10)
        for n in range(3)
        if n != 2 or not 3 <= slot < 7
    ]
    second = [
        frame(by_number(n), 10 * slot + n, slot, temperature=200.0 if (n, slot) == (4, 6) else 5.0)
        for slot in range(10)
        for n in (3, 4)
    ]
    bias = incident(100_000, ["node-0003"], 50, 60, "bias", "fault")
    bias |= {"cell": 1, "severity": 4, "layer": "sensor", "impact": "integrity"}
    incidents = [incident(1, ["node-0002"], 30, 70), bias]
    folder = write_world(tmp_path / "world", [first, second], NODES, incidents)
    return DataConfig(
        name="simulated", root=str(folder), calibration_rows=2, window=2, evidence_channels=False
    )


def test_a_folder_by_hand(config: DataConfig) -> None:
    found = sources.load(config)
    frame = found.frame.collect()
    assert frame["series"].to_list() == [by_number(n) for n in range(5) for _ in range(10)]
    jammed = frame.filter(pl.col("series") == "node-0002")
    assert jammed["label"].to_list() == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert jammed["temperature"].null_count() == 4
    assert jammed["kind"].to_list() == [None] * 3 + ["jamming"] * 4 + [None] * 3
    assert found.period == 10 and found.policy == "group_blocked" and len(found.parts) == 2
    bias = found.incidents[100_000]
    assert (bias.cause, bias.layer, found.incidents[1].severity) == ("fault", "sensor", 2)
    assert found.neighbours["node-0000"] == ("node-0002", "node-0001")
    assert found.neighbours["node-0003"] == ("node-0004",)
    assert found.counts["frames"] == 46 and found.counts["nodes"] == 5
    assert found.counts["slots without a reading"] == 4
    assert found.channels[0] == Channel("temperature", "°C", -40, 85)
    link = ["rssi", "snr", "sequence_gap", "inter_arrival", "retries"]
    assert [channel.name for channel in found.channels[5:]] == link
    assert len(sources.load(replace(config, link_channels=False)).channels) == 5


def test_prepared_with_its_cells_side_by_side(config: DataConfig) -> None:
    found = prepare(replace(config, view="cell", max_gap=1))
    names = [channel.name for channel in found.channels]
    assert names[10:15] == ["temperature.1", "humidity.1", "motion.1", "light.1", "sound.1"]
    assert len(names) == 10 + 2 * 5 + 1
    segments = [(segment.series, segment.stop - segment.start) for segment in found.segments]
    assert segments == [(by_number(n), 8) for n in range(5)]
    # node-0000 beside node-0002: °C since commissioning (mean of slots 0 and 1), held for one step
    # of its silence, then 0.
    assert found.values[:10, 0].tolist() == [slot - 0.5 for slot in range(10)]
    beside = found.values[:10, names.index("temperature.1")].tolist()
    assert beside == [-0.5, 0.5, 1.5, 1.5, 0, 0, 0, 6.5, 7.5, 8.5]
    # node-0004's own, and what node-0003 sees of it
    assert found.counts["values outside the sensor's range"] == 2
    mask = found.values[found.series_starts[3] : found.series_starts[4], -1]
    # The cell lacks a third node, then one value more.
    assert mask[[1, 6]] == pytest.approx([5 / 20, 6 / 20])


@pytest.mark.parametrize(("label", "rows"), [("attack", 4), ("any", 5), ("fault", 1)])
def test_labels_change_the_class_not_the_incident(
    config: DataConfig, label: Any, rows: int
) -> None:
    found = prepare(replace(config, label=label))
    assert int((found.labels == 1).sum()) == rows and int((found.labels == 0).sum()) == 50 - rows
    assert int((found.incidents == 1).sum()) == 4 and int((found.incidents == 100_000).sum()) == 1
    assert set(found.kind_names) == {"jamming", "bias"}


def test_facts(config: DataConfig) -> None:
    facts = describe(config)
    keys = ("type", "incidents", "rows", "cause", "layer", "impact", "severity")
    assert [tuple(one[key] for key in keys) for one in facts["incidents"]] == [
        ("bias", 1, 1, "fault", "sensor", "integrity", "4: 1"),
        ("jamming", 1, 4, "attack", "physical", "availability", "2: 1"),
    ]
    assert facts["counts"]["values outside the sensor's range"] == 1
    assert facts["counts"]["frames"] == 46
    assert facts["attack"] == 4 and facts["auto_split"] == "group_blocked"
    unchecked = describe(replace(config, quality=QualityConfig(range_check=False)))
    assert "values outside the sensor's range" not in unchecked["counts"]


def test_an_edited_file_is_refused_and_another_world_is_another_fingerprint(
    config: DataConfig, tmp_path: Path
) -> None:
    other, copy = (
        replace(config, root=str(write_world(tmp_path / name, [[], []], NODES)))
        for name in ("other", "copy")
    )
    prints = [sources.fingerprint(one) for one in (config, other, copy)]
    assert prints[0] != prints[1] == prints[2]
    silent = prepare(other)  # an empty world is silence
    assert not silent.values[:, :-1].any() and (silent.values[:, -1] == 1).all()
    log = Path(str(config.root)) / "frames/cell-0001.parquet"
    content = bytearray(log.read_bytes())
    content[100] ^= 1
    log.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"cell-0001.parquet.*edited or damaged"):
        sources.load(config)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"root": None},
            r"data.name=simulated needs the folder of a world in data.root\n.*data.root=DIR",
        ),
        ({"scenario": "duration=6h"}, r"data.scenario cannot change the world in data.root"),
        ({"subset": "cell-0"}, "simulated has no subsets"),
        ({"name": "nowhere.yaml"}, "nowhere.yaml: no such file"),
        (
            {"name": "lwsndr", "scenario": "duration=6h"},
            "data.scenario is only for simulated data, not for lwsndr",
        ),
        ({"label": "environment"}, r"data.label=environment: no incident of simulated .*"),
    ],
)
def test_refusals(config: DataConfig, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(replace(config, **keys))


SMALL = DataConfig(
    name="smart_city",
    scenario="deployment.nodes=4 duration=2h sampling.period=60 incidents.only=jamming crash",
    world=3,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    return tmp_path


def test_a_preset_is_simulated_once_under_a_name_known_before(home: Path) -> None:
    folder = home / "simulated" / sources.fingerprint(SMALL)[:16]
    assert not (home / "simulated").exists()
    first = sources.load(SMALL)
    assert simulated.world_folders(SMALL)[0] == folder
    made = (folder / "manifest.json").stat().st_mtime_ns
    again = sources.load(replace(SMALL, label="any"))
    assert (folder / "manifest.json").stat().st_mtime_ns == made
    frame = first.frame.collect()
    assert frame.drop("label").equals(again.frame.collect().drop("label"))
    assert frame.height == 4 * 120 and first.period == 60
    assert simulated.scenario_of(SMALL).incidents.only == "jamming crash"
    # The folder's own telemetry is the same table, made by the default quality stage.
    assert frame.drop("visible").equals(pl.read_parquet(folder / "telemetry/*.parquet"))


def test_what_makes_another_world() -> None:
    spaced = "  deployment.nodes=4   duration=2h sampling.period=60   incidents.only=jamming crash "
    used = ({"label": "any"}, {"link_channels": False}, {"view": "cell", "window": 7})
    same: list[dict[str, Any]] = [{}, {"scenario": spaced}, *used]
    assert len({sources.fingerprint(replace(SMALL, **keys)) for keys in same}) == 1
    other: list[dict[str, Any]] = [
        {"world": 4},
        {"scenario": "duration=2h"},
        {"name": "industrial"},
    ]
    assert len({sources.fingerprint(replace(SMALL, **keys)) for keys in ({}, *other)}) == 4


def test_a_scenario_of_ones_own_is_data_and_runs_know_it_by_what_it_says(home: Path) -> None:
    text = "duration: 2h\nsampling: {period: 60}\ndeployment: {nodes: 2}\n"
    mine = home / "mine.yaml"
    mine.write_text(text)
    config = DataConfig(name=str(mine))
    assert sources.load(config).frame.collect().height == 2 * 120 and config.title == "mine"
    before = sources.fingerprint(config)
    mine.write_text(text.replace("2h", "3h"))
    assert sources.fingerprint(config) != before
    (home / "elsewhere").mkdir()
    moved = mine.rename(home / "elsewhere/mine.yaml")
    runs = [Config(model=CNN(), data=DataConfig(name=str(path))) for path in (mine, moved)]
    assert run_id(runs[0], "data") == run_id(runs[1], "data")


def test_mistakes_in_a_scenario_have_one_message() -> None:
    told = r"data.scenario, argument 'duratoin=2h': .*'duratoin'; did you mean 'duration'"
    with pytest.raises(ConfigError, match=told):
        sources.fingerprint(replace(SMALL, scenario="duratoin=2h"))
    with pytest.raises(DataError, match=r"data.scenario cannot set the seed\n.*data.world=3"):
        sources.fingerprint(replace(SMALL, scenario="duration=2h seed=9"))


def test_two_processes_simulate_a_world_once(home: Path) -> None:
    script = """
from anomalynet.config.schema import DataConfig
from anomalynet.data.sources import simulated
scenario = "deployment.nodes=4 deployment.cell_nodes=2 duration=2h"
folder = simulated.world_folders(DataConfig(scenario=scenario))[0]
print((folder / "manifest.json").stat().st_mtime_ns)
"""
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=120)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0] and len(printed) == 1


@pytest.mark.parametrize("name", ["smart_city", "industrial", "healthcare"])
def test_every_preset_is_told_and_needs_no_files(name: str) -> None:
    about = sources.info(name)
    assert about.generated and sources.is_there(name) and about.title and about.licence
    assert about.period == frame_period(simulated.scenario_of(DataConfig(name=name)))
    assert name in sources.names() and not sources.info("simulated").generated


def test_the_tiny_world_of_the_tests_has_both_classes_everywhere() -> None:
    config = DataConfig(scenario=TINY, calibration_rows=50)
    prepared = prepare(config)
    for assignment, fold in product(range(6), range(3)):
        chosen = SplitConfig(folds=3, fold=fold, assignment=assignment)
        cut = split(prepared, replace(config, split=chosen))
        assert cut.label == "group_blocked"
        for part in PARTS:
            assert set(prepared.labels[cut.scored(part)].tolist()) == {0, 1}
