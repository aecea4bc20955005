"""What is in a data set and in the simulated world behind it, as plain values for tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import exp
from typing import Any

import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.resample import Resampler, own_periods
from anomalynet.data.telemetry import Telemetry
from anomalynet.preprocessing.grid import IN_TIME
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.store import Manifest, World

LISTED = 5  # series that a warning names
JUDGED = 100  # rows that a judgement about their order needs
RANDOM = 1.7  # ratio of von Neumann from which neighbours differ as random rows: 2, less chance


def about(name: str) -> dict[str, Any]:
    """The facts that need no file of a data set; `describe` reads it. Raises DataError: unknown
    name."""
    info = sources.info(name)
    known = {"title": info.title, "licence": info.licence, "url": info.url}
    return {"name": name, **known, "subsets": list(info.subsets), "warnings": list(info.warnings)}


def describe(config: DataConfig) -> dict[str, Any]:
    """The content of a data set: `about`, and series, steps, channels, time range, prevalence,
    incidents, groups, counts, warnings and recordings. Memory does not grow with the table. Raises
    DataError: as `sources.load`."""
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
    groups: dict[str, list[str]] = {}
    for series, group in telemetry.groups.items():
        groups.setdefault(group, []).append(series)
    return {
        **about(config.name),
        "subset": config.subset,
        **facts,
        "begins": _time(facts["begins"], dated),
        "ends": _time(facts["ends"], dated),
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


def _time(time: datetime | None, dated: bool) -> str:
    """A date and time of day, or else seconds since the beginning."""
    if time is None:
        return ""
    elapsed = (time - datetime(1970, 1, 1)).total_seconds()
    return time.isoformat(sep=" ", timespec="seconds") if dated else f"{elapsed:g} s"


def _recordings(frame: pl.LazyFrame) -> list[dict[str, Any]]:
    """One row per series. Its step is the median; a gap is a step longer than `IN_TIME` of it."""
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
    """Warnings about what series have in common, for readers of any table. `periods`: of
    `own_periods`."""
    found = []
    if periods:
        listed = ", ".join(f"{name} {periods[name]:g} s" for name in list(periods)[:LISTED])
        found.append(
            f"{len(periods)} series have a grid of their own, not of {telemetry.period:g} s "
            f"({listed}{', …' if len(periods) > LISTED else ''}): their windows last as much longer"
        )
    step = max(telemetry.period or 0, *periods.values(), 0)
    if telemetry.imported and _coincide(telemetry, step):
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
    """A warning if neighbouring rows differ as random rows do in every channel and in their labels;
    None otherwise, or without both classes and enough rows. `frame`: canonical telemetry.
    Source: the rank version of von Neumann's ratio (Bartels 1982), 2 for random rows."""
    known = frame.select("series", "label", *channels).collect()
    if known.height < JUDGED:
        return None
    same = known["series"] == known["series"].shift(1)
    judged = 0
    for name in ("label", *channels):  # the first that is in order decides
        ranks = known[name].cast(pl.Float64).rank()
        spread, step = ranks.var(ddof=0), (ranks.diff() ** 2).filter(same).mean()
        if isinstance(spread, float) and isinstance(step, float) and spread > 0:
            judged += 1
            if step / spread < RANDOM:
                return None
        elif name == "label":
            return None
    if judged < 2:
        return None
    return (
        "neighbouring rows differ as random rows do, in every channel and in their labels: this is "
        "no time series, or its rows were shuffled; incidents can only be detected in order of time"
    )


def _channels(telemetry: Telemetry) -> list[dict[str, Any]]:
    facts = {}
    for channel in telemetry.channels:
        column = pl.col(channel.name)
        facts[channel.name] = pl.struct(
            minimum=column.min(),
            mean=column.cast(pl.Float64).mean(),
            maximum=column.max(),
            missing=column.null_count(),
        )
    found = telemetry.frame.select(**facts).collect(engine="streaming").row(0, named=True)
    return [{"name": one.name, "unit": one.unit, **found[one.name]} for one in telemetry.channels]


def _dropped(telemetry: Telemetry, config: DataConfig) -> dict[str, int]:
    """Number of values that the quality stage drops from the readings, by reason."""
    resampler = Resampler(telemetry, config)
    if resampler.cleaner.counts:  # else nothing can be dropped
        for _ in resampler.chunks():
            pass
    return resampler.cleaner.counts


def _incidents(telemetry: Telemetry) -> list[dict[str, Any]]:
    """One row per type of incident: how many, how many rows they hold, and what is known."""
    rows = telemetry.frame.drop_nulls("incident").group_by("incident").agg(pl.len())
    held = dict(rows.collect(engine="streaming").rows())
    kinds: dict[str | None, list[int]] = {}
    for number, incident in telemetry.incidents.items():
        kinds.setdefault(incident.type, []).append(number)
    every = telemetry.incidents
    words = ("cause", "layer", "impact", "severity")
    known = [word for word in words if any(getattr(one, word) for one in every.values())]
    found: list[dict[str, Any]] = []
    for kind, numbers in sorted(kinds.items(), key=lambda item: str(item[0])):
        rows_of_kind = sum(held.get(number, 0) for number in numbers)
        row = {"type": kind, "incidents": len(numbers), "rows": rows_of_kind}
        for word in known:
            values = Counter(getattr(every[number], word) for number in numbers)
            del values[None]
            counted = [f"{value}: {count}" for value, count in sorted(values.items())]
            row[word] = ", ".join(counted if word == "severity" else map(str, sorted(values)))
        found.append(row)
    return found


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
    touched, median minutes, and rows of telemetry. `described`: the `incidents` of `describe`."""
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
    """A summary of a world: label → text with its unit."""
    counts, scenario = manifest.counts, manifest.scenario
    deployment, size = scenario["deployment"], sum(one["bytes"] for one in manifest.files.values())
    kinds = ("attack", "fault", "environment")
    causes = ", ".join(f"{counts[f'incidents, {kind}']:.0f} {kind}" for kind in kinds)
    area = f"{deployment['width']:g} m × {deployment['height']:g} m"
    density = f"{counts['density']:.3g} nodes per hectare"
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
