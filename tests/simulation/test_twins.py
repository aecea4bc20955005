"""Each incident type in a world, and the same world without it: equal before the onset only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from _pytest.mark import ParameterSet

from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.network.cell import simulate_cell
from anomalynet.simulation.records import CellResult, Incident
from tests.simulation.small import END, NODES, PERIOD, START, incident, scenario

READINGS = ("temperature", "humidity", "motion", "light", "sound")
Columns = dict[str, npt.NDArray[Any]]
ALL = tuple(range(NODES))


@cache
def simulated(*incidents: Incident) -> CellResult:
    return simulate_cell(scenario(), 0, incidents=incidents)


def twin() -> CellResult:
    """The world without any incident."""
    return simulated()


def world(type_: str, **details: Any) -> CellResult:
    """The world with one incident."""
    return simulated(incident(type_, **details))


EPOCH = np.datetime64("2026-01-05T08:00", "us").astype(np.int64)


def columns(
    result: CellResult, start: float = 0.0, end: float = np.inf, node: int | None = None
) -> Columns:
    """Frames that arrived in [start, end), of a node by the address that they claim; without it
    also the broken and the foreign ones."""
    frames: Columns = {
        name: np.asarray(column, dtype=object if name == "frame" else None)
        for name, column in result.frames.items()
    }
    frames["time"] = (frames["arrival"] - EPOCH) / 1e6
    chosen = (frames["time"] >= start) & (frames["time"] < end)
    if node is not None:
        chosen &= (frames["source"] == node + 1) & frames["fcs"]
    return {name: column[chosen] for name, column in frames.items()}


def accepted(result: CellResult, node: int, start: float = START, end: float = END) -> int:
    """Slots in which a valid frame of a node arrived."""
    found = columns(result, start, end, node)
    return len(np.unique(found["time"][found["checksum"]] // PERIOD))


def same(left: Columns, right: Columns) -> bool:
    return all(np.array_equal(left[name], right[name]) for name in ("arrival", "rssi", "frame"))


def in_both(left: Columns, right: Columns) -> tuple[Columns, ...]:
    """The frames of equal sequence numbers."""
    pairs = np.intersect1d(left["sequence"], right["sequence"], return_indices=True)
    return tuple(
        {name: column[chosen] for name, column in columns.items()}
        for columns, chosen in ((left, pairs[1]), (right, pairs[2]))
    )


def variants() -> Iterator[ParameterSet]:
    """Each variant of each type; those after a type's first are slow."""
    for name, kind in TYPES.items():
        for number, variant in enumerate(kind.variants):
            yield pytest.param(name, variant, marks=[pytest.mark.slow] * (number > 0))


@pytest.mark.parametrize(("name", "variant"), [*variants()])
def test_before_the_onset_both_worlds_are_the_same_to_the_byte_and_after_it_they_are_not(
    name: str, variant: str
) -> None:
    nodes = ALL if TYPES[name].reach in ("cell", "radio", "room") else (3,)
    changed = world(name, variant=variant, nodes=nodes, magnitude=8.0)
    assert same(columns(twin(), end=START), columns(changed, end=START))
    assert not same(columns(twin(), START), columns(changed, START))


READ = ("bias", "gain", "drift", "stuck_at", "spike", "noise", "clipping", "false_data_injection")


@pytest.mark.parametrize("name", READ)
def test_a_sensor_or_firmware_changes_the_readings_of_its_node_and_nothing_on_the_air(
    name: str,
) -> None:
    changed = world(name, variant=TYPES[name].variants[0], magnitude=8.0)
    before, after = columns(twin()), columns(changed)
    intact, time = after["fcs"], after["time"]
    assert np.array_equal(before["arrival"], after["arrival"])
    assert np.array_equal(before["sequence"][before["fcs"]], after["sequence"][intact])
    touched = intact & (after["source"] == 4) & (time >= START) & (time < END + PERIOD)
    different = np.any([before[one] != after[one] for one in READINGS], axis=0) & intact
    assert different[touched].mean() > 0.2
    assert not different[~touched].any()
    assert after["checksum"][touched].all()


def test_a_process_event_is_measured_by_several_sensors_of_the_room() -> None:
    x, y = map(float, twin().cell.positions[3])
    event = incident("process_event", variant="fire", magnitude=8.0)
    changed = simulate_cell(scenario(), 0, incidents=(replace(event, position=(x, y)),))
    before, after = in_both(columns(twin(), START, END, 3), columns(changed, START, END, 3))
    assert len(before["time"]) > 40
    warmer = after["temperature"] - before["temperature"]
    drier = before["humidity"] - after["humidity"]
    assert warmer.max() > 2
    assert drier[warmer > 2].min() > 0


def delivered(result: CellResult) -> int:
    return sum(accepted(result, node) for node in ALL)


def received(result: CellResult) -> int:
    return int(np.asarray(result.nodes["received"], np.int64).sum())


@pytest.mark.parametrize("variant", ["constant", "periodic", "reactive"])
def test_jamming_lowers_delivery_more_the_stronger_it_is(variant: str) -> None:
    weak, strong = (
        delivered(world("jamming", variant=variant, nodes=ALL, magnitude=magnitude))
        for magnitude in (0.5, 20.0)
    )
    assert strong < weak <= delivered(twin())
    assert strong < 0.75 * delivered(twin())


def test_interference_comes_in_bursts_and_costs_less_than_a_jammer_of_the_same_strength() -> None:
    lost = delivered(world("interference", nodes=ALL, magnitude=5.0)) / delivered(twin())
    assert 0.2 < lost < 0.99


def test_an_obstacle_weakens_the_links_behind_it_alone() -> None:
    changed = world("shadowing_outage", magnitude=1.0)
    # The same frames, so the same fading.
    clear, behind = in_both(columns(twin(), START, END, 3), columns(changed, START, END, 3))
    assert np.median(clear["rssi"] - behind["rssi"]) == pytest.approx(6.0, abs=1e-3)
    assert accepted(world("shadowing_outage", magnitude=8.0), 3) < 0.2 * accepted(twin(), 3)
    usual, other = (np.median(columns(one, START, END, 5)["rssi"]) for one in (twin(), changed))
    assert usual == pytest.approx(other, abs=0.5)


def test_a_flooder_fills_the_air_and_costs_its_neighbours_repetitions_or_frames() -> None:
    changed = world("flooding", nodes=ALL, magnitude=8.0)
    known = columns(twin())["source"][columns(twin())["fcs"]]
    assert (columns(changed, START, END)["source"] == -1).sum() > 1000 and not (known == -1).any()
    flooded, usual = (
        np.asarray(one.frames["retries"], int)[np.asarray(one.frames["source"]) > 0].sum()
        for one in (changed, twin())
    )
    assert flooded > 1.2 * usual or received(changed) < 0.99 * received(twin())


def test_a_spoofer_sends_valid_frames_with_the_next_sequence_number_and_other_readings() -> None:
    found, usual = (
        columns(one, START, END, 3) for one in (world("spoofing", magnitude=8.0), twin())
    )
    numbers, counts = np.unique(found["sequence"], return_counts=True)
    assert found["checksum"].all()
    assert (counts >= 2).mean() > 0.8 and len(numbers) > 40
    assert len(found["sequence"]) > 1.5 * len(usual["sequence"])
    steps, before = (
        [np.abs(np.diff(one[name].astype(float))).mean() for name in READINGS]
        for one in (found, usual)
    )
    assert any(step > 3 * own for step, own in zip(steps, before, strict=True))


def test_a_replay_is_plausible_and_out_of_sequence_and_time() -> None:
    found = columns(world("replay", magnitude=8.0), START, END, 3)
    stale = found["arrival"] - found["sent"] > 600e6
    assert stale.sum() > 30
    assert found["checksum"].all()
    assert (np.diff(found["sequence"].astype(int)) < -10).sum() > 20
    # The repetitions field is not the recorder's to know, and the gateway has lost some that the
    # attacker heard.
    old = {frame[7:11] + frame[12:25] for frame in columns(twin(), 0, END, 3)["frame"]}
    assert np.mean([frame[7:11] + frame[12:25] in old for frame in found["frame"][stale]]) > 0.8


def test_tampering_passes_the_fcs_and_fails_the_crc() -> None:
    found = columns(world("tampering", magnitude=8.0), START, END, 3)
    assert found["fcs"].all()
    assert (~found["checksum"]).mean() > 0.9
    assert columns(twin(), START, END, 3)["checksum"].all()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("black_hole", 0.0, 0.0), ("gray_hole", 0.6, 0.95), ("selective_forwarding", 0.1, 0.95)],
)
def test_a_relay_drops_frames_that_were_acknowledged(name: str, least: float, most: float) -> None:
    changed = world(name, magnitude=0.6 if name == "gray_hole" else 8.0)
    assert least <= accepted(changed, 3) / accepted(twin(), 3) <= most
    assert changed.nodes["sent"][3] == twin().nodes["sent"][3]
    found, usual = (columns(one, END, END + 3600, 3)["retries"] for one in (changed, twin()))
    assert found.mean() == usual.mean()


def test_delayed_frames_arrive_late_and_unchanged() -> None:
    found = columns(world("delay", magnitude=4.0), START + 60, END, 3)
    late, usual = in_both(found, columns(twin(), START, END, 3))
    seconds = (late["arrival"] - usual["arrival"]) / 1e6
    assert 0.95 * 40 <= seconds.min() <= seconds.max() <= 1.05 * 40 + 0.1
    assert len(seconds) > 40
    sent = {frame[16:24] for frame in columns(twin(), START, END, 3)["frame"]}
    assert {frame[16:24] for frame in found["frame"]} <= sent


def test_a_crashed_node_is_silent_and_begins_anew() -> None:
    changed = world("crash")
    assert accepted(changed, 3, START + PERIOD, END) == 0
    assert accepted(changed, 3, END, END + 3600) > 100
    assert columns(changed, END, END + 10 * PERIOD, 3)["sequence"].min() == 0


def test_an_intermittent_node_loses_the_share_that_its_magnitude_says() -> None:
    share = accepted(world("intermittent", magnitude=2.0), 3) / accepted(twin(), 3)
    assert share == pytest.approx(np.exp(-0.7), abs=0.2)


def test_a_dying_battery_raises_the_noise_then_restarts_then_falls_silent() -> None:
    changed = world("battery_depletion", magnitude=4.0)
    half = START + (END - START) / 2
    assert accepted(changed, 3, half + PERIOD, END) == 0
    assert changed.nodes["battery_end"][3] == 0
    assert np.asarray(twin().nodes["battery_end"], np.float64)[3] > 0.3
    found, usual = columns(changed, START, half, 3), columns(twin(), START, half, 3)
    assert np.diff(found["temperature"]).std() > 1.3 * np.diff(usual["temperature"]).std()


def test_a_skewed_clock_drifts_away_and_a_reset_one_begins_at_zero() -> None:
    skewed, reset = (
        columns(world("clock", variant=variant, magnitude=4.0), START, END, 3)
        for variant in ("skew", "reset")
    )
    drifted, straight = in_both(skewed, columns(twin(), START, END, 3))
    away = np.abs(drifted["arrival"] - straight["arrival"]) / 1e6
    assert away[-1] == pytest.approx(2.0e-3 * 4.0 * (END - START), rel=0.1)
    assert np.array_equal(drifted["sent"], straight["sent"])
    stamp = (reset["sent"] - EPOCH) / 1e6
    assert stamp.min() < PERIOD and stamp.max() < END - START + PERIOD


@pytest.mark.parametrize("name", ["bias", "gray_hole", "delay", "jamming"])
def test_severity_grows_with_the_effect(name: str) -> None:
    nodes = ALL if name == "jamming" else (3,)
    low, high = (
        world(name, variant=TYPES[name].variants[0], nodes=nodes, magnitude=size)
        .incidents[0]
        .severity
        for size in (0.1, 30.0)
    )
    assert low <= 2 < high <= 4
