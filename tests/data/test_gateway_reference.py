"""The gateway's stage equals one that takes frame after frame, whatever arrives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import QualityConfig
from anomalynet.data.gateway import telemetry_of_cell
from anomalynet.simulation.store import INCIDENTS, NODES
from tests.data.world import BY_HAND, frame, frames_file, node, table

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
