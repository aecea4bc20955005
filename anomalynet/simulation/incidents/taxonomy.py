"""The taxonomy of incidents (§3.1.6): cause, layer, impact and reach of each type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cause = Literal["attack", "fault", "environment"]
Layer = Literal["environment", "sensor", "application", "node", "link", "physical", "network"]
Impact = Literal["integrity", "availability", "timeliness", "safety"]
Reach = Literal["node", "neighbours", "room", "sector", "radio", "cell"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of incident."""

    cause: Cause
    # What it changes: the `environment`, a `sensor`, the node's `application` or the whole `node`,
    # the `link` (an attacker sends frames), the `physical` channel, or the `network` behind the
    # gateway's radio
    layer: Layer
    impact: Impact  # the property that it harms most
    # The nodes that it affects: one `node`; a `room`; up to four `neighbours`, of a node or behind
    # one relay; the `sector` behind an obstacle; those that `radio` interference can reach; the
    # whole `cell`
    reach: Reach = "node"
    variants: tuple[str, ...] = ("",)


TYPES: dict[str, Kind] = {
    "spoofing": Kind("attack", "link", "integrity"),
    "false_data_injection": Kind(
        "attack", "application", "integrity", "node", ("bias", "ramp", "scale", "coordinated")
    ),
    "replay": Kind("attack", "link", "integrity"),
    "tampering": Kind("attack", "network", "integrity", "neighbours"),
    "jamming": Kind(
        "attack", "physical", "availability", "radio", ("constant", "periodic", "reactive")
    ),
    "flooding": Kind("attack", "link", "availability", "cell"),
    "selective_forwarding": Kind("attack", "network", "availability", "neighbours"),
    "black_hole": Kind("attack", "network", "availability", "neighbours"),
    "gray_hole": Kind("attack", "network", "availability", "neighbours"),
    "delay": Kind("attack", "network", "timeliness", "neighbours"),
    "bias": Kind("fault", "sensor", "integrity"),
    "gain": Kind("fault", "sensor", "integrity"),
    "drift": Kind("fault", "sensor", "integrity"),
    "stuck_at": Kind("fault", "sensor", "integrity"),
    "spike": Kind("fault", "sensor", "integrity"),
    "noise": Kind("fault", "sensor", "integrity"),
    "clipping": Kind("fault", "sensor", "integrity"),
    "intermittent": Kind("fault", "node", "availability"),
    "battery_depletion": Kind("fault", "node", "availability"),
    "clock": Kind("fault", "node", "timeliness", "node", ("skew", "reset")),
    "crash": Kind("fault", "node", "availability"),
    "interference": Kind("environment", "physical", "availability", "radio"),
    "shadowing_outage": Kind("environment", "physical", "availability", "sector"),
    "process_event": Kind(
        "environment", "environment", "safety", "room", ("fire", "leak", "fall", "crowd")
    ),
}
"""Every type, in the order of reports."""

TOUCHED = {"node": 1.0, "neighbours": 2.5, "room": 3.0, "sector": 2.0, "radio": 4.0}
"""Mean number of nodes that an incident of each reach affects, which gives the number of incidents
to plan; `cell` affects all."""


def chosen(only: str | None) -> dict[str, Kind]:
    """The types in `incidents.only`, or all. Raises KeyError: an unknown type, with its name."""
    return TYPES if not only else {name: TYPES[name] for name in only.split()}
