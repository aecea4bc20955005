"""Small telemetry for tests, prepared without a source."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase

import polars as pl

from anomalynet.config.schema import DataConfig, SplitPolicy
from anomalynet.data.prepare import build
from anomalynet.data.prepared import Prepared, open_prepared
from anomalynet.data.telemetry import Channel, Incident, Telemetry

Value = float | None


@dataclass
class Recording:
    """One series: seconds, one list of values a channel, labels, and what else a source may
    know."""

    name: str
    seconds: Sequence[float]
    values: Sequence[Sequence[Value]]
    labels: Sequence[int | None] = ()
    kinds: Sequence[str | None] = ()
    splits: Sequence[str | None] = ()
    incidents: Sequence[int | None] = ()


@dataclass
class Facts:
    """What a source says beside the frame."""

    period: float | None = 1.0
    groups: Mapping[str, str] = field(default_factory=dict)
    train_only: frozenset[str] = frozenset()
    incidents: Mapping[int, Incident] = field(default_factory=dict)
    policy: SplitPolicy | None = None
    imported: bool = False


def telemetry(recordings: Sequence[Recording], facts: Facts | None = None) -> Telemetry:
    """Canonical telemetry of some recordings; channels are called a, b, c, …"""
    facts = facts or Facts()
    frames = []
    for one in recordings:
        rows = len(one.seconds)
        microseconds = [round(second * 1e6) for second in one.seconds]
        columns = {
            "series": pl.Series([one.name] * rows),
            "time": pl.Series(microseconds, dtype=pl.Int64).cast(pl.Datetime("us")),
            "label": pl.Series(one.labels or [None] * rows, dtype=pl.Int8),
            "incident": pl.Series(one.incidents or [None] * rows, dtype=pl.Int32),
            "kind": pl.Series(one.kinds or [None] * rows, dtype=pl.String),
        }
        if one.splits:
            columns["split"] = pl.Series(one.splits, dtype=pl.String)
        for name, column in zip(ascii_lowercase, one.values, strict=False):
            columns[name] = pl.Series(column, dtype=pl.Float64)
        frames.append(pl.DataFrame(columns))
    channels = tuple(Channel(ascii_lowercase[at], "1") for at in range(len(recordings[0].values)))
    about = (facts.period, facts.groups, facts.train_only, facts.incidents)
    frame, imported = pl.concat(frames).lazy(), facts.imported
    return Telemetry(frame, channels, *about, policy=facts.policy, imported=imported)


def prepared(
    recordings: Sequence[Recording], config: DataConfig | None = None, facts: Facts | None = None
) -> Prepared:
    """Recordings, prepared in a folder of their own; calibration is off unless `config` says
    otherwise."""
    with tempfile.TemporaryDirectory(prefix="anomalynet-test-") as folder:  # mapped: readable on
        chosen = config or DataConfig(calibration_rows=0)
        build(telemetry(recordings, facts), chosen, "fingerprint", Path(folder))
        found = open_prepared(Path(folder))
    assert found is not None
    return found


def steady(name: str, rows: int, labels: Sequence[int | None] = ()) -> Recording:
    """One reading a second; channel a counts rows, channel b is its square root."""
    numbers = [float(row) for row in range(rows)]
    return Recording(name, numbers, [numbers, [number**0.5 for number in numbers]], labels)
