"""From frames to rows, by hand: what is dropped, what wins a slot, what silence looks like."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import QualityConfig
from anomalynet.data.gateway import (
    EVIDENCE_CHANNELS,
    LINK_CHANNELS,
    SENSOR_CHANNELS,
    read_log,
    telemetry_of_cell,
)
from anomalynet.simulation.scenario import Scenario
from anomalynet.simulation.store import INCIDENTS, NODES
from tests.data.world import BY_HAND, at, frame, frames_file, incident, node, table

NODE = "node-0000"
NODES_OF_CELL = table([node(0), node(1)], NODES)
NONE = table([], INCIDENTS)


def rows(
    tmp_path: Path, frames: list[dict[str, Any]], incidents: pl.DataFrame = NONE, **quality: Any
) -> pl.DataFrame:
    path = frames_file(tmp_path / "log.parquet", frames)
    return telemetry_of_cell(path, NODES_OF_CELL, incidents, BY_HAND, QualityConfig(**quality))


def counts(
    tmp_path: Path, frames: list[dict[str, Any]], scenario: Scenario = BY_HAND, **quality: Any
) -> Mapping[str, int]:
    path = frames_file(tmp_path / "log.parquet", frames)
    return read_log(path, [NODE, "node-0001"], scenario, QualityConfig(**quality)).counts


def of(found: pl.DataFrame, channel: str, series: str = NODE) -> list[Any]:
    return found.filter(pl.col("series") == series)[channel].to_list()


def test_every_node_and_slot_is_a_row(tmp_path: Path) -> None:
    log = [frame(NODE, 3, 0), frame(NODE, 23, 2), frame("node-0001", 99.5, 7, motion=4.0)]
    found = rows(tmp_path, log)
    channels = [channel.name for channel in (*SENSOR_CHANNELS, *LINK_CHANNELS, *EVIDENCE_CHANNELS)]
    assert found.columns == ["series", "time", "label", "incident", "kind", *channels]
    assert found["series"].to_list() == [NODE] * 10 + ["node-0001"] * 10
    assert found["time"].to_list() == [at(10 * slot) for slot in range(10)] * 2
    assert found["time"][0] == datetime(2026, 1, 5)
    dtypes = [found.schema[name] for name in ("time", "label", "temperature")]
    assert dtypes == [pl.Datetime("us"), pl.Int8, pl.Float32]
    assert of(found, "temperature") == [20, None, 22] + [None] * 7
    assert of(found, "motion", "node-0001") == [None] * 9 + [4]
    assert found["label"].to_list() == [0] * 20
    assert found["incident"].null_count() == 20 == found["kind"].null_count()


def test_link_channels_by_hand(tmp_path: Path) -> None:
    log = [
        frame(NODE, 1, 65535, retries=2, rssi=-60.5, snr=9.0),
        frame(NODE, 12, 0),  # 65535 + 1 modulo 2^16: nothing is missing
        frame(NODE, 32, 4),  # three are missing
        frame(NODE, 33, 4),  # once more
        frame(NODE, 41, 3),
        frame(NODE, 51, 60000, checksum=False),
    ]
    found = rows(tmp_path, log)
    assert of(found, "sequence_gap")[:6] == [None, 0, None, 3, -2, -50]
    assert of(found, "inter_arrival")[:6] == [None, 11, None, 21, 8, 10]
    assert of(found, "retries")[:6] == [2, 0, None, 0, 0, 0]
    assert of(found, "rssi")[:3] == [-60.5, -70, None] and of(found, "snr")[0] == 9
    # The CRC-32 condemns the reading, not the link.
    assert of(found, "temperature")[5] is None and of(found, "rssi")[5] == -70
    last = [frame(NODE, 0.5, 0), frame(NODE, 99, 1)]
    assert of(rows(tmp_path, last), "inter_arrival")[9] == pytest.approx(98.5)
    path = frames_file(tmp_path / "log", last)
    found = telemetry_of_cell(path, NODES_OF_CELL, NONE, BY_HAND, link=False)
    assert "rssi" not in found.columns


def test_evidence_of_all_frames_of_a_slot_by_hand(tmp_path: Path) -> None:
    log = [
        frame(NODE, 1, 5, temperature=20.0, rssi=-60.0),
        frame(NODE, 2, 5, temperature=20.0, rssi=-62.5),  # repeated
        frame(NODE, 3, 6, temperature=50.0, checksum=False),
        frame(NODE, 4, 2, temperature=26.0, sent=at(-6.0)),  # a number that goes back, 10 s old
        frame(NODE, 5, 7, temperature=21.0, fcs=False),  # nobody knows whose it was
        frame(NODE, 21, 8, temperature=21.0, sent=at(23.0)),  # a clock that is 2 s fast
    ]
    found = rows(tmp_path, log)
    assert of(found, "frames")[:3] == [4, None, 1]
    assert of(found, "bad_frames")[:3] == [1, None, 0]
    assert of(found, "repeats")[:3] == [2, None, 0]
    assert of(found, "rssi_range")[:3] == [10, None, 0]  # the others have -70
    assert of(found, "temperature_range")[:3] == [30, None, 0]
    assert of(found, "transit")[0] == pytest.approx(math.log(1 + 10))
    assert of(found, "transit")[2] == pytest.approx(-math.log(1 + 2))


def test_what_the_cell_knows_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = table([node(n, x=float(n)) for n in range(6)], NODES)
    values = {0: 20.0, 1: 21.0, 2: 23.0, 3: 22.0, 4: 40.0}  # node 5 is silent
    log = [frame(f"node-{n:04d}", 1 + n / 10, 0, temperature=one) for n, one in values.items()]
    path = frames_file(tmp_path / "log.parquet", log)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Filters are shared by threads, so that none of them can rely on its own
        monkeypatch.setattr(warnings, "simplefilter", lambda *_: None)
        found = telemetry_of_cell(path, nodes, NONE, BY_HAND)
    assert of(found, "cell_silent")[:2] == [pytest.approx(1 / 6), 1]
    # The nearest four of node 0 are 1 to 4: median of 21, 22, 23, 40.
    assert of(found, "temperature_difference")[0] == pytest.approx(20 - 22.5)
    # Those of node 4 are 3, 5 (silent), 2 and 1: median of 21, 22, 23.
    assert of(found, "temperature_difference", "node-0004")[0] == 18
    assert of(found, "temperature_difference", "node-0005")[0] is None
    assert of(found, "cell_silent", "node-0005")[0] == pytest.approx(1 / 6)
    without = telemetry_of_cell(path, nodes, NONE, BY_HAND, evidence=False)
    assert without.columns == found.columns[:15]


def test_a_wrong_fcs_never_counts_and_a_wrong_crc_32_by_choice(tmp_path: Path) -> None:
    log = [
        frame(NODE, 1, 0),
        frame(NODE, 2, 1, fcs=False),
        frame(NODE, 11, 5, checksum=False),
        frame(None, 12, 0),
        frame("node-0099", 13, 0),
    ]
    assert of(rows(tmp_path, log), "temperature")[:2] == [20, None]
    assert of(rows(tmp_path, log, checksum=False), "temperature")[:2] == [20, 25]
    assert of(rows(tmp_path, log), "rssi")[:3] == [-70, -70, None]
    for checksum, silent in ((True, 19), (False, 18)):
        found = counts(tmp_path, log, checksum=checksum)
        assert found["frames"] == 5
        assert found["frames with a wrong FCS"] == 1
        assert found["frames of no node"] == 2
        assert found["frames with a wrong CRC-32"] == 1
        assert found["slots expected"] == 20 and found["slots without a reading"] == silent


def test_a_repetition_is_dropped_and_a_replay_is_not(tmp_path: Path) -> None:
    log = [
        frame(NODE, 1, 0),
        frame(NODE, 2, 0, temperature=99.0),  # its acknowledgement was lost; the first counts
        frame("node-0001", 3, 0),  # another node's number
        *(frame(NODE, 11 + slot / 10, 1 + slot) for slot in range(16)),
        frame(NODE, 21, 0, temperature=88.0),  # 18 frames later: no repetition any more
        frame(NODE, 31, 40),
        frame(NODE, 95, 40, temperature=77.0),  # 6 slots later
    ]
    found = rows(tmp_path, log)
    assert of(found, "temperature")[0] == 20 and of(found, "temperature", "node-0001")[0] == 20
    assert of(found, "temperature")[2] == 88
    assert of(found, "temperature")[9] is None
    assert counts(tmp_path, log)["repeated frames"] == 2
    kept = rows(tmp_path, log, deduplicate=False)
    assert of(kept, "temperature")[0] == 99 and of(kept, "temperature")[9] == 77


def test_a_frame_with_a_wrong_crc_32_is_not_remembered(tmp_path: Path) -> None:
    log = [frame(NODE, 1, 0, checksum=False), frame(NODE, 2, 0, temperature=30.0)]
    assert of(rows(tmp_path, log), "temperature")[0] == 30
    assert counts(tmp_path, log)["repeated frames"] == 0


@pytest.mark.parametrize(("between", "repeated"), [(15, 1), (16, 0)])
def test_the_memory_is_of_sixteen_frames(tmp_path: Path, between: int, repeated: int) -> None:
    others = [frame(NODE, 2 + n, 100 + n) for n in range(between)]
    log = [frame(NODE, 1, 0), *others, frame(NODE, 30, 0)]
    assert counts(tmp_path, log)["repeated frames"] == repeated


@pytest.mark.parametrize(
    ("seconds", "repeated"),
    [((1, 101.0), 1), ((1, 101.01), 0), ((1, 60, 120, 180), 3)],  # each repetition refreshes it
)
def test_the_memory_is_of_ten_slots(
    tmp_path: Path, seconds: tuple[float, ...], repeated: int
) -> None:
    log = [frame(NODE, second, 0) for second in seconds]
    longer = replace(BY_HAND, duration="200s")
    assert counts(tmp_path, log, longer)["repeated frames"] == repeated


def test_a_frame_outside_the_simulated_time_is_counted_alone(tmp_path: Path) -> None:
    found = counts(tmp_path, [frame(NODE, -0.5, 0), frame(NODE, 0, 0), frame(NODE, 100.0, 0)])
    assert found["frames outside the simulated time"] == 2 and found["repeated frames"] == 0


def test_frames_of_a_slot_find_their_order(tmp_path: Path) -> None:
    arrivals = [
        *((1, 5), (2, 4)),  # overtaken
        *((11, 0), (12, 65535)),  # across the end of the numbers
        *((21, 300), (22, 2)),  # too far apart: the node restarted, the later one counts
        *((31, 7), (32, 9), (33, 8)),
        *((41, 30), (42, 14), (51, 31), (52, 14)),  # 16 apart and 17 apart
    ]
    log = [frame(NODE, second, sequence) for second, sequence in arrivals]
    ordered = rows(tmp_path, log, deduplicate=False)
    assert of(ordered, "temperature")[:6] == [25, 20, 22, 29, 50, 34]
    arrived = rows(tmp_path, log, reorder=False, deduplicate=False)
    assert of(arrived, "temperature")[:6] == [24, 65555, 22, 28, 34, 34]
    # 4 behind 5, 0 behind 4, 65535 behind 0, 8 behind 9, 14 behind 30; 2 is too far behind 300, 14
    # behind 31, to be out of order.
    assert counts(tmp_path, log, deduplicate=False)["frames out of order"] == 5


def test_a_late_frame_counts_where_it_arrives(tmp_path: Path) -> None:
    log = [frame(NODE, 1, 0), frame(NODE, 45, 1, sent=at(11)), frame(NODE, 52, 5, sent=at(43))]
    found = rows(tmp_path, log)
    assert of(found, "temperature")[:6] == [20, None, None, None, 21, 25]
    assert counts(tmp_path, log)["frames later than a slot by the node's clock"] == 1


def test_the_incident_covers_the_middle_of_a_slot_whatever_its_cause(tmp_path: Path) -> None:
    incidents = [
        incident(7, [NODE], 15, 35),  # middles 15, 25; 35 is its end, excluded
        incident(8, ["node-0001", "node-0050"], 15.001, 35.001, "bias", "fault"),
        incident(9, ["node-0001"], 91, 500, "interference", "environment"),
    ]
    found = rows(tmp_path, [], table(incidents, INCIDENTS))
    assert of(found, "incident") == [None, 7, 7] + [None] * 7
    assert of(found, "label") == [0, 1, 1] + [0] * 7
    kinds, none = {8: "bias", 9: "interference", None: None}, [None] * 5
    other = of(found, "incident", "node-0001")
    assert other == [None, None, 8, 8, *none, 9]
    assert of(found, "kind", "node-0001") == [kinds[number] for number in other]
    assert of(found, "label", "node-0001") == [0] * 10


NAMES = ("node-0000", "node-0001")
Row = dict[str, float | None]


def ahead(number: int, before: int) -> int:
    return (number - before + 32768) % 65536 - 32768


def reference(
    frames: list[tuple[float, dict[str, Any]]], quality: QualityConfig
) -> dict[tuple[str, int], Row]:
    """What each (node, slot) holds, one frame at a time."""
    rows: dict[tuple[str, int], Row] = {(name, slot): {} for name in NAMES for slot in range(10)}
    for name in NAMES:
        last: tuple[float, int] | None = None
        newest: tuple[float, int] | None = None
        met: dict[int, tuple[int, float]] = {}
        place = -1
        slots: dict[int, list[tuple[int, float]]] = {}
        for time, one in frames:
            if one["node"] != name or not one["fcs"] or not 0 <= time < 100:
                continue
            slot, sequence = int(time // 10), one["sequence"]
            if newest is not None and newest[0] // 10 < slot:
                last = newest
            link = rows[name, slot]
            link["rssi"] = one["rssi"]
            link["sequence_gap"] = link["inter_arrival"] = None
            if last is not None:
                link["sequence_gap"] = max(-50, min(50, ahead(sequence, last[1]) - 1))
                link["inter_arrival"] = min(100.0, time - last[0])
            newest = (time, sequence)
            if quality.checksum and not one["checksum"]:
                continue
            place += 1
            before = met.get(sequence, (-99, 0.0))
            repeated = place - before[0] <= 16 and time - before[1] <= 100
            met[sequence] = (place, time)
            if not (quality.deduplicate and repeated):
                slots.setdefault(slot, []).append((sequence, one["temperature"]))
        for slot, readings in slots.items():
            chosen = readings[-1]
            if quality.reorder:
                gaps = [(ahead(one[0], chosen[0]), order) for order, one in enumerate(readings)]
                chosen = readings[max(gap for gap in gaps if abs(gap[0]) <= 16)[1]]
            rows[name, slot]["temperature"] = chosen[1]
    return rows


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[float, dict[str, Any]]]:
    step = st.sampled_from([0.25, 0.5, 0.5, 1.0, 1.0, 4.0, 9.75])
    number = st.sampled_from([0, 1, 2, 16, 17, 50, 51, 300, 65534, 65535])
    found: list[tuple[float, dict[str, Any]]] = []
    time = -1.0
    for after in draw(st.lists(step, min_size=20, max_size=60)):
        time += after
        facts: dict[str, Any] = {key: draw(st.integers(0, 9)) > 0 for key in ("fcs", "checksum")}
        facts |= {"temperature": float(len(found)), "rssi": -50.0 - len(found)}
        name = draw(st.sampled_from([*NAMES, NAMES[0], NAMES[0], "node-0099", None]))
        found.append((time, frame(name, time, draw(number), **facts)))
    return found


@settings(max_examples=40, deadline=None)
@given(logs(), st.booleans(), st.booleans(), st.booleans())
def test_equals_a_frame_by_frame_reference(
    frames: list[tuple[float, dict[str, Any]]], checksum: bool, deduplicate: bool, reorder: bool
) -> None:
    quality = QualityConfig(checksum=checksum, deduplicate=deduplicate, reorder=reorder)
    with tempfile.TemporaryDirectory() as folder:
        path = frames_file(Path(folder) / "log.parquet", [one for _, one in frames])
        found = telemetry_of_cell(path, NODES_OF_CELL, NONE, BY_HAND, quality)
    expected = reference(frames, quality)
    assert list(expected) == [(name, slot) for name in NAMES for slot in range(10)]
    for channel in ("temperature", "rssi", "sequence_gap", "inter_arrival"):
        assert found[channel].to_list() == [row.get(channel) for row in expected.values()], channel
    assert found["series"].to_list() == [name for name in NAMES for _ in range(10)]
