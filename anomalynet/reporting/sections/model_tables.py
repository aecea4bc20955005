"""The sections with a table a model: "The paper's tables and figures" (Tables 1–5, Figures 1–6,
printed, repaired and ours), the models that are not in the paper, and what each costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from anomalynet.reporting import captions, prose
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.figures import TITLES, draw_all
from anomalynet.reporting.findings import majority_sentence
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.sections.architecture import figure_1_section
from anomalynet.reporting.sections.base import Section, caption, figure
from anomalynet.reporting.tables import (
    COST_COLUMNS,
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
    "Mean ± standard deviation over runs, on the machine that ran them, and the sum over runs; no "
    "other table depends on it. Numbers: [cost.csv](tables/cost.csv)."
)
TRAINING_TITLE = "Table 1. Training parameters"


def paper_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """Each table with its note and its figure; the paper's four models are there whether they have
    been run or not."""
    tables = {table.name: table for table in paper_tables(everything, data)}
    signs = captions.marks([one.arm for one in everything])
    training = training_rows(everything)
    trained = {row["model"] for row in training}
    networks = [one for one in everything if one.arm.name in trained]
    title = f"{TRAINING_TITLE}, the paper's and those the runs had"
    figure_1 = figure_1_section(everything, data)
    parts = [
        "## The paper's tables and figures",
        *figure_1.parts,
        f"### {TRAINING_TITLE}",
        markdown.training(training, [one.arm for one in networks])
        if networks
        else "No network has been trained yet.",
        caption(title, networks, everything, "table_1_training.csv"),
    ]
    notes = (prose.precision_note(), prose.RECALL_NOTE, prose.F1_NOTE, prose.accuracy_note())
    for (name, table), (drawn, heading), note in zip(
        tables.items(), TITLES.items(), (*notes, None), strict=True
    ):
        if note is None:  # of the confusion matrices a figure alone
            parts += ["### Confusion matrices", figure(drawn, heading, table.models, everything)]
            continue
        told = caption(f"{table.title}, percent", table.models, everything, f"{name}.csv")
        parts += [f"### {table.title}", markdown.comparison(table, signs), told, note]
        if name == "table_5_accuracy" and (beside := majority_sentence(everything)):
            parts.append(beside)
        parts.append(figure(drawn, f"{heading}, percent", table.models, everything))
    parts.append("Numbers: [confusion.csv](tables/confusion.csv).")
    rows = [["table_1_training", row["model"], data, *list(row.values())[1:]] for row in training]
    header = ("table", TRAINING[0], "data", *TRAINING[1:])
    files = {"tables/table_1_training.csv": to_csv(header, rows).encode()}
    files |= {**figure_1.files, **_csv(tables.values()), **draw_all(list(tables.values()))}
    return Section(parts, files)


def model_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """The classical and unsupervised models as Tables 2–5 show networks, then ranking and incidents
    for all models."""
    signs = captions.marks([one.arm for one in everything])
    tables = other_tables(everything, data)
    parts = []
    for table in tables:
        parts.append(f"## {table.title}")
        if table.models:
            told = caption(table.title, table.models, everything, f"{table.name}.csv")
            parts += [markdown.matrix(table, signs), told]
        else:
            parts.append("No such model has been run yet.")
    return Section(parts, _csv(tables))


def _csv(tables: Iterable[Table]) -> dict[str, bytes]:
    return {f"tables/{table.name}.csv": table_csv(table).encode() for table in tables}


def cost_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """Parameters and durations."""
    costs = cost_rows(everything)
    priced = [{"data": data, **row} for row in costs]
    table = markdown.cost(costs, {one.arm.name: one.arm.title for one in everything}, COSTS)
    csv = to_csv(COST_COLUMNS, ([row[column] for column in COST_COLUMNS] for row in priced))
    return Section(["## Cost", table, COST_NOTE], {"tables/cost.csv": csv.encode()})
