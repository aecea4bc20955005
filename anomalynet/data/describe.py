"""What is in a data set and in the simulated world behind it, as plain values for tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import exp, isfinite
from typing import Any

import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.resample import Resampler, own_periods
from anomalynet.data.sources import simulated
from anomalynet.data.telemetry import Incident, Telemetry
from anomalynet.preprocessing.grid import IN_TIME
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.store import Manifest, World, read_world

LISTED = 5  # series that a warning names
JUDGED = 100  # rows that a judgement about their order needs
RANDOM = 1.7  # ratio of von Neumann from which neighbours differ as random rows: 2, less chance


def about(name: str) -> dict[str, Any]:
    """Return what is known of a data set without its files. Raises DataError on an unknown name."""
    info = sources.info(name)
    known = {"title": info.title, "licence": info.licence, "url": info.url}
    return {"name": name, **known, "subsets": list(info.subsets), "warnings": list(info.warnings)}


def describe(config: DataConfig) -> dict[str, Any]:
    """Return what a data set holds: series, steps, channels, time range, prevalence, incidents,
    groups, counts, warnings; and each recording by itself.

    The table is read in a stream; memory does not grow with it.
    Raises DataError: as `sources.load`."""
    telemetry = sources.load(config)
    frame, periods = telemetry.frame, own_periods(telemetry)
    summary = frame.select(
        series=pl.col("series").n_unique(),
        rows=pl.len(),
        labelled=pl.col("label").count(),
        attack=(pl.col("label") == 1).sum(),
        begins=pl.col("time").min(),
        ends=pl.col("time").max(),
    )
    facts = summary.collect(engine="streaming").row(0, named=True)
    labelled, attack = facts.pop("labelled"), facts.pop("attack")
    dated = facts["begins"] is not None and facts["begins"] > datetime(1971, 1, 1)
    clock = _written if dated else _elapsed
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
        "auto_split": telemetry.policy,
        "recordings": _recordings(frame),
        "channels": _channels(telemetry),
        "incidents": _incidents(telemetry),
        "groups": [sorted(members) for members in groups.values()],
        "train_only": sorted(telemetry.train_only),
        "counts": {**telemetry.counts, **_dropped(telemetry, config)},
        "warnings": [*telemetry.warnings, *common_warnings(telemetry, periods)],
        "fingerprint": sources.fingerprint(config),
    }


def _written(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds")


def _elapsed(time: datetime | None) -> str:
    return "" if time is None else f"{(time - datetime(1970, 1, 1)).total_seconds():g} s"


def _recordings(frame: pl.LazyFrame) -> list[dict[str, Any]]:
    """A row a series. Its step is the median one; a gap is a step of more than 1.5 of these."""
    time, step = pl.col("time"), pl.col("step (s)")
    same = pl.col("series") == pl.col("series").shift(1)
    steps = pl.when(same).then(time.diff().dt.total_microseconds() / 1e6)
    found = frame.select("series", "time", "label", steps.alias("step (s)")).group_by("series")
    facts = {
        "rows": pl.len(),
        "duration (s)": (time.max() - time.min()).dt.total_microseconds() / 1e6,
        "step (s)": step.median(),
        "gaps": (step > IN_TIME * step.median()).sum(),
        "longest step (s)": step.max(),
        "labelled": pl.col("label").count(),
        "attack share": pl.col("label").mean(),
    }
    return found.agg(**facts).sort("series").collect(engine="streaming").to_dicts()


def common_warnings(telemetry: Telemetry, periods: Mapping[str, float]) -> list[str]:
    """Return what series of imported data have in common that a reader of any table must know.
    `periods`: as of `own_periods`."""
    found = []
    if periods:
        listed = ", ".join(f"{name} {periods[name]:g} s" for name in list(periods)[:LISTED])
        found.append(
            f"{len(periods)} series are laid on a grid of their own, not of {telemetry.period:g} s "
            f"({listed}{', …' if len(periods) > LISTED else ''}): their windows last as much longer"
        )
    if telemetry.imported and _coincide(
        telemetry, max(telemetry.period or 0, *periods.values(), 0)
    ):
        found.append(
            "several series are labelled attack at the same times: they are not independent, and "
            "results of a split by series are too good; data.split.policy=blocked tests other times"
        )
    return found


def _coincide(telemetry: Telemetry, step: float) -> bool:
    """Whether most steps with an attack have it in several series, more than chance explains."""
    slot = (pl.col("time").to_physical() // max(1, round(1e6 * step))).alias("slot")
    attack = telemetry.frame.filter(pl.col("label") == 1).group_by(slot)
    counts = attack.agg(pl.col("series").n_unique()).collect(engine="streaming")["series"]
    if not (several := int((counts > 1).sum())):
        return False
    mean = int(counts.sum()) / int(telemetry.frame.select(slot.n_unique()).collect().item())
    chance = 1 - mean * exp(-mean) / (1 - exp(-mean))  # of several where there is one: Poisson's
    return several / len(counts) > (1 + chance) / 2


def not_in_order(frame: pl.LazyFrame, channels: Sequence[str]) -> str | None:
    """Return a warning where rows stand in no order of time, None elsewhere: in every channel
    neighbouring rows differ as random rows do, and so do their labels.

    `frame`: canonical telemetry, judged where it has both classes and enough rows.
    Source: the rank version of von Neumann's ratio (Bartels 1982), 2 for random rows.
    """
    columns, same = ["label", *channels], pl.col("series") == pl.col("series").shift(1)
    ranked = frame.select(same.alias("series"), pl.col(columns).cast(pl.Float64).rank())
    squares = (pl.col(columns).diff() ** 2).filter(pl.col("series")).mean()
    facts = ranked.select(pl.len().alias("series"), squares / pl.col(columns).var(ddof=0)).collect()
    rows, label, *others = facts.row(0)
    ratios = [label, *(one for one in others if one is not None and isfinite(one))]
    if rows < JUDGED or len(ratios) < 2 or not all(one and one >= RANDOM for one in ratios):
        return None
    return (
        "neighbouring rows differ as random rows do, in every channel and in their labels: this is "
        "no time series, or its rows were shuffled; incidents can only be detected in order of time"
    )


def _channels(telemetry: Telemetry) -> list[dict[str, Any]]:
    asked: dict[str, pl.Expr] = {}
    words = ("minimum", "mean", "maximum", "missing")
    for channel in telemetry.channels:
        column = pl.col(channel.name)
        mean = column.cast(pl.Float64).mean()
        facts = (column.min(), mean, column.max(), column.null_count())
        asked |= {f"{word} {channel.name}": one for word, one in zip(words, facts, strict=True)}
    found = telemetry.frame.select(**asked).collect(engine="streaming").row(0, named=True)
    return [
        {
            "name": one.name,
            "unit": one.unit,
            **{word: found[f"{word} {one.name}"] for word in words},
        }
        for one in telemetry.channels
    ]


def _dropped(telemetry: Telemetry, config: DataConfig) -> dict[str, int]:
    """Values that the quality stage drops from the readings, by reason."""
    resampler = Resampler(telemetry, config)
    if resampler.cleaner.counts:  # else nothing can be dropped
        for _ in resampler.chunks():
            pass
    return resampler.cleaner.counts


def _incidents(telemetry: Telemetry) -> list[dict[str, Any]]:
    """Return one row a type of incident: how many, how many rows they hold, and what is known of
    them."""
    rows = telemetry.frame.drop_nulls("incident").group_by("incident").agg(pl.len())
    held = dict(rows.collect(engine="streaming").rows())
    kinds: dict[str | None, list[int]] = {}
    for number, incident in telemetry.incidents.items():
        kinds.setdefault(incident.type, []).append(number)
    known = [
        word
        for word in ("cause", "layer", "impact", "severity")
        if any(getattr(one, word) for one in telemetry.incidents.values())
    ]
    found = []
    for kind, numbers in sorted(kinds.items(), key=lambda item: str(item[0])):
        alike = [telemetry.incidents[number] for number in numbers]
        row = {"type": kind, "incidents": len(numbers)}
        row["rows"] = sum(held.get(number, 0) for number in numbers)
        found.append({**row, **{word: _said(word, alike) for word in known}})
    return found


def _said(word: str, incidents: list[Incident]) -> str:
    """Return what some incidents say of one thing; of severities, how many there are of each."""
    found = Counter(value for one in incidents if (value := getattr(one, word)) is not None)
    return ", ".join(
        f"{value}: {count}" if word == "severity" else str(value)
        for value, count in sorted(found.items())
    )


def open_world(config: DataConfig) -> World | None:
    """The world behind simulated data, None of any other; a preset's world is simulated if it was
    not yet."""
    return read_world(simulated.world_folder(config)) if simulated.knows(config.name) else None


def cells(world: World) -> list[dict[str, Any]]:
    """One row per radio cell: nodes, percent delivered over all and of the worst node, weakest and
    strongest link in dBm."""
    received, expected, link = pl.col("received"), pl.col("expected"), pl.col("link")
    table = world.nodes.group_by("cell").agg(
        pl.len().alias("nodes"),
        pl.col("node").first().alias("first"),
        pl.col("node").last().alias("last"),
        (100 * received.sum() / expected.sum()).round(2).alias("delivered (%)"),
        (100 * received / expected).min().round(2).alias("worst node (%)"),
        link.min().round(1).alias("weakest link (dBm)"),
        link.max().round(1).alias("strongest link (dBm)"),
    )
    return table.sort("cell").to_dicts()


def incident_types(world: World, described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per type of incident, in the order of the taxonomy: how many of each severity, nodes
    touched, median minutes, and rows of telemetry.

    Args:
        described: the `incidents` of `describe`, which counts the rows.
    """
    grade = pl.col("severity")
    severities = [(grade == number).sum().alias(f"severity {number}") for number in range(1, 5)]
    minutes = (pl.col("end") - pl.col("start")).dt.total_seconds() / 60
    table = world.incidents.group_by("type").agg(
        pl.col("cause", "layer", "impact").first(),
        pl.len().alias("incidents"),
        *severities,
        pl.col("nodes").list.len().mean().round(1).alias("nodes each"),
        minutes.median().round(1).alias("median minutes"),
    )
    held = {row["type"]: row["rows"] for row in described}
    found = {row["type"]: {**row, "rows": held.get(row["type"], 0)} for row in table.to_dicts()}
    return [found[name] for name in TYPES if name in found]


def world_facts(manifest: Manifest) -> dict[str, str]:
    """A world in a few lines: label → text with its unit."""
    counts, scenario = manifest.counts, manifest.scenario
    deployment, size = scenario["deployment"], sum(one["bytes"] for one in manifest.files.values())
    kinds = ("attack", "fault", "environment")
    causes = ", ".join(f"{counts[f'incidents, {kind}']:.0f} {kind}" for kind in kinds)
    area = f"{deployment['width']:g} m × {deployment['height']:g} m"
    density = f"{counts['density']:.3g} nodes a hectare"
    return {
        "scenario": f"{scenario['name']}, seed {scenario['seed']}",
        "simulated": f"{scenario['duration']} from {scenario['start'].replace('T', ' ')}",
        "nodes": f"{counts['nodes']:,.0f} in {counts['cells']:,.0f} cells of {area}",
        "density": f"{density}, {counts['nearest']:.3g} m to the nearest",
        "coverage": f"{100 * counts['coverage']:.0f} % of the area within reach of a sensor",
        "readings expected": f"{counts['expected']:,.0f}",
        "frames received": f"{counts['frames']:,.0f}, duplicates and damaged ones included",
        "delivered": f"{100 * counts['delivered']:.2f} % of the readings, intact",
        "incidents": f"{counts['incidents']:,.0f}: {causes}",
        "size": f"{size / 1e6:.1f} MB",
    }
