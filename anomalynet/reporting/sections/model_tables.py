"""The sections with one line per model: "The paper's tables and figures" (Tables 1–5, Figures 1–6:
printed, repaired and our values), the models that are not in the paper, and the cost of each."""

from __future__ import annotations

from collections.abc import Iterable

from anomalynet.reporting import prose
from anomalynet.reporting.aggregate import ESTIMAND
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.figures import TITLES, draw_all
from anomalynet.reporting.findings import majority_sentence
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.sections.architecture import figure_1_section
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import (
    COSTS,
    TRAINING,
    Table,
    cost_rows,
    other_tables,
    paper_tables,
    table_csv,
    to_csv,
    training_rows,
)

COST_NOTE = (
    "Mean ± standard deviation over runs, on the machine that ran them, and the sum over runs; "
    "nothing else in the report depends on it. Numbers: [cost.csv](tables/cost.csv)."
)
TRAINING_TITLE = "Table 1. Training parameters"


def paper_section(context: ReportContext) -> Section:
    """Each table with its note and figure; the paper's four models are always included."""
    tables = {table.name: table for table in paper_tables(context)}
    training = training_rows(context.models)
    trained = {row["model"] for row in training}
    networks = [one for one in context.models if one.arm.name in trained]
    title = f"{TRAINING_TITLE}, the paper's and those the runs had"
    figure_1 = figure_1_section(context)
    parts = [
        "## The paper's tables and figures",
        *figure_1.parts,
        f"### {TRAINING_TITLE}",
        markdown.training(training, [one.arm for one in networks])
        if networks
        else "No network has been trained yet.",
        context.caption(title, networks, "table_1_training.csv"),
    ]
    for (name, table), (drawn, heading), note in zip(
        tables.items(), TITLES.items(), (*prose.PAPER_NOTES, None), strict=True
    ):
        if note is None:  # the confusion matrices are only drawn
            parts += ["### Confusion matrices", context.figure(drawn, heading, table.models)]
            continue
        caption = context.caption(f"{table.title}, percent", table.models, f"{name}.csv", ESTIMAND)
        parts += [f"### {table.title}", markdown.comparison(table, context.signs), caption, note]
        if name == "table_5_accuracy" and (majority := majority_sentence(context.models)):
            parts.append(majority)
        parts.append(context.figure(drawn, f"{heading}, percent", table.models))
    parts.append("Numbers: [confusion.csv](tables/confusion.csv).")
    rows = [
        ["table_1_training", row["model"], context.data, *list(row.values())[1:]]
        for row in training
    ]
    header = ("table", TRAINING[0], "data", *TRAINING[1:])
    files = {"tables/table_1_training.csv": to_csv(header, rows).encode()}
    files |= {**figure_1.files, **_csv(tables.values()), **draw_all(list(tables.values()), context)}
    return Section(parts, files)


def model_section(context: ReportContext) -> Section:
    """The other models in tables like Tables 2–5, then ranking and incidents for all."""
    tables = other_tables(context)
    parts = []
    for table in tables:
        parts.append(f"## {table.title}")
        if table.models:
            caption = context.caption(table.title, table.models, f"{table.name}.csv", ESTIMAND)
            parts += [markdown.matrix(table, context.signs), caption]
        else:
            parts.append("No such model has been run yet.")
    return Section(parts, _csv(tables))


def _csv(tables: Iterable[Table]) -> dict[str, bytes]:
    return {f"tables/{table.name}.csv": table_csv(table).encode() for table in tables}


def cost_section(context: ReportContext) -> Section:
    """The number of parameters and the durations of every model."""
    costs = cost_rows(context)
    table = markdown.cost(costs, {one.arm.name: one.arm.title for one in context.models}, COSTS)
    csv = to_csv(costs[0], (row.values() for row in costs))
    return Section(["## Cost", table, COST_NOTE], {"tables/cost.csv": csv.encode()})
