"""The sections on models that are not in the paper, on the ranking of all, and on what they
cost."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.reporting import captions, markdown
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.section import Section, caption
from anomalynet.reporting.tables import (
    COST_COLUMNS,
    COSTS,
    cost_rows,
    other_tables,
    table_csv,
    to_csv,
)

COST_NOTE = (
    "Mean ± standard deviation over runs, on the machine that ran them, and the sum over runs; no "
    "other table depends on it. Numbers: [cost.csv](tables/cost.csv)."
)


def model_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """The classical and unsupervised models as Tables 2–5 show networks, then ranking and incidents
    for all models."""
    signs = captions.marks([one.arm for one in everything])
    tables = other_tables(everything, data)
    parts = []
    for table in tables:
        if table.models:
            told = caption(table.title, table.models, everything, f"{table.name}.csv")
            parts += [f"## {table.title}", markdown.matrix(table, signs), told]
        else:
            parts += [f"## {table.title}", "No such model has been run yet."]
    return Section(
        parts, {f"tables/{table.name}.csv": table_csv(table).encode() for table in tables}
    )


def cost_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """Parameters and durations."""
    costs = cost_rows(everything)
    priced = [{"data": data, **row} for row in costs]
    table = markdown.cost(costs, {one.arm.name: one.arm.title for one in everything}, COSTS)
    csv = to_csv(COST_COLUMNS, ([row[column] for column in COST_COLUMNS] for row in priced))
    return Section(["## Cost", table, COST_NOTE], {"tables/cost.csv": csv.encode()})
