"""Audits a result table: which cells of a row contradict each other, which must be replaced to
repair it, which values missing ones can have; and whether the rows can come from one test set."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Literal

from anomalynet.reporting.paper.table_audit.cone import (
    COUNTS,
    METRICS,
    PER_CLASS,
    RATIOS,
    Cell,
    Interval,
    Rounding,
    Unit,
    cell,
    number,
    range_of,
    solve,
)
from anomalynet.reporting.paper.table_audit.read import PrintedRow, PrintedTable

Cells = Mapping[str, Cell]
F1 = Literal["above", "below", "not the mean"]
CLASSES = ("normal", "attack")

HELLY = 4
"""The matrices that a ratio allows are a convex set in three dimensions: if such sets have no
common point, then some four of them have none (Helly)."""

MOST_REPLACED = 3
ONE_DIGIT, EXCHANGED = "one digit differs", "two digits exchanged"


@dataclass(frozen=True, slots=True)
class Replacement:
    """A cell, and the value that it must have if the other cells are true."""

    column: str
    printed: str
    # With as many decimals as the printed one; one digit changed or two exchanged, if that fits
    value: str | None
    needed: Interval | None  # its range in fractions; None: it must be empty, 0/0
    slip: str | None  # `ONE_DIGIT` or `EXCHANGED`


@dataclass(frozen=True, slots=True)
class RowAudit:
    """The results for a row."""

    model: str
    line: int
    cells: Cells
    # Smallest sets of cells that no confusion matrix gives; empty if the row is possible
    conflicts: tuple[tuple[str, ...], ...]
    # Each way to make the row possible with the fewest replaced cells
    repairs: tuple[tuple[Replacement, ...], ...]
    # Class → what is wrong with its F1, if it contradicts the class's precision and recall
    f1: Mapping[str, F1]
    implied: Mapping[str, Interval]  # range of each missing metric; empty if the row is impossible
    prevalence: Interval | None
    # Class → prevalences that its precision and both recalls allow, if all three are printed
    readings: Mapping[str, Interval]

    @property
    def possible(self) -> bool:
        """Whether some confusion matrix may give the row."""
        return not self.conflicts


def audit_row(model: str, line: int, cells: Cells, rounding: Rounding = "half") -> RowAudit:
    """Audit the row in this `line` of a file; suggestions have the `rounding` of the cells."""
    proved = provable(cells)
    cones = solve(proved.values(), narrow=True)
    conflicts = () if cones else tuple(_conflicts(proved))
    implied = {name: range_of(cones, name) for name in METRICS if name not in cells}
    readings = {name: _implied_prevalence(proved, name) for name in CLASSES}
    f1 = {name: _f1(proved, name) for name in CLASSES if conflicts}
    return RowAudit(
        model=model,
        line=line,
        cells=cells,
        conflicts=conflicts,
        repairs=_repairs(proved, conflicts, rounding) if conflicts else (),
        f1={name: verdict for name, verdict in f1.items() if verdict},
        implied={name: bounds for name, bounds in implied.items() if bounds},
        prevalence=range_of(cones, "prevalence"),
        readings={name: bounds for name, bounds in readings.items() if bounds},
    )


def provable(cells: Cells) -> dict[str, Cell]:
    """The cells that a confusion matrix defines."""
    return {column: own for column, own in cells.items() if column not in PER_CLASS}


def _implied_prevalence(cells: Cells, class_: str) -> Interval | None:
    """Share of attack that a class's precision and both recalls allow; None if none."""
    names = (f"precision_{class_}", "recall_normal", "recall_attack")
    if not set(names) <= cells.keys():
        return None
    return range_of(solve(cells[name] for name in names), "prevalence")


def f1_cells(class_: str) -> tuple[str, str, str]:
    """The columns of a class's precision, recall and F1."""
    return f"precision_{class_}", f"recall_{class_}", f"f1_{class_}"


def _f1(cells: Cells, class_: str) -> F1 | None:
    """What is wrong with a printed F1; None if its precision and recall can give it."""
    own = [cells[name] for name in f1_cells(class_) if name in cells]
    if len(own) < 3 or solve(own):
        return None
    precision, recall, f1 = (one.low + one.high for one in own)
    if min(precision, recall) <= f1 <= max(precision, recall):
        return "not the mean"
    return "above" if f1 > precision else "below"


def _conflicts(cells: Cells) -> Iterator[tuple[str, ...]]:
    """Every smallest set of ratios that contradict each other; only one set if balanced accuracy,
    MCC or counts are needed for a contradiction."""
    impossible = [(name,) for name, own in cells.items() if not own.possible]
    ratios = [name for name, own in cells.items() if name in RATIOS and own.possible]
    found: list[tuple[str, ...]] = []
    for size in range(1, HELLY + 1):
        for names in combinations(ratios, size):
            if not any(set(smaller) <= set(names) for smaller in found) and _excluded(cells, names):
                found.append(names)
    yield from impossible
    yield from sorted(found, key=lambda names: [ratios.index(name) for name in names])
    if not found and not impossible:
        needed = tuple(cells)
        for name in cells:
            rest = tuple(other for other in needed if other != name)
            needed = rest if _excluded(cells, rest) else needed
        yield needed


def _excluded(cells: Cells, names: Sequence[str]) -> bool:
    return not solve(cells[name] for name in names)


def _repairs(
    cells: Cells, conflicts: Sequence[tuple[str, ...]], rounding: Rounding
) -> tuple[tuple[Replacement, ...], ...]:
    """The smallest sets of cells that hit every conflict: without one the rest is possible."""
    touched = [name for name in cells if any(name in conflict for conflict in conflicts)]
    for size in range(1, MOST_REPLACED + 1):
        found = []
        for names in combinations(touched, size):
            rest = {name: own for name, own in cells.items() if name not in names}
            touches_all = all(set(names) & set(conflict) for conflict in conflicts)
            if touches_all and solve(rest.values()):
                cones = solve(rest.values(), narrow=True)
                needed = [None if name in COUNTS else range_of(cones, name) for name in names]
                pairs = zip(names, needed, strict=True)
                found.append(
                    tuple(_replacement(cells[name], rest, own, rounding) for name, own in pairs)
                )
        if found:
            return tuple(found)
    return ()


def _replacement(
    printed: Cell, rest: Cells, needed: Interval | None, rounding: Rounding
) -> Replacement:
    if needed is None:
        return Replacement(printed.column, printed.text, None, None, None)
    for text, slip in slips(printed, needed, rounding):
        other = cell(printed.column, text, printed.unit, rounding)
        if solve([*rest.values(), other]):
            return Replacement(printed.column, printed.text, text, needed, slip)
    decimals = Decimal(printed.text.strip().removesuffix("%").strip())
    middle = (needed[0] + needed[1]) / 2 * (100 if printed.unit == "percent" else 1)
    value = (Decimal(middle.numerator) / Decimal(middle.denominator)).quantize(decimals)
    return Replacement(printed.column, printed.text, str(value), needed, None)


def slips(printed: Cell, needed: Interval, rounding: Rounding) -> list[tuple[str, str]]:
    """Every value within `needed` (fractions) that differs from the printed one by one typing
    error, nearest to the middle first, with the name of the error."""
    if printed.column != "mcc" and printed.text.lstrip().startswith(("-", "−")):
        return []  # changing a digit cannot repair the sign
    found = []
    for text, name in dict(_variants(printed.text)).items():
        one = cell(printed.column, text, printed.unit, rounding)
        if one.low <= needed[1] and one.high >= needed[0]:
            found.append((abs(one.low + one.high - needed[0] - needed[1]), text, name))
    return [(text, name) for _, text, name in sorted(found)]


def _variants(text: str) -> Iterator[tuple[str, str]]:
    """Texts with two neighbouring digits exchanged, then with one digit changed. `dict` keeps the
    last kind of a text that is both."""
    digits = [at for at, sign in enumerate(text) if sign.isdigit()]
    for one, other in pairwise(digits):
        between = text[one + 1 : other]
        yield text[:one] + text[other] + between + text[one] + text[other + 1 :], EXCHANGED
    for at in digits:
        for digit in "0123456789".replace(text[at], ""):
            yield text[:at] + digit + text[at + 1 :], ONE_DIGIT


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
    left: tuple[PrintedRow, ...] = ()  # not examined, because the audit was interrupted

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
    the number of examined rows after each; one takes 1 to 10 ms, with a contradiction more. Ctrl-C
    ends the audit with the rows examined so far."""
    units = list(_units(table.rows, unit))
    readings = [[_cells(row, *own, rounding) for row in table.rows] for own in units]

    def free(at: int) -> bool:
        return all(solve(provable(cells).values()) for cells in readings[at])

    chosen = next((at for at in range(len(units)) if len(units) > 1 and free(at)), 0)
    rows: list[RowAudit] = []
    try:
        for row, cells in zip(table.rows, readings[chosen], strict=True):
            rows.append(audit_row(row.model, row.line, cells, rounding))
            progress(len(rows))
    except KeyboardInterrupt:
        if not rows:
            raise
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
        left=tuple(table.rows[len(rows) :]),
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
