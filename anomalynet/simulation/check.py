"""Bounds of a scenario that types do not express."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from anomalynet.simulation.incidents import TYPES
from anomalynet.simulation.scenario import Scenario, frame_period, seconds

LONGEST = 49 * 86400
"""Seconds after which the 32-bit milliseconds of a frame's clock would begin again."""

_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "deployment.nodes": (1, 65_000),
    "deployment.cell_nodes": (1, 65_000),
    "deployment.rooms": (1, 65_000),
    "deployment.cluster_radius": (0, math.inf),
    "sampling.transmit_every": (1, 65_000),
    "radio.reference_loss": (0, 200),
    "radio.transmit_power": (-60, 60),
    "radio.exponent": (1, 10),
    "radio.shadowing": (0, 40),
    "radio.rician_k": (-40, 60),
    "radio.noise_figure": (0, 60),
    "radio.retries": (0, 7),
    "radio.backoffs": (0, 5),
    "radio.minimum_exponent": (0, 8),
    "radio.maximum_exponent": (0, 8),
    "radio.carrier_sense": (-200, 60),
    "radio.spreading_factor": (7, 12),
    "radio.capture": (0, 60),
    "node.clock_error": (0, 100_000),
    "node.clock_jitter": (0, math.inf),
    "node.transmit_current": (0, math.inf),
    "node.receive_current": (0, math.inf),
    "node.sleep_current": (0, math.inf),
    "background.interference_per_day": (0, math.inf),
    "background.interference_power": (-200, 60),
    "background.outages_per_day": (0, math.inf),
    "background.reboots_per_day": (0, math.inf),
    "incidents.per_node_day": (0, math.inf),
    "incidents.quiet_hours": (0, math.inf),
    "incidents.attack": (0, math.inf),
    "incidents.fault": (0, math.inf),
    "incidents.environment": (0, math.inf),
    "climate.temperature": (-60, 60),
    "climate.daily_swing": (0, 40),
    "climate.weather": (0, 40),
    "climate.humidity": (0, 100),
    "climate.indoor": (0, 1),
    "climate.latitude": (-90, 90),
    "climate.indoor_temperature": (-60, 60),
    "climate.daylight": (0, math.inf),
    "climate.lamps": (0, math.inf),
    "climate.background_sound": (0, 140),
    "climate.person_sound": (0, 140),
    "climate.machine_sound": (0, 140),
    "climate.people": (0, math.inf),
}
"""Key → least and largest value, both allowed."""

_POSITIVE = (
    "deployment.width",
    "deployment.height",
    "sampling.period",
    "radio.bandwidth",
    "radio.shadowing_time",
    "radio.duty_cycle",
    "node.battery",
    "node.beacon_period",
    "background.interference_seconds",
    "background.outage_seconds",
    "incidents.minimum_minutes",
    "incidents.maximum_minutes",
    "incidents.subtle",
    "incidents.blunt",
    "climate.correlation_length",
)

_ASCENDING = (
    ("radio.minimum_exponent", "radio.maximum_exponent"),
    ("incidents.minimum_minutes", "incidents.maximum_minutes"),
    ("incidents.subtle", "incidents.blunt"),
)

Violation = tuple[str, str, str | None]


def violations(scenario: Scenario) -> Iterator[Violation]:
    """(key, what is wrong with its value, nearest valid word) of every value that cannot be
    used."""
    for key, (least, most) in _RANGES.items():
        value = _value(scenario, key)
        if not (least <= value <= most and math.isfinite(value)):
            bounds = (
                f"at least {least:g}" if math.isinf(most) else f"between {least:g} and {most:g}"
            )
            yield key, f"must be {bounds}, not {value}", None
    for key in _POSITIVE:
        value = _value(scenario, key)
        if not (value > 0 and math.isfinite(value)):
            yield key, f"must be positive and finite, not {value}", None
    for low, high in _ASCENDING:
        if _value(scenario, low) > _value(scenario, high):
            yield (
                low,
                f"must not exceed {high} = {_value(scenario, high)}, but is "
                f"{_value(scenario, low)}",
                None,
            )
    if scenario.radio.duty_cycle > 1:
        yield (
            "radio.duty_cycle",
            f"is a share and must not exceed 1, not {scenario.radio.duty_cycle}",
            None,
        )
    yield from _times(scenario)
    yield from _incidents(scenario)


def _value(scenario: Scenario, key: str) -> Any:
    section, _, name = key.rpartition(".")
    return getattr(getattr(scenario, section) if section else scenario, name)


def _times(scenario: Scenario) -> Iterator[Violation]:
    try:
        start = datetime.fromisoformat(scenario.start)
    except ValueError:
        yield "start", f"{scenario.start!r} is not a time such as 2026-01-05T00:00", None
    else:
        if start.tzinfo is not None:
            yield "start", f"{scenario.start!r} is UTC already and takes no offset", None
    try:
        duration = seconds(scenario.duration)
    except ValueError as error:
        yield "duration", str(error), None
        return
    if not 0 < duration <= LONGEST:
        yield (
            "duration",
            "must be positive and at most 49d, where a frame's 32-bit clock ends, not "
            f"{scenario.duration}",
            None,
        )
    elif 0 < duration < frame_period(scenario):
        period = f"sampling.period × sampling.transmit_every = {frame_period(scenario):g} s"
        yield "duration", f"{scenario.duration} is shorter than one frame period ({period})", None


def _incidents(scenario: Scenario) -> Iterator[Violation]:
    mix = scenario.incidents
    if mix.per_node_day > 0 and mix.attack == mix.fault == mix.environment == 0:
        yield (
            "incidents.attack",
            "attack, fault and environment all weigh 0; for no incidents set "
            "incidents.per_node_day=0",
            None,
        )
    for name in (mix.only or "").split():
        if name not in TYPES:
            yield (
                "incidents.only",
                f"there is no incident type {name!r}",
                _nearest(name, tuple(TYPES)),
            )


def _nearest(word: str, known: Sequence[str]) -> str | None:
    near = difflib.get_close_matches(word, known, n=1)
    return near[0] if near else None
