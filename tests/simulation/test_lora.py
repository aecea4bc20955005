"""LoRa's ALOHA and the ideal radio by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from anomalynet.simulation.radio.link import on_air
from anomalynet.simulation.radio.lora import NOISE, required_snr, time_on_air
from anomalynet.simulation.records import Disturber, RadioLog, Station
from anomalynet.simulation.scenario import RadioConfig
from tests.simulation.network import corrupt, everyone, frame, station

LORA = RadioConfig(kind="lora", fading="none")
AIRTIME = time_on_air(31, 7)


@dataclass(frozen=True)
class Tone:
    """Interference without an end."""

    power: float

    def during(self, start: float, stop: float) -> list[tuple[float, float, float]]:
        return [(0.0, 1e9, self.power)]

    def heard(self, start: float, stop: float, station: int) -> bool:
        return True


def run(
    *stations: Station, radio: RadioConfig = LORA, disturbers: tuple[Disturber, ...] = ()
) -> RadioLog:
    return on_air(radio, stations, everyone(len(stations)), disturbers, 10_000.0, corrupt)


def lora(times: Any, power: Any = -100.0, radio: RadioConfig = LORA, **own: Any) -> Station:
    return station(np.atleast_1d(times), power, radio=radio, **own)


def test_one_frame_by_hand() -> None:
    log = run(lora(1.0))
    (got,) = log.receptions
    assert got.time == pytest.approx(1.0 + AIRTIME, abs=1e-9)
    assert (got.rssi, got.intact, got.psdu) == (-100.0, True, frame(31))
    assert got.snr == pytest.approx(17.0)
    assert log.retries[0].tolist() == [0]


@pytest.mark.parametrize(("factor", "weakest"), [(7, -124.5), (12, -137.0)])
def test_a_frame_below_the_sensitivity_is_missed(factor: int, weakest: float) -> None:
    radio = replace(LORA, spreading_factor=factor)
    powers = np.array([weakest + 0.01, weakest - 0.01])
    log = run(lora([0.0, 5000.0], powers, radio), radio=radio)
    assert [got.frame for got in log.receptions] == [0]
    assert (log.counts["missed"], log.counts["collided"]) == (1, 0)


@pytest.mark.parametrize(
    ("second", "arrived"), [(-100.0, []), (-105.9, []), (-106.1, [0]), (-93.9, [1])]
)
def test_of_overlapping_frames_one_six_decibel_stronger_survives(
    second: float, arrived: list[int]
) -> None:
    log = run(lora(0.0), lora(AIRTIME / 2, second, name="other"))
    assert [got.station for got in log.receptions] == arrived
    assert log.counts["collided"] == 2 - len(arrived)


def test_a_frame_must_be_stronger_than_all_that_overlap_it_together() -> None:
    # Two of -107 dBm are one of -104: 4 dB below, not 6.
    log = run(lora(0.0), lora(0.01, -107.0, name="1"), lora(0.02, -107.0, name="2"))
    assert log.counts["collided"] == 3


def test_frames_that_follow_each_other_do_not_collide() -> None:
    log = run(lora(0.0), lora(AIRTIME + 1e-6, -60.0, name="other"))
    assert log.counts["received"] == 2


def test_a_disturber_adds_to_the_noise() -> None:
    # Equal noise and disturbance: 3.01 dB; the sensitivity rises from -124.5 to -121.49.
    tone = Tone(10 ** (-117.0 / 10))
    for power, received in ((-121.4, 1), (-121.6, 0)):
        assert run(lora(0.0, power), disturbers=(tone,)).counts["received"] == received


def test_a_frame_within_the_pause_of_the_duty_cycle_is_dropped() -> None:
    pause = AIRTIME / LORA.duty_cycle
    times = [0.0, pause - 0.01, pause + 0.01, 2 * pause]
    log = run(lora(times))
    assert log.retries[0].tolist() == [0, -1, 0, -1]
    assert log.counts["duty_cycle"] == 2
    assert run(lora(times, polite=False)).retries[0].tolist() == [0, 0, 0, 0]


def test_fading_loses_frames_at_the_edge_of_the_range() -> None:
    radio = replace(LORA, fading="rayleigh")
    log = run(station(np.arange(900) * 10.0, -121.5, radio=radio), radio=radio)
    # 3 dB above the sensitivity: P(h < 0.501) = 0.394; four standard deviations of 900 frames are
    # 0.065.
    assert 1 - log.counts["received"] / 900 == pytest.approx(0.394, abs=0.065)


def test_load_of_pure_aloha() -> None:
    """Without capture a frame survives with exp(-2 G) at a load of G frames per time on air."""
    radio = replace(LORA, capture=60.0, duty_cycle=1.0)
    rng = np.random.default_rng(0)
    moments = [np.sort(rng.uniform(0, 9000, 100)) for _ in range(200)]
    log = run(*(lora(at, radio=radio, name=f"{i}") for i, at in enumerate(moments)), radio=radio)
    load = 20_000 * AIRTIME / 9000
    assert log.counts["received"] / log.counts["sent"] == pytest.approx(np.exp(-2 * load), rel=0.03)


def test_an_ideal_radio_delivers_everything_in_order() -> None:
    radio = RadioConfig(kind="ideal")
    short = lora([0.0, 1.0], -60.0, radio, psdu=frame(20))
    log = run(lora([0.0, 2.0], -200.0, radio), short, radio=radio)
    assert [(got.station, got.frame) for got in log.receptions] == [(1, 0), (0, 0), (1, 1), (0, 1)]
    expected = [26 * 32e-6, 37 * 32e-6, 1 + 26 * 32e-6, 2 + 37 * 32e-6]
    assert [got.time for got in log.receptions] == pytest.approx(expected)
    assert all(got.intact for got in log.receptions)
    assert log.counts["received"] == log.counts["sent"] == 4


@pytest.mark.parametrize(
    ("spreading_factor", "milliseconds"),
    [(7, 56.576), (8, 102.912), (9, 185.344), (10, 370.688), (11, 741.376), (12, 1318.912)],
)
def test_time_on_air_of_twenty_bytes(spreading_factor: int, milliseconds: float) -> None:
    assert time_on_air(20, spreading_factor) * 1000 == pytest.approx(milliseconds, rel=1e-12)


def test_sensitivities_of_the_data_sheet() -> None:
    found = [NOISE + required_snr(factor) for factor in range(7, 13)]
    assert found == [-124.5, -127.0, -129.5, -132.0, -134.5, -137.0]
