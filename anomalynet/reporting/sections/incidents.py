"""The section "Incidents by type": counts labelled steps by kind of incident (scored, missed and
alarmed); which every model detects, beside chance; what else it alarms; tables and a heat map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from anomalynet.metrics.events import device_days, lowest_thresholds, step_seconds
from anomalynet.metrics.kernels import ratio
from anomalynet.metrics.ranges.budget import random_detector
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import ArmMetrics, Summary, base, summarise
from anomalynet.reporting.arms import Arm, Repetition
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.tables import Row, csv_file, defined, scaled, share_text
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import IncidentNote, read_incidents, read_test_steps

NONE, UNKNOWN = "no incident", "not stated"
CAUSES = ("attack", "fault", "environment")

GROUPINGS = {"by_type": ("type", "cause"), "by_cause": ("cause",), "by_severity": ("severity",)}
"""Name of the table → the columns by which its rows are grouped, besides the label."""


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a table: the labelled steps of one kind of incident and one label."""

    positive: bool  # whether the steps are labelled 1, so that an alarm is correct
    # "" if the table is not grouped by it; `NONE` outside incidents, `UNKNOWN` if not stated
    type: str = ""
    cause: str = ""
    severity: str = ""

    @property
    def order(self) -> tuple[bool, bool, int, str, str]:
        """Sort key: the positive class first, then by cause; steps outside incidents last."""
        cause = CAUSES.index(self.cause) if self.cause in CAUSES else len(CAUSES)
        outside = NONE in (self.type, self.cause, self.severity)
        return not self.positive, outside, cause, self.type, self.severity


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of one arm and group over the counted repetitions."""

    incidents: int  # number of distinct incidents over all worlds
    steps: int  # number of labelled steps over folds and repetitions
    missed: int  # how many of these have no score
    # share of incidents with an alarmed step, over repetitions; undefined if alarms are false
    detected: Summary
    at_one: Summary  # the same at one false alarm per node and day
    alarmed: Summary  # share of the scored steps that are alarmed, over repetitions
    visible: float  # share of the steps of known visibility that are visible; NaN without any


def limit_at_one(steps: pl.DataFrame) -> float:
    """The lowest threshold of a run's test steps with at most one false alarm per node and day."""
    series = steps["series"].rle_id().cast(pl.Int64).to_numpy()
    scores = steps["score"].fill_null(np.nan).to_numpy()
    normal = (steps["label"].fill_null(-1) == 0).to_numpy() & ~np.isnan(scores)
    seconds = step_seconds(series, steps["time"].cast(pl.Int64).to_numpy())
    days = device_days(int((~np.isnan(scores)).sum()), seconds)
    (limit,) = lowest_thresholds(np.where(normal, scores, -np.inf), series, np.array([days]))
    return limit


def count_steps(record: RunRecord, chance: bool = False) -> pl.DataFrame:
    """The labelled test steps of a run by incident and label; by `chance` with random scores.

    Returns:
        incident (Int64, null outside), positive (Boolean), type, cause, severity (String), steps,
        scored, alarmed, at_one (alarmed at one false alarm per node and day), known, visible (of
        known visibility, and of these visible), all Int64.
    """
    steps = read_test_steps(record)
    if chance:
        scores, place = steps["score"].fill_null(np.nan), (record.result.seed, record.result.fold)
        drawn, _ = random_detector(scores.to_numpy(), np.zeros(len(scores), np.bool_), place)
        steps = steps.with_columns(pl.Series("score", drawn).fill_nan(None))
    positive = (pl.col("label").fill_null(0) == 1).alias("positive")
    counts = {
        "steps": pl.len(),
        "scored": pl.col("score").count(),
        "alarmed": (pl.col("score") >= pl.col("threshold")).sum(),
        "at_one": (pl.col("score") >= limit_at_one(steps)).sum(),
        "known": pl.col("visibility").count(),
        "visible": (pl.col("visibility") > 0).sum(),
    }
    found = (
        steps.filter(pl.col("label").is_not_null() | pl.col("other"))
        .group_by("incident", "kind", positive)
        .agg(count.cast(pl.Int64).alias(name) for name, count in counts.items())
    )
    return _describe(found, read_incidents(record.folder / "incidents.json"))


def count_kinds(repetition: Repetition) -> pl.DataFrame:
    """`count_steps` of every run of a repetition."""
    return pl.concat(map(count_steps, repetition.records))


def count_chance(repetition: Repetition) -> pl.DataFrame:
    """The same for random scores."""
    return pl.concat(count_steps(record, chance=True) for record in repetition.records)


def _describe(found: pl.DataFrame, notes: Mapping[int, IncidentNote]) -> pl.DataFrame:
    """Add type, cause and severity: `NONE` outside incidents; without a note, type is the kind."""
    texts = dict.fromkeys(("type", "cause", "layer", "impact"), pl.String)
    schema = {"incident": pl.Int64, **texts, "severity": pl.Int64}
    rows = [{"incident": number, **asdict(note)} for number, note in notes.items()]
    table = pl.DataFrame(rows, schema=schema)
    outside = pl.col("incident").is_null() & pl.col("kind").is_null() & ~pl.col("positive")

    def filled(value: pl.Expr, name: str) -> pl.Expr:
        return pl.when(outside).then(pl.lit(NONE)).otherwise(value.fill_null(UNKNOWN)).alias(name)

    return found.join(table, on="incident", how="left", maintain_order="left").select(
        "incident",
        "positive",
        filled(pl.coalesce("type", "kind"), "type"),
        filled(pl.col("cause"), "cause"),
        filled(pl.col("severity").cast(pl.String), "severity"),
        *("steps", "scored", "alarmed", "at_one", "known", "visible"),
    )


@dataclass(frozen=True, slots=True)
class IncidentTable:
    """The table of one grouping."""

    name: str
    arms: tuple[Arm, ...]  # those that have runs
    groups: tuple[Group, ...]  # in the order of the rows
    cells: Mapping[tuple[str, Group], Counted]  # by name of arm; missing if it tested no such steps


CHANCE = "random"  # the name, instead of an arm's, of the cells of random scores


def incident_tables(models: Sequence[ArmMetrics]) -> tuple[IncidentTable, ...]:
    """Count the steps of every arm that has runs, and with random scores those of the one with the
    most runs: a table per grouping of `GROUPINGS` that is known, empty if no type is."""
    run = [one for one in models if one.values]
    parts = [(one.arm.name, one.of(count_kinds)) for one in run]
    if run:
        chosen = next(one for one in run if one.arm is base([own.arm for own in run]))
        parts.append((CHANCE, chosen.of(count_chance)))
    counted = [
        own.with_columns(arm=pl.lit(name), repetition=index, world=pl.lit(world, pl.Int64))
        for name, repetitions in parts
        for index, ((_, _, world), own) in enumerate(repetitions.items())
    ]
    steps = pl.concat(counted) if counted else pl.DataFrame()
    known = [
        name
        for name, (first, *_) in GROUPINGS.items()
        if counted and not set(steps[first].unique()) <= {NONE, UNKNOWN}
    ]
    arms = tuple(one.arm for one in run)
    return tuple(_table(name, arms, steps) for name in known) if "by_type" in known else ()


def _table(name: str, arms: tuple[Arm, ...], steps: pl.DataFrame) -> IncidentTable:
    """The table of one grouping. An incident that several folds of a repetition test counts once,
    and is detected if any of them raises an alarm."""
    keys = ("positive", *GROUPINGS[name])
    number, alarmed = pl.col("incident"), pl.col("alarmed") > 0
    repetitions = steps.group_by("arm", "repetition", *keys, maintain_order=True).agg(
        pl.col("world").first(),
        pl.col("steps", "scored", "alarmed", "known", "visible").sum(),
        number.drop_nulls().unique().alias("incidents"),
        number.filter(alarmed).drop_nulls().n_unique().alias("detected"),
        number.filter(pl.col("at_one") > 0).drop_nulls().n_unique().alias("at_one"),
    )
    cells: dict[tuple[str, Group], Counted] = {}
    for (arm, *key), own in repetitions.group_by("arm", *keys, maintain_order=True):
        group, rows = Group(**dict(zip(keys, key, strict=True))), own.rows(named=True)
        numbers = {(row["world"], number) for row in rows for number in row["incidents"]}
        detected, at_one = (
            summarise(ratio(row[name], len(row["incidents"])) for row in rows)
            if group.positive
            else summarise(())
            for name in ("detected", "at_one")
        )
        cells[str(arm), group] = Counted(
            incidents=len(numbers),
            steps=sum(row["steps"] for row in rows),
            missed=sum(row["steps"] - row["scored"] for row in rows),
            detected=detected,
            at_one=at_one,
            alarmed=summarise(ratio(row["alarmed"], row["scored"]) for row in rows),
            visible=ratio(sum(row["visible"] for row in rows), sum(row["known"] for row in rows)),
        )
    groups = sorted({group for _, group in cells}, key=lambda group: group.order)
    return IncidentTable(name, arms, tuple(groups), cells)


NAME, TITLE = "by_type", "Alarms by type of incident, percent of scored steps"
BELOW = "↓"  # after a share that is lower than that of random scores

HALVES = {
    True: ("label 1: should be alarmed", "Blues"),
    False: ("other steps: should not be alarmed", "Oranges"),
}
"""Label → heading, colour map; lighter colours are smaller shares."""


def incident_section(context: ReportContext) -> Section:
    """Tables, CSV and heat map by kind of incident; empty if no type of incident is known."""
    tables = incident_tables(context.models)
    if not tables:
        return Section()
    table = tables[0]
    positive = [group for group in table.groups if group.positive]
    others = [group for group in table.groups if not group.positive]
    note = (
        f"At one false alarm per node and day, as in the first table; {BELOW} less often than by "
        "random scores. *Missed*: steps without a score."
    )
    parts = [
        "## Incidents by type",
        _lines(context, table, positive, lambda cell: cell.at_one, chance=True),
        context.caption("Incidents of attack detected, percent", note, f"{NAME}.csv"),
    ]
    if others:
        note = (
            "At the run's own threshold; `evaluation.other_incidents` says if metrics count them."
        )
        parts.append(_lines(context, table, others, lambda cell: cell.alarmed))
        sources = " ".join(f"{each.name}.csv" for each in tables)
        parts.append(context.caption("Other steps alarmed, percent", note, sources))
    parts.append(context.figure(NAME, TITLE, "Brackets: cause, number of incidents."))
    files = figures.drawn(NAME, TITLE, context.facts(), lambda: _figure(table, context))
    for each in tables:
        files |= csv_file(each.name, rows(each, context))
    return Section(parts, files)


def rows(table: IncidentTable, context: ReportContext) -> Iterator[Row]:
    """One line per model and group, and per group of random scores; shares in percent, empty if an
    alarm would be false. `type`, `cause` and `severity` are empty unless the table is by them."""
    facts = {arm.name: context.by_arm[arm.name].cells() for arm in table.arms}
    nothing = Summary(math.nan, math.nan, 0)
    for name, group in product((*facts, CHANCE), table.groups):
        if (cell := table.cells.get((name, group))) is None:
            continue
        row: Row = {"table": table.name, "model": name, "data": context.data}
        row |= {"label": int(group.positive), "type": group.type, "cause": group.cause}
        row |= {"severity": group.severity, "incidents": cell.incidents, "steps": cell.steps}
        row |= {"missed": cell.missed, "visible": defined(cell.visible, 100)}
        chance = name == CHANCE  # random scores have no threshold of their own
        detected, alarmed = (nothing if chance else one for one in (cell.detected, cell.alarmed))
        shares = {"detected": detected, "at_one": cell.at_one, "alarmed": alarmed}
        for column, share in shares.items():
            row[column], row[f"{column}_spread"] = scaled(share, 100)
            row[f"{column}_n"] = share.n
        yield row | facts.get(name, dict.fromkeys(context.by_arm[table.arms[0].name].cells()))


def _lines(
    context: ReportContext,
    table: IncidentTable,
    groups: Sequence[Group],
    share: Callable[[Counted], Summary],
    chance: bool = False,
) -> str:
    """A line per group, a column per model, and one for chance; counts are those of the first model
    tested there."""
    names = [arm.name for arm in table.arms] + [CHANCE] * chance
    lines = []
    for group in groups:
        cells = [table.cells.get((name, group)) for name in names]
        first = next(cell for cell in cells if cell is not None)
        visible = "–" if math.isnan(first.visible) else f"{100 * first.visible:.1f}"
        least = share(cells[-1]).mean if chance and cells[-1] else -math.inf
        shares = [None if cell is None else share(cell) for cell in cells]
        texts = [
            "–" if one is None else share_text(one) + f" {BELOW}" * (one.mean < least)
            for one in shares
        ]
        kind = [group.type.replace("_", " "), *([] if chance else [group.cause])]
        counts = [first.incidents or "–", first.steps, first.missed]
        lines.append([*kind, *map(str, counts), *([visible] if chance else []), *texts])
    header = ["Type", *([] if chance else ["Cause"]), "Incidents", "Steps", "Missed"]
    header += ["Visible, %"] if chance else []
    header += [arm.title + context.signs[arm.name] for arm in table.arms]
    header += ["*random*"] if chance else []
    return grid(header, lines, "l" + ("r" if chance else "l") + "r" * (len(header) - 2))


def _figure(table: IncidentTable, context: ReportContext) -> Figure:
    """A heat map of types of incident and models: correct alarms above, false alarms below."""
    halves = [
        (look, groups)
        for positive, look in HALVES.items()
        if (groups := [group for group in table.groups if group.positive is positive])
    ]
    heights = [len(groups) for _, groups in halves]
    size = (max(8.0, 2.6 + 0.85 * len(table.arms)), 2.3 + 0.27 * sum(heights) + 0.4 * len(heights))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(halves), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    names = figures.broken_names(table.arms, context)
    turned = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"}
    for axes, ((title, colours), groups) in zip(grid[:, 0], halves, strict=True):
        image = _half(axes, table, groups, colours)
        axes.set_title(title, loc="left", fontsize=9.5)
        axes.set_xticks(range(len(names)), names if axes is grid[0, 0] else [], **turned)
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, label="steps alarmed, %")
    return figure


def _half(axes: Axes, table: IncidentTable, groups: Sequence[Group], colours: str) -> AxesImage:
    found = [[table.cells.get((arm.name, group)) for arm in table.arms] for group in groups]
    shares = [[100 * cell.alarmed.mean if cell else math.nan for cell in row] for row in found]
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=100, aspect="auto")
    for line, row in enumerate(shares):
        for column, share in enumerate(row):
            text = "–" if math.isnan(share) else f"{share:.0f}" if share >= 9.95 else f"{share:.1f}"
            ink = "white" if share > 60 else "black"
            axes.text(column, line, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_yticks(range(len(groups)), [_label(table, group) for group in groups])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def _label(table: IncidentTable, group: Group) -> str:
    """Type, cause and number of incidents."""
    incidents = max(cell.incidents for (_, own), cell in table.cells.items() if own == group)
    name, cause = group.type.replace("_", " "), f"{group.cause}, " if group.cause in CAUSES else ""
    return f"{name} ({cause}{incidents})" if incidents else name
