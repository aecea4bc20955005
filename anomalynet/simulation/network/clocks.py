"""Clock, battery and restarts of a node. They determine when it transmits, and with which sequence
number and timestamp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomalynet.simulation.records import Bool, Cell, Float64, Incident, Int64, covered, stream
from anomalynet.simulation.scenario import Scenario, frame_period, slots

SKEW = 2.0e-3  # relative clock error at magnitude 1 of a faulty oscillator
RESET_JUMP = 1.5  # seconds at magnitude 1 by which sending shifts after a clock reset
LOW = 0.1  # state of charge below which the voltage falls and the node misbehaves
NOISIER, RESETS = 3.0, 0.1
"""Effects of a low battery: additional sensor noise (factor, when empty), and the share of slots
with a reset when it is below half of `LOW`."""
SILENT = 0.35  # rate of lost slots of an intermittent node: share 1 - exp(-0.35 · magnitude)
LEAST_APART = 0.02  # smallest time in seconds between two frames of a node, whatever its clock does
REBOOT_SLOTS = 3  # largest number of slots lost by a restart


@dataclass(frozen=True, slots=True)
class Life:
    """The activity of a node in each slot; arrays (slot,)."""

    alive: Bool  # whether it sends a frame
    times: Float64  # seconds at which the frame is given to the radio, ascending
    clock: Float64  # seconds by the node's own clock at that time
    sequence: Int64  # number of the frame since the node's last start; undefined if it is silent
    noise: Float64  # factor on the sensors' noise: 1, larger with a low battery
    error: float  # clock error in parts per million
    battery: tuple[float, float]  # state of charge at the beginning and at the end, 0 to 1


def live(scenario: Scenario, cell: Cell, node: int, incidents: Sequence[Incident]) -> Life:
    """The activity of a node under the incidents that affect it.

    The clock runs at (1 + ppm·10⁻⁶), is set by each beacon, and determines when the node sends.
    Ordinary restarts lose a few frames and reset the sequence number.

    Source: §3.1.3-3.1.4; clock and battery models are not in the paper
    """
    count, period = slots(scenario), frame_period(scenario)
    rng = stream(scenario.seed, "cell", cell.number, "node", int(cell.numbers[node]), "life")
    error = float(rng.uniform(-1, 1)) * scenario.node.clock_error
    # A frame is sent after the last measurement that it carries, and before the slot ends.
    phase = period - scenario.sampling.period * float(rng.uniform(0.2, 0.95))
    charge = float(rng.uniform(0.5, 1.0))
    jitter = np.abs(rng.normal(0, scenario.node.clock_jitter * scenario.sampling.period, count))
    begin = np.arange(count) * period
    since_beacon = begin % scenario.node.beacon_period
    offset = -error * 1e-6 * since_beacon
    local: Float64 = np.asarray(begin + phase, np.float64)
    alive, restarts = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    reboots = rng.random(count) < scenario.background.reboots_per_day * period / 86400
    for slot in np.flatnonzero(reboots).tolist():
        after = slot + 1 + slot % REBOOT_SLOTS
        alive[slot:after] = False
        restarts[min(after, count - 1)] = True
    drain = _consumption(scenario) * period / 3600 / scenario.node.battery
    low = ((LOW - (charge - drain * np.arange(count))) / LOW).clip(0, 1)
    drained = 0.0
    for incident in incidents:
        during = covered(scenario, incident)
        after = min(during.stop, count - 1)
        own = stream(scenario.seed, "incident", incident.number, "node")
        draws = own.random((during.stop - during.start, 2))
        share = (begin[during] - incident.start) / (incident.end - incident.start)
        sign = 1.0 if draws[0, 0] < 0.5 else -1.0
        if incident.type == "crash":
            alive[during], restarts[after] = False, True
        elif incident.type == "intermittent":
            alive[during] &= draws[:, 0] >= 1 - np.exp(-SILENT * incident.magnitude)
        elif incident.type == "battery_depletion":
            low[during] = np.maximum(low[during], (0.5 * incident.magnitude * share).clip(max=1))
            restarts[after] = True
            drained += charge * min(1.0, 0.5 * incident.magnitude)
        elif incident.variant == "skew":
            offset[during] += sign * SKEW * incident.magnitude * (begin[during] - incident.start)
        elif incident.variant == "reset":
            offset[during] += RESET_JUMP * incident.magnitude
            local[during] -= incident.start
    apart = np.arange(count) * LEAST_APART
    times = np.maximum.accumulate(np.maximum(begin + phase + offset + jitter, 0.0) - apart) + apart
    resets = (low >= 0.5) & (rng.random(count) < RESETS)
    alive &= ~resets & (low < 1)
    restarts[1:] |= resets[:-1]
    sent: Int64 = np.cumsum(alive) - alive
    sequence = sent - np.maximum.accumulate(np.where(restarts, sent, 0))
    battery = (charge, max(0.0, charge - drain * count - drained))
    return Life(alive, times, local, sequence, 1 + NOISIER * low, error, battery)


def _consumption(scenario: Scenario) -> float:
    """Mean current in mA: one frame of 37 bytes on the air, listening before it and for its
    acknowledgement, and sleep. Retransmissions are not counted."""
    node, period = scenario.node, frame_period(scenario)
    sending, listening = 37 * 32e-6, 128e-6 + 192e-6 + 11 * 32e-6
    active = node.transmit_current * sending + node.receive_current * listening
    return active / period + node.sleep_current
