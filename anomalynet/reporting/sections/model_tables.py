"""The sections with one line per model: "The paper's tables and figures" (Tables 1–5, Figures 1–6:
printed, repaired and our values), and the cost of each model."""

from __future__ import annotations

from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.figures import TITLES, draw_all
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.sections.architecture import figure_1_section
from anomalynet.reporting.tables import (
    COSTS,
    TRAINING,
    cost_rows,
    csv_file,
    other_tables,
    paper_tables,
    training_rows,
)

NOTE = (
    "*Printed* is the paper's; *repaired* comes from the one confusion matrix per model, at 71.37 "
    "% attack, that its consistent cells imply (\\*: the cell is repaired). The paper names no "
    "data set, split or seed: *ours* is another measurement, not a reproduction to the tenth of a "
    "point."
)


def paper_section(context: ReportContext) -> Section:
    """Each table with its figure; the paper's four models are always included."""
    tables = paper_tables(context)
    others, ranking = other_tables(context)
    training, figure_1 = training_rows(context), figure_1_section(context)
    *by_class, accuracy, _ = tables
    images = [context.figure(name, title) for name, title in TITLES.items()]
    sources = " ".join(f"{table.name}.csv" for table in (*by_class, others))
    missing = "No network has been trained yet."
    parts = [
        "## The paper's tables and figures",
        NOTE,
        markdown.by_class(by_class, others, context.signs),
        context.caption("Tables 2–4. Precision, recall and F1, percent", csv=sources),
        *images[:1],
        markdown.accuracies(accuracy, context.signs),
        context.caption(
            "Table 5. Accuracy, percent",
            "The *eq. 13 recipe* makes two accuracies from precisions alone.",
            "table_5_accuracy.csv ranking_and_incidents.csv",
        ),
        *images[1:],
        markdown.training(training, context.models) if training else missing,
        context.caption("Table 1. Training parameters", csv="table_1_training.csv"),
        *figure_1.parts,
    ]
    files = csv_file("table_1_training", training, TRAINING)
    for table in (*tables, others, ranking):
        files |= table.files
    return Section(parts, {**figure_1.files, **files, **draw_all(tables, context)})


def cost_section(context: ReportContext) -> Section:
    """The number of parameters and the durations of every model."""
    costs = cost_rows(context)
    table = markdown.cost(costs, {one.arm.name: one.arm.title for one in context.models}, COSTS)
    note = "Mean ± standard deviation over runs on their machine; nothing else depends on it."
    parts = ["## Cost", table, context.caption("Cost", note, "cost.csv")]
    return Section(parts, csv_file("cost", costs))
