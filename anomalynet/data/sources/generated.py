"""A small generated set: rooms with five sensors and injected incidents. It stands in until there is a network simulator."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.data.sources._info import SourceInfo
from anomalynet.data.telemetry import Channel, Incident, Telemetry

DEVICES = 24
STEPS = 1_000
PERIOD = 60.0
QUIET = 150
"""Steps at the start of each device without an incident: commissioning, and one window."""
INCIDENTS = 3
LENGTHS = (40, 110)
LOSS = (0.01, 0.02)
BLOCK = 5
"""A silence lets one reading in so many through."""
MAGNITUDES = (1.0, 10.0)
"""From subtle to blunt, in deviations of the sensor's own noise."""
KINDS = ("bias", "drift", "stuck", "spikes", "noise", "replay", "silence")
ATTACKS = ("replay", "silence")
CHANNELS = (Channel("temperature", "°C"), Channel("humidity", "%"), Channel("light", "lx"), Channel("sound", "dB"), Channel("motion", "1"))
NOISE = np.array([0.25, 0.8, 15.0, 1.5])
START = datetime(2026, 1, 5, 6)

INFO = SourceInfo(
    name="generated",
    title=f"Generated: {DEVICES} devices with five sensors each, smooth daily signals, injected faults and attacks",
    licence="Apache-2.0 (made by this program)",
    period=PERIOD,
    generated=True,
    warnings=("a small generated set: smooth daily sensor signals with injected faults and attacks; says nothing about real networks",),
)

Values = NDArray[np.float64]


class Event(NamedTuple):
    """One incident of one device: steps [start, stop), magnitude in deviations of the noise."""

    kind: str
    start: int
    stop: int
    magnitude: float


def files(root: Path, subset: str | None) -> list[Path]:
    """Return no file: this set is made from its seed."""
    return []


def load(root: Path, subset: str | None, seed: int) -> Telemetry:
    """Make the set that belongs to `seed`; the same seed gives the same set, and 0 counts.

    Incidents start anywhere after the quiet beginning, so that position says nothing of the label. Magnitudes run from
    below the sensors' noise to far above it. A silence shows as missing rows; the few that arrive carry the label.

    Source: not in the paper
    """
    rng = np.random.default_rng(seed)
    values = _signals(rng)
    kinds = np.resize(np.array(KINDS), DEVICES * INCIDENTS)
    rng.shuffle(kinds)
    frames: list[pl.DataFrame] = []
    incidents: dict[int, Incident] = {}
    lost = 0
    for device in range(DEVICES):
        events = _events(rng, [str(kind) for kind in kinds[device * INCIDENTS : (device + 1) * INCIDENTS]])
        numbers = np.full(STEPS, -1, dtype=np.int32)
        heard = rng.random(STEPS) >= rng.uniform(*LOSS)
        for event in events:
            number = len(incidents)
            incidents[number] = _describe(event)
            numbers[event.start : event.stop] = number
            _inject(rng, values[device], heard, event)
        lost += int((~heard).sum())
        frames.append(_frame(device, values[device], numbers, heard, incidents))
    return Telemetry(
        frame=pl.concat(frames).lazy(),
        channels=CHANNELS,
        period=PERIOD,
        incidents=incidents,
        counts={"rows": DEVICES * STEPS - lost, "lost rows": lost},
        warnings=INFO.warnings,
    )


def _signals(rng: np.random.Generator) -> Values:
    """Return (device, step, channel): a daily rhythm with each room's own offsets, AR(1) noise, and people coming and going."""
    hours = START.hour + np.arange(STEPS)[None, :] * PERIOD / 3600
    room = rng.normal(size=(DEVICES, 5))
    daily = np.sin(2 * np.pi * (hours - 9 - room[:, :1]) / 24)
    noise = np.zeros((DEVICES, STEPS, 4))
    shocks = rng.normal(size=noise.shape) * np.sqrt(1 - 0.8**2)
    occupied = np.zeros((DEVICES, STEPS))
    present = rng.random(DEVICES) < 0.5
    for step in range(STEPS):
        noise[:, step] = 0.8 * noise[:, step - 1] + shocks[:, step] if step else rng.normal(size=(DEVICES, 4))
        present = present ^ (rng.random(DEVICES) < 1 / 40)
        occupied[:, step] = present
    temperature = 21 + 1.5 * room[:, 1:2] + 0.5 * daily
    humidity = 45 + 5 * room[:, 2:3] - 1.5 * daily
    light = 60 + 10 * room[:, 3:4] + 40 * np.clip(daily, 0, None) + 120 * occupied
    sound = 35 + 2 * room[:, 4:5] + 8 * occupied
    motion = ((rng.random(occupied.shape) < 0.7) & (occupied > 0)).astype(float)
    smooth = np.stack([temperature, humidity, light, sound], axis=-1) + noise * NOISE
    return np.concatenate([smooth, motion[..., None]], axis=-1)


def _events(rng: np.random.Generator, kinds: list[str]) -> list[Event]:
    """Place one event of each kind, apart from each other, uniformly after the quiet beginning; the end may cut one short."""
    events: list[Event] = []
    for kind in kinds:
        magnitude = float(np.exp(rng.uniform(*np.log(MAGNITUDES))))
        while True:
            start = int(rng.integers(QUIET, STEPS - LENGTHS[0] // 2))
            stop = min(start + int(rng.integers(*LENGTHS)), STEPS)
            if all(stop + LENGTHS[0] < other.start or other.stop + LENGTHS[0] < start for other in events):
                break
        events.append(Event(kind, start, stop, magnitude))
    return sorted(events, key=lambda event: event.start)


def _inject(rng: np.random.Generator, values: Values, heard: NDArray[np.bool_], event: Event) -> None:
    """Change one device's readings (step, channel) and what of them is heard, in place."""
    length = event.stop - event.start
    during = slice(event.start, event.stop)
    touched = rng.choice(4, size=int(rng.integers(1, 4)), replace=False)
    size = event.magnitude * NOISE[touched] * rng.choice([-1.0, 1.0], size=len(touched))
    part = values[during]
    if event.kind == "bias":
        part[:, touched] += size
    elif event.kind == "drift":
        part[:, touched] += np.linspace(0, 1, length)[:, None] * 2 * size
    elif event.kind == "stuck":
        part[:, touched] = part[0, touched]
    elif event.kind == "spikes":
        part[:, touched] += (rng.random((length, 1)) < 0.25) * 1.5 * size
    elif event.kind == "noise":
        part[:, touched] += rng.normal(size=(length, len(touched))) * np.abs(size)
    elif event.kind == "replay":
        earlier = int(rng.integers(0, event.start - length + 1))
        part[:] = values[earlier : earlier + length]
    else:
        kept = np.zeros(length, dtype=bool)
        blocks = np.arange(0, length, BLOCK)
        kept[np.minimum(blocks + rng.integers(0, BLOCK, size=len(blocks)), length - 1)] = True
        heard[during] &= kept


def _describe(event: Event) -> Incident:
    attack = event.kind in ATTACKS
    severity = 1 + int(np.searchsorted(np.geomspace(*MAGNITUDES, 5)[1:-1], event.magnitude))
    return Incident(
        type=event.kind,
        cause="attack" if attack else "fault",
        impact="availability" if event.kind == "silence" else "integrity",
        severity=severity,
    )


def _frame(
    device: int, values: Values, numbers: NDArray[np.int32], heard: NDArray[np.bool_], incidents: dict[int, Incident]
) -> pl.DataFrame:
    """Lay one device's heard readings out in canonical form."""
    values = np.maximum(values, [-np.inf, 0, 0, -np.inf, 0])
    readings = {channel.name: values[:, index].round(2).astype(np.float32) for index, channel in enumerate(CHANNELS)}
    incident = pl.col("incident")
    frame = pl.DataFrame({"incident": numbers, **readings}).with_columns(
        series=pl.lit(f"device-{device:02}"),
        time=pl.datetime_range(START, START + timedelta(seconds=PERIOD * (STEPS - 1)), f"{PERIOD:.0f}s", time_unit="us", eager=True),
        label=(incident >= 0).cast(pl.Int8),
        incident=pl.when(incident >= 0).then(incident).cast(pl.Int32),
        kind=incident.replace_strict({number: what.type for number, what in incidents.items()}, default=None, return_dtype=pl.String),
    )
    return frame.filter(pl.Series(heard)).select("series", "time", "label", "incident", "kind", *readings)
