"""Interference that cannot be decoded: foreign traffic around the cell, and jammers."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from anomalynet.simulation.radio.propagation import between
from anomalynet.simulation.records import Bool, Cell, Disturber, Float64, Incident, stream
from anomalynet.simulation.scenario import Scenario

JAMMER_POWER = -14.0
"""dBm at magnitude 1: a small battery-driven jammer; power grows with the square of the
magnitude."""
REACTION = 0.0003  # seconds until a reactive jammer starts after it detects a frame
PULSE, PAUSE = 0.5, 0.7  # seconds on and off of a periodic jammer
FOREIGN_POWER = -18.0  # dBm at magnitude 1 of foreign traffic within our 2 MHz
BURST, CALM = 1.5, 3.0
"""Mean seconds of the two Gilbert-Elliott states of foreign traffic; calm states are shorter with a
larger magnitude."""


class Bursts:
    """Interference that is on during known intervals.

    Args:
        starts, stops: ascending, seconds, not overlapping.
        powers: at the gateway in mW, one per interval.
        heard_by: bool (station,): whose carrier sense detects it; stations beyond its end do not.
    """

    def __init__(self, starts: Float64, stops: Float64, powers: Float64, heard_by: Bool) -> None:
        self._starts, self._stops, self._powers = starts.tolist(), stops.tolist(), powers.tolist()
        self._heard_by = heard_by.tolist()

    def during(self, start: float, stop: float) -> list[tuple[float, float, float]]:
        """See `records.Disturber`."""
        first = bisect.bisect_right(self._stops, start)
        last = bisect.bisect_left(self._starts, stop)
        return [
            (max(start, self._starts[i]), min(stop, self._stops[i]), self._powers[i])
            for i in range(first, last)
        ]

    def heard(self, start: float, stop: float, station: int) -> bool:
        """See `records.Disturber`."""
        if station >= len(self._heard_by) or not self._heard_by[station]:
            return False
        return bisect.bisect_right(self._stops, start) < bisect.bisect_left(self._starts, stop)


class Reactive:
    """A jammer that jams every frame it detects between `start` and `stop` (seconds), with a power
    at the gateway in mW. Carrier sense never detects it."""

    def __init__(self, start: float, stop: float, power: float) -> None:
        self._start, self._stop, self._power = start, stop, power

    def during(self, start: float, stop: float) -> list[tuple[float, float, float]]:
        """See `records.Disturber`."""
        if not self._start <= start < self._stop or start + REACTION >= stop:
            return []
        return [(start + REACTION, stop, self._power)]

    def heard(self, start: float, stop: float, station: int) -> bool:
        """See `records.Disturber`."""
        return False


def power_of(incident: Incident) -> float:
    """Transmit power in dBm of a jammer or of foreign traffic."""
    base = JAMMER_POWER if incident.type == "jamming" else FOREIGN_POWER
    return float(base + 20 * np.log10(incident.magnitude))


def reach(
    scenario: Scenario, cell: Cell, position: tuple[float, float], power: float
) -> tuple[float, Bool]:
    """Power in dBm at the gateway of a source at a position, and which nodes' carrier sense detects
    it, bool (node,)."""
    source = np.array([position])
    at_nodes = between(scenario, source, cell.positions, power)[0]
    at_gateway = float(between(scenario, source, cell.gateway[None], power)[0, 0])
    return at_gateway, at_nodes > scenario.radio.carrier_sense


def disturber_of(scenario: Scenario, cell: Cell, incident: Incident) -> Disturber:
    """The source of interference of a jamming or interference incident."""
    power, heard_by = reach(scenario, cell, incident.position, power_of(incident))
    milliwatt = 10 ** (power / 10)
    if incident.variant == "reactive":
        return Reactive(incident.start, incident.end, milliwatt)
    if incident.variant == "periodic":
        starts = np.arange(incident.start, incident.end, PULSE + PAUSE)
        stops = np.minimum(starts + PULSE, incident.end)
    elif incident.type == "jamming":
        starts, stops = np.array([incident.start]), np.array([incident.end])
    else:
        rng = stream(scenario.seed, "incident", incident.number, "states")
        count = int(4 * (incident.end - incident.start) / BURST) + 8
        lengths = rng.exponential(1.0, (count, 2)) * [CALM / max(incident.magnitude, 1.0), BURST]
        ends = incident.start + np.cumsum(lengths.reshape(-1))
        starts, stops = ends[0::2], np.minimum(ends[1::2], incident.end)
        starts, stops = starts[starts < incident.end], stops[starts < incident.end]
    return Bursts(starts, stops, np.full(len(starts), milliwatt), heard_by)


def background(scenario: Scenario, cell: Cell, until: float) -> Sequence[Disturber]:
    """Foreign traffic around a healthy network, which only the gateway detects: bursts at random
    times, each with its own power."""
    chosen = scenario.background
    rng = stream(scenario.seed, "cell", cell.number, "foreign")
    seconds = np.arange(0, until, 60.0)
    draws = rng.random((len(seconds), 2))
    extra = rng.exponential(chosen.interference_seconds, len(seconds))
    level = rng.normal(chosen.interference_power, 6.0, len(seconds))
    begins = draws[:, 0] < chosen.interference_per_day / 1440
    starts = (seconds + 60 * draws[:, 1])[begins]
    stops = np.minimum(starts + extra[begins], np.append(starts[1:], np.inf))
    return [Bursts(starts, stops, 10 ** (level[begins] / 10), np.zeros(0, np.bool_))]
