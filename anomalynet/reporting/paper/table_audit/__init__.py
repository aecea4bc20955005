"""Audits published result tables of binary classifiers: which rows no confusion matrix can give,
and which values missing cells can have. `cone` is the exact geometry, `row` and `table` use it, and
`sentences` writes the results.

Source: not in the paper."""

from anomalynet.reporting.paper.table_audit.read import PrintedRow, PrintedTable, parse, read_table
from anomalynet.reporting.paper.table_audit.table import TableAudit, audit_table

__all__ = ["PrintedRow", "PrintedTable", "TableAudit", "audit_table", "parse", "read_table"]
