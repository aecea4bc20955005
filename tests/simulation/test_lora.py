"""LoRa's arithmetic against the data sheet."""

from __future__ import annotations

import pytest

from anomalynet.errors import UsageError
from anomalynet.simulation.lora import required_snr, sensitivity, time_on_air


@pytest.mark.parametrize(
    ("spreading_factor", "milliseconds"),
    [(7, 56.576), (8, 102.912), (9, 185.344), (10, 370.688), (11, 741.376), (12, 1318.912)],
)
def test_time_on_air_of_twenty_bytes(spreading_factor: int, milliseconds: float) -> None:
    assert time_on_air(20, spreading_factor) * 1000 == pytest.approx(milliseconds, rel=1e-12)


def test_time_on_air_by_hand_with_other_parameters() -> None:
    # SF 9, 250 kHz: symbol 2.048 ms; ceil((8·51 - 36 + 44) / 36) = 12 groups of 8 symbols; 6 + 4.25
    # + 8 + 96 symbols.
    assert time_on_air(51, 9, bandwidth=250e3, coding_rate=4, preamble=6) == pytest.approx(
        114.25 * 2.048e-3, rel=1e-12
    )


def test_sensitivities_of_the_data_sheet() -> None:
    assert [sensitivity(factor) for factor in range(7, 13)] == [
        -124.5,
        -127.0,
        -129.5,
        -132.0,
        -134.5,
        -137.0,
    ]


@pytest.mark.parametrize("factor", [6, 13])
def test_other_spreading_factors_are_refused(factor: int) -> None:
    with pytest.raises(UsageError, match=f"spreading_factor is {factor}"):
        required_snr(factor)
