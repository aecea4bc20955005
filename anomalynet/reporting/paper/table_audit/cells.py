"""Cells of a result table: metrics as ratios of counts, and the values a printed number allows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property
from typing import Literal

# Four whole numbers in the order tn, fp, fn, tp. Attack is the positive class.
Vector = tuple[int, ...]
Interval = tuple[Fraction, Fraction]
Unit = Literal["percent", "fraction"]
Rounding = Literal["half", "truncate"]

# Metrics that are a ratio of sums of the counts: numerator and denominator
RATIOS: dict[str, tuple[Vector, Vector]] = {
    "precision_normal": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "precision_attack": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "recall_normal": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall_attack": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "f1_normal": ((2, 0, 0, 0), (2, 1, 1, 0)),
    "f1_attack": ((0, 0, 0, 2), (0, 1, 1, 2)),
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "prevalence": ((0, 0, 1, 1), (1, 1, 1, 1)),
}
CURVED = ("balanced_accuracy", "mcc")  # metrics that are not such a ratio
METRICS = (*(name for name in RATIOS if name != "prevalence"), *CURVED, "prevalence")
COUNTS: dict[str, Vector] = {
    "tn": (1, 0, 0, 0),
    "fp": (0, 1, 0, 0),
    "fn": (0, 0, 1, 0),
    "tp": (0, 0, 0, 1),
    "n": (1, 1, 1, 1),
}
PER_CLASS = ("accuracy_normal", "accuracy_attack")
"""Columns that some tables have and that no confusion matrix defines."""
COLUMNS = (*METRICS, *COUNTS, *PER_CLASS)

# Tolerance in addition to the rounding: metrics computed in 32 bits are wrong by up to 2·10⁻⁷
SLACK = Fraction(1, 10**6)


@dataclass(frozen=True)
class Cell:
    """A printed number and the range of values it allows: fractions, or for a count that count."""

    column: str
    text: str
    unit: Unit
    low: Fraction
    high: Fraction

    @cached_property
    def possible(self) -> bool:
        """Whether the number is in the range of its metric."""
        least = -1 if self.column == "mcc" else 0
        return self.column in COUNTS or (self.high >= least and self.low <= 1)

    @cached_property
    def may_be_undefined(self) -> bool:
        """Whether the number may mean 0/0, for which programs print 0, 1, a half or nothing; a
        number like 95.31 % cannot."""
        return any(self.low <= convention <= self.high for convention in (0, Fraction(1, 2), 1))


def number(text: str) -> Decimal | None:
    """The number in a cell, with or without `%`; None if it contains none, or one that is too long
    to be printed in a table."""
    try:
        found = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        return None
    printed = found.is_finite() and abs(found.adjusted()) < 30 and len(text) < 60
    return found if printed else None


def cell(column: str, text: str, unit: Unit, rounding: Rounding) -> Cell:
    """Read a printed number, whose decimals show how it was rounded: `half` allows half a unit of
    the last decimal in both directions, `truncate` one unit away from zero. `unit`: of the number,
    unless it has a `%`. Raises ValueError: the text is not a number."""
    shown = number(text)
    if shown is None:
        raise ValueError(text)
    if column in COUNTS:
        return Cell(column, text, unit, Fraction(shown), Fraction(shown))
    own: Unit = "percent" if text.strip().endswith("%") else unit
    scale = 100 if own == "percent" else 1
    value = Fraction(shown) / scale
    step = Fraction(10) ** int(shown.as_tuple().exponent) / scale
    below = above = step / 2
    if rounding == "truncate":
        below, above = step * (value <= 0), step * (value >= 0)
    return Cell(column, text, own, value - below - SLACK, value + above + SLACK)
