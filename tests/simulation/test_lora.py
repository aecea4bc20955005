"""LoRa's arithmetic against the data sheet."""

from __future__ import annotations

import pytest

from anomalynet.simulation.lora import NOISE, required_snr, time_on_air


@pytest.mark.parametrize(
    ("spreading_factor", "milliseconds"),
    [(7, 56.576), (8, 102.912), (9, 185.344), (10, 370.688), (11, 741.376), (12, 1318.912)],
)
def test_time_on_air_of_twenty_bytes(spreading_factor: int, milliseconds: float) -> None:
    assert time_on_air(20, spreading_factor) * 1000 == pytest.approx(milliseconds, rel=1e-12)


def test_sensitivities_of_the_data_sheet() -> None:
    found = [NOISE + required_snr(factor) for factor in range(7, 13)]
    assert found == [-124.5, -127.0, -129.5, -132.0, -134.5, -137.0]
