"""Audits published result tables of binary classifiers: what no confusion matrix can give, and what
the missing cells must be. `cone` is exact geometry, `row` and `table` ask it, `sentences` answers.

Source: not in the paper."""

from anomalynet.reporting.paper.table_audit.read import PrintedRow, PrintedTable, parse, read_table
from anomalynet.reporting.paper.table_audit.table import TableAudit, audit_table

__all__ = ["PrintedRow", "PrintedTable", "TableAudit", "audit_table", "parse", "read_table"]
