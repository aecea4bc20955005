"""Audits published result tables of binary classifiers: what no confusion matrix can give, and what
the missing cells must be.

`cone` is exact geometry; `cells` says what a printed number allows; `region` joins both; `row`,
`table` and `recipes` ask the questions; `sentences` and `plain` answer them.

Source: not in the paper.
"""

from anomalynet.reporting.table_audit.read import PrintedRow, PrintedTable, parse, read_table
from anomalynet.reporting.table_audit.row import RowAudit, audit_row
from anomalynet.reporting.table_audit.table import TableAudit, audit_table

__all__ = [
    "PrintedRow",
    "PrintedTable",
    "RowAudit",
    "TableAudit",
    "audit_row",
    "audit_table",
    "parse",
    "read_table",
]
