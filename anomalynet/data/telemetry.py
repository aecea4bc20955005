"""The canonical telemetry table: what every source gives and everything after it reads.

Columns of `Telemetry.frame`, sorted by (series, time):

=========  ==================  =====================================================================
series     String              one continuous recording (a run, a device, a mote)
time       Datetime("us")      UTC, or an offset from 1970-01-01 where the source has no clock
label      Int8, nullable      1 attack (or what `data.label` names), 0 normal, null unlabelled
incident   Int32, nullable     number of the event, a key of `Telemetry.incidents`
kind       String, nullable    type of the incident, where the source knows it
visible    Float32, nullable   optional: how far the step is from the same one without incidents,
                               in ordinary deviations, where the data is simulated
split      String, nullable    optional: train | validation | test, where the source brings a split
<channel>  Float64, nullable   one column a channel, unit in `Telemetry.channels`; null = not heard;
                               Float32 where the source has no more digits
=========  ==================  =====================================================================

The mask is made from the nulls when the frame is resampled to its grid (`data/prepare.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from anomalynet.config.schema import SplitPolicy

RESERVED = ("series", "time", "label", "incident", "kind", "split", "visible")
LEADING = ("series", "time", "label", "incident", "kind")  # columns of every table
MASK = "missing"  # name of the channel that `data/prepare.py` adds; no sensor may have it
CELL_SILENT = "cell_silent"  # the only channel known in every slot of a node, heard or not


@dataclass(frozen=True, slots=True)
class Channel:
    """One sensor channel."""

    name: str  # of its column
    unit: str = ""  # "1" where it has none, "" where it is unknown
    # minimum, maximum: what the sensor can measure, ends included; None where that is unknown
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One event, with what annotators said of it (§3.1.6); `severity` 1–4, `cause` attack, fault or
    environment where it is known."""

    type: str | None = None
    cause: str | None = None
    impact: str | None = None
    severity: int | None = None
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Recordings in canonical form, and what is known of them."""

    # lazy, with the columns of this module's table; collecting it whole is never required
    frame: pl.LazyFrame
    channels: tuple[Channel, ...]
    # expected seconds between readings; None where readings are events without a grid
    period: float | None
    # series → group; series of one group never stand in different parts of a split. A series that
    # is not named is its own group.
    groups: Mapping[str, str] = field(default_factory=dict)
    # series that train and calibrate but are never scored (SKAB's anomaly-free run)
    train_only: frozenset[str] = frozenset()
    incidents: Mapping[int, Incident] = field(default_factory=dict)
    # what the loader found and corrected, for `data info`
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  # what a reader of any table made from this data must know
    # lazy frames whose concatenation is `frame`, such as one per radio cell: no series stands in
    # two, and the neighbours of a series stand in its part. Empty: unknown.
    parts: tuple[pl.LazyFrame, ...] = ()
    # series → the other series of its radio cell, nearest first
    neighbours: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # the split that `auto` stands for; None where the number of groups decides
    policy: SplitPolicy | None = None
    # whether a user imported it: its silent steps have no label, and a series may have its own step
    imported: bool = False
