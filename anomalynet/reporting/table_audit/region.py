"""All confusion matrices that a set of printed cells allows: empty only where it is proven that
there is none.

Ratios are linear conditions and are solved exactly. Balanced accuracy and MCC are enclosed: the
cone is halved until every part is excluded or the budget is spent; what is left counts as possible.
A ratio printed as 0, a half or 1 may stand for 0/0; balanced accuracy and MCC may be printed as
anything where they are undefined.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush

from anomalynet.reporting.table_audit.cells import COUNTS, RATIOS, Cell
from anomalynet.reporting.table_audit.cone import ORTHANT, Cone, Interval, Vector, dot, plane

RECALLS = (RATIOS["recall_normal"], RATIOS["recall_attack"])
PRECISIONS = (RATIOS["precision_normal"], RATIOS["precision_attack"])
SPLIT_BY = {"balanced_accuracy": RECALLS, "mcc": (*RECALLS, *PRECISIONS)}
"""What a curved metric is made of: half the recalls' sum; MCC² = (recalls' sum − 1)·(precisions'
sum − 1), both of MCC's sign."""

UNDEFINED: tuple[tuple[Vector, tuple[str, ...]], ...] = (
    ((1, 1, 0, 0), ("balanced_accuracy", "mcc")),
    ((0, 0, 1, 1), ("balanced_accuracy", "mcc")),
    ((0, 1, 0, 1), ("mcc",)),
    ((1, 0, 1, 0), ("mcc",)),
)
"""Sums that may be 0, and what is undefined then."""

Ratio = tuple[Vector, Vector]
"""Numerator and denominator."""

GRID = 1 << 40
BOXES, REFINED = 48, 12
"""Most parts examined to exclude a matrix, and to narrow what is left."""


@dataclass(frozen=True, slots=True)
class Region:
    """Cones whose union holds every confusion matrix that the cells allow."""

    cones: tuple[Cone, ...]

    @property
    def empty(self) -> bool:
        """Whether it is proven that no confusion matrix gives the cells."""
        return not self.cones

    def range(self, column: str) -> Interval | None:
        """Between which fractions a metric lies for every matrix allowed; None where each leaves it
        undefined."""
        if column == "balanced_accuracy":
            found = [_balanced(cone) for cone in self.cones]
        elif column == "mcc":
            found = [_mcc(cone) for cone in self.cones]
        else:
            found = [cone.range(*RATIOS[column]) for cone in self.cones]
        known = [one for one in found if one is not None]
        return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def solve(cells: Iterable[Cell], narrow: bool = False) -> Region:
    """Enclose the confusion matrices that give every cell.

    Args:
        cells: of one row, at most one a column; accuracies per class say nothing and are skipped.
        narrow: spend time on narrower ranges where balanced accuracy or MCC is given.

    Source: not in the paper.
    """
    given = list(cells)
    if not all(cell.possible for cell in given):
        return Region(())
    cone = ORTHANT
    for condition in conditions(given):
        cone = cone.cut(condition)
        if not cone.rays:
            return Region(())
    positive = sums_above_zero(given)
    curved = [cell for cell in given if cell.column in SPLIT_BY]
    if not curved:
        return Region((cone,) if defines(cone, positive) else ())
    cones = _enclose(cone, curved, positive, narrow)
    for total, lost in UNDEFINED:
        left = [cell for cell in curved if cell.column not in lost]
        face = cone.cut((-total[0], -total[1], -total[2], -total[3]))
        if face.rays and len(left) < len(curved):
            cones += _enclose(face, left, positive, narrow)
    return Region(tuple(one for one in cones if defines(one, positive)))


def sums_above_zero(cells: Sequence[Cell]) -> list[Vector]:
    """The denominators of ratios that are printed as something that 0/0 is not."""
    return [
        RATIOS[cell.column][1]
        for cell in cells
        if cell.column in RATIOS and not cell.may_be_undefined
    ]


def defines(cone: Cone, positive: Sequence[Vector]) -> bool:
    """Whether some matrix of the cone has all these sums above 0: the sum of its rays does, if any
    does."""
    return all(any(dot(total, ray) for ray, _ in cone.rays) for total in positive)


def conditions(cells: Sequence[Cell]) -> list[Vector]:
    """What ratios and counts demand of (tn, fp, fn, tp)."""
    found = []
    for cell in cells:
        if cell.column in RATIOS:
            numerator, denominator = RATIOS[cell.column]
            found += [
                plane(numerator, denominator, cell.low, 1),
                plane(numerator, denominator, cell.high, -1),
            ]
    counts = [cell for cell in cells if cell.column in COUNTS]
    base = max(counts, key=lambda cell: cell.low, default=None)
    for cell in counts:
        if base is not None and cell is not base and base.low > 0:
            share = (COUNTS[cell.column], COUNTS[base.column], cell.low / base.low)
            found += [plane(*share, 1), plane(*share, -1)]
        elif cell.low == 0:
            found.append(plane((0, 0, 0, 0), COUNTS[cell.column], Fraction(1), 1))
    return found


def _enclose(
    cone: Cone, curved: Sequence[Cell], positive: Sequence[Vector], narrow: bool
) -> list[Cone]:
    """Parts of a cone that hold all its matrices with the curved metrics defined and as printed;
    the likeliest part is examined first."""
    if not curved:
        return [cone]
    todo, done, seen, possible = [(0.0, 0, cone)], [], 0, False
    while todo and seen < (REFINED if possible else BOXES):
        seen += 1
        part = _contract(heappop(todo)[2], curved)
        if part is None or not defines(part, positive):
            continue
        possible = possible or _reached(part, curved)
        if possible and not narrow:
            return [part]
        halves = _halves(part, curved)
        for place, half in enumerate(halves):
            heappush(
                todo,
                (seen if possible else _distance(_middle(half), curved), 2 * seen + place, half),
            )
        done += [] if halves else [part]
    return done + [part for _, _, part in todo]


def _contract(cone: Cone, curved: Sequence[Cell]) -> Cone | None:
    """Cut away what the curved metrics exclude given the present ranges; None where nothing is
    left."""
    for cell in curved:
        if cell.column == "balanced_accuracy":
            cone = _cut_sum(cone, RECALLS, (2 * cell.low, 2 * cell.high))
        else:
            for own, other in ((RECALLS, PRECISIONS), (PRECISIONS, RECALLS)):
                if (found := _sum(cone, own)) is None or (
                    bounds := _partner(found[0] - 1, found[1] - 1, cell.low, cell.high)
                ) is None:
                    return None
                cone = _cut_sum(cone, other, (bounds[0] + 1, bounds[1] + 1))
        if not cone.rays:
            return None
    return cone


def _sum(cone: Cone, ratios: tuple[Ratio, Ratio]) -> Interval | None:
    """Bounds of the sum of two ratios; None where no matrix defines both."""
    one, other = (cone.range(*ratio) for ratio in ratios)
    return (one[0] + other[0], one[1] + other[1]) if one and other else None


def _cut_sum(cone: Cone, ratios: tuple[Ratio, Ratio], bounds: Interval) -> Cone:
    """Keep what the sum of two ratios allows; bounds are widened to a coarse grid, so that whole
    numbers stay short."""
    for ratio, partner in (ratios, ratios[::-1]):
        found = cone.range(*partner)
        if found is None:
            return Cone((), 0)
        low, high = (
            math.floor((bounds[0] - found[1]) * GRID),
            math.ceil((bounds[1] - found[0]) * GRID),
        )
        cone = cone.cut(plane(*ratio, Fraction(low, GRID), 1)).cut(
            plane(*ratio, Fraction(high, GRID), -1)
        )
    return cone


def _partner(least: Fraction, most: Fraction, low: Fraction, high: Fraction) -> Interval | None:
    """Bounds of y where least ≤ x ≤ most, y has the sign of x, and the root of x·y with that sign
    lies between low and high.

    None where there is no such y.
    """
    if high < 0:
        mirrored = _partner(-most, -least, -high, -low)
        return (-mirrored[1], -mirrored[0]) if mirrored else None
    if low > 0:
        return (
            (low * low / most, high * high / least if least > 0 else Fraction(1))
            if most > 0
            else None
        )
    below = Fraction(0) if least > 0 else low * low / most if most < 0 else Fraction(-1)
    above = Fraction(0) if most < 0 else high * high / least if least > 0 else Fraction(1)
    return below, above


def _reached(cone: Cone, curved: Sequence[Cell]) -> bool:
    """Whether a matrix is found that gives every curved metric; rounding may say so too often,
    which only hides an alarm.

    A single metric is continuous, so two corners with values on either side are enough; corners
    where it is undefined are left out.
    """
    if _distance(_middle(cone), curved) == 0:
        return True
    if len(curved) > 1:
        return any(_distance(ray, curved) == 0 for ray, _ in cone.rays)
    values = [found for ray, _ in cone.rays if (found := VALUES[curved[0].column](ray)) is not None]
    return bool(values) and min(values) <= curved[0].high and max(values) >= curved[0].low


def _middle(cone: Cone) -> Sequence[float]:
    """The mean of the rays, each of total 1."""
    shares = [[share / total for share in ray] for ray, _ in cone.rays for total in [sum(ray)]]
    return [sum(column) / len(shares) for column in zip(*shares, strict=True)]


def _distance(matrix: Sequence[float], curved: Sequence[Cell]) -> float:
    """How far a matrix's curved metrics are from the printed ones, in units of their rounding."""
    total = 0.0
    for cell in curved:
        value = VALUES[cell.column](matrix)
        if value is None:
            return math.inf
        total += max(float(cell.low) - value, value - float(cell.high), 0.0) / float(
            cell.high - cell.low
        )
    return total


def _balanced_at(matrix: Sequence[float]) -> float | None:
    tn, fp, fn, tp = matrix
    return (tn / (tn + fp) + tp / (tp + fn)) / 2 if tn + fp and tp + fn else None


def _mcc_at(matrix: Sequence[float]) -> float | None:
    total = sum(matrix)
    tn, fp, fn, tp = (share / total for share in matrix)
    below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(below) if below else None


VALUES = {"balanced_accuracy": _balanced_at, "mcc": _mcc_at}


def _halves(cone: Cone, curved: Sequence[Cell]) -> list[Cone]:
    """The cone cut through the middle of its widest range that matters; none where all are
    narrow."""
    widest, at = Fraction(0), None
    for cell in curved:
        enough = (cell.high - cell.low) / 16
        for ratio in SPLIT_BY[cell.column]:
            found = cone.range(*ratio)
            if found and found[1] - found[0] > max(widest, enough):
                widest, at = (
                    found[1] - found[0],
                    (ratio, Fraction(math.floor((found[0] + found[1]) / 2 * GRID), GRID)),
                )
    if at is None:
        return []
    (numerator, denominator), middle = at
    return [cone.cut(plane(numerator, denominator, middle, sign)) for sign in (1, -1)]


def _balanced(cone: Cone) -> Interval | None:
    found = _sum(cone, RECALLS)
    return (found[0] / 2, found[1] / 2) if found else None


def _mcc(cone: Cone) -> Interval | None:
    found = _sum(cone, RECALLS), _sum(cone, PRECISIONS)
    if found[0] is None or found[1] is None:
        return None
    (a, b), (c, d) = ((low - 1, high - 1) for low, high in (found[0], found[1]))
    least = _root(a, c) if min(a, c) > 0 else -_root(-a, -c)
    most = -_root(-b, -d) if max(b, d) < 0 else _root(b, d)
    rounding = Fraction(1, 10**9)  # far more than a square root can be wrong
    return max(least - rounding, Fraction(-1)), min(most + rounding, Fraction(1))


def _root(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(math.sqrt(float(max(one, Fraction(0)) * max(other, Fraction(0)))))
