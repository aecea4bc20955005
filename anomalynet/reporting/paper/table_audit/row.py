"""Audits one row of a result table: which cells contradict each other, which cells must be replaced
to repair it, and which values missing cells can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Literal

from anomalynet.reporting.paper.table_audit.cells import (
    COUNTS,
    METRICS,
    PER_CLASS,
    RATIOS,
    Cell,
    Interval,
    Rounding,
    cell,
)
from anomalynet.reporting.paper.table_audit.cone import range_of, solve

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
