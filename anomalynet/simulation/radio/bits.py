"""Bit errors of one frame on the air: interference, bit error rate (IEEE 802.15.4 at 2.4 GHz), and
which bits are wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from anomalynet.simulation.records import Disturber

BIT = 4e-6  # seconds per bit; 32 µs per byte
HEADER = 6  # bytes on the air before the PSDU: preamble 4, start of frame 1, length 1
Stretch = tuple[float, float, float]  # from, to (seconds), and the interference in between (mW)
Piece = tuple[float, float]  # bits, and the noise and interference in mW while they last


def disturbance(disturbers: Sequence[Disturber], start: float, stop: float) -> list[Stretch]:
    """Every stretch of interference by disturbers within [start, stop), clipped to it."""
    found = [stretch for disturber in disturbers for stretch in disturber.during(start, stop)]
    return [
        (max(begin, start), min(end, stop), power)
        for begin, end, power in found
        if begin < stop and start < end
    ]


def pieces(start: float, stop: float, noise: float, stretches: Sequence[Stretch]) -> list[Piece]:
    """Cut [start, stop) where the interference changes: bits (not whole) and total noise in mW of
    each piece, in order."""
    if not stretches:
        return [((stop - start) / BIT, noise)]
    edges = {start, stop, *(edge for begin, end, _ in stretches for edge in (begin, end))}
    found = []
    for before, after in itertools.pairwise(sorted(edges)):
        powers = [power for begin, end, power in stretches if begin <= before and after <= end]
        found.append(((after - before) / BIT, noise + sum(powers)))
    return found


def first_error(draw: float, parts: Sequence[tuple[float, float]]) -> int | None:
    """Index of the first wrong bit, or None, from one uniform draw in [0, 1).

    Args:
        draw: if it is below the probability of any error, there is one; the same draw determines
            which bit is the first.
        parts: (bits, -ln(1 - BER)) of consecutive pieces.

    Source: inverse of the distribution of independent errors
    """
    budget = -math.log1p(-draw)
    position = 0.0
    for bits, density in parts:
        if bits * density > budget:
            return int(position + budget / density)
        budget -= bits * density
        position += bits
    return None


def flip(
    psdu: bytes, first: int, parts: Sequence[tuple[float, float]], rng: np.random.Generator
) -> bytes:
    """The frame with bit errors: one at `first`, none before, each later bit at its piece's rate.

    Args:
        first: index of the bit on the air, including the 48 bits of the synchronisation header;
            the lowest bit of a byte is sent first.
        parts: as for `first_error`.
        rng: one uniform draw is taken per bit on the air.
    """
    size = 8 * (HEADER + len(psdu))
    edges = np.cumsum([bits for bits, _ in parts])
    densities = np.array([density for _, density in parts])
    piece = np.minimum(np.searchsorted(edges, np.arange(size), side="right"), len(parts) - 1)
    wrong = rng.random(size) < -np.expm1(-densities[piece])
    # Late in a long simulation the times of a frame are rounded, so `parts` may hold slightly more
    # bits than the frame has.
    first = min(first, size - 1)
    wrong[:first] = False
    wrong[first] = True
    mask = np.packbits(wrong[8 * HEADER :], bitorder="little")
    return (np.frombuffer(psdu, np.uint8) ^ mask).tobytes()


_TERMS = tuple(((-1) ** k * math.comb(16, k) / 30.0, 20.0 * (1.0 / k - 1.0)) for k in range(2, 17))
LOWEST, HIGHEST, STEPS = -30.0, 15.0, 100
"""Range of the table in dB, and its steps per dB. Below the range the first value is used; above,
no bit is wrong (< 1e-130)."""


def bit_error_rate(sinr: float) -> float:
    """Bit error probability at a linear ratio of signal to noise and interference.

    0.5 without a signal, 1.6e-4 at 0 dB (ratio 1).

    Source: IEEE 802.15.4-2006, E.4.1.8
    """
    return math.fsum(weight * math.exp(rate * sinr) for weight, rate in _TERMS)


# Between neighbouring entries the logarithm of the rate is nearly linear; the rate is not.
_TABLE = [
    math.log(-math.log1p(-bit_error_rate(10.0 ** ((LOWEST + i / STEPS) / 10.0))))
    for i in range(int((HIGHEST - LOWEST) * STEPS) + 2)
]


def error_density(snr: float) -> float:
    """-ln(1 - BER) at a ratio in dB, so that n bits survive with exp(-n × density).

    Interpolated; the relative error is below 5e-5 up to 8 dB, where the rate is 1e-28.

    Source: `bit_error_rate`
    """
    position = (snr - LOWEST) * STEPS
    if position <= 0.0:
        return math.exp(_TABLE[0])
    if snr >= HIGHEST:
        return 0.0
    index = int(position)
    low = _TABLE[index]
    return math.exp(low + (position - index) * (_TABLE[index + 1] - low))
