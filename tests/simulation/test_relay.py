"""What compromised relays do to frames, by hand; and the gateway's own log."""

from __future__ import annotations

import numpy as np

from anomalynet.simulation.attackers import forward
from anomalynet.simulation.frames import builder, parse
from anomalynet.simulation.gateway import Heard, in_service, table
from anomalynet.simulation.placement import place
from anomalynet.simulation.records import Float64
from tests.simulation.small import END, PERIOD, START, incident, scenario

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
    middle: Float64 = np.asarray(begin + PERIOD / 2, np.float64)
    return Heard(
        middle,
        np.full(COUNT, 3),
        slots,
        np.full(COUNT, -80.0),
        np.full(COUNT, 10.0),
        np.ones(COUNT, np.bool_),
        frames,
    )


DURING = int(START / PERIOD), int(END / PERIOD)


def test_a_black_hole_swallows_all_of_its_nodes_and_of_no_other() -> None:
    kept, counts = forward(scenario(), heard(), (incident("black_hole"),))
    assert sorted(set(range(COUNT)) - set(kept.slot.tolist())) == list(range(*DURING))
    assert counts["dropped by a relay"] == DURING[1] - DURING[0]
    other, _ = forward(scenario(), heard(), (incident("black_hole", nodes=(2,)),))
    assert len(other.slot) == COUNT


def test_a_gray_hole_swallows_the_share_of_its_magnitude() -> None:
    lost = [
        forward(scenario(), heard(), (incident("gray_hole", magnitude=1.0, number=number),))[1][
            "dropped by a relay"
        ]
        for number in range(30)
    ]
    assert abs(np.mean(lost) / 60 - (1 - np.exp(-0.4))) < 3 * (0.33 * 0.67 / 1800) ** 0.5


def test_selective_forwarding_drops_what_reports_something() -> None:
    kept, _ = forward(
        scenario(), heard(motion=True), (incident("selective_forwarding", magnitude=30.0),)
    )
    assert sorted(set(range(COUNT)) - set(kept.slot.tolist())) == list(
        range(DURING[0], DURING[1], 2)
    )


def test_a_delaying_relay_reorders_and_changes_no_byte() -> None:
    original = heard()
    late, counts = forward(scenario(), original, (incident("delay", magnitude=6.0),))
    assert counts["delayed by a relay"] == 60
    assert sorted(late.frames) == sorted(original.frames)
    assert (np.diff(late.time) >= 0).all()
    moved = late.time - (late.slot * PERIOD + PERIOD / 2)
    inside = (late.slot >= DURING[0]) & (late.slot < DURING[1])
    assert (moved[~inside] == 0).all()
    assert 57 <= moved[inside].min() < 58
    assert 62 < moved[inside].max() <= 63


def test_tampering_changes_readings_under_a_fitting_fcs() -> None:
    changed, _ = forward(scenario(), heard(), (incident("tampering", magnitude=30.0),))
    read = parse(changed.frames)
    inside = (changed.slot >= DURING[0]) & (changed.slot < DURING[1])
    assert not read["checksum"][inside].any()
    assert read["checksum"][~inside].all()
    assert (read["temperature"][inside] != 20.0).mean() > 0.9
    assert (read["sequence"] == np.arange(COUNT)).all()


def test_a_restarting_gateway_hears_nothing_for_the_share_of_its_outages() -> None:
    busy = scenario("background.outages_per_day=240", "background.outage_seconds=60", "duration=7d")
    moments = np.arange(0, 7 * 86400.0, 5.0)
    down = 1 - in_service(busy, place(busy, 0), moments).mean()
    assert abs(down - (1 - np.exp(-240 * 60 / 86400))) < 0.03


def test_the_log_has_times_in_microseconds_and_the_node_s_own_stamp() -> None:
    log = table(scenario(), heard())
    epoch = np.datetime64("2026-01-05T08:00", "us").astype(np.int64)
    assert log["arrival"][:2].tolist() == [epoch + 15_000_000, epoch + 45_000_000]  # type: ignore[union-attr]
    assert log["sent"][:2].tolist() == [epoch, epoch + 30_000_000]  # type: ignore[union-attr]
    assert set(np.asarray(log["lqi"]).tolist()) == {round(16 / 26 * 255)}
