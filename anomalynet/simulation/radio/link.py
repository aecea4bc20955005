"""Simulates the radio of one cell, from frames handed to the radios to frames received."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np
import simpy

from anomalynet.simulation.network import csma
from anomalynet.simulation.network.frames import intact
from anomalynet.simulation.radio import lora
from anomalynet.simulation.radio.medium import Medium, airtime
from anomalynet.simulation.records import Bool, Disturber, RadioLog, Reception, Station
from anomalynet.simulation.scenario import RadioConfig

IDEAL_SNR = 60.0  # SNR in dB of every frame of an ideal radio

COUNTS = (
    *("offered", "sent", "received", "duplicates", "corrupted", "undetected", "missed"),
    *("collided", "channel_busy", "unacknowledged", "queue_full", "duty_cycle"),
)
"""Keys of `RadioLog.counts`. Frames: offered (handed to a radio); dropped because of channel_busy,
unacknowledged, queue_full or duty_cycle. Transmissions: sent = received (intact, duplicates
included) + corrupted (logged with wrong bits) + missed (not logged). collided: corrupted or missed,
and overlapped by another frame. undetected: received although bits were wrong."""


def draws_needed(radio: RadioConfig) -> int:
    """Number of columns of `Station.draws`: the uniform draws of one frame.

    `ieee802154`: for each attempt `csma.draws_per_attempt`; attempt a begins at column
    a × (backoffs + 5). `lora`: two for the fading. `ideal`: none.
    """
    if radio.kind == "ieee802154":
        return (radio.retries + 1) * csma.draws_per_attempt(radio)
    return 2 if radio.kind == "lora" else 0


def on_air(
    radio: RadioConfig,
    stations: Sequence[Station],
    hears: Bool,
    disturbers: Sequence[Disturber],
    until: float,
    corrupt: Callable[[int, int, int], np.random.Generator],
    progress: Callable[[float], None] | None = None,
) -> RadioLog:
    """Simulate one cell's radio.

    Args:
        stations: all transmitters; `draws` has at least `draws_needed(radio)` columns. Equal
            inputs give equal logs.
        hears: bool (station, station): the carrier sense of the first detects the second. Every
            station hears the gateway.
        disturbers: sources of interference; queried with times that are not strictly ascending.
        until: seconds. Frames handed to a radio before are finished, later ones are not sent.
        corrupt: (station, frame, attempt) → generator for the wrong bits; called only for frames
            with errors.
        progress: called with the simulated seconds, 100 times.

    Returns: the log; `retries[i]` has one entry for each frame of station i before `until`.

    Raises ValueError: a station has too few draws, or builds a frame of more than 127 bytes.
    Source: IEEE 802.15.4-2006, unslotted CSMA/CA
    """
    for station in stations:
        if station.draws.shape[1] < draws_needed(radio):
            raise ValueError(
                f"{station.name} has {station.draws.shape[1]} draws per frame, the radio needs "
                f"{draws_needed(radio)}"
            )
    frames = [int(np.searchsorted(station.times, until)) for station in stations]
    log = RadioLog(counts=dict.fromkeys(COUNTS, 0))
    log.counts["offered"] = sum(frames)
    if radio.kind == "ideal":
        return _ideal(stations, frames, log)
    log.retries = [np.full(count, -1, np.int8) for count in frames]
    env = simpy.Environment()
    numbered = zip(range(len(stations)), stations, log.retries, strict=True)
    if radio.kind == "lora":
        air = lora.Air(radio, disturbers, log)
        senders = [lora.send_frames(env, radio, air, *one) for one in numbered]
    else:
        medium = Medium(radio, hears, disturbers, corrupt, log)
        senders = [csma.Sender(env, radio, medium, *one).run() for one in numbered]
    for sender in senders:
        env.process(sender)
    if progress is not None:
        env.process(_report_progress(env, until, progress))
    env.run()
    return log


def _ideal(stations: Sequence[Station], frames: Sequence[int], log: RadioLog) -> RadioLog:
    for i, station in enumerate(stations):
        for frame in range(frames[i]):
            psdu = station.build(frame, 0)
            end, dbm = float(station.times[frame]) + airtime(psdu), float(station.power[frame])
            one = Reception(end, i, frame, 0, dbm, IDEAL_SNR, psdu, intact(psdu))
            log.receptions.append(one)
    log.receptions.sort(key=lambda reception: reception.time)
    log.retries = [np.zeros(count, np.int8) for count in frames]
    log.counts["sent"] = log.counts["received"] = sum(frames)
    return log


def _report_progress(
    env: simpy.Environment, until: float, progress: Callable[[float], None]
) -> Generator[simpy.Event, None, None]:
    for _ in range(100):
        yield env.timeout(until / 100)
        progress(min(env.now, until))
