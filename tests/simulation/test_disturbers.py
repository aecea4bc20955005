"""Interference that is not decoded, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from anomalynet.simulation.disturbers import REACTION, Bursts, Reactive, of_incident, power_of
from anomalynet.simulation.placement import place
from tests.simulation.small import END, START, incident, scenario

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
    assert not TWO.heard(2.0, 5.0, 0)
    assert not TWO.heard(1.9, 2.1, 1)
    assert not TWO.heard(1.9, 2.1, 2)


def test_a_reactive_jammer_falls_into_a_frame_and_is_never_sensed() -> None:
    jammer = Reactive(10.0, 20.0, 1e-9)
    assert jammer.during(12.0, 12.001) == [(12.0 + REACTION, 12.001, 1e-9)]
    assert jammer.during(12.0, 12.0002) == []
    assert jammer.during(9.9999, 10.5) == jammer.during(20.0, 20.1) == []
    assert not jammer.heard(12.0, 13.0, 0)


def test_power_grows_with_the_square_of_the_magnitude() -> None:
    assert power_of(incident("jamming", magnitude=10.0)) - power_of(
        incident("jamming", magnitude=1.0)
    ) == pytest.approx(20.0)


def test_a_periodic_jammer_is_on_for_five_twelfths_and_never_outside_its_incident() -> None:
    small = scenario()
    jammer = of_incident(small, place(small, 0), incident("jamming", variant="periodic"))
    on = sum(stop - start for start, stop, _ in jammer.during(0.0, 4 * 3600.0))
    assert on / (END - START) == pytest.approx(5 / 12, rel=0.01)
    assert jammer.during(0.0, START) == jammer.during(END, 4 * 3600.0) == []


def test_foreign_traffic_is_on_for_the_share_of_the_gilbert_elliott_model() -> None:
    small = scenario()
    cell = place(small, 0)
    shares = []
    for number in range(20):
        traffic = of_incident(small, cell, incident("interference", magnitude=2.0, number=number))
        shares.append(
            sum(stop - start for start, stop, _ in traffic.during(0.0, 4 * 3600.0)) / (END - START)
        )
    assert np.mean(shares) == pytest.approx(1.5 / (1.5 + 3.0 / 2.0), abs=0.02)
