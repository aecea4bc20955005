"""Loads a scenario: a preset or a YAML file, changed by `key=value`; reports all problems at
once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from anomalynet.config.leaves import Leaf, read_overrides, read_yaml
from anomalynet.config.load import filled, nearest
from anomalynet.config.locate import summary
from anomalynet.errors import ConfigError, Problem, UsageError, printable
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.scenario import Scenario, frame_period, seconds

PRESETS = Path(__file__).parent / "scenarios"
SCENARIO_VERSION = 1  # grows when a key of `Scenario` changes its meaning
MAX_DURATION = 49 * 86400
"""Longest simulated time in seconds. A frame carries its time as 32-bit milliseconds, which would
overflow after that."""

_FROM_ZERO = (
    "deployment.cluster_radius node.clock_jitter node.transmit_current node.receive_current "
    "node.sleep_current background.interference_per_day background.outages_per_day "
    "background.reboots_per_day incidents.per_node_day incidents.quiet_hours incidents.attack "
    "incidents.fault incidents.environment climate.daylight climate.lamps climate.people"
)
_RANGES: tuple[tuple[float, float, str], ...] = (
    (0, math.inf, _FROM_ZERO),
    (0, 2**63 - 1, "seed"),
    (1, 65_000, "deployment.nodes deployment.cell_nodes deployment.rooms sampling.transmit_every"),
    (0, 200, "radio.reference_loss"),
    (-60, 60, "radio.transmit_power climate.temperature climate.indoor_temperature"),
    (1, 10, "radio.exponent"),
    (0, 40, "radio.shadowing climate.daily_swing climate.weather"),
    (-40, 60, "radio.rician_k"),
    (0, 60, "radio.noise_figure radio.capture"),
    (0, 7, "radio.retries"),
    (0, 5, "radio.backoffs"),
    (0, 8, "radio.minimum_exponent radio.maximum_exponent"),
    (-200, 60, "radio.carrier_sense background.interference_power"),
    (7, 12, "radio.spreading_factor"),
    (0, 100_000, "node.clock_error"),
    (0, 100, "climate.humidity"),
    (0, 1, "climate.indoor"),
    (-90, 90, "climate.latitude"),
    (0, 140, "climate.background_sound climate.person_sound climate.machine_sound"),
)
"""Smallest and largest allowed value of some keys, both included."""

_POSITIVE = (
    "deployment.width deployment.height sampling.period radio.bandwidth radio.shadowing_time "
    "radio.duty_cycle node.battery node.beacon_period background.interference_seconds "
    "background.outage_seconds incidents.minimum_minutes incidents.maximum_minutes "
    "incidents.subtle incidents.blunt climate.correlation_length"
)

_ASCENDING = (
    ("radio.minimum_exponent", "radio.maximum_exponent"),
    ("incidents.minimum_minutes", "incidents.maximum_minutes"),
    ("incidents.subtle", "incidents.blunt"),
)


def names() -> dict[str, str]:
    """Name → one-line summary of every preset, sorted by name."""
    return {path.stem: summary(path) for path in sorted(PRESETS.glob("*.yaml"))}


def load_scenario(name_or_path: str, overrides: Sequence[str] = ()) -> Scenario:
    """Load a preset by its name, or a YAML file (its path ends in .yaml), and apply `key=value`
    arguments.

    Raises:
        UsageError: no such preset or file; names the nearest preset.
        ConfigError: every problem, with file and line or argument, and the nearest valid key or
            choice.
    """
    path = _find(name_or_path)
    name = Leaf("name", path.stem, "the file's name")
    problems: list[Problem] = []
    leaves = (name, *read_yaml(path), *read_overrides(overrides))
    scenario, origins = filled(Scenario(), leaves, problems)
    problems += [
        Problem(origins.get(key, "default"), f"{key}: {what}", near)
        for key, what, near in violations(scenario)
    ]
    if problems:
        raise ConfigError(problems)
    return scenario


def _find(name_or_path: str) -> Path:
    if name_or_path.endswith((".yaml", ".yml")):
        if (path := Path(name_or_path)).is_file():
            return path
        raise UsageError(
            f"{name_or_path}: no such file", "`anomalynet simulate --list` lists the presets"
        )
    if name_or_path in (known := names()):
        return PRESETS / f"{name_or_path}.yaml"
    near = nearest(name_or_path, known)
    hint = f"did you mean {near!r}? " if near else ""
    raise UsageError(
        f"unknown scenario {name_or_path!r}",
        f"{hint}`anomalynet simulate --list` lists them; your own file must end in .yaml",
    )


def canonical(scenario: Scenario) -> str:
    """Everything that determines a world, including the seed, as JSON with sorted keys. The name
    is left out: it only appears in reports."""
    values = {key: value for key, value in asdict(scenario).items() if key != "name"}
    return json.dumps({"schema": SCENARIO_VERSION, "scenario": values}, sort_keys=True)


def as_yaml(scenario: Scenario) -> str:
    """The parameters as YAML, from which `load_scenario` reads an equal scenario."""
    text: str = yaml.safe_dump(asdict(scenario), sort_keys=False, allow_unicode=True)
    return text


def violations(scenario: Scenario) -> Iterator[tuple[str, str, str | None]]:
    """(key, what is wrong with its value, nearest valid word) of every value outside its bounds.
    Types are checked before."""
    for least, most, keys in _RANGES:
        for key in keys.split():
            value = _value(scenario, key)
            if not (least <= value <= most and math.isfinite(value)):
                upper = f"between {least:g} and {most:g}"
                bounds = f"at least {least:g}" if math.isinf(most) else upper
                yield key, f"must be {bounds}, not {value}", None
    for key in _POSITIVE.split():
        value = _value(scenario, key)
        if not (value > 0 and math.isfinite(value)):
            yield key, f"must be positive and finite, not {value}", None
    for low, high in _ASCENDING:
        least, most = _value(scenario, low), _value(scenario, high)
        if least > most:
            yield low, f"must not exceed {high} = {most}, but is {least}", None
    if (share := scenario.radio.duty_cycle) > 1:
        yield "radio.duty_cycle", f"must be a share of at most 1, not {share}", None
    if printable(scenario.name) != scenario.name:
        yield "name", f"{scenario.name!r} has characters that cannot be printed", None
    yield from _times(scenario)
    yield from _incidents(scenario)


def _value(scenario: Scenario, key: str) -> Any:
    section, _, name = key.rpartition(".")
    return getattr(getattr(scenario, section) if section else scenario, name)


def _times(scenario: Scenario) -> Iterator[tuple[str, str, None]]:
    try:
        start = datetime.fromisoformat(scenario.start)
    except ValueError:
        yield "start", f"{scenario.start!r} is not a time such as 2026-01-05T00:00", None
    else:
        if start.tzinfo is not None:
            yield (
                "start",
                f"{scenario.start!r} has a UTC offset; the start is always UTC, remove the offset",
                None,
            )
    try:
        duration = seconds(scenario.duration)
    except ValueError as error:
        yield "duration", str(error), None
        return
    if not 0 < duration <= MAX_DURATION:
        limit = "must be positive and at most 49d (a frame has a 32-bit clock)"
        yield "duration", f"{limit}, not {scenario.duration}", None
    elif duration < frame_period(scenario):
        period = f"sampling.period × sampling.transmit_every = {frame_period(scenario):g} s"
        yield "duration", f"{scenario.duration} is shorter than one frame period ({period})", None


def _incidents(scenario: Scenario) -> Iterator[tuple[str, str, str | None]]:
    mix = scenario.incidents
    if mix.per_node_day > 0 and mix.attack == mix.fault == mix.environment == 0:
        none = "attack, fault and environment all have weight 0; for no incidents, set"
        yield "incidents.attack", f"{none} incidents.per_node_day=0", None
    for name in (mix.only or "").split():
        if name not in TYPES:
            yield "incidents.only", f"unknown incident type {name!r}", nearest(name, TYPES)
