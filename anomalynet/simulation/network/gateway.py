"""The gateway's log: received frames with arrival time, signal quality and checksums (§3.1.4); and
the severity of an incident, measured from this log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from anomalynet.simulation import records
from anomalynet.simulation.incidents.values import typical
from anomalynet.simulation.network.frames import parse
from anomalynet.simulation.scenario import SENSORS, Scenario, frame_period, seconds, slots

DEVIATION = (1.0, 3.0, 6.0)
"""Thresholds of severity 2, 3 and 4: root mean square deviation of the worst sensor from the
readings without incident, in multiples of its ordinary variation."""
LOSS = (0.1, 0.3, 0.7)  # the same for the share of readings that are lost
LATENESS = (0.2, 0.7, 2.0)
"""The same for the mean change of the age of readings at their arrival, in slots."""
OLDEST = 4.0
"""Upper limit in slots of the age of a reading: a replayed frame must not outweigh all others."""
BRIEF, WIDE = 30.0, 120.0
"""Node-minutes below which severity is at most 3, and from which it is increased by one."""
WORST_LQI, BEST_LQI = -6.0, 20.0  # SNR in dB that map to LQI 0 and 255, linear in between


class Heard(NamedTuple):
    """Received frames in the order of their arrival; arrays (reception,)."""

    time: records.Float64  # of the arrival in seconds
    station: records.Int64  # index of the true sender
    slot: records.Int64  # of the sender; for an attacker the slot that it imitates
    rssi: records.Float64  # dBm
    snr: records.Float64  # dB
    intact: records.Bool  # whether the FCS is right
    frames: npt.NDArray[np.object_]  # bytes

    def take(self, rows: records.Int64) -> Heard:
        """The given rows in the given order."""
        return Heard._make(column[rows] for column in self)


def hear(log: records.RadioLog, slots_of: Sequence[records.Int64]) -> Heard:
    """The receptions of a cell's radio as columns. `slots_of`: per station int64 (frame,), the slot
    of each of its frames."""
    got = log.receptions
    numbers = np.array([(one.station, one.frame) for one in got], np.int64).reshape(-1, 2)
    floats = np.array([(one.time, one.rssi, one.snr) for one in got], np.float64).reshape(-1, 3)
    bases = np.cumsum([0, *(len(own) for own in slots_of)])[:-1]
    every = np.concatenate([*slots_of, np.empty(0, np.int64)])
    slot = every[bases[numbers[:, 0]] + numbers[:, 1]] if len(got) else np.empty(0, np.int64)
    intact = np.fromiter((one.intact for one in got), np.bool_, len(got))
    frames = np.array([one.psdu for one in got], np.object_)
    return Heard(floats[:, 0], numbers[:, 0], slot, floats[:, 1], floats[:, 2], intact, frames)


def in_service(scenario: Scenario, cell: records.Cell, time: records.Float64) -> records.Bool:
    """Whether the gateway was running at given times: bool like `time`. Its restarts are part of a
    healthy network."""
    chosen = scenario.background
    minutes = int(seconds(scenario.duration) / 60) + 1
    rng = records.stream(scenario.seed, "cell", cell.number, "outages")
    begins = rng.random(minutes) < chosen.outages_per_day / 1440
    lengths = rng.exponential(chosen.outage_seconds, minutes)
    up = np.ones(len(time), np.bool_)
    for minute in np.flatnonzero(begins):
        up &= (time < 60.0 * minute) | (time >= 60.0 * minute + lengths[minute])
    return up


def table(scenario: Scenario, heard: Heard) -> records.Columns:
    """The columns of the gateway log, each (frame,); see `store.FRAMES`.

    `source`, `sequence`, `retries`, `sent` and the readings are the contents of the frame, right or
    wrong; `sent` is by the node's clock.
    """
    read = parse(heard.frames.tolist())
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
        "frame": heard.frames.tolist(),
    }


class Arrived(NamedTuple):
    """Contents of the last valid frame of each slot, NaN without such a frame."""

    readings: records.Float64  # float64 (node, slot, 5)
    age: records.Float64  # float64 (node, slot), in slots


def arrived(
    scenario: Scenario, cell: records.Cell, heard: Heard, columns: records.Columns
) -> Arrived:
    """The last valid frame of each node and slot in a gateway log; `columns` is the `table` of
    `heard`. Frames from unknown addresses are ignored."""
    count, period = slots(scenario), frame_period(scenario)
    source = np.asarray(columns["source"], np.int64) - 1
    node = np.searchsorted(cell.numbers, source).clip(max=len(cell.numbers) - 1)
    slot = (heard.time // period).astype(np.int64)
    good = (
        heard.intact
        & np.asarray(columns["checksum"], np.bool_)
        & (slot < count)
        & (cell.numbers[node] == source)
    )
    shape = (len(cell.names), count)
    found = Arrived(np.full((*shape, len(SENSORS)), np.nan), np.full(shape, np.nan))
    read = np.stack([np.asarray(columns[name], np.float64) for name, _ in SENSORS], axis=1)
    found.readings[node[good], slot[good]] = read[good]
    found.age[node[good], slot[good]] = (heard.time / period - heard.slot)[good]
    return found


def grade(
    scenario: Scenario, incidents: tuple[records.Incident, ...], happened: Arrived, without: Arrived
) -> tuple[records.Incident, ...]:
    """The incidents with their severity: the worst of deviation, loss and lateness, increased by
    one if many nodes are affected for long.

    Args:
        without: the same cell simulated without incidents.

    Source: not in the paper, which groups by severity but gives no rule
    """
    ordinary = typical(scenario)
    found = []
    for incident in incidents:
        within = records.covered(scenario, incident)
        part = np.ix_(np.array(incident.nodes), np.arange(within.start, within.stop))
        present, expected = np.isfinite(happened.age[part]), np.isfinite(without.age[part])
        both = present & expected
        away = ((happened.readings[part] - without.readings[part]) / ordinary)[both]
        older = np.minimum(np.abs(happened.age[part] - without.age[part])[both], OLDEST)
        effects = (
            (float(np.sqrt((away**2).mean(axis=0)).max()) if len(away) else 0.0, DEVIATION),
            (float((expected & ~present).sum() / max(expected.sum(), 1)), LOSS),
            (float(older.mean()) if len(older) else 0.0, LATENESS),
        )
        worst = max(sum(value >= limit for limit in limits) for value, limits in effects)
        suffered = len(incident.nodes) * (incident.end - incident.start) / 60
        severity = 1 + worst + int(suffered >= WIDE and worst > 0)
        found.append(replace(incident, severity=min(4 if suffered >= BRIEF else 3, severity)))
    return tuple(found)
