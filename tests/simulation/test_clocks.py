"""Clocks, batteries and restarts of a node, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from anomalynet.simulation.network.clocks import live
from anomalynet.simulation.network.placement import place_nodes
from anomalynet.simulation.scenario import slots
from tests.simulation.small import END, PERIOD, START, incident, scenario

CALM = ("background.reboots_per_day=0", "node.clock_jitter=0")


def test_a_clock_drifts_by_its_error_and_is_set_by_the_beacon() -> None:
    calm = scenario(*CALM, "node.beacon_period=1800")
    life = live(calm, place_nodes(calm, 0), 2, ())
    phase = life.times - np.arange(slots(calm)) * PERIOD
    assert 0 < abs(life.error) <= 40
    assert phase[[60, 120]] == pytest.approx(phase[0], abs=1e-9)
    assert phase[59] - phase[0] == pytest.approx(-life.error * 1e-6 * 1770, rel=1e-3)
    assert np.allclose(life.clock, np.arange(slots(calm)) * PERIOD + phase[0])


def test_frames_are_counted_and_a_restart_begins_anew() -> None:
    calm = scenario(*CALM)
    life = live(calm, place_nodes(calm, 0), 3, (incident("crash"),))
    first, last = int(START / PERIOD), int(END / PERIOD)
    assert life.sequence[:first].tolist() == list(range(first))
    assert not life.alive[first:last].any()
    assert life.sequence[last:].tolist() == list(range(slots(calm) - last))


def test_sleep_and_radio_empty_the_battery_as_the_currents_say() -> None:
    calm = scenario(*CALM, "node.battery=1", "node.sleep_current=0.01")
    life = live(calm, place_nodes(calm, 0), 0, ())
    radio = (17.4 * 37 * 32e-6 + 18.8 * (128e-6 + 192e-6 + 352e-6)) / PERIOD
    assert life.battery[0] - life.battery[1] == pytest.approx((radio + 0.01) * 4)


def test_a_dying_battery_first_raises_the_noise_then_falls_silent() -> None:
    calm = scenario(*CALM)
    life = live(calm, place_nodes(calm, 0), 3, (incident("battery_depletion", magnitude=4.0),))
    first, last = int(START / PERIOD), int(END / PERIOD)
    assert life.noise[first] == 1
    assert life.noise[first + (last - first) // 4] == pytest.approx(1 + 3 * 0.5)
    assert not life.alive[first + (last - first) // 2 : last].any()
    assert life.alive[last:].all()
    assert life.noise[last:].max() == life.noise[:first].max() == 1


@pytest.mark.parametrize("variant", ["skew", "reset"])
def test_times_ascend_whatever_happens_to_the_clock(variant: str) -> None:
    calm = scenario(*CALM)
    for number in range(6):
        one = incident("clock", variant=variant, magnitude=20.0, number=number)
        assert (np.diff(live(calm, place_nodes(calm, 0), 3, (one,)).times) > 0).all()
