"""Encloses all confusion matrices that a set of printed cells allows. The enclosure is empty only
if it is proven that there is no such matrix.

Metrics are ratios of the four counts and depend only on their shares, so a matrix is a ray. A
printed ratio gives linear conditions; the matrices that satisfy them form a cone, which is
represented by its extreme rays in whole numbers. So a cone without rays is a proof, and no
tolerance can make it wrong. For balanced accuracy and MCC the cone is halved until every part is
excluded or the budget is spent; the remaining parts count as possible. A ratio printed as 0, a half
or 1 may mean 0/0; balanced accuracy and MCC may have any printed value if they are undefined.

Source: not in the paper; the double description method (Motzkin et al., 1953; Fukuda and Prodon,
1996)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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


RECALLS = (RATIOS["recall_normal"], RATIOS["recall_attack"])
PRECISIONS = (RATIOS["precision_normal"], RATIOS["precision_attack"])
SPLIT_BY = {"balanced_accuracy": RECALLS, "mcc": (*RECALLS, *PRECISIONS)}
"""Curved metric → the ratios that it is computed from: balanced accuracy is half the sum of the
recalls; MCC² = (sum of recalls − 1)·(sum of precisions − 1), and both factors have MCC's sign."""

# Negated sums of counts, and the metrics that are undefined if the sum is 0
UNDEFINED = (
    ((-1, -1, 0, 0), CURVED),
    ((0, 0, -1, -1), CURVED),
    ((0, -1, 0, -1), ("mcc",)),
    ((-1, 0, -1, 0), ("mcc",)),
)

GRID = 1 << 40
PARTS = 48  # most parts of a cone that are examined


def dot(one: Vector, other: Vector) -> int:
    """Scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2] + one[3] * other[3]


def within(ratio: tuple[Vector, Vector], low: Fraction, high: Fraction) -> tuple[Vector, Vector]:
    """The two conditions of low ≤ numerator/denominator ≤ high."""
    return plane(ratio, low, 1), plane(ratio, high, -1)


def plane(ratio: tuple[Vector, Vector], bound: Fraction, sign: int) -> Vector:
    """numerator/denominator ≥ bound (sign 1) or ≤ bound (−1) in whole numbers; 0/0 is either."""
    over, under = sign * bound.numerator, sign * bound.denominator
    return tuple(under * above - over * below for above, below in zip(*ratio, strict=True))


@dataclass(frozen=True, slots=True)
class Cone:
    """The confusion matrices that satisfy some linear conditions."""

    rays: tuple[tuple[Vector, int], ...]  # extreme rays; bit k: condition k holds with equality
    conditions: int

    def cut(self, *conditions: Vector) -> Cone:
        """Keep the matrices x with condition · x ≥ 0."""
        rays, number = self.rays, self.conditions
        for condition in conditions:
            a, b, c, d = condition
            values = (a * ray[0] + b * ray[1] + c * ray[2] + d * ray[3] for ray, _ in rays)
            valued = [(value, *ray) for value, ray in zip(values, rays, strict=True)]
            outside = [one for one in valued if one[0] < 0]
            if not outside:
                continue
            bit = 1 << number
            number += 1
            kept = [(ray, tight | bit * (value == 0)) for value, ray, tight in valued if value >= 0]
            for above, inner, tight in (one for one in valued if one[0] > 0):
                for below, outer, also_tight in outside:
                    common = tight & also_tight
                    # Two rays span an edge unless a third one lies on all planes with both.
                    if common.bit_count() < 2 or sum(common & own == common for _, own in rays) > 2:
                        continue
                    new = [
                        above * out - below * into for into, out in zip(inner, outer, strict=True)
                    ]
                    divisor = math.gcd(*new)
                    kept.append((tuple(value // divisor for value in new), common | bit))
            rays = tuple(kept)
        return Cone(rays, number)

    def range(self, ratio: tuple[Vector, Vector]) -> Interval | None:
        """The least and greatest value of a ratio over all matrices in the cone; None if always
        undefined. Extremes are on rays: a ratio of sums is between the ratios of its parts."""
        least = most = None
        for ray, _ in self.rays:
            above, below = dot(ratio[0], ray), dot(ratio[1], ray)
            if below and (least is None or above * least[1] < least[0] * below):
                least = above, below
            if below and (most is None or above * most[1] > most[0] * below):
                most = above, below
        return (Fraction(*least), Fraction(*most)) if least and most else None

    def defines(self, sums: Iterable[Vector]) -> bool:
        """Whether some matrix of the cone, thus the sum of the rays, has all these sums above 0."""
        return all(any(dot(total, ray) for ray, _ in self.rays) for total in sums)


# Every confusion matrix
ORTHANT = Cone(tuple((COUNTS[name], 15 - (1 << at)) for at, name in enumerate(list(COUNTS)[:4])), 4)


def range_of(cones: Iterable[Cone], column: str) -> Interval | None:
    """The range of a metric over all matrices of the cones; None if it is undefined for all."""
    found = [bounds for cone in cones if (bounds := _bounds(cone, column)) is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def solve(cells: Iterable[Cell], narrow: bool = False) -> tuple[Cone, ...]:
    """Enclose the confusion matrices that give every cell in cones; without a cone it is proven
    that there is none. `narrow`: spend time on narrower ranges if a curved metric is given."""
    given = list(cells)
    if not all(cell.possible for cell in given):
        return ()
    cone = ORTHANT.cut(*_conditions(given))
    shares = [cell for cell in given if cell.column in RATIOS and not cell.may_be_undefined]
    positive = [RATIOS[cell.column][1] for cell in shares]
    curved = [cell for cell in given if cell.column in SPLIT_BY]
    cones = _enclose(cone, curved, positive, narrow)
    for total, undefined in UNDEFINED:
        defined = [cell for cell in curved if cell.column not in undefined]
        if len(defined) < len(curved):
            cones += _enclose(cone.cut(total), defined, positive, narrow)
    return tuple(one for one in cones if one.rays and one.defines(positive))


def _conditions(cells: Sequence[Cell]) -> list[Vector]:
    """The conditions of ratios and counts on (tn, fp, fn, tp)."""
    found: list[Vector] = []
    for cell in cells:
        if ratio := RATIOS.get(cell.column):
            found += within(ratio, cell.low, cell.high)
    counts = [cell for cell in cells if cell.column in COUNTS]
    base = max(counts, key=lambda cell: cell.low, default=None)
    for cell in counts:
        if base is not None and cell is not base and base.low > 0:
            share, bound = (COUNTS[cell.column], COUNTS[base.column]), cell.low / base.low
            found += within(share, bound, bound)
        elif cell.low == 0:
            found.append(plane(((0, 0, 0, 0), COUNTS[cell.column]), Fraction(1), 1))
    return found


def _enclose(
    cone: Cone, curved: Sequence[Cell], positive: Sequence[Vector], narrow: bool
) -> list[Cone]:
    """Parts of a cone that contain all its matrices whose curved metrics are defined and as
    printed."""
    if not curved or not cone.rays:
        return [cone]
    todo, done = [cone], []
    for _ in range(PARTS):
        if not todo:
            break
        part = todo.pop(0)
        if not part.rays or not part.defines(positive) or _excluded(part, curved):
            continue
        if not narrow and _reached(part, curved):
            return [part]
        halves = _halves(part, curved)
        todo += halves
        done += [] if halves else [part]
    return done + todo


def _excluded(cone: Cone, curved: Sequence[Cell]) -> bool:
    """Whether no matrix of the cone can give some curved metric as printed."""
    ranges = [(cell, _bounds(cone, cell.column)) for cell in curved]
    return any(not own or own[0] > cell.high or own[1] < cell.low for cell, own in ranges)


def _reached(cone: Cone, curved: Sequence[Cell]) -> bool:
    """Whether a matrix is found that gives every curved metric. Rounding errors can only cause
    false positives, which hide an alarm. A single metric is continuous, so two corners with values
    on either side are enough."""
    shares = [[share / sum(ray) for share in ray] for ray, _ in cone.rays]
    middle = [sum(column) / len(shares) for column in zip(*shares, strict=True)]
    matrices = [[_value(cell.column, one) for cell in curved] for one in (middle, *shares)]
    known = [values for values in matrices if not any(map(math.isnan, values))]
    if len(curved) == 1:
        least, most = (end(known, default=[math.nan])[0] for end in (min, max))
        return least <= curved[0].high and most >= curved[0].low
    return any(
        all(cell.low <= value <= cell.high for cell, value in zip(curved, values, strict=True))
        for values in known
    )


def _value(column: str, matrix: Sequence[float]) -> float:
    """A curved metric in floating point; NaN if it is undefined."""
    tn, fp, fn, tp = matrix
    if not (tn + fp and tp + fn):
        return math.nan
    if column == "balanced_accuracy":
        return (tn / (tn + fp) + tp / (tp + fn)) / 2
    below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(below) if below else math.nan


def _halves(cone: Cone, curved: Sequence[Cell]) -> list[Cone]:
    """The cone cut in the middle of the widest range that matters; empty if all are narrow."""
    widest, halves = Fraction(0), []
    for cell in curved:
        enough = (cell.high - cell.low) / 16
        for ratio in SPLIT_BY[cell.column]:
            found = cone.range(ratio)
            if found and found[1] - found[0] > max(widest, enough):
                widest = found[1] - found[0]
                middle = Fraction(math.floor((found[0] + found[1]) / 2 * GRID), GRID)
                halves = [plane(ratio, middle, sign) for sign in (1, -1)]
    return [cone.cut(half) for half in halves]


def _bounds(cone: Cone, column: str) -> Interval | None:
    """Bounds of a metric over all matrices of a cone; None if it is undefined for all."""
    if column in RATIOS:
        return cone.range(RATIOS[column])
    recalls, precisions = _sum(cone, RECALLS), _sum(cone, PRECISIONS)
    if column == "balanced_accuracy":
        return (recalls[0] / 2, recalls[1] / 2) if recalls else None
    if recalls is None or precisions is None:
        return None
    (a, b), (c, d) = ((low - 1, high - 1) for low, high in (recalls, precisions))
    least = _root(a, c) if min(a, c) > 0 else -_root(-a, -c)
    most = -_root(-b, -d) if max(b, d) < 0 else _root(b, d)
    rounding = Fraction(1, 10**9)  # much larger than the error of a square root
    return max(least - rounding, Fraction(-1)), min(most + rounding, Fraction(1))


def _sum(cone: Cone, ratios: Iterable[tuple[Vector, Vector]]) -> Interval | None:
    """Bounds of the sum of two ratios; None if no matrix defines both."""
    one, other = (cone.range(ratio) for ratio in ratios)
    return (one[0] + other[0], one[1] + other[1]) if one and other else None


def _root(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(math.sqrt(float(max(one, Fraction(0)) * max(other, Fraction(0)))))
