"""The section "What could be detected": attacks against normal steps and against everything, by
type at one false alarm per node and day, and by how visible they were to the gateway."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from anomalynet.metrics.events import device_days, lowest_thresholds, step_seconds
from anomalynet.metrics.kernels import ratio
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.figures import drawn, foot, heading
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.measures import primary
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.sections.over_time.section import COLOURS, MARKERS
from anomalynet.reporting.tables import scaled, to_csv
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import read_test_steps

BINS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, np.inf)
"""Borders of visibility, in ordinary deviations; the first bin is what equals the twin."""

COLUMNS: tuple[str, ...] = ("table", "model", "data", "group", "incidents", "steps", "visible")
COLUMNS += ("value", "spread", "n")

FIGURE, TITLE = "visibility", "Attack steps alarmed, by how visible they were"

NOTE = """\
Each cell of the network was simulated twice, with and without its incidents. A step is *visible* \
if anything that the gateway received within the model's window differs from the world without \
incidents; its visibility is the largest difference, in ordinary deviations. What is not visible, \
no model can detect: *ceiling* is a model that ranks all visible attack steps first. *Against \
everything* counts the steps of faults and of the environment as normal. *At one false alarm* \
means one per node and day, by a threshold chosen on the test part: a diagnosis, never a result."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The attack steps of one repetition with a known visibility."""

    # columns incident, kind, visibility, alarmed and at_one: whether the step is alarmed by the
    # run's threshold, and at one false alarm per node and day
    attack: pl.DataFrame
    prevalence: float  # of attack among the labelled, scored steps


def visibility_section(context: ReportContext) -> Section:
    """Tables, CSV and figure; empty if no visibility is known. Raises RunError: the scores of a run
    cannot be read."""
    seen = {
        one.arm.name: [_seen(repetition.records) for repetition in one.arm.counted]
        for one in context.run
    }
    first = next(iter(seen.values()), [])
    if not first or not all(found.attack.height for own in seen.values() for found in own):
        return Section()
    kinds = first[0].attack["kind"].unique().sort().to_list()
    rows = [*_models(context, seen), *_types(context, seen, kinds), *_bins(context, seen)]
    parts = ["## What could be detected", NOTE, _model_table(context, rows)]
    parts += [_type_table(context, rows, kinds), context.figure(FIGURE, TITLE, context.run)]
    parts.append(context.caption("What could be detected", context.run, "visibility.csv"))
    files = {"tables/visibility.csv": to_csv(COLUMNS, rows).encode()}
    return Section(parts, files | drawn(FIGURE, lambda: _figure(context, rows)))


def _seen(records: Sequence[RunRecord]) -> Seen:
    parts, attacks, labelled = [], 0, 0
    for fold, record in enumerate(records):
        steps = read_test_steps(record)
        usable = steps.drop_nulls(["label", "score"])
        attacks += int(usable["label"].sum())
        labelled += usable.height
        limit = _limit_at_one(steps)
        parts.append(
            usable.filter(pl.col("label") == 1, pl.col("visibility").is_not_null()).select(
                (pl.col("incident") + fold * 10**9).alias("incident"),
                "kind",
                "visibility",
                (pl.col("score") >= pl.col("threshold")).alias("alarmed"),
                (pl.col("score") >= limit).alias("at_one"),
            )
        )
    return Seen(pl.concat(parts), ratio(attacks, labelled))


def _limit_at_one(steps: pl.DataFrame) -> float:
    """The lowest threshold with at most one false alarm per node and day."""
    series = steps["series"].rle_id().cast(pl.Int64).to_numpy()
    scores = steps["score"].fill_null(np.nan).to_numpy()
    normal = (steps["label"].fill_null(-1) == 0).to_numpy() & ~np.isnan(scores)
    seconds = step_seconds(series, steps["time"].cast(pl.Int64).to_numpy())
    days = device_days(int((~np.isnan(scores)).sum()), seconds)
    (limit,) = lowest_thresholds(np.where(normal, scores, -np.inf), series, np.array([days]))
    return limit


Row = list[Any]


def _row(
    context: ReportContext, table: str, model: str, group: str, counts: Row, value: Summary
) -> Row:
    return [table, model, context.data, group, *counts, *scaled(value, 100), value.n]


def _models(context: ReportContext, seen: Mapping[str, list[Seen]]) -> list[Row]:
    """A row for each model and number of the first table, and for the ceiling."""
    rows = []
    for one in context.run:
        own = seen[one.arm.name]
        values = {
            name: one.summary(primary(name))
            for name in ("average_precision", "average_precision_all", "auroc", "auroc_all")
        }
        for name, visible in (("visible alarmed", True), ("invisible alarmed", False)):
            chosen = [each.attack.filter((pl.col("visibility") > 0) == visible) for each in own]
            values[name] = summarise(_share(part["alarmed"]) for part in chosen)
        values["at one"] = summarise(_incidents(each.attack) for each in own)
        rows += [
            _row(context, "models", one.arm.name, name, ["", "", ""], value)
            for name, value in values.items()
        ]
    every = next(iter(seen.values()))
    shares = [_share(each.attack["visibility"] > 0) for each in every]
    precisions = [v + (1 - v) * one.prevalence for v, one in zip(shares, every, strict=True)]
    ceilings = {
        "average_precision": summarise(precisions),
        "f1_attack": summarise(2 * share / (1 + share) for share in shares),
        "visible": summarise(shares),
    }
    return rows + [
        _row(context, "ceiling", "", name, ["", "", ""], value) for name, value in ceilings.items()
    ]


def _share(flags: pl.Series) -> float:
    return ratio(int(flags.sum()), len(flags))


def _incidents(attack: pl.DataFrame) -> float:
    """Share of the incidents with a step that is alarmed at one false alarm per node and day."""
    return _share(attack.group_by("incident").agg(pl.col("at_one").any())["at_one"])


def _types(
    context: ReportContext, seen: Mapping[str, list[Seen]], kinds: Sequence[str]
) -> list[Row]:
    rows = []
    for one, kind in itertools.product(context.run, kinds):
        own = [each.attack.filter(pl.col("kind") == kind) for each in seen[one.arm.name]]
        counts: Row = [own[0]["incident"].n_unique(), own[0].height]
        counts.append(round(100 * _share(own[0]["visibility"] > 0), 1))
        rows.append(
            _row(context, "types", one.arm.name, kind, counts, summarise(map(_incidents, own)))
        )
    return rows


def _bins(context: ReportContext, seen: Mapping[str, list[Seen]]) -> list[Row]:
    rows = []
    for one, (low, high) in itertools.product(
        context.run, [(-1.0, 0.0), *itertools.pairwise(BINS)]
    ):
        inside = (pl.col("visibility") > low) & (pl.col("visibility") <= high)
        own = [each.attack.filter(inside) for each in seen[one.arm.name]]
        counts: Row = ["", own[0].height, ""]
        value = summarise(_share(part["alarmed"]) for part in own)
        rows.append(_row(context, "bins", one.arm.name, f"{high:g}", counts, value))
    return rows


def _cell(rows: Sequence[Row], table: str, model: str, group: str) -> str:
    found = next(row for row in rows if (row[0], row[1], row[3]) == (table, model, group))
    value, spread = found[7:9]
    if value is None:
        return "–"
    return f"{value:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def _model_table(context: ReportContext, rows: Sequence[Row]) -> str:
    names = ["average_precision", "average_precision_all", "auroc", "auroc_all"]
    names += ["visible alarmed", "invisible alarmed", "at one"]
    lines = [
        [one.arm.title + context[one].sign]
        + [_cell(rows, "models", one.arm.name, name) for name in names]
        for one in context.run
    ]
    ceiling = _cell(rows, "ceiling", "", "average_precision")
    visible = _cell(rows, "ceiling", "", "visible")
    lines.append(["*ceiling*", ceiling, "", "", "", f"({visible} % are visible)", "", ""])
    header = ["Model", "AP", "AP, everything", "AUROC", "AUROC, everything"]
    header += ["Visible steps alarmed", "Invisible steps alarmed", "Incidents at one false alarm"]
    return grid(header, lines, "l" + "r" * len(names))


def _type_table(context: ReportContext, rows: Sequence[Row], kinds: Sequence[str]) -> str:
    lines = []
    for kind in kinds:
        first = next(row for row in rows if row[0] == "types" and row[3] == kind)
        cells = [_cell(rows, "types", one.arm.name, kind) for one in context.run]
        lines.append([kind.replace("_", " "), *map(str, first[4:7]), *cells])
    header = ["Attack", "Incidents", "Steps", "Visible, %"]
    header += [one.arm.title + context[one].sign for one in context.run]
    intro = "Incidents detected at one false alarm per node and day, percent:\n\n"
    return intro + grid(header, lines, "l" + "r" * (len(header) - 1))


def _figure(context: ReportContext, rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for index, one in enumerate(context.run):
        own = [row for row in rows if row[0] == "bins" and row[1] == one.arm.name]
        look: dict[str, Any] = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
        }
        values = [np.nan if row[7] is None else row[7] for row in own]
        axes.plot(range(len(own)), values, label=one.arm.title, linewidth=1.2, markersize=4, **look)
    texts = ["none", *(f"≤ {high:g}" for high in BINS[1:-1]), f"> {BINS[-2]:g}"]
    axes.set_xticks(range(len(texts)), texts)
    axes.set_xlabel("visibility, ordinary deviations")
    axes.set_ylabel("attack steps alarmed, %")
    axes.set_ylim(0, 102)
    axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.legend(loc="outside right upper", frameon=False)
    heading(figure, TITLE)
    foot(figure, context.short_facts(context.run))
    return figure
