"""Medium access of IEEE 802.15.4 without beacons and slots (unslotted CSMA/CA): listen, send, wait
for the acknowledgement, retransmit."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

import numpy as np
import simpy

from anomalynet.simulation.radio.medium import ACK_TIME, TURNAROUND, Medium, Transmission, airtime
from anomalynet.simulation.radio.propagation import fading_gain
from anomalynet.simulation.records import Int8, Station
from anomalynet.simulation.scenario import RadioConfig

BACKOFF = 320e-6  # seconds of a backoff slot, 20 symbols
CCA = 128e-6  # seconds of a clear channel assessment, 8 symbols
ACK_WAIT = 864e-6  # seconds that a sender waits for the acknowledgement, 54 symbols
QUEUE = 2  # frames that wait while a station sends another; further ones are dropped
Steps = Generator[simpy.Event, None, None]


def draws_per_attempt(radio: RadioConfig) -> int:
    """Uniform draws of one attempt: one per backoff, two for the fading, one for bit errors of the
    frame, one for those of the acknowledgement."""
    return radio.backoffs + 5


class Sender:
    """The radio of a station. `run` is its SimPy process.

    Pauses after an acknowledgement (IFS) are not modelled: a station with a waiting frame starts
    its backoff at once.

    Args:
        number: index of the station.
        retries: of the station's first frames, which are sent; written for each.

    Source: IEEE 802.15.4-2006, 7.5.1.4 and 7.5.6
    """

    def __init__(
        self,
        env: simpy.Environment,
        radio: RadioConfig,
        medium: Medium,
        number: int,
        station: Station,
        retries: Int8,
    ) -> None:
        self._env, self._radio, self._medium = env, radio, medium
        self._number, self._station, self._retries = number, station, retries
        self._frames = frames = len(retries)
        self._attempts = radio.retries + 1 if radio.acknowledge and station.polite else 1
        self._width = draws_per_attempt(radio)
        self._stride = station.draws.shape[1]
        # A memoryview returns plain floats, several times faster than elements of an array, and
        # does not copy the draws.
        self._times = np.ascontiguousarray(station.times, np.float64).data
        self._draws = np.ravel(station.draws).data
        columns = np.arange(self._attempts) * self._width + radio.backoffs + 1
        draws = station.draws[:frames]
        gain = fading_gain(radio.fading, radio.rician_k, draws[:, columns], draws[:, columns + 1])
        self._dbm = np.ravel(station.power[:frames, None] + 10.0 * np.log10(gain)).data

    def run(self) -> Steps:
        """Send every frame in turn."""
        return self._polite() if self._station.polite else self._impolite()

    def _polite(self) -> Steps:
        env, times, counts = self._env, self._times, self._medium.counts
        waiting: deque[int] = deque()
        arrived = before = 0
        while waiting or arrived < self._frames:
            if waiting:
                frame = waiting.popleft()
            else:
                frame, arrived = arrived, arrived + 1
            psdu = self._station.build(frame, before)
            yield from self._deliver(frame, psdu, max(times[frame] - env.now, 0.0))
            before = max(int(self._retries[frame]), 0)
            while arrived < self._frames and times[arrived] <= env.now:
                if len(waiting) < QUEUE:
                    waiting.append(arrived)
                else:
                    counts["queue_full"] += 1
                arrived += 1

    def _deliver(self, frame: int, psdu: bytes, wait: float) -> Steps:
        """Send a frame after `wait` seconds, and again until it is acknowledged or given up."""
        env, medium, number, seconds = self._env, self._medium, self._number, airtime(psdu)
        for attempt in range(self._attempts):
            column = frame * self._stride + attempt * self._width
            exponent = self._radio.minimum_exponent
            for backoff in range(self._radio.backoffs + 1):
                slots = int(self._draws[column + backoff] * (1 << exponent))
                yield env.timeout(wait + slots * BACKOFF + CCA)
                if not medium.busy(number, env.now - CCA, env.now):
                    break
                wait = 0.0
                exponent = min(exponent + 1, self._radio.maximum_exponent)
            else:
                medium.counts["channel_busy"] += 1
                return
            dbm = self._dbm[frame * self._attempts + attempt]
            sent = Transmission(number, frame, attempt, env.now + TURNAROUND, seconds, psdu, dbm)
            medium.send(sent, env.now)
            self._retries[frame] = attempt
            yield env.timeout(TURNAROUND + seconds)
            draw = column + self._width - 2
            wait = ACK_WAIT
            arrived = medium.receive(sent, self._draws[draw])
            if not self._radio.acknowledge:
                return
            if arrived:
                medium.acknowledge(sent)
                yield env.timeout(TURNAROUND + ACK_TIME)
                if medium.acknowledged(sent, self._draws[draw + 1]):
                    return
                wait -= TURNAROUND + ACK_TIME
        yield env.timeout(wait)
        medium.counts["unacknowledged"] += 1

    def _impolite(self) -> Steps:
        """Send each frame at its time, or right after the previous one, without listening."""
        env, error = self._env, self._width - 2
        for frame in range(self._frames):
            yield env.timeout(max(self._times[frame] - env.now, 0.0))
            psdu = self._station.build(frame, 0)
            seconds, dbm = airtime(psdu), self._dbm[frame]
            sent = Transmission(self._number, frame, 0, env.now, seconds, psdu, dbm)
            self._medium.send(sent, env.now)
            self._retries[frame] = 0
            yield env.timeout(seconds)
            self._medium.receive(sent, self._draws[frame * self._stride + error])
