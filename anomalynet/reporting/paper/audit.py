"""The section "The paper's tables, audited": the same findings in every report, and the numbers
that they are based on, computed from the printed cells. A test computes the findings again."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.table_audit import TableAudit, audit_table, parse
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import to_csv

CSV = "tables/paper_audit.csv"
COLUMNS: tuple[str, ...] = ("model", "class", "implied_prevalence", "least", "most")
COLUMNS += ("printed_precision", "implied_precision")

FINDINGS = """\
It is proven (`anomalynet audit-table --paper`) that no confusion matrix gives any printed row.

- The normal rows of CNN, LSTM and CNN-LSTM imply one test set of 71.34 to 71.38 % attack, \
Hybrid's 68.1 %; the attack rows imply 30.5, 46.5 and 57.1 %.
- One digit makes three rows possible: CNN precision_attack 93.86 → 98.86, LSTM 95.31 → 98.31, \
CNN-LSTM 95.6 → 97.6. Hybrid needs precision_attack 96.24 → 98.85 and f1_normal 95.45 → 96.49; its \
repair assumes 71.37 %, too.
- F1 above precision and recall: LSTM, CNN-LSTM, Hybrid (attack); below both: Hybrid (normal).
- Accuracies per class come from precisions alone; the recipe gives none of the 8 within \
rounding."""


@cache
def audit() -> TableAudit:
    """The audit of the printed tables, as by `anomalynet audit-table --paper`."""
    file = files("anomalynet.reporting.paper").joinpath("paper_tables.yaml")
    table = parse(file.read_text(encoding="utf-8"), file.name, ".yaml", under="printed")
    return audit_table(table, unit="percent")


def paper_audit_section() -> Section:
    """The findings, and a CSV of the prevalence that each precision implies.

    Source: §4, Tables 2–5, eq. 13.
    """
    numbers = published.load()
    lines: list[list[object]] = []
    for row in audit().rows:
        for class_, bounds in row.readings.items():
            prevalence = numbers.implied_prevalence(row.model, class_)
            printed = numbers.printed_cells[row.model][f"precision_{class_}"]
            ends = [100 * float(end) for end in bounds]
            implied = numbers.implied_precision(row.model, class_)
            lines.append([row.model, class_, prevalence, *ends, printed, implied])
    source = f"Numbers: [paper_audit.csv]({CSV})."
    parts = ["## The paper's tables, audited", FINDINGS, source]
    return Section(parts, {CSV: to_csv(COLUMNS, lines).encode()})
