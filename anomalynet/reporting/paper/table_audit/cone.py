"""Encloses all confusion matrices that a set of printed cells allows. The enclosure is empty only
if it is proven that there is no such matrix.

Metrics depend only on the shares of the four counts, so a matrix is a ray. A printed ratio gives
linear conditions; the matrices that satisfy them form a cone, which is represented by its extreme
rays in whole numbers. So a cone without rays is a proof, and no tolerance can make it wrong. For
balanced accuracy and MCC the cone is halved until every part is excluded or the budget is spent;
the remaining parts count as possible. A ratio printed as 0, a half or 1 may mean 0/0; balanced
accuracy and MCC may have any printed value if they are undefined.

Source: not in the paper; the double description method (Motzkin et al., 1953; Fukuda and Prodon,
1996)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush

from anomalynet.reporting.paper.table_audit.cells import (
    COUNTS,
    CURVED,
    RATIOS,
    Cell,
    Interval,
    Vector,
)

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
BOXES, REFINED = 48, 12  # most parts examined to prove that no matrix exists, and to narrow ranges


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
    that there is none.

    Args:
        cells: of one row, at most one per column; accuracies per class are ignored.
        narrow: spend time on narrower ranges if balanced accuracy or MCC is given.
    Source: not in the paper.
    """
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
    printed; the most likely part is examined first."""
    if not curved or not cone.rays:
        return [cone]
    todo, done, seen, possible = [(0.0, 0, cone)], [], 0, False
    while todo and seen < (REFINED if possible else BOXES):
        seen += 1
        part = _contract(heappop(todo)[2], curved)
        if not part.rays or not part.defines(positive):
            continue
        possible = possible or _reached(part, curved)
        if possible and not narrow:
            return [part]
        halves = _halves(part, curved)
        for at, half in enumerate(halves):
            likely = seen if possible else _distance(_middle(half), curved)
            heappush(todo, (likely, 2 * seen + at, half))
        done += [] if halves else [part]
    return done + [part for _, _, part in todo]


def _contract(cone: Cone, curved: Sequence[Cell]) -> Cone:
    """Cut away what the curved metrics exclude, given the ranges of the ratios."""
    for cell in curved:
        if cell.column == "balanced_accuracy":
            cone = _cut_sum(cone, RECALLS, (2 * cell.low, 2 * cell.high))
            continue
        for own, other in ((RECALLS, PRECISIONS), (PRECISIONS, RECALLS)):
            found = _sum(cone, own)
            bounds = found and _partner(found[0] - 1, found[1] - 1, cell.low, cell.high)
            if not bounds:
                return Cone((), 0)
            cone = _cut_sum(cone, other, (bounds[0] + 1, bounds[1] + 1))
    return cone


def _sum(cone: Cone, ratios: Iterable[tuple[Vector, Vector]]) -> Interval | None:
    """Bounds of the sum of two ratios; None if no matrix defines both."""
    one, other = (cone.range(ratio) for ratio in ratios)
    return (one[0] + other[0], one[1] + other[1]) if one and other else None


def _cut_sum(cone: Cone, ratios: Sequence[tuple[Vector, Vector]], bounds: Interval) -> Cone:
    """Keep the matrices for which the sum of two ratios is within bounds. Bounds are widened to a
    coarse grid, so that whole numbers stay short."""
    for ratio, partner in (ratios, ratios[::-1]):
        found = cone.range(partner)
        if found is None:
            return Cone((), 0)
        low = Fraction(math.floor((bounds[0] - found[1]) * GRID), GRID)
        high = Fraction(math.ceil((bounds[1] - found[0]) * GRID), GRID)
        cone = cone.cut(*within(ratio, low, high))
    return cone


def _partner(least: Fraction, most: Fraction, low: Fraction, high: Fraction) -> Interval | None:
    """Bounds of y if least ≤ x ≤ most, y has the sign of x, and the root of x·y with that sign is
    between low and high; None if there is no such y."""
    if high < 0:
        mirrored = _partner(-most, -least, -high, -low)
        return (-mirrored[1], -mirrored[0]) if mirrored else None
    if low > 0 and most <= 0:
        return None
    above = Fraction(0) if most < 0 else high * high / least if least > 0 else Fraction(1)
    if low > 0:
        return low * low / most, above
    return Fraction(0) if least > 0 else low * low / most if most < 0 else Fraction(-1), above


def _reached(cone: Cone, curved: Sequence[Cell]) -> bool:
    """Whether a matrix is found that gives every curved metric. Rounding errors can only cause
    false positives, which hide an alarm. A single metric is continuous, so two corners with values
    on either side are enough."""
    if _distance(_middle(cone), curved) == 0:
        return True
    if len(curved) > 1:
        return any(_distance(ray, curved) == 0 for ray, _ in cone.rays)
    values = [found for ray, _ in cone.rays if (found := _value(curved[0].column, ray)) is not None]
    return bool(values) and min(values) <= curved[0].high and max(values) >= curved[0].low


def _middle(cone: Cone) -> Sequence[float]:
    """The mean of the rays, each of total 1."""
    shares = [[share / sum(ray) for share in ray] for ray, _ in cone.rays]
    return [sum(column) / len(shares) for column in zip(*shares, strict=True)]


def _distance(matrix: Sequence[float], curved: Sequence[Cell]) -> float:
    """The distance of a matrix's curved metrics from the printed ones, in units of rounding."""
    total = 0.0
    for cell in curved:
        value = _value(cell.column, matrix)
        if value is None:
            return math.inf
        off = max(float(cell.low) - value, value - float(cell.high), 0.0)
        total += off / float(cell.high - cell.low)
    return total


def _value(column: str, matrix: Sequence[float]) -> float | None:
    """A curved metric in floating point; None if it is undefined."""
    tn, fp, fn, tp = matrix
    if column == "balanced_accuracy":
        return (tn / (tn + fp) + tp / (tp + fn)) / 2 if tn + fp and tp + fn else None
    total = sum(matrix)
    tn, fp, fn, tp = (share / total for share in matrix)
    below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(below) if below else None


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


def _root(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(math.sqrt(float(max(one, Fraction(0)) * max(other, Fraction(0)))))
