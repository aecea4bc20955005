"""What happens behind the gateway's radio, which has acknowledged the frames already: attacks on
the network layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalynet.simulation.frames import LENGTH, parse, tampered
from anomalynet.simulation.gateway import Heard
from anomalynet.simulation.records import Bool, Incident
from anomalynet.simulation.scenario import Scenario, frame_period
from anomalynet.simulation.streams import stream

HELD = 10.0
"""Seconds at magnitude 1 for which a delaying relay holds a frame, less or more by a twentieth."""
DROPPED, CHOSEN, REWRITTEN = 0.4, 1.0, 0.7
"""Rates of dropped (gray hole), dropped if interesting (selective forwarding) and tampered frames:
shares 1 - exp(-rate magnitude)."""

_TYPES = ("tampering", "selective_forwarding", "black_hole", "gray_hole", "delay")


def forward(
    scenario: Scenario, heard: Heard, incidents: Sequence[Incident]
) -> tuple[Heard, dict[str, int]]:
    """Drop, hold back and rewrite what compromised relays forward; repetitions of one frame share
    its fate.

    - black hole: drops everything. Gray hole: drops frames at random. Selective forwarding: drops
      frames that report something, motion or a sound above the node's median.
    - delay: holds frames back. Tampering: overwrites readings under a new FCS; the node's CRC-32 no
      longer fits.

    Returns: the frames by their new arrival, and how many were dropped, delayed and tampered with.
    Source: §3.1.6 names the types; how they work is not in the paper
    """
    kept, arrival, frames = (
        np.ones(len(heard.time), np.bool_),
        heard.time.copy(),
        list(heard.frames),
    )
    counts = dict.fromkeys(("dropped by a relay", "delayed by a relay", "tampered with"), 0)
    interesting: Bool | None = None
    for incident in (one for one in incidents if one.type in _TYPES):
        first = int(incident.start // frame_period(scenario))
        span = int(np.ceil(incident.end / frame_period(scenario))) - first + 2
        draws = stream(scenario.seed, "incident", incident.number, "relay").random(
            (len(incident.nodes), span, 2)
        )
        for position, node in enumerate(incident.nodes):
            rows = np.flatnonzero(
                (heard.station == node)
                & (heard.time >= incident.start)
                & (heard.time < incident.end)
            )
            own = draws[position, np.clip(heard.slot[rows] - first + 1, 0, span - 1)]
            if incident.type == "delay":
                arrival[rows] += HELD * incident.magnitude * (0.95 + 0.1 * own[:, 1])
                counts["delayed by a relay"] += len(rows)
            elif incident.type == "tampering":
                for row in rows[own[:, 0] < 1 - np.exp(-REWRITTEN * incident.magnitude)].tolist():
                    if len(frames[row]) == LENGTH:
                        change = stream(
                            scenario.seed,
                            "incident",
                            incident.number,
                            int(heard.station[row]),
                            int(heard.slot[row]),
                        ).bytes(8)
                        frames[row] = tampered(frames[row], change)
                        counts["tampered with"] += 1
            else:
                if incident.type == "selective_forwarding":
                    interesting = _interesting(heard) if interesting is None else interesting
                    lost = interesting[rows] & (
                        own[:, 0] < 1 - np.exp(-CHOSEN * incident.magnitude)
                    )
                else:
                    share = (
                        1.0
                        if incident.type == "black_hole"
                        else 1 - np.exp(-DROPPED * incident.magnitude)
                    )
                    lost = own[:, 0] < share
                kept[rows[lost]] = False
                counts["dropped by a relay"] += int(lost.sum())
    order = np.flatnonzero(kept)[np.argsort(arrival[kept], kind="stable")]
    return heard.take(order, arrival, frames), counts


def _interesting(heard: Heard) -> Bool:
    """Frames that report motion, or a sound above the median of their sender."""
    read = parse(heard.frames)
    motion, sound = np.asarray(read["motion"], np.float64), np.asarray(read["sound"], np.float64)
    found: Bool = motion > 0
    for station in np.unique(heard.station):
        own = heard.station == station
        found[own] |= sound[own] > np.median(
            sound[own]
        )  # NaN, a frame that is not ours, is greater than nothing
    return found
