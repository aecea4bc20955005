"""Audits a result table: each row, and then whether the rows can come from one test set."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """An accuracy per class, compared with the value that a recipe gives for it."""

    column: str
    recipe: str
    printed: Cell
    made: Interval  # the recipe's values for the row's cells within their rounding, fractions

    @property
    def fits(self) -> bool:
        """Whether the recipe can give the printed value."""
        return self.made[0] <= self.printed.high and self.made[1] >= self.printed.low


@dataclass(frozen=True, slots=True)
class Agreement:
    """The largest set of rows that can share a prevalence."""

    reading: str  # `whole row`, or the class whose precision, with both recalls, implies it
    prevalence: Interval
    agree: tuple[str, ...]
    others: Mapping[str, Interval]  # model → prevalence of rows that do not agree

    @property
    def complete(self) -> bool:
        """Whether every row that implies a prevalence agrees."""
        return not self.others


@dataclass(frozen=True, slots=True)
class TableAudit:
    """The results for a table."""

    name: str
    unit: Unit
    reread: str  # a sentence, if less likely units were chosen because they raise no alarm
    rounding: Rounding
    rows: tuple[RowAudit, ...]
    # Whether the rows can come from one test set; if not, a table may use several
    agreements: tuple[Agreement, ...]
    recipes: Mapping[str, tuple[Recipe, ...]]  # model → recipes for its accuracies per class
    ignored: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Whether every row may come from some confusion matrix."""
        return all(row.possible for row in self.rows)


def audit_table(
    table: PrintedTable,
    unit: Unit | None = None,
    rounding: Rounding = "half",
    progress: Callable[[int], object] = lambda done: None,
) -> TableAudit:
    """Audit a table of one confusion matrix per row.

    A row is called impossible only if it is proven that no confusion matrix gives its cells within
    their rounding. Means over runs or folds need not fit one matrix; do not audit them. Without a
    `unit` the unit of the shares is inferred, and if several units are possible, one without an
    alarm is chosen. `rounding`: `half` (up, even or down), or `truncate`. `progress` is called with
    the number of examined rows after each; one takes 1 to 10 ms, with a contradiction more."""
    units = list(_units(table.rows, unit))
    readings = [[_cells(row, *own, rounding) for row in table.rows] for own in units]

    def free(at: int) -> bool:
        return all(solve(provable(cells).values()) for cells in readings[at])

    chosen = next((at for at in range(len(units)) if len(units) > 1 and free(at)), 0)
    rows: list[RowAudit] = []
    for row, cells in zip(table.rows, readings[chosen], strict=True):
        rows.append(audit_row(row.model, row.line, cells, rounding))
        progress(len(rows))
    likelier = f"with shares as {units[0][0]} and MCC as {units[0][1]} it cannot be true"
    return TableAudit(
        name=table.name,
        unit=units[chosen][0],
        reread=likelier if chosen else "",
        rounding=rounding,
        rows=tuple(rows),
        agreements=tuple(_agreements(rows)),
        recipes={row.model: found for row in rows if (found := tuple(_recipes(row.cells)))},
        ignored=table.ignored,
    )


def _units(rows: Sequence[PrintedRow], unit: Unit | None) -> Iterator[tuple[Unit, Unit]]:
    """Units of the shares and the MCC, the most likely first: above 1 a number is in percent."""
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
            if own == "percent" and any("mcc" in row.cells for row in rows):
                yield own, "percent"


def _cells(row: PrintedRow, unit: Unit, mcc: Unit, rounding: Rounding) -> dict[str, Cell]:
    return {
        column: cell(column, text, mcc if column == "mcc" else unit, rounding)
        for column, text in row.cells.items()
    }


def _agreements(rows: Sequence[RowAudit]) -> Iterator[Agreement]:
    """One agreement per reading that at least two rows have: the largest set of intervals with a
    common point. The lower end of one of them is such a point."""
    readings = {"whole row": {row.model: row.prevalence for row in rows}} | {
        class_: {row.model: row.readings.get(class_) for row in rows} for class_ in CLASSES
    }
    for reading, own in readings.items():
        ranges = {model: bounds for model, bounds in own.items() if bounds is not None}
        if len(ranges) < 2:
            continue
        lows, highs = (sorted(ends) for ends in zip(*ranges.values(), strict=True))
        # Around a point are the ranges that begin at or before it, without those that end before
        point = max(
            (low for low, _ in ranges.values()),
            key=lambda low: bisect_right(lows, low) - bisect_left(highs, low),
        )
        agree = {model: own for model, own in ranges.items() if own[0] <= point <= own[1]}
        common = max(low for low, _ in agree.values()), min(high for _, high in agree.values())
        others = {model: bounds for model, bounds in ranges.items() if model not in agree}
        yield Agreement(reading, common, tuple(agree), others)


def _recipes(cells: Mapping[str, Cell]) -> Iterator[Recipe]:
    """Recipes by which a table may have computed accuracies per class, which no confusion matrix
    defines. Each recipe increases with every cell, so the ends of the cells' ranges give the ends
    of its range.

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
    """eq. 13: TP := precision of the class, FP := 1 − precision of the other class."""
    own = cells.get(f"precision_{class_}")
    other = cells.get(f"precision_{'normal' if class_ == 'attack' else 'attack'}")
    if own is None or other is None or own + 1 - other <= 0:
        return None
    return own / (own + 1 - other)
