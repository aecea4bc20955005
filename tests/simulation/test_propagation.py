"""Path loss, shadowing, fading and noise against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from anomalynet.simulation.propagation import fading_gain, noise_dbm, path_loss, shadowing
from anomalynet.simulation.records import Float64, stream
from tests.simulation.network import packet_error_rate


def quantiles(count: int) -> Float64:
    """The middles of equal shares of [0, 1): an even sample of a uniform draw."""
    return (np.arange(count) + 0.5) / count


def test_path_loss_by_hand() -> None:
    found = path_loss(np.array([1.0, 10.0, 100.0, 120.0]), 3.0, 40.05)
    assert found == pytest.approx([40.05, 70.05, 100.05, 40.05 + 30 * 2.0791812460476247])


def test_path_loss_within_the_reference_distance_is_the_reference() -> None:
    assert path_loss(np.array([0.0, 0.5]), 2.0, 40.05).tolist() == [40.05, 40.05]


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
    assert np.mean([packet_error_rate(level, 31) for level in levels]) == pytest.approx(
        expected, rel=0.02
    )


@pytest.mark.parametrize("k_factor", [-10.0, 0.0, 6.0, 20.0])
def test_rician_gain_has_the_moments_of_rice(k_factor: float) -> None:
    first, second = np.meshgrid(quantiles(2000), quantiles(200))
    gain = fading_gain("rician", k_factor, first, second)
    ratio = 10 ** (k_factor / 10)
    assert gain.mean() == pytest.approx(1.0, rel=2e-3)
    assert gain.var() == pytest.approx((1 + 2 * ratio) / (1 + ratio) ** 2, rel=1e-2)


def test_rayleigh_gain_is_exponential() -> None:
    gain = fading_gain("rayleigh", 0.0, np.array([0.0, 0.5, 1 - np.exp(-1)]), np.zeros(3))
    assert gain == pytest.approx([1e-12, np.log(2), 1.0])


def test_without_fading_the_gain_is_one() -> None:
    assert fading_gain("none", 6.0, np.array([0.1, 0.9]), np.array([0.3, 0.4])).tolist() == [
        1.0,
        1.0,
    ]
