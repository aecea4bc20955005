"""LoRa's arithmetic: time on air, and the weakest signal that a gateway can read."""

from __future__ import annotations

import math

from anomalynet.errors import UsageError

NOISE = -117.0
"""dBm in 125 kHz, with the 6 dB noise figure of the data sheet's sensitivities;
`radio.noise_figure` is for 802.15.4."""


def time_on_air(
    payload: int,
    spreading_factor: int,
    bandwidth: float = 125e3,
    coding_rate: int = 1,
    preamble: int = 8,
) -> float:
    """Seconds that a frame takes, with explicit header and CRC.

    Args:
        payload: bytes.
        spreading_factor: 7-12; each step doubles the length of a symbol.
        bandwidth: Hz. Low data rate optimisation is on where a symbol lasts 16 ms or longer.
        coding_rate: 1 (4/5) to 4 (4/8).
        preamble: symbols.

    Source: not in the paper; Semtech SX1276 data sheet, 4.1.1.7
    """
    symbol: float = 2**spreading_factor / bandwidth
    slow = symbol >= 0.016
    groups = math.ceil(
        (8 * payload - 4 * spreading_factor + 28 + 16) / (4 * (spreading_factor - 2 * slow))
    )
    return (preamble + 4.25 + 8 + max(groups * (coding_rate + 4), 0)) * symbol


def required_snr(spreading_factor: int) -> float:
    """Smallest ratio of signal to noise in dB that can be read: -7.5 at 7, 2.5 less with each
    factor more.

    Raises:
        UsageError: the spreading factor is not 7-12.

    Source: not in the paper; Semtech SX1276 data sheet, table 13
    """
    if not 7 <= spreading_factor <= 12:
        raise UsageError(
            f"radio.spreading_factor is {spreading_factor}; LoRa has 7 to 12",
            "choose one of 7 8 9 10 11 12",
        )
    return -7.5 - 2.5 * (spreading_factor - 7)


def sensitivity(spreading_factor: int) -> float:
    """Weakest signal in dBm that a gateway reads: -124.5 at 7 to -137 at 12.

    Raises:
        UsageError: the spreading factor is not 7-12.

    Source: not in the paper; Semtech SX1276 data sheet
    """
    return NOISE + required_snr(spreading_factor)
