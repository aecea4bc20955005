"""What is in a data set, as plain values for tables and JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.telemetry import Telemetry


def about(name: str) -> dict[str, Any]:
    """Return what is known of a data set without its files. Raises DataError on an unknown name."""
    info = sources.info(name)
    known = {"name": name, "title": info.title, "licence": info.licence, "url": info.url, "subsets": list(info.subsets)}
    return {**known, "warnings": list(info.warnings)}


def describe(config: DataConfig) -> dict[str, Any]:
    """Return what a data set holds: series, steps, channels, time range, prevalence, incidents, groups, counts, warnings.

    The table is read in a stream; memory does not grow with it.

    Raises:
        DataError: as `sources.load`.
    """
    telemetry = sources.load(config)
    frame = telemetry.frame
    summary = frame.select(
        pl.col("series").n_unique().alias("series"),
        pl.len().alias("rows"),
        pl.col("label").count().alias("labelled"),
        (pl.col("label") == 1).sum().alias("attack"),
        pl.col("time").min().alias("begins"),
        pl.col("time").max().alias("ends"),
    )
    facts = summary.collect(engine="streaming").row(0, named=True)
    labelled, attack = facts.pop("labelled"), facts.pop("attack")
    clock = _written if facts["begins"] is not None and facts["begins"] > datetime(1971, 1, 1) else _elapsed
    groups: dict[str, list[str]] = {}
    for series, group in telemetry.groups.items():
        groups.setdefault(group, []).append(series)
    return {
        **about(config.name),
        "subset": config.subset,
        **facts,
        "begins": clock(facts["begins"]),
        "ends": clock(facts["ends"]),
        "period": telemetry.period,
        "labelled": labelled,
        "attack": attack,
        "prevalence": attack / labelled if labelled else None,
        "channels": _channels(telemetry),
        "incidents": _incidents(telemetry),
        "groups": [sorted(members) for members in groups.values()],
        "train_only": sorted(telemetry.train_only),
        "counts": dict(telemetry.counts),
        "warnings": list(telemetry.warnings),
        "fingerprint": sources.fingerprint(config),
    }


def _written(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds")


def _elapsed(time: datetime | None) -> str:
    return "" if time is None else f"{(time - datetime(1970, 1, 1)).total_seconds():g} s"


def _channels(telemetry: Telemetry) -> list[dict[str, Any]]:
    asked = []
    for channel in telemetry.channels:
        column = pl.col(channel.name)
        asked += [
            column.min().alias(f"minimum {channel.name}"),
            column.cast(pl.Float64).mean().alias(f"mean {channel.name}"),
            column.max().alias(f"maximum {channel.name}"),
            column.null_count().alias(f"missing {channel.name}"),
        ]
    facts = telemetry.frame.select(asked).collect(engine="streaming").row(0, named=True)
    words = ("minimum", "mean", "maximum", "missing")
    return [{**asdict(channel), **{word: facts[f"{word} {channel.name}"] for word in words}} for channel in telemetry.channels]


def _incidents(telemetry: Telemetry) -> list[dict[str, Any]]:
    """Return one row a type of incident: how many, and how many rows they hold."""
    rows = telemetry.frame.drop_nulls("incident").group_by("incident").agg(pl.len()).collect(engine="streaming")
    held = dict(rows.rows())
    kinds: dict[str | None, list[int]] = {}
    for number, incident in telemetry.incidents.items():
        kinds.setdefault(incident.type, []).append(held.get(number, 0))
    return [
        {"type": kind, "incidents": len(sizes), "rows": sum(sizes)} for kind, sizes in sorted(kinds.items(), key=lambda item: str(item[0]))
    ]
