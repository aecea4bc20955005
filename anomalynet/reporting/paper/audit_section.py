"""The section "The paper's tables, audited": the same findings in every report. A test computes
them again from the printed cells."""

from __future__ import annotations

from functools import cache

from anomalynet.reporting.captions import Section
from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.table_audit.read import PrintedRow, PrintedTable
from anomalynet.reporting.paper.table_audit.table import TableAudit, audit_table

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

SECTION = Section(["## The paper's tables, audited", FINDINGS])


@cache
def audit() -> TableAudit:
    """The audit of the printed tables, as by `anomalynet audit-table --paper`."""
    cells = published.load().printed_cells
    rows = (
        PrintedRow(model, number, {column: str(value) for column, value in own.items()})
        for number, (model, own) in enumerate(cells.items(), 1)
    )
    return audit_table(PrintedTable("paper_tables.yaml", tuple(rows), ()), unit="percent")
