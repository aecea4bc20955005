"""Bit errors of IEEE 802.15.4 at 2.4 GHz: the standard's formula, and a table of it for the inner
loop."""

from __future__ import annotations

import math

_TERMS = tuple(((-1) ** k * math.comb(16, k) / 30.0, 20.0 * (1.0 / k - 1.0)) for k in range(2, 17))

LOWEST, HIGHEST, STEPS = -30.0, 15.0, 100
"""The table's range in dB and its steps per dB. Below the range its first value holds; above, no
bit is ever wrong (< 1e-130)."""


def bit_error_rate(sinr: float) -> float:
    """Probability that a bit is wrong, from the linear ratio of signal to noise and interference.

    0.5 without a signal, 1.6e-4 at 0 dB (ratio 1).

    Source: not in the paper; IEEE 802.15.4-2006, E.4.1.8
    """
    return math.fsum(weight * math.exp(rate * sinr) for weight, rate in _TERMS)


def packet_error_rate(snr: float, size: int) -> float:
    """Probability that at least one bit of `size` bytes is wrong, at a constant signal-to-noise
    ratio in dB.

    Source: not in the paper; independent bit errors
    """
    return -math.expm1(8 * size * math.log1p(-bit_error_rate(10.0 ** (snr / 10.0))))


# The logarithm of the rate is nearly straight between neighbouring entries, the rate is not.
_TABLE = [
    math.log(-math.log1p(-bit_error_rate(10.0 ** ((LOWEST + i / STEPS) / 10.0))))
    for i in range(int((HIGHEST - LOWEST) * STEPS) + 2)
]


def error_density(snr: float) -> float:
    """-ln(1 - BER) at a ratio in dB, so that n bits survive with exp(-n × density).

    Interpolated: within 5e-5 of the formula (relative) below 8 dB, where one error in 10^28 bits is
    left.

    Source: not in the paper; `bit_error_rate`
    """
    place = (snr - LOWEST) * STEPS
    if place <= 0.0:
        return math.exp(_TABLE[0])
    if snr >= HIGHEST:
        return 0.0
    index = int(place)
    low = _TABLE[index]
    return math.exp(low + (place - index) * (_TABLE[index + 1] - low))
