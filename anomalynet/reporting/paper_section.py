"""The section "The paper's tables and figures": Tables 1–5 and Figures 1–6, printed, repaired and
ours."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.reporting import captions, markdown, prose
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.architecture.section import figure_1_section
from anomalynet.reporting.figures import TITLES, draw_all
from anomalynet.reporting.majority import majority_sentence
from anomalynet.reporting.section import Section, caption, figure
from anomalynet.reporting.tables import paper_tables, table_csv, to_csv, training_rows

TRAINING_COLUMNS = ("table", "model", "data", "parameter", "paper", "used")


def paper_section(everything: Sequence[ArmMetrics], data: str) -> Section:
    """Each table with its note and its figure; the paper's four models are there whether they have
    been run or not."""
    tables = {table.name: table for table in paper_tables(everything, data)}
    signs = captions.marks([one.arm for one in everything])
    training = training_rows(everything)
    networks = [one for one in everything if one.arm.name in {row["model"] for row in training}]
    drawn_graph = figure_1_section(everything, data)
    parts = [
        "## The paper's tables and figures",
        *drawn_graph.parts,
        "### Table 1. Training parameters",
        markdown.training(training, [one.arm for one in networks])
        if networks
        else "No network has been trained yet.",
        caption(
            "Table 1. Training parameters, the paper's and those the runs had",
            networks,
            everything,
            "table_1_training.csv",
        ),
    ]
    shown = (
        ("table_2_precision", "figure_2_precision", prose.precision_note()),
        ("table_3_recall", "figure_3_recall", prose.RECALL_NOTE),
        ("table_4_f1", "figure_4_f1", prose.F1_NOTE),
        ("table_5_accuracy", "figure_5_accuracy", prose.accuracy_note()),
    )
    for name, drawn, note in shown:
        table = tables[name]
        told = caption(f"{table.title}, percent", table.models, everything, f"{name}.csv")
        parts += [f"### {table.title}", markdown.comparison(table, signs), told, note]
        parts += (
            [beside]
            if name == "table_5_accuracy" and (beside := majority_sentence(everything))
            else []
        )
        parts.append(figure(drawn, f"{TITLES[drawn]}, percent", table.models, everything))
    parts += [
        "### Confusion matrices",
        figure(
            "figure_6_confusion",
            TITLES["figure_6_confusion"],
            tables["confusion"].models,
            everything,
        ),
        "Numbers: [confusion.csv](tables/confusion.csv).",
    ]
    files = {
        **drawn_graph.files,
        **{f"tables/{name}.csv": table_csv(table).encode() for name, table in tables.items()},
    }
    rows = ({"table": "table_1_training", "data": data, **row} for row in training)
    files["tables/table_1_training.csv"] = to_csv(
        TRAINING_COLUMNS, ([row[column] for column in TRAINING_COLUMNS] for row in rows)
    ).encode()
    return Section(
        parts,
        files
        | {f"figures/{name}": content for name, content in draw_all(list(tables.values())).items()},
    )
