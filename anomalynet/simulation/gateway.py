"""The gateway's log: what it received, when, how well, and whether the checksums agree (§3.1.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomalynet.simulation.frames import parse
from anomalynet.simulation.records import Bool, Cell, Float64, Int64, RadioLog
from anomalynet.simulation.scenario import SENSORS, Scenario, seconds
from anomalynet.simulation.streams import stream

WORST_LQI, BEST_LQI = -6.0, 20.0
"""SNR in dB that map to LQI 0 and 255, linear in between."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Received frames by arrival, each array (reception,).

    Attributes:
        time: float64, seconds.
        station: int64, who really sent it.
        slot: int64, the sender's slot; of an attacker's frame, its number.
        rssi, snr: float64, dBm and dB.
        intact: bool, the FCS agrees.
        frames: bytes.
    """

    time: Float64
    station: Int64
    slot: Int64
    rssi: Float64
    snr: Float64
    intact: Bool
    frames: list[bytes]

    def take(
        self, rows: Int64, time: Float64 | None = None, frames: list[bytes] | None = None
    ) -> Heard:
        """Some rows in a given order, with other arrival times or bytes."""
        bytes_, times = (
            self.frames if frames is None else frames,
            self.time if time is None else time,
        )
        return Heard(
            times[rows],
            self.station[rows],
            self.slot[rows],
            self.rssi[rows],
            self.snr[rows],
            self.intact[rows],
            [bytes_[row] for row in rows],
        )


def hear(log: RadioLog, slots_of: Sequence[Int64]) -> Heard:
    """The receptions of a cell's radio as columns.

    Args:
        slots_of: for each station, int64 (frame,): the slot of its frames.
    """
    got = log.receptions
    numbers = np.array([(one.station, one.frame) for one in got], np.int64).reshape(-1, 2)
    floats = np.array([(one.time, one.rssi, one.snr) for one in got], np.float64).reshape(-1, 3)
    bases = np.cumsum([0, *(len(own) for own in slots_of)])[:-1]
    every = np.concatenate([*slots_of, np.empty(0, np.int64)])
    slot = every[bases[numbers[:, 0]] + numbers[:, 1]] if len(got) else np.empty(0, np.int64)
    intact = np.fromiter((one.intact for one in got), np.bool_, len(got))
    return Heard(
        floats[:, 0],
        numbers[:, 0],
        slot,
        floats[:, 1],
        floats[:, 2],
        intact,
        [one.psdu for one in got],
    )


def in_service(scenario: Scenario, cell: Cell, time: Float64) -> Bool:
    """Whether the gateway was up at some moments: bool like `time`. Its restarts are part of a
    healthy network."""
    chosen = scenario.background
    minutes = int(seconds(scenario.duration) / 60) + 1
    rng = stream(scenario.seed, "cell", cell.number, "outages")
    begins, lengths = (
        rng.random(minutes) < chosen.outages_per_day / 1440,
        rng.exponential(chosen.outage_seconds, minutes),
    )
    up = np.ones(len(time), np.bool_)
    for minute in np.flatnonzero(begins):
        up &= (time < 60.0 * minute) | (time >= 60.0 * minute + lengths[minute])
    return up


def table(scenario: Scenario, heard: Heard) -> Mapping[str, npt.NDArray[np.generic] | list[bytes]]:
    """The columns of the gateway log, each (frame,): see `store.FRAMES`.

    `source`, `sequence`, `retries`, `sent` and the readings are what the frame says, right or
    wrong; `sent` is the node's clock.
    """
    read = parse(heard.frames)
    epoch = np.datetime64(scenario.start, "us").astype(np.int64)
    quality = np.clip((heard.snr - WORST_LQI) / (BEST_LQI - WORST_LQI), 0, 1) * 255
    return {
        "arrival": epoch + np.rint(heard.time * 1e6).astype(np.int64),
        "source": read["source"],
        "sequence": read["sequence"],
        "retries": read["retries"],
        "sent": epoch + np.rint(np.asarray(read["clock"], np.float64) * 1e6).astype(np.int64),
        **{name: read[name] for name, _ in SENSORS},
        "rssi": heard.rssi.astype(np.float32),
        "snr": heard.snr.astype(np.float32),
        "lqi": np.rint(quality).astype(np.uint8),
        "fcs": heard.intact,
        "checksum": read["checksum"],
        "frame": heard.frames,
    }
