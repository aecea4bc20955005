"""Data structures that the modules of the simulator share, and its random streams."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from anomalynet.simulation.scenario import Scenario, frame_period, slots

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Bool = npt.NDArray[np.bool_]
Draws = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[np.generic] | list[bytes]]


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """The random generator for one purpose in a world, such as `stream(seed, "cell", 3, "node", 7,
    "fading")`. What happens to a frame depends on (seed, cell, node, frame), never on earlier
    events.

    Frame i uses row i of one draw of shape (frames, k). So a world with an incident and the same
    world without it use equal random numbers for everything that they share.
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *path))).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


@dataclass(frozen=True, slots=True)
class Station:
    """Anything that transmits in a cell: a node, or an attacker's radio."""

    name: str
    # float64 (frame,), ascending: seconds at which frame k is handed to medium access
    times: Float64
    # (k, retries of the frame before) → the MAC frame's bytes (PSDU), FCS included
    build: Callable[[int, int], bytes]
    power: Float64  # float64 (frame,): mean power at the gateway in dBm, fading not included
    # (frame, at least `radio.draws_needed`) uniform in [0, 1): row k belongs to frame k
    draws: Draws
    # False: it transmits each frame once and immediately, without carrier sense or acknowledgement
    polite: bool = True


class Disturber(Protocol):
    """A source of interference that the gateway cannot decode: foreign traffic, a jammer."""

    def during(self, start: float, stop: float) -> Sequence[tuple[float, float, float]]:
        """(from, to, power at the gateway in mW) of every stretch of interference within a
        transmission [start, stop) seconds."""
        ...

    def heard(self, start: float, stop: float, station: int) -> bool:
        """Whether a station that listens during [start, stop) hears this source."""
        ...


class Reception(NamedTuple):
    """One frame that the gateway received completely, with or without bit errors."""

    time: float  # seconds: its end
    station: int
    frame: int
    attempt: int
    rssi: float  # dBm, of signal and fading
    snr: float  # dB against noise and interference, mean over the frame
    psdu: bytes  # as received, bit errors included
    intact: bool  # whether the FCS agrees with the bytes


@dataclass(slots=True)
class RadioLog:
    """The radio traffic of one cell."""

    # by time, duplicates (lost acknowledgements) included
    receptions: list[Reception] = field(default_factory=list)
    # station → int8 (frame,): retransmissions of each frame, -1 if it was never sent (channel busy,
    # duty cycle used up)
    retries: list[Int8] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # see `radio.link.COUNTS`


@dataclass(frozen=True, slots=True)
class Cell:
    """One radio cell's geometry."""

    number: int
    names: tuple[str, ...]  # of its nodes, `node-0007`; the MAC address of a node is its number + 1
    numbers: Int64  # int64 (node,), over the whole deployment
    # float64 (node, 2), metres within the cell: x up to its width, y to its height
    positions: Float64
    gateway: Float64
    rooms: Int64  # int64 (node,), the room of each node
    room_positions: Float64


@dataclass(frozen=True, slots=True)
class Incident:
    """One injected event. `severity` is measured afterwards from its effect."""

    number: int  # unique in the world
    type: str  # a key of `taxonomy.TYPES`; `variant` is a form of it (`ramp`, `periodic`, `fire`)
    variant: str
    cell: int
    nodes: tuple[int, ...]  # indices of the affected nodes within the cell, ascending
    start: float  # seconds
    end: float
    magnitude: float  # in multiples of a typical effect; `scenario.incidents.subtle` … `blunt`
    position: tuple[float, float]  # metres: where a jammer, attacker, fire or obstacle is
    severity: int = 0  # 1-4; 0 before it is measured


def covered(scenario: Scenario, incident: Incident) -> slice:
    """The slots whose middle lies within [start, end) of an incident and the simulated time."""
    period = frame_period(scenario)
    first, after = (
        max(0, int(np.ceil(moment / period - 0.5))) for moment in (incident.start, incident.end)
    )
    return slice(first, min(after, slots(scenario)))


@dataclass(frozen=True, slots=True)
class CellResult:
    """The result of simulating one cell."""

    cell: Cell
    frames: Columns  # see `store.FRAMES`
    incidents: tuple[Incident, ...]
    nodes: Mapping[str, npt.NDArray[np.generic] | list[str]]  # see `store.NODES`
    counts: Mapping[str, int]  # of the radio, and of effects of incidents
