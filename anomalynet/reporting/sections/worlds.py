"""The section that compares how much results depend on the simulated world and on the seed."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.reporting.aggregate import ArmMetrics, Summary, in_world, summarise
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import defined, to_csv

HEADLINE: tuple[str, ...] = ("f1_attack", "balanced_accuracy", "auroc_fold_mean")
HEADLINE += ("average_precision_fold_mean", "event_recall_fold_mean")
HEADLINE += ("false_alarms_per_device_day_fold_mean",)

COLUMNS = ("model", "data", "metric", "quantity", "value", "n", "unit")

BETWEEN, WITHIN = "deviation between worlds", "mean deviation within a world"

NOTE = (
    "*World n* is the mean over the repetitions in that world; *deviation between worlds* is the "
    "sample standard deviation of these means; *mean deviation within a world* is the sample "
    "standard deviation of the repetitions of one world, averaged over the worlds that have at "
    "least two. If the first is much larger than the second, another world changes the result more "
    "than another seed does."
)


def several(models: Sequence[ArmMetrics]) -> tuple[int, ...]:
    """The worlds of a report, ascending; empty if there are fewer than two."""
    worlds = sorted({world for one in models for world in one.arm.worlds})
    return tuple(worlds) if len(worlds) > 1 else ()


def spread(one: ArmMetrics, metric: str, worlds: Sequence[int]) -> dict[str, Summary]:
    """Quantity → its value (as `mean`) and `n`, the number of values it is made from. Quantities
    are the mean of each world and the deviations between and within worlds."""
    found = {f"world {world}": in_world(one, world, metric) for world in worlds}
    between = summarise(each.mean for each in found.values())
    within = summarise(each.spread for each in found.values())
    return {**found, BETWEEN: Summary(between.spread, between.spread, between.n), WITHIN: within}


def worlds_section(context: ReportContext) -> Section:
    """A table of the deviations between and within worlds; empty unless there are several worlds,
    and repetitions in at least one of them."""
    worlds, run = several(context.models), context.run
    repeated = (len(one.values) > len({world for _, _, world in one.values}) for one in run)
    if not worlds or not any(repeated):
        return Section()
    rows, lines = list[list[object]](), list[list[str]]()
    for one in run:
        for row, metric in enumerate(HEADLINE):
            measure, found = MEASURES[metric], spread(one, metric, worlds)
            for quantity, each in found.items():
                value = [defined(each.mean, measure.scale), each.n, measure.unit]
                rows.append([one.arm.name, context.data, metric, quantity, *value])
            name = f"**{one.arm.title}**{context[one].sign}" if row == 0 else ""
            cells = (measure.text(each.mean * measure.scale) for each in found.values())
            lines.append([name, measure.title + unit(measure.unit), *cells])
    header = ["Model", "Metric", *(f"world {world}" for world in worlds), BETWEEN, WITHIN]
    table = grid(header, lines, "ll" + "r" * (len(worlds) + 2))
    caption = context.caption("Spread over worlds", run, "worlds.csv")
    files = {"tables/worlds.csv": to_csv(COLUMNS, rows).encode()}
    return Section(["## Spread over worlds", NOTE, table, caption], files)
