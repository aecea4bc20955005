"""The section "By incident" of a report, and its numbers as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from anomalynet.reporting.aggregate import ArmMetrics, Summary
from anomalynet.reporting.incidents import Counted, Group, IncidentTable
from anomalynet.reporting.markdown import grid
from anomalynet.reporting.tables import FACTS, defined, facts, to_csv

COLUMNS = (
    "table",
    "model",
    "data",
    "label",
    "type",
    "cause",
    "severity",
    "incidents",
    "steps",
    "missed",
    "detected",
    "detected_spread",
    "detected_n",
    "alarmed",
    "alarmed_spread",
    "alarmed_n",
    *FACTS,
)
"""Shares in percent; `detected` is empty where an alarm is not right, `type`, `cause` and
`severity` where the table does not ask."""

TITLES = {"by_type": "By type", "by_cause": "By cause", "by_severity": "By severity"}

NOTE = (
    "Every labelled step of the test parts is in one row. *Steps* counts them over all folds and "
    "repetitions, *missed* those without a score; *incidents* are distinct. Steps of label 1 "
    "should be alarmed: *detected* is the share of their incidents with at least one alarmed step "
    "in any fold, an incident of which nothing was scored is not. All other steps should not: "
    "their share of alarmed steps is that of false alarms, during faults, during events that are "
    "nobody's fault, and outside all incidents. Shares of steps are of scored steps. Mean ± "
    "standard deviation over repetitions."
)


def csv(table: IncidentTable, models: Sequence[ArmMetrics], data: str) -> str:
    """One line a model and group."""
    by_name = {one.arm.name: one for one in models}
    lines = []
    for arm in table.arms:
        beside = facts(by_name[arm.name])
        for group in table.groups:
            if (cell := table.cells.get((arm.name, group))) is not None:
                own = [
                    int(group.positive),
                    group.type,
                    group.cause,
                    group.severity,
                    cell.incidents,
                    cell.steps,
                    cell.missed,
                ]
                lines.append(
                    [
                        table.name,
                        arm.name,
                        data,
                        *own,
                        *_percent(cell.detected),
                        *_percent(cell.alarmed),
                        *beside,
                    ]
                )
    return to_csv(COLUMNS, lines)


def _percent(share: Summary) -> tuple[float | None, float | None, int]:
    return defined(share.mean, 100), defined(share.spread, 100), share.n


def _cell(share: Summary) -> str:
    mean, spread, _ = _percent(share)
    return "–" if mean is None else f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def _lines(
    table: IncidentTable,
    groups: Sequence[Group],
    share: Callable[[Counted], Summary],
    signs: Mapping[str, str],
) -> str:
    """One line a group, one column a model; the counts are those of the first model that tested
    such steps."""
    names = ["type", "cause"] if table.name == "by_type" else [table.name.removeprefix("by_")]
    lines = []
    for group in groups:
        cells = {
            arm.name: cell
            for arm in table.arms
            if (cell := table.cells.get((arm.name, group))) is not None
        }
        first = next(iter(cells.values()))
        told = [getattr(group, name).replace("_", " ") for name in names]
        counts = [
            str(int(group.positive)),
            str(first.incidents or "–"),
            str(first.steps),
            str(first.missed),
        ]
        lines.append(
            [
                *told,
                *counts,
                *(
                    _cell(share(cells[arm.name])) if arm.name in cells else "–"
                    for arm in table.arms
                ),
            ]
        )
    header = [*(name.capitalize() for name in names), "Label", "Incidents", "Steps", "Missed"]
    return grid(
        [*header, *(arm.title + signs[arm.name] for arm in table.arms)],
        lines,
        "l" * len(names) + "r" * (4 + len(table.arms)),
    )


def detected(table: IncidentTable, signs: Mapping[str, str]) -> str:
    """Share of the incidents detected, for the positive class."""
    return _lines(
        table,
        [group for group in table.groups if group.positive],
        lambda cell: cell.detected,
        signs,
    )


def alarmed(table: IncidentTable, signs: Mapping[str, str]) -> str:
    """Share of the scored steps alarmed, for every group."""
    return _lines(table, table.groups, lambda cell: cell.alarmed, signs)


def counts_text(table: IncidentTable) -> str:
    """How many labelled steps the table holds, and which models tested others than the first."""
    (steps, missed), *_ = (table.total(arm) for arm in table.arms)
    others = [
        f"{arm.title}: {own[0]}, {own[1]}"
        for arm in table.arms
        if (own := table.total(arm)) != (steps, missed)
    ]
    return (
        f"Labelled steps in all rows: {steps}, {missed} of them missed"
        + (
            f", of {table.arms[0].title}; steps and missed of others, by row in the CSV: "
            f"{'; '.join(others)}"
            if others
            else ""
        )
        + "."
    )
