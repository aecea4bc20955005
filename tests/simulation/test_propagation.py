"""Path loss, shadowing, fading and noise against their definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from anomalynet.simulation.radio.bits import bit_error_rate, error_density, first_error, flip
from anomalynet.simulation.radio.link import on_air
from anomalynet.simulation.radio.propagation import fading_gain, noise_dbm, path_loss, shadowing
from anomalynet.simulation.records import Float64, stream
from tests.simulation.network import LIKE_NS3, corrupt, everyone, frame, packet_error_rate, station


def quantiles(count: int) -> Float64:
    """The middles of equal shares of [0, 1): an even sample of a uniform draw."""
    return (np.arange(count) + 0.5) / count


def test_path_loss_by_hand() -> None:
    found = path_loss(np.array([0.0, 0.5, 1.0, 10.0, 100.0, 120.0]), 3.0, 40.05)
    far = [70.05, 100.05, 40.05 + 30 * 2.0791812460476247]
    assert found == pytest.approx([40.05, 40.05, 40.05, *far])


def test_noise_of_ns3_and_of_two_megahertz() -> None:
    assert noise_dbm(5e6, 0.0) == pytest.approx(-106.99, abs=0.005)
    assert noise_dbm(2e6, 0.0) == pytest.approx(-111.0, abs=0.05)
    assert noise_dbm(2e6, 8.0) - noise_dbm(2e6, 0.0) == pytest.approx(8.0)


def test_shadowing_has_its_deviation_from_the_first_step_and_forgets_at_its_rate() -> None:
    found = shadowing(stream(0, "shadowing"), 20_000, 6, 4.0, 0.8)
    assert found.shape == (20_000, 6)
    assert found.std(axis=0) == pytest.approx(np.full(6, 4.0), rel=0.03)
    for first, second in ((0, 1), (0, 5), (3, 5)):
        product = np.mean(found[:, first] * found[:, second]) / 16
        assert product == pytest.approx(0.8 ** (second - first), abs=0.03)


def test_a_longer_course_of_shadowing_begins_like_a_shorter_one() -> None:
    short, long = (shadowing(stream(1, "shadowing"), 3, steps, 4.0, 0.9) for steps in (5, 50))
    assert np.array_equal(short, long[:, :5])


@pytest.mark.parametrize(
    ("snr", "expected"),
    [(0, 0.5088), (3, 0.3013), (6, 0.1649), (10, 0.0694), (15, 0.0225), (20, 0.0072)],
)
def test_packet_errors_over_rayleigh_fading_as_in_ns3(snr: float, expected: float) -> None:
    """The reference counts the bits of the PSDU's 31 bytes (with the 6 before it the row would
    begin with 0.518)."""
    draws = quantiles(20_000)
    levels = snr + 10 * np.log10(fading_gain("rayleigh", 0.0, draws, draws))
    found = np.mean([packet_error_rate(level, 31) for level in levels])
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("k_factor", [-10.0, 0.0, 6.0, 20.0])
def test_rician_gain_has_the_moments_of_rice(k_factor: float) -> None:
    first, second = np.meshgrid(quantiles(2000), quantiles(200))
    gain = fading_gain("rician", k_factor, first, second)
    ratio = 10 ** (k_factor / 10)
    assert gain.mean() == pytest.approx(1.0, rel=2e-3)
    assert gain.var() == pytest.approx((1 + 2 * ratio) / (1 + ratio) ** 2, rel=1e-2)


def test_rayleigh_gain_is_exponential_and_without_fading_it_is_one() -> None:
    draws = np.array([0.0, 0.5, 1 - np.exp(-1)])
    found = fading_gain("rayleigh", 0.0, draws, np.zeros(3))
    assert found == pytest.approx([1e-12, np.log(2), 1.0])
    assert fading_gain("none", 6.0, draws, np.full(3, 0.4)).tolist() == [1.0, 1.0, 1.0]


TABLE = [
    (-5, 7.5172e-2, 0.9999963, 1, 1),
    (-3, 1.6419e-2, 0.9292630, 0.9986692, 1),
    (-2, 5.1970e-3, 0.5655560, 0.8755959, 0.9949780),
    (-1, 1.1489e-3, 0.1680115, 0.3686164, 0.6890111),
    (-0.5, 4.5886e-4, 0.0708037, 0.1677212, 0.3726895),
    (0, 1.6153e-4, 0.0255152, 0.0625726, 0.1513635),
    (0.5, 4.9391e-5, 0.0078717, 0.0195632, 0.0489446),
    (1, 1.2912e-5, 2.06378e-3, 5.15147e-3, 1.303287e-2),
    (2, 5.1314e-7, 8.20989e-5, 2.052347e-4, 5.212137e-4),
    (3, 8.5972e-9, 1.37555e-6, 3.43887e-6, 8.73471e-6),
]
"""SNR in dB, bit error rate, packet error rates of 20, 50 and 127 bytes: the formula, and ns-3
3.44's LrWpanErrorModel."""

END_TO_END = [
    (-109.0, 0.7955, 0.9938),
    (-108.5, 0.5355, 0.9230),
    (-108.0, 0.3023, 0.6660),
    (-107.5, 0.1285, 0.3590),
    (-107.0, 0.0430, 0.1423),
    (-106.5, 0.0130, 0.0413),
    (-106.0, 0.0030, 0.0090),
]
"""Received power in dBm, share of lost frames with PSDUs of 31 and 111 bytes: ns-3, 4,000 frames
each."""


@pytest.mark.parametrize(("snr", "bits", "short", "middle", "longest"), TABLE)
def test_every_cell_of_the_reference_table(
    snr: float, bits: float, short: float, middle: float, longest: float
) -> None:
    assert bit_error_rate(10 ** (snr / 10)) == pytest.approx(bits, rel=5e-5)
    found = [packet_error_rate(snr, size) for size in (20, 50, 127)]
    assert found == pytest.approx([short, middle, longest], rel=5e-5)


def test_bit_error_rates_of_ns3s_own_unit_test() -> None:
    expected = {5: 7.38e-14, 2: 5.13e-7, -1: 0.00114, -4: 0.0391, -7: 0.175}
    for snr, rate in expected.items():
        tolerance = 1e-2 if snr == -1 else 5e-3
        assert bit_error_rate(10 ** (snr / 10)) == pytest.approx(rate, rel=tolerance), snr
    assert bit_error_rate(0.0) == pytest.approx(0.5, rel=1e-12)  # without a signal


@given(st.floats(-30, 8))
def test_the_table_of_the_inner_loop_keeps_to_the_formula(snr: float) -> None:
    expected = -math.log1p(-bit_error_rate(10 ** (snr / 10)))
    assert error_density(snr) == pytest.approx(expected, rel=5e-5)


def test_outside_the_table_noise_is_a_coin_and_a_strong_signal_is_certain() -> None:
    assert error_density(-200.0) == pytest.approx(math.log(2), rel=0.02)
    assert error_density(15.0) == 0.0
    assert error_density(14.99) < 1e-100


def test_the_first_wrong_bit_by_hand() -> None:
    parts = [(10.0, 0.0), (10.0, math.log(2))]
    found = [first_error(draw, parts) for draw in (0.0, 0.4, 0.6, 0.76, 0.999, 0.9991)]
    assert found == [10, 10, 11, 12, 19, None]


def test_wrong_bits_start_at_the_first_and_come_at_the_rate_of_their_piece() -> None:
    parts = [(48 + 400.0, 0.0), (600.0, 0.05), (0.0, 0.0)]
    size, rng = 125, stream(0, "flips")
    wrong = np.zeros(1000)
    for _ in range(400):
        got = flip(bytes(size), 448 + 100, parts, rng)
        wrong += np.unpackbits(np.frombuffer(got, np.uint8), bitorder="little")
    assert wrong[:500].sum() == 0
    assert wrong[500] == 400
    assert wrong[501:].mean() / 400 == pytest.approx(-math.expm1(-0.05), rel=0.03)


def test_a_first_error_that_rounding_puts_behind_the_frame_is_its_last_bit() -> None:
    assert flip(bytes(10), 128, [(128.0001, 1e-9)], stream(0, "flips")) == bytes(9) + b"\x80"


@pytest.mark.parametrize("size", [31, 111])
@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, id=f"{point[0]}dBm", marks=[pytest.mark.slow] * (point[0] != -107.5))
        for point in END_TO_END
    ],
)
def test_lost_frames_end_to_end_as_in_ns3(point: tuple[float, float, float], size: int) -> None:
    """Within the 99.9 % interval (Clopper-Pearson) of ns-3's 4,000 frames; our own 20,000 leave
    little noise of their own."""
    power, lost = point[0], round(4000 * point[1 if size == 31 else 2])
    radio = replace(LIKE_NS3, acknowledge=False)
    count = 20_000
    one = station(np.arange(count) * 0.1, power, radio=radio, psdu=frame(size), name=f"{power}")
    log = on_air(radio, [one], everyone(1), [], count, corrupt)
    assert log.counts["sent"] == count
    rate = 1 - log.counts["received"] / count
    least = beta.ppf(0.0005, lost, 4000 - lost + 1)
    assert least <= rate <= beta.ppf(0.9995, lost + 1, 4000 - lost)
