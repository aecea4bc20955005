"""A whole result table: each row for itself, then what its rows say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anomalynet.reporting.table_audit.cells import COUNTS, Cell, Rounding, Unit, cell, number
from anomalynet.reporting.table_audit.cone import Interval
from anomalynet.reporting.table_audit.read import PrintedRow, PrintedTable
from anomalynet.reporting.table_audit.recipes import Recipe, recipes
from anomalynet.reporting.table_audit.row import RowAudit, audit_row, excluded


@dataclass(frozen=True, slots=True)
class Agreement:
    """The most rows that share a prevalence, by one way of reading it."""

    reading: str
    """`whole row`, for rows that can be true; `normal` or `attack`: that class's precision with
    both recalls."""
    prevalence: Interval
    agree: tuple[str, ...]
    others: Mapping[str, Interval]

    @property
    def complete(self) -> bool:
        """Whether every row that says something of the prevalence agrees."""
        return not self.others


@dataclass(frozen=True, slots=True)
class TableAudit:
    """What is known of a table."""

    name: str
    unit: Unit
    reread: str
    """What the likelier reading of its units says, where another one was taken because it raises no
    alarm."""
    rounding: Rounding
    rows: tuple[RowAudit, ...]
    agreements: tuple[Agreement, ...]
    """Whether the rows can be of one test set. That they cannot is no contradiction in itself: a
    table need not have one."""
    recipes: Mapping[str, tuple[Recipe, ...]]
    """Model → what recipes make of its accuracies per class."""
    ignored: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Whether every row may be given by some confusion matrix."""
        return all(row.possible for row in self.rows)


def audit_table(
    table: PrintedTable, unit: Unit | None = None, rounding: Rounding = "half"
) -> TableAudit:
    """Audit a table of one confusion matrix a row.

    A row is called impossible only where it is proven that no confusion matrix gives its cells
    within their rounding. Means over runs or folds need not fit one matrix and are no input for
    this.

    Args:
        table: as `read_table` gives it.
        unit: of the shares; None finds it, and where a table can be read in two ways, one without
        an alarm is taken. rounding: `half` (up, even or down), or `truncate`.

    Source: not in the paper.
    """
    readings = [
        (units, [(row, _cells(row, *units, rounding)) for row in table.rows])
        for units in _units(table.rows, unit)
    ]
    free = (
        one
        for one in readings
        if len(readings) > 1 and not any(excluded(cells) for _, cells in one[1])
    )
    units, read = next(free, readings[0])
    reread = (
        ""
        if units == readings[0][0]
        else f"with shares as {readings[0][0][0]} and MCC as {readings[0][0][1]} it cannot be true"
    )
    rows = tuple(audit_row(row.model, row.line, cells, rounding) for row, cells in read)
    made = {row.model: found for row in rows if (found := recipes(row.cells))}
    return TableAudit(
        table.name, units[0], reread, rounding, rows, tuple(_agreements(rows)), made, table.ignored
    )


def _units(rows: Sequence[PrintedRow], unit: Unit | None) -> Iterator[tuple[Unit, Unit]]:
    """Units that the shares and the MCC may have, the likeliest first: whatever exceeds 1 is in
    percent."""

    def exceed(shares: bool) -> bool:
        return any(
            abs(value) > 1
            for row in rows
            for column, text in row.cells.items()
            if column not in COUNTS
            and (column != "mcc") == shares
            and not text.endswith("%")
            and (value := number(text)) is not None
        )

    shares: Sequence[Unit] = (
        [unit] if unit else ["percent"] if exceed(shares=True) else ["fraction", "percent"]
    )
    for own in shares:
        if exceed(shares=False):
            yield own, unit or "percent"
        else:
            yield own, "fraction"
            if own == "percent":
                yield own, "percent"


def _cells(row: PrintedRow, unit: Unit, mcc: Unit, rounding: Rounding) -> dict[str, Cell]:
    return {
        column: cell(column, text, mcc if column == "mcc" else unit, rounding)
        for column, text in row.cells.items()
    }


def _agreements(rows: Sequence[RowAudit]) -> Iterator[Agreement]:
    """One for each reading that two rows have."""
    whole = [(row.model, row.prevalence) for row in rows if row.prevalence is not None]
    readings = {"whole row": whole} | {
        class_: [(row.model, row.readings[class_]) for row in rows if class_ in row.readings]
        for class_ in ("normal", "attack")
    }
    for name, found in readings.items():
        if len(found) > 1:
            yield _most_agree(name, found)


def _most_agree(reading: str, found: Sequence[tuple[str, Interval]]) -> Agreement:
    """The most intervals with a common point; such a point is the lower end of one of them."""

    def around(point: Fraction) -> list[tuple[str, Interval]]:
        return [(model, bounds) for model, bounds in found if bounds[0] <= point <= bounds[1]]

    agree = max((around(low) for _, (low, _) in found), key=len)
    common = max(low for _, (low, _) in agree), min(high for _, (_, high) in agree)
    names = tuple(model for model, _ in agree)
    return Agreement(
        reading, common, names, {model: bounds for model, bounds in found if model not in names}
    )
