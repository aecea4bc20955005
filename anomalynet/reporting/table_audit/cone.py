"""Exact geometry of confusion matrices: the cone of all (tn, fp, fn, tp) ≥ 0 that satisfy linear
conditions, by its extreme rays.

Only the shares of the four counts matter to a metric, so a matrix is a ray. Integers throughout: a
cone without rays is a proof that no matrix satisfies the conditions, and no tolerance can make it
wrong.

Source: not in the paper; the double description method (Motzkin et al., 1953; Fukuda and Prodon,
1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

Vector = tuple[int, int, int, int]
"""Four whole numbers in the order tn, fp, fn, tp: a ray, or the coefficients of a condition."""

Interval = tuple[Fraction, Fraction]


def dot(one: Vector, other: Vector) -> int:
    """Scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2] + one[3] * other[3]


def plane(numerator: Vector, denominator: Vector, bound: Fraction, sign: int) -> Vector:
    """The condition numerator/denominator ≥ bound (sign 1) or ≤ bound (sign −1) with whole
    coefficients; 0/0 satisfies either."""
    over, under = bound.numerator, bound.denominator
    a, b, c, d = (
        sign * (under * above - over * below)
        for above, below in zip(numerator, denominator, strict=True)
    )
    return (a, b, c, d)


@dataclass(frozen=True, slots=True)
class Cone:
    """Extreme rays, each with a bit set for every condition that it satisfies with equality."""

    rays: tuple[tuple[Vector, int], ...]
    conditions: int

    def cut(self, condition: Vector) -> Cone:
        """Keep the matrices x with condition · x ≥ 0."""
        values = [dot(condition, ray) for ray, _ in self.rays]
        if not any(value < 0 for value in values):
            return self
        bit = 1 << self.conditions
        kept = [
            (ray, tight | (bit if value == 0 else 0))
            for (ray, tight), value in zip(self.rays, values, strict=True)
            if value >= 0
        ]
        inside = [place for place, value in enumerate(values) if value > 0]
        outside = [place for place, value in enumerate(values) if value < 0]
        for one in inside:
            for other in outside:
                common = self.rays[one][1] & self.rays[other][1]
                if common.bit_count() >= 2 and self._adjacent(one, other, common):
                    kept.append(
                        (
                            _between(
                                self.rays[one][0], values[one], self.rays[other][0], values[other]
                            ),
                            common | bit,
                        )
                    )
        return Cone(tuple(kept), self.conditions + 1)

    def _adjacent(self, one: int, other: int, common: int) -> bool:
        """Two rays span an edge unless a third lies on every plane that both lie on."""
        return not any(
            place not in (one, other) and common & tight == common
            for place, (_, tight) in enumerate(self.rays)
        )

    def range(self, numerator: Vector, denominator: Vector) -> Interval | None:
        """The least and the greatest numerator/denominator of all matrices in the cone that define
        it; None where none does.

        A ratio of sums lies between the ratios of its parts, so the rays decide; those with 0/0
        change no other ratio.
        """
        least = most = None
        for ray, _ in self.rays:
            above, below = dot(numerator, ray), dot(denominator, ray)
            if below and (least is None or above * least[1] < least[0] * below):
                least = above, below
            if below and (most is None or above * most[1] > most[0] * below):
                most = above, below
        return (Fraction(*least), Fraction(*most)) if least and most else None


ORTHANT = Cone(
    (
        ((1, 0, 0, 0), 0b1110),
        ((0, 1, 0, 0), 0b1101),
        ((0, 0, 1, 0), 0b1011),
        ((0, 0, 0, 1), 0b0111),
    ),
    4,
)
"""Every confusion matrix."""


def _between(inside: Vector, above: int, outside: Vector, below: int) -> Vector:
    """The point of the edge from a ray with value `above` > 0 to one with value `below` < 0 where
    the value is 0."""
    a, b, c, d = (above * out - below * into for into, out in zip(inside, outside, strict=True))
    divisor = gcd(a, b, c, d)
    return (a // divisor, b // divisor, c // divisor, d // divisor)
