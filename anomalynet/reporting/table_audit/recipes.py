"""Accuracies per class, which no confusion matrix defines: what a table may have made them from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from anomalynet.reporting.table_audit.cells import PER_CLASS, Cell
from anomalynet.reporting.table_audit.cone import Interval

Formula = Callable[[Mapping[str, Fraction], str], Fraction | None]
"""Cells and a class → value."""


def _recall(cells: Mapping[str, Fraction], class_: str) -> Fraction | None:
    return cells.get(f"recall_{class_}")


def _precisions_alone(cells: Mapping[str, Fraction], class_: str) -> Fraction | None:
    own, other = (
        cells.get(f"precision_{name}")
        for name in (class_, "normal" if class_ == "attack" else "attack")
    )
    return (
        own / (own + 1 - other)
        if own is not None and other is not None and own + 1 - other > 0
        else None
    )


RECIPES: Mapping[str, Formula] = {
    "recall of the class": _recall,
    "precisions alone": _precisions_alone,
}
"""`precisions alone`: TP := precision of the class, FP := what the other class's precision lacks to
1. Both rise with every cell."""


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


def recipes(cells: Mapping[str, Cell]) -> tuple[Recipe, ...]:
    """Try every recipe on a row's accuracies per class.

    Source: §4, eq. 13, Table 5 for `precisions alone`.
    """
    low = {name: max(cell.low, Fraction(0)) for name, cell in cells.items()}
    high = {name: min(cell.high, Fraction(1)) for name, cell in cells.items()}
    found = []
    for column in PER_CLASS:
        for name, formula in RECIPES.items():
            class_ = column.removeprefix("accuracy_")
            least, most = formula(low, class_), formula(high, class_)
            if column in cells and least is not None and most is not None:
                found.append(Recipe(column, name, cells[column], (least, most)))
    return tuple(found)
