"""A scenario: every parameter of a simulated deployment with its default, unit and effect
(§3.1.1-3.1.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

SENSORS = (
    ("temperature", "°C"),
    ("humidity", "%"),
    ("motion", "1"),
    ("light", "lx"),
    ("sound", "dB"),
)
"""The five modalities of §3.1.1 with their units, in the order of every array of readings."""


@dataclass(kw_only=True, slots=True, frozen=True)
class DeploymentConfig:
    """Positions of the nodes (§3.1.3). Nodes are divided among radio cells with one gateway each.
    Cells use different channels and do not interfere."""

    nodes: int = 30  # total number of sensor nodes
    cell_nodes: int = 15  # largest number of nodes in one radio cell
    width: float = 120.0  # width of a cell's area in metres; the gateway is in its middle
    height: float = 120.0  # height of a cell's area in metres
    placement: Literal["grid", "uniform", "clustered"] = "clustered"
    """`grid`: regular; `uniform`: random; `clustered`: around the cell's rooms."""
    rooms: int = 5
    """Rooms (or squares) of a cell. Nodes of one room share its people, lamps and sounds."""
    cluster_radius: float = 8.0
    """Standard deviation in metres of nodes about their room's middle (`clustered`)."""


@dataclass(kw_only=True, slots=True, frozen=True)
class SamplingConfig:
    """How often nodes measure and transmit (§3.1.3)."""

    period: float = 30.0  # seconds between two measurements of a node
    transmit_every: int = 1
    """Measurements per frame. The frame carries the last one, and the largest motion count."""


@dataclass(kw_only=True, slots=True, frozen=True)
class RadioConfig:
    """Propagation, medium access and receiver."""

    kind: Literal["ieee802154", "lora", "ideal"] = "ieee802154"
    """`ieee802154`: 2.4 GHz O-QPSK with unslotted CSMA/CA; `lora`: ALOHA with spreading factors;
    `ideal`: every frame arrives."""
    transmit_power: float = 0.0  # dBm
    reference_loss: float = 40.05
    """Path loss at 1 m in dB (40.05 at 2.4 GHz; LoRa at 868 MHz: 31.2)."""
    exponent: float = 3.0  # path loss exponent: 1.8 (line of sight) to 3.5 (cluttered)
    shadowing: float = 6.0  # standard deviation in dB of a link's log-normal shadowing; 0: none
    shadowing_time: float = 1800.0
    """Correlation time in seconds of the shadowing of a link to the gateway."""
    fading: Literal["none", "rayleigh", "rician"] = "rician"
    """Small-scale fading, drawn anew for each transmission."""
    rician_k: float = 6.0  # ratio of the direct path's power to the scattered power, in dB
    bandwidth: float = 2.0e6  # noise bandwidth in Hz. ns-3 integrates 5 MHz.
    noise_figure: float = 8.0  # dB above thermal noise
    acknowledge: bool = True  # the receiver acknowledges frames, the sender retransmits
    retries: int = 3  # largest number of retransmissions of an unacknowledged frame
    backoffs: int = 4
    """Largest number of further backoffs while the channel is busy; then the frame is dropped."""
    minimum_exponent: int = 3  # first backoff exponent
    maximum_exponent: int = 5  # largest backoff exponent
    carrier_sense: float = -85.0  # power in dBm above which a node regards the channel as busy
    spreading_factor: int = 7  # LoRa, 7-12: a larger factor is slower and reaches farther
    duty_cycle: float = 0.01  # LoRa: largest share of time in which a node may transmit
    capture: float = 6.0  # LoRa: dB by which the stronger of two overlapping frames survives


@dataclass(kw_only=True, slots=True, frozen=True)
class NodeConfig:
    """A node's clock and battery."""

    clock_error: float = 40.0  # largest deviation of a node's clock in parts per million
    clock_jitter: float = 0.01
    """Spread of the transmission time in sampling periods, half-normal. Without it, nodes of equal
    phase would always collide."""
    beacon_period: float = 3600.0  # seconds between the beacons that set the clocks
    battery: float = 2500.0  # capacity in mAh
    transmit_current: float = 17.4  # mA while transmitting
    receive_current: float = 18.8  # mA while listening
    sleep_current: float = 0.005  # mA otherwise


@dataclass(kw_only=True, slots=True, frozen=True)
class BackgroundConfig:
    """Disturbances of a healthy network. None of them is an incident, so frame loss alone does not
    indicate an attack."""

    interference_per_day: float = 10.0  # bursts of foreign traffic (Wi-Fi) per day and cell
    interference_seconds: float = 60.0  # mean duration of such a burst
    interference_power: float = -84.0
    """Median power at the gateway in dBm; bursts differ with 6 dB standard deviation."""
    outages_per_day: float = 0.2  # restarts of a gateway per day
    outage_seconds: float = 90.0  # mean duration of a restart, in which no frame is received
    reboots_per_day: float = 0.1
    """Restarts of a node per day: it loses a few frames, and its sequence numbers start at 0."""


@dataclass(kw_only=True, slots=True, frozen=True)
class IncidentsConfig:
    """Labelled events (§3.1.6): how many, of what kind, how strong."""

    per_node_day: float = 6.0  # mean number of incidents per node and day, over all types
    minimum_minutes: float = 10.0  # shortest incident
    maximum_minutes: float = 45.0  # longest incident; durations are log-uniform
    quiet_hours: float = 1.5  # initial hours in which no incident starts
    subtle: float = 1.0
    """Smallest magnitude, in multiples of a typical effect: too small for a person to notice."""
    blunt: float = 8.0
    """Largest magnitude. Magnitudes are log-uniform between the two, which were chosen before any
    model was trained."""
    attack: float = 1.5  # weight of attacks in the mix
    fault: float = 1.0  # weight of faults in the mix
    environment: float = 1.5  # weight of environmental incidents in the mix
    only: str | None = None  # incident types that occur, separated by spaces; empty: all


@dataclass(kw_only=True, slots=True, frozen=True)
class ClimateConfig:
    """Weather, people and rooms, which the sensors measure."""

    temperature: float = 14.0  # mean outdoor temperature in °C
    daily_swing: float = 5.0  # amplitude of its daily cycle in K
    weather: float = 2.0  # standard deviation in K of changes by weather, over hours
    humidity: float = 65.0
    """Relative humidity in % at the mean temperature; it falls when the air warms up."""
    latitude: float = 45.0  # degrees north; with the date it gives the length of the day
    indoor: float = 0.0  # share of indoor climate: 0 outdoors, 1 heated and closed
    indoor_temperature: float = 21.0  # set point in °C
    daylight: float = 20000.0
    """Illuminance in lx at the sensor, at noon under a clear sky."""
    lamps: float = 20.0  # illuminance in lx of the lamps
    lamps_on: Literal["occupied", "dark", "always"] = "dark"
    """Lamps are on in rooms with people, when it is dark, or always."""
    background_sound: float = 42.0  # sound level in dB of an empty place
    person_sound: float = 48.0  # sound level in dB that one person or vehicle adds
    machine_sound: float = 0.0  # sound level in dB of running machines; 0: no machines
    people: float = 3.0  # mean number of people in a room in the busiest hour
    rhythm: Literal["street", "shifts", "ward"] = "street"
    """Daily profile of people: passers-by, factory or hospital. It also sets how long they stay."""
    correlation_length: float = 25.0  # correlation length in metres of what neighbours measure


@dataclass(kw_only=True, slots=True, frozen=True)
class Scenario:
    """All parameters of one simulated world."""

    name: str = "smart_city"  # used in reports
    duration: str = "4d"  # simulated time: 90s, 30min, 24h, 7d
    start: str = "2026-01-05T00:00"  # first moment, UTC. A Monday.
    seed: int = 0  # another seed gives other positions, weather and incidents
    deployment: DeploymentConfig = field(default_factory=DeploymentConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    radio: RadioConfig = field(default_factory=RadioConfig)
    node: NodeConfig = field(default_factory=NodeConfig)
    climate: ClimateConfig = field(default_factory=ClimateConfig)
    background: BackgroundConfig = field(default_factory=BackgroundConfig)
    incidents: IncidentsConfig = field(default_factory=IncidentsConfig)


_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


def seconds(duration: str) -> float:
    """Seconds of a duration such as 90s, 30min, 24h, 7d; a number without unit is in seconds.
    Raises ValueError: not a duration."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|)\s*", str(duration))
    if found is None:
        raise ValueError(f"{duration!r} is not a duration such as 90s, 30min, 24h or 7d")
    return float(found[1]) * _SECONDS[found[2]]


def frame_period(scenario: Scenario) -> float:
    """Seconds between two frames of a node: the length of a slot."""
    return scenario.sampling.period * scenario.sampling.transmit_every


def slots(scenario: Scenario) -> int:
    """Whole frame periods in the simulated time."""
    return int(seconds(scenario.duration) / frame_period(scenario) + 1e-9)
