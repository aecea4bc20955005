"""From frames to rows, by hand: what is dropped, what wins a slot, what silence looks like."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import QualityConfig
from anomalynet.data.gateway import LINK_CHANNELS, SENSOR_CHANNELS, read_log, telemetry_of_cell
from anomalynet.simulation.store import INCIDENTS, NODES
from tests.data.world import BY_HAND, at, frame, frames_file, incident, node, table

NODE = "node-0000"
NODES_OF_CELL = table([node(0), node(1)], NODES)
NONE = table([], INCIDENTS)


def rows(
    tmp_path: Path, frames: list[dict[str, Any]], incidents: pl.DataFrame = NONE, **quality: bool
) -> pl.DataFrame:
    path = frames_file(tmp_path / "log.parquet", frames)
    return telemetry_of_cell(path, NODES_OF_CELL, incidents, BY_HAND, QualityConfig(**quality))  # type: ignore[arg-type]


def counts(tmp_path: Path, frames: list[dict[str, Any]], **quality: bool) -> dict[str, int]:
    path = frames_file(tmp_path / "log.parquet", frames)
    return dict(read_log(path, [NODE, "node-0001"], BY_HAND, QualityConfig(**quality)).counts)  # type: ignore[arg-type]


def of(found: pl.DataFrame, channel: str, series: str = NODE) -> list[Any]:
    return found.filter(pl.col("series") == series)[channel].to_list()


def test_every_node_and_slot_is_a_row(tmp_path: Path) -> None:
    found = rows(
        tmp_path, [frame(NODE, 3, 0), frame(NODE, 23, 2), frame("node-0001", 99.5, 7, motion=4.0)]
    )
    assert found.columns == [
        "series",
        "time",
        "label",
        "incident",
        "kind",
        *(c.name for c in (*SENSOR_CHANNELS, *LINK_CHANNELS)),
    ]
    assert found["series"].to_list() == [NODE] * 10 + ["node-0001"] * 10
    assert found["time"].to_list() == [at(10 * slot) for slot in range(10)] * 2
    assert found.schema["time"] == pl.Datetime("us")
    assert found.schema["label"] == pl.Int8
    assert found.schema["temperature"] == pl.Float32
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
    assert (
        "rssi"
        not in telemetry_of_cell(
            frames_file(tmp_path / "log", last), NODES_OF_CELL, NONE, BY_HAND, link=False
        ).columns
    )


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
    log = [
        frame(NODE, 1, 0),
        *(frame(NODE, 2 + n, 100 + n) for n in range(between)),
        frame(NODE, 30, 0),
    ]
    assert counts(tmp_path, log)["repeated frames"] == repeated


@pytest.mark.parametrize(("second", "repeated"), [(101.0, 1), (101.01, 0)])
def test_the_memory_is_of_ten_slots(tmp_path: Path, second: float, repeated: int) -> None:
    path = frames_file(tmp_path / "log.parquet", [frame(NODE, 1, 0), frame(NODE, second, 0)])
    longer = replace(BY_HAND, duration="200s")
    assert read_log(path, [NODE], longer, QualityConfig()).counts["repeated frames"] == repeated
    # Each repetition refreshes it.
    path = frames_file(tmp_path / "log.parquet", [frame(NODE, at_, 0) for at_ in (1, 60, 120, 180)])
    assert read_log(path, [NODE], longer, QualityConfig()).counts["repeated frames"] == 3


def test_a_frame_outside_the_simulated_time_is_counted_alone(tmp_path: Path) -> None:
    found = counts(tmp_path, [frame(NODE, 0, 0), frame(NODE, 100.0, 0)])
    assert found["frames outside the simulated time"] == 1 and found["repeated frames"] == 0


def test_frames_of_a_slot_find_their_order(tmp_path: Path) -> None:
    log = [
        frame(NODE, 1, 5),
        frame(NODE, 2, 4),  # overtaken
        frame(NODE, 11, 0),
        frame(NODE, 12, 65535),  # across the end of the numbers
        frame(NODE, 21, 300),
        frame(NODE, 22, 2),  # too far apart: the node restarted, the later one counts
        frame(NODE, 31, 7),
        frame(NODE, 32, 9),
        frame(NODE, 33, 8),
        frame(NODE, 41, 30),
        frame(NODE, 42, 14),
        frame(NODE, 51, 31),
        frame(NODE, 52, 14),  # 16 apart and 17 apart
    ]
    assert of(rows(tmp_path, log, deduplicate=False), "temperature")[:6] == [25, 20, 22, 29, 50, 34]
    assert of(rows(tmp_path, log, reorder=False, deduplicate=False), "temperature")[:6] == [
        24,
        65555,
        22,
        28,
        34,
        34,
    ]
    # 4 behind 5, 0 behind 4, 65535 behind 0, 8 behind 9, 14 behind 30; 2 is too far behind 300, 14
    # behind 31, to be out of order.
    assert counts(tmp_path, log, deduplicate=False)["frames out of order"] == 5


def test_a_late_frame_counts_where_it_arrives(tmp_path: Path) -> None:
    log = [frame(NODE, 1, 0), frame(NODE, 45, 1, sent=at(11)), frame(NODE, 52, 5, sent=at(43))]
    found = rows(tmp_path, log)
    assert of(found, "temperature")[:6] == [20, None, None, None, 21, 25]
    assert counts(tmp_path, log)["frames later than a slot by the node's clock"] == 1


def test_the_incident_covers_the_middle_of_a_slot_whatever_its_cause(tmp_path: Path) -> None:
    incidents = table(
        [
            incident(7, [NODE], 15, 35),  # middles 15, 25; 35 is its end, excluded
            incident(8, ["node-0001", "node-0050"], 15.001, 35.001, "bias", "fault"),
            incident(9, ["node-0001"], 91, 500, "interference", "environment"),
        ],
        INCIDENTS,
    )
    found = rows(tmp_path, [], incidents)
    assert of(found, "incident") == [None, 7, 7] + [None] * 7
    assert of(found, "label") == [0, 1, 1] + [0] * 7
    assert of(found, "incident", "node-0001") == [None, None, 8, 8, None, None, None, None, None, 9]
    assert of(found, "kind", "node-0001") == [
        None,
        None,
        "bias",
        "bias",
        None,
        None,
        None,
        None,
        None,
        "interference",
    ]
    assert of(found, "label", "node-0001") == [0] * 10


def test_a_scenario_starts_when_it_says(tmp_path: Path) -> None:
    assert rows(tmp_path, [])["time"][0] == datetime(2026, 1, 5)
    assert (
        counts(tmp_path, [frame(NODE, -0.5, 0), frame(NODE, 0, 1)])[
            "frames outside the simulated time"
        ]
        == 1
    )


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
            link["sequence_gap"] = (
                None if last is None else max(-50, min(50, ahead(sequence, last[1]) - 1))
            )
            link["inter_arrival"] = None if last is None else min(100.0, time - last[0])
            newest = (time, sequence)
            if quality.checksum and not one["checksum"]:
                continue
            place += 1
            repeated = (
                sequence in met
                and place - met[sequence][0] <= 16
                and time - met[sequence][1] <= 100
            )
            met[sequence] = (place, time)
            if not (quality.deduplicate and repeated):
                slots.setdefault(slot, []).append((sequence, one["temperature"]))
        for slot, readings in slots.items():
            chosen = readings[-1]
            if quality.reorder:
                near = [
                    (ahead(sequence, chosen[0]), order)
                    for order, (sequence, _) in enumerate(readings)
                    if abs(ahead(sequence, chosen[0])) <= 16
                ]
                chosen = readings[max(near)[1]]
            rows[name, slot]["temperature"] = chosen[1]
    return rows


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[float, dict[str, Any]]]:
    steps = draw(
        st.lists(st.sampled_from([0.25, 0.5, 0.5, 1.0, 1.0, 4.0, 9.75]), min_size=20, max_size=60)
    )
    found: list[tuple[float, dict[str, Any]]] = []
    time = -1.0
    number = st.sampled_from([0, 1, 2, 16, 17, 50, 51, 300, 65534, 65535])
    for step in steps:
        time += step
        facts = {
            "fcs": draw(st.integers(0, 9)) > 0,
            "checksum": draw(st.integers(0, 9)) > 0,
            "temperature": float(len(found)),
        }
        name = draw(st.sampled_from([*NAMES, NAMES[0], NAMES[0], "node-0099", None]))
        found.append((time, frame(name, time, draw(number), rssi=-50.0 - len(found), **facts)))
    return found


@settings(max_examples=150, deadline=None)
@given(logs(), st.booleans(), st.booleans(), st.booleans())
def test_equals_a_frame_by_frame_reference(
    frames: list[tuple[float, dict[str, Any]]], checksum: bool, deduplicate: bool, reorder: bool
) -> None:
    quality = QualityConfig(checksum=checksum, deduplicate=deduplicate, reorder=reorder)
    with tempfile.TemporaryDirectory() as folder:
        path = frames_file(Path(folder) / "log.parquet", [one for _, one in frames])
        found = telemetry_of_cell(
            path, table([node(0), node(1)], NODES), table([], INCIDENTS), BY_HAND, quality
        )
    expected = reference(frames, quality)
    for channel in ("temperature", "rssi", "sequence_gap", "inter_arrival"):
        assert found[channel].to_list() == [
            expected[name, slot].get(channel) for name in NAMES for slot in range(10)
        ], channel
    assert found["series"].to_list() == [name for name in NAMES for _ in range(10)]
