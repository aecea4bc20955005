"""One row of a result table: what excludes what, which cells a repair has to replace, and what the
missing cells must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from anomalynet.reporting.table_audit import digits
from anomalynet.reporting.table_audit.cells import (
    COUNTS,
    METRICS,
    PER_CLASS,
    RATIOS,
    Cell,
    Rounding,
)
from anomalynet.reporting.table_audit.cone import ORTHANT, Cone, Interval, Vector
from anomalynet.reporting.table_audit.region import conditions, defines, solve, sums_above_zero

Cells = Mapping[str, Cell]
F1 = Literal["above", "below", "not the mean"]

HELLY = 4
"""Ratios are convex sets of matrices, which have three dimensions: where they have no common point,
some four of them have none (Helly)."""

MOST_REPLACED = 3


@dataclass(frozen=True, slots=True)
class Replacement:
    """A cell, and what it must be instead where the other cells are true; `needed` None: it must be
    empty, 0/0."""

    column: str
    printed: str
    needed: Interval | None
    value: str | None
    """The value to print, with as many decimals as the printed one; of one digit changed or two
    exchanged, where such a value fits."""
    slip: str | None
    """`one digit differs` or `two digits exchanged`."""


@dataclass(frozen=True, slots=True)
class RowAudit:
    """What is known of a row."""

    model: str
    line: int
    cells: Cells
    conflicts: tuple[tuple[str, ...], ...]
    """Smallest sets of cells that no confusion matrix gives; empty for a row that can be true."""
    repairs: tuple[tuple[Replacement, ...], ...]
    """The fewest cells to replace so that the row can be true: each way to do it."""
    implied: Mapping[str, Interval]
    """What each metric that is not printed must be; empty for a row that cannot be true."""
    f1: Mapping[str, F1]
    """Class → how its printed F1 lies to the precision and recall beside it, where these three
    alone cannot be true."""
    prevalence: Interval | None
    readings: Mapping[str, Interval]
    """Class → the prevalence that its precision and both recalls imply, where all three are
    printed."""

    @property
    def possible(self) -> bool:
        """Whether some confusion matrix may give the row."""
        return not self.conflicts


def audit_row(model: str, line: int, cells: Cells, rounding: Rounding = "half") -> RowAudit:
    """Audit one row.

    Args:
        model: what the row is about.
        line: where it stands in its file.
        cells: column → cell.
        rounding: as the cells were read; a suggested value is read alike.
    """
    proved = {column: cell for column, cell in cells.items() if column not in PER_CLASS}
    region = solve(proved.values(), narrow=True)
    conflicts = tuple(_conflicts(proved)) if region.empty else ()
    implied = (
        {}
        if region.empty
        else {
            name: found for name in METRICS if name not in cells and (found := region.range(name))
        }
    )
    readings = {
        class_: found
        for class_ in ("normal", "attack")
        if (found := implied_prevalence(proved, class_))
    }
    repairs = _repairs(proved, conflicts, rounding) if conflicts else ()
    f1 = {class_: verdict for class_ in ("normal", "attack") if (verdict := _f1(proved, class_))}
    return RowAudit(
        model, line, cells, conflicts, repairs, implied, f1, region.range("prevalence"), readings
    )


def excluded(cells: Cells) -> bool:
    """Whether it is proven that no confusion matrix gives a row's cells."""
    return solve(cell for column, cell in cells.items() if column not in PER_CLASS).empty


def implied_prevalence(cells: Cells, class_: str) -> Interval | None:
    """Share of attack that one class's precision and both recalls allow; None where one is missing
    or they exclude each other."""
    used = [
        cells[name]
        for name in (f"precision_{class_}", "recall_normal", "recall_attack")
        if name in cells
    ]
    return solve(used).range("prevalence") if len(used) == 3 else None


def f1_cells(class_: str) -> set[str]:
    """The columns of a class's F1 and of what it is the harmonic mean of."""
    return {f"{name}_{class_}" for name in ("precision", "recall", "f1")}


def _f1(cells: Cells, class_: str) -> F1 | None:
    """What is wrong with an F1, by the printed numbers; None unless no precision and recall within
    their rounding give it."""
    if (
        not f1_cells(class_) <= set(cells)
        or not solve([cells[name] for name in sorted(f1_cells(class_))]).empty
    ):
        return None
    precision, recall, f1 = (
        cells[f"{name}_{class_}"].low + cells[f"{name}_{class_}"].high
        for name in ("precision", "recall", "f1")
    )
    return (
        "above"
        if f1 > max(precision, recall)
        else "below"
        if f1 < min(precision, recall)
        else "not the mean"
    )


def _conflicts(cells: Cells) -> Iterator[tuple[str, ...]]:
    """Every smallest set of ratios that exclude each other; one set where balanced accuracy, MCC or
    counts are needed."""
    yield from (impossible := [(name,) for name, cell in cells.items() if not cell.possible])
    ratios = [cell for name, cell in cells.items() if name in RATIOS and cell.possible]
    found = [set(names) for names in _excluding(ratios, ORTHANT, (), ())]
    yield from (
        tuple(name for name in cells if name in names)
        for names in found
        if not any(other < names for other in found)
    )
    if found or impossible:
        return
    needed = list(cells)
    for name in list(cells):
        rest = [other for other in needed if other != name]
        if solve([cells[other] for other in rest]).empty:
            needed = rest
    yield tuple(needed)


def _excluding(
    ratios: Sequence[Cell], cone: Cone, taken: tuple[str, ...], positive: Sequence[Vector]
) -> Iterator[tuple[str, ...]]:
    """Sets of up to four cells, `taken` among them, that no matrix of the cone gives; no set that
    begins like another."""
    for place, cell in enumerate(ratios):
        names, sums, part = (*taken, cell.column), [*positive, *sums_above_zero([cell])], cone
        for condition in conditions([cell]):
            part = part.cut(condition)
        if not part.rays or not defines(part, sums):
            yield names
        elif len(names) < HELLY:
            yield from _excluding(ratios[place + 1 :], part, names, sums)


def _repairs(
    cells: Cells, conflicts: Sequence[tuple[str, ...]], rounding: Rounding
) -> tuple[tuple[Replacement, ...], ...]:
    """The smallest sets of cells without which the rest can be true. A set must touch every
    conflict."""
    touched = [name for name in cells if any(name in conflict for conflict in conflicts)]
    for size in range(1, MOST_REPLACED + 1):
        found = []
        for names in combinations(touched, size):
            rest = {name: cell for name, cell in cells.items() if name not in names}
            if (
                all(set(names) & set(conflict) for conflict in conflicts)
                and not solve(rest.values()).empty
            ):
                region = solve(rest.values(), narrow=True)
                needed = {
                    name: region.range(name) if name not in COUNTS else None for name in names
                }
                found.append(
                    tuple(_replacement(cells[name], rest, needed[name], rounding) for name in names)
                )
        if found:
            return tuple(found)
    return ()


def _replacement(
    cell: Cell, rest: Cells, needed: Interval | None, rounding: Rounding
) -> Replacement:
    if needed is None:
        return Replacement(cell.column, cell.text, None, None, None)
    for text, slip in digits.slips(cell, needed, rounding):
        if not solve([*rest.values(), digits.read(cell, text, rounding)]).empty:
            return Replacement(cell.column, cell.text, needed, text, slip)
    return Replacement(cell.column, cell.text, needed, digits.middle(cell, needed), None)
