"""A whole result table: each row for itself, then what its rows say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from anomalynet.reporting.paper.table_audit.cells import (
    COUNTS,
    PER_CLASS,
    Cell,
    Interval,
    Rounding,
    Unit,
    cell,
    number,
)
from anomalynet.reporting.paper.table_audit.cone import solve
from anomalynet.reporting.paper.table_audit.read import PrintedRow, PrintedTable
from anomalynet.reporting.paper.table_audit.row import CLASSES, RowAudit, audit_row, provable


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a recipe makes of a row's cells (fractions), beside what is printed."""

    column: str
    recipe: str
    printed: Cell
    made: Interval

    @property
    def fits(self) -> bool:
        """Whether some cells within their rounding make the printed value."""
        return self.made[0] <= self.printed.high and self.made[1] >= self.printed.low


@dataclass(frozen=True, slots=True)
class Agreement:
    """The most rows that share a prevalence, by one way of reading it: `whole row`, for rows that
    can be true; `normal` or `attack`, by that class's precision with both recalls."""

    reading: str
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
    # what the likelier reading of its units says, where another one was taken because it raises no
    # alarm
    reread: str
    rounding: Rounding
    rows: tuple[RowAudit, ...]
    # whether the rows can be of one test set. That they cannot is no contradiction in itself: a
    # table need not have one.
    agreements: tuple[Agreement, ...]
    # model → what recipes make of its accuracies per class
    recipes: Mapping[str, tuple[Recipe, ...]]
    ignored: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Whether every row may be given by some confusion matrix."""
        return all(row.possible for row in self.rows)


def audit_table(
    table: PrintedTable, unit: Unit | None = None, rounding: Rounding = "half"
) -> TableAudit:
    """Audit a table of one confusion matrix per row.

    A row is called impossible only where it is proven that no confusion matrix gives its cells
    within their rounding. Means over runs or folds need not fit one matrix and are no input for
    this. Without a `unit` of the shares it is found, and where a table can be read in two ways, one
    without an alarm is taken. `rounding`: `half` (up, even or down), or `truncate`.

    Source: not in the paper.
    """
    units = list(_units(table.rows, unit))
    readings = [[_cells(row, *own, rounding) for row in table.rows] for own in units]

    def free(at: int) -> bool:
        return not any(solve(provable(cells).values()).empty for cells in readings[at])

    chosen = next((at for at in range(len(units)) if len(units) > 1 and free(at)), 0)
    pairs = zip(table.rows, readings[chosen], strict=True)
    rows = tuple(audit_row(row.model, row.line, cells, rounding) for row, cells in pairs)
    likelier = f"with shares as {units[0][0]} and MCC as {units[0][1]} it cannot be true"
    return TableAudit(
        name=table.name,
        unit=units[chosen][0],
        reread=likelier if chosen else "",
        rounding=rounding,
        rows=rows,
        agreements=tuple(_agreements(rows)),
        recipes={row.model: found for row in rows if (found := tuple(_recipes(row.cells)))},
        ignored=table.ignored,
    )


def _units(rows: Sequence[PrintedRow], unit: Unit | None) -> Iterator[tuple[Unit, Unit]]:
    """Units that the shares and the MCC may have, the likeliest first: whatever exceeds 1 is in
    percent."""
    above_1 = {
        column == "mcc"
        for row in rows
        for column, text in row.cells.items()
        if column not in COUNTS and not text.endswith("%")
        if abs(number(text) or Decimal()) > 1
    }
    shares: tuple[Unit, ...] = ("percent",) if False in above_1 else ("fraction", "percent")
    for own in (unit,) if unit else shares:
        if True in above_1:
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
    """One for each reading that two rows have: the most intervals with a common point; such a point
    is the lower end of one of them."""
    readings = {"whole row": {row.model: row.prevalence for row in rows}} | {
        class_: {row.model: row.readings.get(class_) for row in rows} for class_ in CLASSES
    }
    for reading, own in readings.items():
        known = {model: bounds for model, bounds in own.items() if bounds is not None}
        if len(known) < 2:
            continue
        around = (
            {model: bounds for model, bounds in known.items() if bounds[0] <= point <= bounds[1]}
            for point, _ in known.values()
        )
        agree = max(around, key=len)
        common = max(low for low, _ in agree.values()), min(high for _, high in agree.values())
        others = {model: bounds for model, bounds in known.items() if model not in agree}
        yield Agreement(reading, common, tuple(agree), others)


def _recipes(cells: Mapping[str, Cell]) -> Iterator[Recipe]:
    """What a table may have made a row's accuracies per class from, which no confusion matrix
    defines. Every recipe rises with every cell.

    Source: §4, eq. 13, Table 5 for `precisions alone`.
    """
    ends = (
        {name: max(own.low, Fraction(0)) for name, own in cells.items()},
        {name: min(own.high, Fraction(1)) for name, own in cells.items()},
    )
    for column in (name for name in PER_CLASS if name in cells):
        class_ = column.removeprefix("accuracy_")
        recall = f"recall_{class_}"
        if recall in cells:
            made = ends[0][recall], ends[1][recall]
            yield Recipe(column, "recall of the class", cells[column], made)
        least, most = (_precisions_alone(end, class_) for end in ends)
        if least is not None and most is not None:
            yield Recipe(column, "precisions alone", cells[column], (least, most))


def _precisions_alone(cells: Mapping[str, Fraction], class_: str) -> Fraction | None:
    """TP := precision of the class, FP := what the other class's precision lacks to 1."""
    own = cells.get(f"precision_{class_}")
    other = cells.get(f"precision_{'normal' if class_ == 'attack' else 'attack'}")
    if own is None or other is None or own + 1 - other <= 0:
        return None
    return own / (own + 1 - other)
