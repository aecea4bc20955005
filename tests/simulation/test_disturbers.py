"""Interference that is not decoded, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from anomalynet.simulation.incidents.attackers import forward
from anomalynet.simulation.incidents.disturbers import (
    REACTION,
    Bursts,
    Reactive,
    disturber_of,
    power_of,
)
from anomalynet.simulation.network.frames import builder, parse
from anomalynet.simulation.network.gateway import Heard, in_service, table
from anomalynet.simulation.network.placement import place_nodes
from tests.simulation.small import END, PERIOD, START, incident, scenario

TWO = Bursts(
    np.array([1.0, 5.0]), np.array([2.0, 6.0]), np.array([0.5, 0.25]), np.array([True, False])
)


def test_bursts_are_cut_to_the_transmission() -> None:
    assert TWO.during(0.0, 1.0) == []
    assert TWO.during(1.5, 5.5) == [(1.5, 2.0, 0.5), (5.0, 5.5, 0.25)]
    assert TWO.during(5.2, 5.3) == [(5.2, 5.3, 0.25)]
    assert TWO.during(6.0, 7.0) == []


def test_only_who_is_near_finds_the_channel_busy() -> None:
    assert TWO.heard(1.9, 2.1, 0)
    for start, stop, who in ((2.0, 5.0, 0), (1.9, 2.1, 1), (1.9, 2.1, 2)):
        assert not TWO.heard(start, stop, who)


def test_a_reactive_jammer_falls_into_a_frame_and_is_never_sensed() -> None:
    jammer = Reactive(10.0, 20.0, 1e-9)
    assert jammer.during(12.0, 12.001) == [(12.0 + REACTION, 12.001, 1e-9)]
    assert jammer.during(12.0, 12.0002) == []
    assert jammer.during(9.9999, 10.5) == jammer.during(20.0, 20.1) == []
    assert not jammer.heard(12.0, 13.0, 0)


def test_power_grows_with_the_square_of_the_magnitude() -> None:
    one, ten = (power_of(incident("jamming", magnitude=size)) for size in (1.0, 10.0))
    assert ten - one == pytest.approx(20.0)


def test_a_periodic_jammer_is_on_for_five_twelfths_and_never_outside_its_incident() -> None:
    small = scenario()
    jammer = disturber_of(small, place_nodes(small, 0), incident("jamming", variant="periodic"))
    on = sum(stop - start for start, stop, _ in jammer.during(0.0, 4 * 3600.0))
    assert on / (END - START) == pytest.approx(5 / 12, rel=0.01)
    assert jammer.during(0.0, START) == jammer.during(END, 4 * 3600.0) == []


def test_foreign_traffic_is_on_for_the_share_of_the_gilbert_elliott_model() -> None:
    small = scenario()
    cell, on = place_nodes(small, 0), 0.0
    for number in range(20):
        traffic = disturber_of(small, cell, incident("interference", magnitude=2.0, number=number))
        on += sum(stop - start for start, stop, _ in traffic.during(0.0, 4 * 3600.0))
    assert on / 20 / (END - START) == pytest.approx(1.5 / (1.5 + 3.0 / 2.0), abs=0.02)


COUNT = int(4 * 3600 / PERIOD)
QUIET = np.tile([[20.0, 50.0, 0.0, 100.0, 50.0]], (COUNT, 1))


def heard(motion: bool = False) -> Heard:
    """One frame a slot of node 3, in the slot's middle; every second one with motion."""
    readings = QUIET.copy()
    readings[::2, 2] = float(motion)
    slots = np.arange(COUNT)
    begin = np.asarray(slots * PERIOD, np.float64)
    build = builder(4, 1, slots, begin, readings)
    frames = [build(slot, 0) for slot in range(COUNT)]
    power, ratio = np.full(COUNT, -80.0), np.full(COUNT, 10.0)
    intact = np.ones(COUNT, np.bool_)
    content = np.array(frames, np.object_)
    return Heard(begin + PERIOD / 2, np.full(COUNT, 3), slots, power, ratio, intact, content)


def missing(kept: Heard) -> list[int]:
    """Slots whose frame is gone."""
    return sorted(set(range(COUNT)) - set(kept.slot.tolist()))


DURING = int(START / PERIOD), int(END / PERIOD)


def test_a_black_hole_swallows_all_of_its_nodes_and_of_no_other() -> None:
    kept, counts = forward(scenario(), heard(), (incident("black_hole"),))
    assert missing(kept) == list(range(*DURING))
    assert counts["dropped by a relay"] == DURING[1] - DURING[0]
    other, _ = forward(scenario(), heard(), (incident("black_hole", nodes=(2,)),))
    assert len(other.slot) == COUNT


def test_a_gray_hole_swallows_the_share_of_its_magnitude() -> None:
    lost = 0
    for number in range(30):
        hole = incident("gray_hole", magnitude=1.0, number=number)
        lost += forward(scenario(), heard(), (hole,))[1]["dropped by a relay"]
    assert abs(lost / 30 / 60 - (1 - np.exp(-0.4))) < 3 * (0.33 * 0.67 / 1800) ** 0.5


def test_selective_forwarding_drops_what_reports_something() -> None:
    choosy = incident("selective_forwarding", magnitude=30.0)
    kept, _ = forward(scenario(), heard(motion=True), (choosy,))
    assert missing(kept) == list(range(*DURING, 2))


def test_a_delaying_relay_reorders_and_changes_no_byte() -> None:
    original = heard()
    late, counts = forward(scenario(), original, (incident("delay", magnitude=6.0),))
    assert counts["delayed by a relay"] == 60
    assert sorted(late.frames) == sorted(original.frames)
    assert (np.diff(late.time) >= 0).all()
    moved = late.time - (late.slot * PERIOD + PERIOD / 2)
    inside = (late.slot >= DURING[0]) & (late.slot < DURING[1])
    assert (moved[~inside] == 0).all()
    assert 57 <= moved[inside].min() < 58 and 62 < moved[inside].max() <= 63


def test_tampering_changes_readings_under_a_fitting_fcs() -> None:
    changed, _ = forward(scenario(), heard(), (incident("tampering", magnitude=30.0),))
    read = parse(changed.frames.tolist())
    inside = (changed.slot >= DURING[0]) & (changed.slot < DURING[1])
    assert (read["checksum"] == ~inside).all()
    assert (read["temperature"][inside] != 20.0).mean() > 0.9
    assert (read["sequence"] == np.arange(COUNT)).all()


def test_a_restarting_gateway_hears_nothing_for_the_share_of_its_outages() -> None:
    busy = scenario("background.outages_per_day=240", "background.outage_seconds=60", "duration=7d")
    moments = np.arange(0, 7 * 86400.0, 5.0)
    down = 1 - in_service(busy, place_nodes(busy, 0), moments).mean()
    assert abs(down - (1 - np.exp(-240 * 60 / 86400))) < 0.03


def test_the_log_has_times_in_microseconds_and_the_node_s_own_stamp() -> None:
    log = table(scenario(), heard())
    epoch = np.datetime64("2026-01-05T08:00", "us").astype(np.int64)
    assert log["arrival"][:2].tolist() == [epoch + 15_000_000, epoch + 45_000_000]  # type: ignore[union-attr]
    assert log["sent"][:2].tolist() == [epoch, epoch + 30_000_000]  # type: ignore[union-attr]
    assert set(np.asarray(log["lqi"]).tolist()) == {round(16 / 26 * 255)}
