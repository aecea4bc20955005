"""How much results depend on the simulated world, beside how much they depend on the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anomalynet.reporting import captions
from anomalynet.reporting.aggregate import ArmMetrics, Summary, in_world, summarise
from anomalynet.reporting.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.section import Section, caption
from anomalynet.reporting.tables import defined, to_csv

HEADLINE = (
    "f1_attack",
    "balanced_accuracy",
    "auroc_fold_mean",
    "average_precision_fold_mean",
    "event_recall",
    "false_alarms_per_day",
)

COLUMNS = ("model", "data", "metric", "quantity", "value", "n", "unit")

BETWEEN, WITHIN = "deviation between worlds", "mean deviation within a world"

NOTE = (
    "*World n* is the mean over the repetitions in that world; *deviation between worlds* is the "
    "sample standard deviation of these means; *mean deviation within a world* is that of the "
    "repetitions of one world, averaged over the worlds that have at least two. Where the first "
    "is much larger than the second, another city changes more than another seed does."
)


def several(models: Sequence[ArmMetrics]) -> tuple[int, ...]:
    """The worlds of a report, ascending; none unless there are at least two."""
    worlds = sorted({world for one in models for world in one.arm.worlds})
    return tuple(worlds) if len(worlds) > 1 else ()


def spread(one: ArmMetrics, metric: str, worlds: Sequence[int]) -> dict[str, Summary]:
    """Quantity → value (its `mean`) and how many values it is made from: each world's mean, between
    the worlds, within a world."""
    found = {f"world {world}": in_world(one, world, metric) for world in worlds}
    between = summarise(each.mean for each in found.values())
    within = summarise(each.spread for each in found.values())
    return {**found, BETWEEN: Summary(between.spread, between.spread, between.n), WITHIN: within}


def worlds_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """Empty unless there are several worlds, and repetitions in at least one of them to compare
    with."""
    worlds = several(everything)
    run = [one for one in everything if one.values]
    if not worlds or not any(
        len(own) > len({world for _, _, world in own}) for own in (one.values for one in run)
    ):
        return Section()
    signs = captions.marks([one.arm for one in everything])
    told = caption("Spread over worlds", run, everything, "worlds.csv")
    return Section(
        ["## Spread over worlds", NOTE, _grid(run, worlds, signs), told],
        {"tables/worlds.csv": _csv(run, worlds, data).encode()},
    )


def _csv(models: Sequence[ArmMetrics], worlds: Sequence[int], data: str) -> str:
    """One line a model, metric and quantity; shares in percent."""
    lines = []
    for one in models:
        for metric in HEADLINE:
            measure = MEASURES[metric]
            for quantity, found in spread(one, metric, worlds).items():
                lines.append(
                    [
                        one.arm.name,
                        data,
                        metric,
                        quantity,
                        defined(found.mean, measure.scale),
                        found.n,
                        measure.unit,
                    ]
                )
    return to_csv(COLUMNS, lines)


def _grid(models: Sequence[ArmMetrics], worlds: Sequence[int], signs: Mapping[str, str]) -> str:
    """One line a model and metric."""
    lines = []
    for one in models:
        for place, metric in enumerate(HEADLINE):
            measure = MEASURES[metric]
            cells = [
                measure.text(found.mean * measure.scale)
                for found in spread(one, metric, worlds).values()
            ]
            lines.append(
                [
                    f"**{one.arm.title}**{signs[one.arm.name]}" if place == 0 else "",
                    measure.title + unit(measure.unit),
                    *cells,
                ]
            )
    header = ["Model", "Metric", *(f"world {world}" for world in worlds), BETWEEN, WITHIN]
    return grid(header, lines, "ll" + "r" * (len(worlds) + 2))
