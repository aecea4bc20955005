"""LoRa: time on air, the weakest signal that a gateway can decode, and ALOHA: nodes send without
coordination as soon as the duty cycle allows it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Sequence

import numpy as np
import simpy

from anomalynet.simulation.network.frames import intact
from anomalynet.simulation.radio.bits import disturbance
from anomalynet.simulation.radio.medium import Transmission
from anomalynet.simulation.radio.propagation import fading_gain
from anomalynet.simulation.records import Disturber, Int8, RadioLog, Reception, Station
from anomalynet.simulation.scenario import RadioConfig

NOISE = -117.0
"""dBm in 125 kHz, with the 6 dB noise figure of the data sheet's sensitivities;
`radio.noise_figure` is for 802.15.4."""


def time_on_air(payload: int, spreading_factor: int) -> float:
    """Seconds on air of a frame with `payload` bytes in 125 kHz at coding rate 4/5, with 8 symbols
    of preamble, explicit header and CRC.

    Low data rate optimisation is on if a symbol lasts 16 ms or longer.

    Source: Semtech SX1276 data sheet, 4.1.1.7
    """
    symbol: float = 2**spreading_factor / 125e3
    slow = symbol >= 0.016
    bits = 8 * payload - 4 * spreading_factor + 28 + 16
    groups = math.ceil(bits / (4 * (spreading_factor - 2 * slow)))
    return (8 + 4.25 + 8 + max(groups * 5, 0)) * symbol


def required_snr(spreading_factor: int) -> float:
    """Smallest SNR in dB that can be decoded: -7.5 at spreading factor 7, 2.5 dB lower with each
    step, which is -124.5 dBm at 7 to -137 dBm at 12.

    Source: Semtech SX1276 data sheet, table 13
    """
    return -7.5 - 2.5 * (spreading_factor - 7)


LONGEST = time_on_air(255, 12)  # seconds of the longest possible frame


class Air:
    """The radio channel of a LoRa cell, and its gateway.

    The gateway demodulates any number of frames at once. A frame is received if it is
    `radio.capture` dB stronger than the sum of all overlapping frames, and if its SNR (mean
    interference counts as noise) reaches `required_snr`. A received frame is intact: with LoRa's
    error correction, frames with bit errors are rare; they are not modelled.

    Source: capture model of Bor et al. 2016, Semtech SX1276 data sheet
    """

    def __init__(self, radio: RadioConfig, disturbers: Sequence[Disturber], log: RadioLog) -> None:
        self._disturbers = tuple(disturbers)
        self._capture = 10.0 ** (radio.capture / 10.0)
        self._required = required_snr(radio.spreading_factor)
        self._noise = 10.0 ** (NOISE / 10.0)
        self._receptions = log.receptions
        self.counts = log.counts
        self._air: deque[Transmission] = deque()

    def send(self, sent: Transmission) -> None:
        """Put a frame on the air; it starts now."""
        while self._air and self._air[0].stop < sent.start - LONGEST:
            self._air.popleft()
        self._air.append(sent)
        self.counts["sent"] += 1

    def receive(self, sent: Transmission) -> None:
        """End of a frame, now: log it if it was received."""
        others = sum(
            other.milliwatt
            for other in self._air
            if other.start < sent.stop and sent.start < other.stop and other is not sent
        )
        stretches = disturbance(self._disturbers, sent.start, sent.stop)
        energy = sum((end - begin) * power for begin, end, power in stretches)
        noise = self._noise + energy / (sent.stop - sent.start)
        captured = sent.milliwatt >= self._capture * others
        if not captured or sent.dbm - 10.0 * math.log10(noise) < self._required:
            self.counts["missed"] += 1
            self.counts["collided"] += not captured
            return
        snr = sent.dbm - 10.0 * math.log10(noise + others)
        good = intact(sent.psdu)
        self._receptions.append(
            Reception(sent.stop, sent.station, sent.frame, 0, sent.dbm, snr, sent.psdu, good)
        )
        self.counts["received" if good else "corrupted"] += 1


def send_frames(
    env: simpy.Environment,
    radio: RadioConfig,
    air: Air,
    number: int,
    station: Station,
    retries: Int8,
) -> Generator[simpy.Event, None, None]:
    """The LoRa radio of a station as a SimPy process: it sends every frame in turn.

    A frame that is due while the duty cycle forbids sending is dropped, not delayed: the next one
    carries a newer reading.

    Args:
        number: index of the station.
        station: the frames to send; an impolite station ignores the duty cycle.
        retries: of the station's first frames, which are sent; 0 is written for each.

    Source: ALOHA, ETSI EN 300 220 duty cycle
    """
    frames, allowed = len(retries), 0.0
    draws = station.draws[:frames]
    gain = fading_gain(radio.fading, radio.rician_k, draws[:, 0], draws[:, 1])
    dbm = (station.power[:frames] + 10.0 * np.log10(gain)).data
    for frame, time in enumerate(np.ascontiguousarray(station.times[:frames], np.float64).data):
        if time < allowed and station.polite:
            air.counts["duty_cycle"] += 1
            continue
        yield env.timeout(max(time - env.now, 0.0))
        psdu = station.build(frame, 0)
        seconds = time_on_air(len(psdu), radio.spreading_factor)
        sent = Transmission(number, frame, 0, env.now, seconds, psdu, dbm[frame])
        air.send(sent)
        retries[frame] = 0
        allowed = env.now + seconds / (radio.duty_cycle if station.polite else 1.0)
        yield env.timeout(seconds)
        air.receive(sent)
