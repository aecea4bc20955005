"""Whole networks against ns-3 and against a real testbed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anomalynet.simulation.radio.link import on_air
from anomalynet.simulation.radio.propagation import path_loss
from anomalynet.simulation.records import stream
from anomalynet.simulation.scenario import RadioConfig
from tests.simulation.network import LIKE_NS3, corrupt, frame, star, station


@pytest.mark.parametrize("square", [False, True], ids=["disc", "square"])
@pytest.mark.parametrize(
    ("nodes", "seconds", "period", "received", "lost"),
    [
        (50, 3600, 10.0, 18_007, None),
        pytest.param(100, 3600, 10.0, 36_017, None, marks=pytest.mark.slow),
        pytest.param(50, 360, 0.5, 36_209, 44, marks=pytest.mark.slow),
    ],
)
def test_frames_received_in_a_star_as_in_ns3(
    nodes: int, seconds: float, period: float, received: int, lost: int | None, square: bool
) -> None:
    """Within 1 % of what ns-3's gateway received, duplicates included; under load as many frames
    lost (there 31 to a busy channel, 13 unacknowledged) and doubled, within a factor of three."""
    stations, hears, _ = star(nodes, seconds, period, radio=LIKE_NS3, size=31, square=square)
    log = on_air(LIKE_NS3, stations, hears, (), seconds, corrupt)
    assert log.counts["offered"] == round(nodes * seconds / period)
    assert log.counts["received"] == pytest.approx(received, rel=0.01)
    if lost is not None:
        counts, twice = log.counts, received - log.counts["offered"] + lost
        gone = counts["channel_busy"] + counts["unacknowledged"] + counts["queue_full"]
        assert lost / 3 < gone < 3 * lost
        assert twice / 3 < counts["duplicates"] < 3 * twice


PERIODS = (0.0156, 0.0625, 0.125, 0.25, 1.0)
TESTBED = (0.138, 0.388, 0.551, 0.790, 0.937)
IDEAL = (0.236, 0.634, 0.898, 0.984, 0.999)


def delivered(period: float) -> float:
    """Share of 100-byte frames that arrive from 24 nodes within 30 m, not acknowledged, over the
    default scenario's channel."""
    radio, nodes = RadioConfig(acknowledge=False), 24
    rng = stream(0, "testbed")
    places = 30.0 * np.sqrt(rng.random(nodes)) * np.exp(2j * np.pi * rng.random(nodes))
    pair = np.triu(rng.normal(0, radio.shadowing, (nodes, nodes)), 1)
    loss = path_loss(np.abs(places[:, None] - places), radio.exponent, radio.reference_loss)
    between = -loss - pair - pair.T
    power = -path_loss(np.abs(places), radio.exponent, radio.reference_loss)
    power = power - rng.normal(0, radio.shadowing, nodes)
    slots = np.arange(min(2000, round(200 / period)))
    own: dict[str, Any] = {"radio": radio, "psdu": frame(100)}
    stations = [
        station((slots + rng.random()) * period, power[node], name=f"node-{node}", **own)
        for node in range(nodes)
    ]
    seconds = len(slots) * period
    log = on_air(radio, stations, between > radio.carrier_sense, (), seconds, corrupt)
    return log.counts["received"] / log.counts["offered"]


@pytest.mark.slow
def test_delivery_under_load_as_in_a_testbed_and_never_above_an_ideal_simulation() -> None:
    found = [delivered(period) for period in PERIODS]
    assert found == sorted(found)
    assert all(ours <= ideal for ours, ideal in zip(found, IDEAL, strict=True))
    assert found == pytest.approx(TESTBED, abs=0.12)
