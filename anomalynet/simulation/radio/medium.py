"""The radio channel of an IEEE 802.15.4 cell: carrier sense, and reception at the gateway."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field

import numpy as np

from anomalynet.simulation.network.frames import intact
from anomalynet.simulation.radio import bits
from anomalynet.simulation.radio.bits import BIT, HEADER, Stretch, disturbance
from anomalynet.simulation.radio.propagation import noise_dbm
from anomalynet.simulation.records import Bool, Disturber, RadioLog, Reception
from anomalynet.simulation.scenario import RadioConfig

MAX_PSDU = 127  # bytes
TURNAROUND = 192e-6  # seconds between listening and sending, 12 symbols
ACK_BITS = 8 * (HEADER + 5)  # of an acknowledgement on the air
ACK_TIME = ACK_BITS * BIT
LONGEST = (HEADER + MAX_PSDU) * 8 * BIT + 2 * TURNAROUND + ACK_TIME
"""Seconds after its end during which a transmission can still affect another one."""
SYNCHRONISATION = -5.0
"""Signal to noise and interference in dB below which a receiver does not synchronise to a frame:
one bit in thirteen would be wrong. ns-3 has the same limit, from IEEE 802.15.4-2006, annex E."""


@dataclass(slots=True, eq=False)
class Transmission:
    """A frame on the air during [start, stop) seconds; `released`: when a gateway that locked on
    to it listens again."""

    station: int
    frame: int
    attempt: int
    start: float
    seconds: InitVar[float]
    psdu: bytes
    dbm: float
    order: int = 0
    locked: bool | None = None
    stop: float = field(init=False)
    released: float = field(init=False)
    milliwatt: float = field(init=False)

    def __post_init__(self, seconds: float) -> None:
        self.stop = self.released = self.start + seconds
        self.milliwatt = 10.0 ** (self.dbm * 0.1)


def airtime(psdu: bytes) -> float:
    """Seconds that a frame is on the air. Raises ValueError: the frame is longer than the
    standard's 127 bytes. Source: IEEE 802.15.4, 2.4 GHz O-QPSK"""
    if len(psdu) > MAX_PSDU:
        raise ValueError(f"a frame of {len(psdu)} bytes; IEEE 802.15.4 allows {MAX_PSDU}")
    return (len(psdu) + HEADER) * 8 * BIT


class Medium:
    """The radio channel of a cell, and its gateway, which writes the log.

    The gateway locks on to the first frame that it can synchronise to, until its end: a stronger
    frame that comes later destroys the first and is lost too. The gateway cannot receive from the
    end of a frame that it acknowledges to the end of the acknowledgement. A frame is logged if the
    gateway locked on to it and the 6 bytes before the PSDU have no wrong bit. Later bits may be
    wrong; the FCS shows it.

    Args:
        hears: bool (station, station): the first detects the second.
        corrupt: (station, frame, attempt) → generator for the wrong bits.
        log: takes receptions and counts.

    Source: IEEE 802.15.4-2006
    """

    def __init__(
        self,
        radio: RadioConfig,
        hears: Bool,
        disturbers: Sequence[Disturber],
        corrupt: Callable[[int, int, int], np.random.Generator],
        log: RadioLog,
    ) -> None:
        self._hears: list[list[bool]] = (hears & ~np.eye(len(hears), dtype=np.bool_)).tolist()
        self._disturbers = tuple(disturbers)
        self._noise_dbm = noise_dbm(radio.bandwidth, radio.noise_figure)
        self._noise = 10.0 ** (self._noise_dbm * 0.1)
        self._corrupt = corrupt
        self._receptions = log.receptions
        self.counts = log.counts
        self._air: deque[Transmission] = deque()
        self._ack = (-1.0, -1.0)
        self._latest: dict[int, int] = {}

    def busy(self, station: int, start: float, stop: float) -> bool:
        """Whether a station that listens during [start, stop) finds the channel in use by the
        gateway, another station or a disturber."""
        return (self._ack[0] < stop and start < self._ack[1]) or self._disturbed(
            station, start, stop
        )

    def send(self, sent: Transmission, now: float) -> None:
        """Put a frame on the air; it may start later than now."""
        air = self._air
        while air and air[0].stop < now - LONGEST:
            air.popleft()
        air.append(sent)
        self.counts["sent"] += 1
        sent.order = self.counts["sent"]

    def receive(self, sent: Transmission, draw: float) -> bool:
        """End of a frame: log its reception, and return whether it arrived intact. `draw`, uniform
        in [0, 1), determines its bit errors."""
        counts = self.counts
        stretches = self._interference(sent)
        overlapped = bool(stretches)
        stretches += disturbance(self._disturbers, sent.start, sent.stop)
        parts = bits.pieces(sent.start, sent.stop, self._noise, stretches)
        errors = [
            (count, bits.error_density(sent.dbm - 10.0 * math.log10(noise)))
            for count, noise in parts
        ]
        first = bits.first_error(draw, errors)
        if not self._locks(sent, parts[0][1]) or (first is not None and first < 8 * HEADER):
            counts["missed"] += 1
            counts["collided"] += overlapped
            return False
        psdu = sent.psdu
        if first is not None:
            rng = self._corrupt(sent.station, sent.frame, sent.attempt)
            psdu = bits.flip(psdu, first, errors, rng)
        good = intact(psdu)
        mean = parts[0][1]
        if len(parts) > 1:
            mean = sum(n * noise for n, noise in parts) / sum(n for n, _ in parts)
        snr = sent.dbm - 10.0 * math.log10(mean)
        self._receptions.append(
            Reception(sent.stop, sent.station, sent.frame, sent.attempt, sent.dbm, snr, psdu, good)
        )
        if not good:
            counts["corrupted"] += 1
            counts["collided"] += overlapped
            return False
        counts["received"] += 1
        counts["undetected"] += first is not None
        counts["duplicates"] += self._latest.get(sent.station) == sent.frame
        self._latest[sent.station] = sent.frame
        return True

    def acknowledge(self, sent: Transmission) -> None:
        """The gateway switches to sending and acknowledges a frame that has just ended."""
        begin = sent.stop + TURNAROUND
        self._ack = (begin, begin + ACK_TIME)
        sent.released = begin + ACK_TIME

    def acknowledged(self, sent: Transmission, draw: float) -> bool:
        """Whether the acknowledgement that ends now reached the sender, over the same link with the
        same fading. Anything that the sender's carrier sense detects meanwhile destroys it."""
        density = bits.error_density(sent.dbm - self._noise_dbm)
        return ACK_BITS * density <= -math.log1p(-draw) and not self._disturbed(
            sent.station, sent.stop + TURNAROUND, sent.released
        )

    def _disturbed(self, station: int, start: float, stop: float) -> bool:
        row = self._hears[station]
        for other in self._air:
            if other.start < stop and start < other.stop and row[other.station]:
                return True
        return any(disturber.heard(start, stop, station) for disturber in self._disturbers)

    def _interference(self, sent: Transmission) -> list[Stretch]:
        return [
            (max(other.start, sent.start), min(other.stop, sent.stop), other.milliwatt)
            for other in self._air
            if other.start < sent.stop and sent.start < other.stop and other is not sent
        ]

    def _locks(self, sent: Transmission, noise: float | None = None) -> bool:
        """Whether the gateway was free at the start of a frame and could synchronise to it despite
        `noise` in mW; computed once per frame."""
        if sent.locked is None:
            order = (sent.start, sent.order)
            earlier = [
                other
                for other in self._air
                if (other.start, other.order) < order and sent.start < other.released
            ]
            if noise is None:
                stretches = self._interference(sent)
                stretches += disturbance(self._disturbers, sent.start, sent.stop)
                at_start = [power for begin, _, power in stretches if begin <= sent.start]
                noise = math.fsum([self._noise, *at_start])
            audible = sent.dbm - 10.0 * math.log10(noise) >= SYNCHRONISATION
            sent.locked = audible and not any(self._locks(other) for other in earlier)
        return sent.locked
