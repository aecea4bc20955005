"""Small radio networks for tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.simulation.network.frames import fcs
from anomalynet.simulation.radio.bits import bit_error_rate
from anomalynet.simulation.radio.link import draws_needed
from anomalynet.simulation.radio.propagation import path_loss
from anomalynet.simulation.records import Bool, Float64, Station, stream
from anomalynet.simulation.scenario import RadioConfig

LIKE_NS3 = RadioConfig(fading="none", bandwidth=5e6, noise_figure=0.0, carrier_sense=-112.0)
"""ns-3's noise; there a radio that receives is busy, and it receives what is above -5 dB of signal
to noise."""


def frame(size: int, fill: int = 0) -> bytes:
    """A PSDU of `size` bytes with a valid check sequence."""
    body = bytes([fill]) * (size - 2)
    return body + fcs(body).to_bytes(2, "little")


def station(
    times: npt.ArrayLike,
    power: float | Float64,
    *,
    radio: RadioConfig,
    psdu: bytes = frame(31),
    draws: float | None = None,  # every uniform draw; None draws them from `seed` and `name`
    seed: int = 0,
    polite: bool = True,
    name: str = "node",
) -> Station:
    """A station that sends one frame again and again."""
    at = np.asarray(times, np.float64)
    shape = (len(at), draws_needed(radio))
    uniforms = stream(seed, name).random(shape) if draws is None else np.full(shape, draws)
    powers = np.broadcast_to(np.asarray(power, np.float64), at.shape)
    return Station(name, at, lambda k, retries: psdu, powers, uniforms, polite)


def corrupt(station: int, frame: int, attempt: int) -> np.random.Generator:
    """The stream for wrong bits."""
    return stream(0, "corrupt", station, frame, attempt)


def packet_error_rate(snr: float, size: int) -> float:
    """Probability that a bit of `size` bytes is wrong, at a constant signal-to-noise ratio in
    dB."""
    return -math.expm1(8 * size * math.log1p(-bit_error_rate(10.0 ** (snr / 10.0))))


def everyone(count: int, hear: bool = True) -> Bool:
    """All hear each other, or nobody hears anybody."""
    return np.full((count, count), hear)


def star(
    nodes: int,
    seconds: float,
    period: float,
    *,
    radio: RadioConfig,
    size: int,
    square: bool = False,
) -> tuple[list[Station], Bool, npt.NDArray[np.complex128]]:
    """Nodes around the gateway on a disc of 120 m radius (or a square of 120 m), each sending
    regularly from a moment of its own; no shadowing.

    Returns: the stations, who hears whom, and places (node,) in metres from the gateway.
    """
    rng = stream(0, "star", nodes)
    first, second = rng.random((2, nodes))
    if square:
        places = 120.0 * (first - 0.5 + 1j * (second - 0.5))
    else:
        places = 120.0 * np.sqrt(first) * np.exp(2j * np.pi * second)
    distances = np.abs(np.r_[places[None, :], places[:, None] - places])  # the gateway's row first
    received = radio.transmit_power - path_loss(distances, radio.exponent, radio.reference_loss)
    own: dict[str, Any] = {"radio": radio, "psdu": frame(size)}
    slots = np.arange(round(seconds / period))
    stations = [
        station((slots + rng.random()) * period, received[0, i], name=f"node-{i}", **own)
        for i in range(nodes)
    ]
    return stations, received[1:] > radio.carrier_sense, places
