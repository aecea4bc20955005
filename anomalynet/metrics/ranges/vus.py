"""Volume under the surface (VUS): the area under the ROC or precision-recall curve of labels whose
ranges have sloping buffers on both sides, averaged over the width of the buffers.

For each width w = 0 … max_buffer, every range of attack gets up to w // 2 steps on either side,
which have the weight √(1 − d/w) at distance d; a step in two buffers has the weight 1 (the sum of
two slopes is above 1 and is cut). At a threshold, precision = found / alarmed steps, where `found`
is the sum of the weights of the alarmed steps. The number of positives is P + (weight of the
alarmed buffer) / 2, because the authors average the labels with and without buffers. Recall =
min(found / positives, 1) × share of ranges with an alarm; ranges whose buffers overlap count as
one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalynet.metrics.ranges.ranges import (
    NO_ATTACK,
    NO_NORMAL,
    Floats,
    Integers,
    Ranges,
    Value,
    ranges,
    undefined,
)


@dataclass(frozen=True, slots=True)
class Volumes:
    """VUS-PR and VUS-ROC, each between 0 and 1."""

    pr: Value
    roc: Value


def vus(labels: Integers, scores: Floats, stretch: Integers, max_buffer: int) -> Volumes:
    """VUS-PR and VUS-ROC over every distinct score; several series are one set of steps with common
    thresholds.

    They measure how well scores rank attack above the rest if the borders of incidents are not
    known exactly. They are undefined if a class is missing.

    Args:
        labels: (n,) 1 attack, 0 normal.
        scores: (n,) float64 without NaN; higher is more anomalous.
        stretch: (n,) number of the stretch; neither ranges nor buffers reach beyond one.
        max_buffer: widest buffer, in steps, both sides together.
    Source: not in the paper. Paparrizos, Boniol, Palpanas, Tsay, Elmore, Franklin: Volume Under the
    Surface, PVLDB 15(11), 2022; as the authors' package vus 0.0.6 computes it with a threshold at
    every score. (Their default of 250 makes the curve of a rare class coarse. aeon 1.6 takes
    positives that do not depend on the threshold, buffers that begin on the last step of a range,
    and trapezoids of precision: other numbers under the same name.)
    """
    attack = labels == 1
    real = ranges(attack, stretch)
    if len(real) == 0 or attack.all():
        nothing = undefined(NO_NORMAL if len(real) else NO_ATTACK)
        return Volumes(nothing, nothing)
    values, index = np.unique(scores, return_inverse=True)
    rank = len(values) - 1 - index  # of a step's own threshold, from the highest
    surface = _Surface(attack, rank, len(values), real, stretch, max_buffer // 2)
    areas = np.array([surface.areas(width) for width in range(max_buffer + 1)])
    pr, roc = areas.mean(axis=0)
    return Volumes(Value(float(pr)), Value(float(roc)))


def _bends(ranks: NDArray[np.int64], levels: int) -> NDArray[np.bool_]:
    """(levels,) bool: the thresholds at which curves can bend. They newly alarm a step of attack or
    of a buffer, or are the one before such a threshold. Between them curves are straight."""
    bends = np.zeros(levels + 1, dtype=np.bool_)
    bends[ranks] = True
    bends[:-1] |= bends[1:]
    bends[levels - 1] = True
    return bends[:-1]


class _Surface:
    """Curves for all widths of the buffer; call `areas` with widths in ascending order."""

    def __init__(
        self,
        attack: NDArray[np.bool_],
        rank: NDArray[np.int64],
        levels: int,
        real: Ranges,
        stretch: Integers,
        reach: int,
    ) -> None:
        self.attack, self.real, self.stretch = attack, real, stretch
        self.steps, self.positives = len(rank), int(attack.sum())
        self.nearest, self.second, near = self._buffers(reach)
        bends = _bends(np.append(rank[attack], rank[near]), levels)
        new_rank = np.cumsum(bends) - 1
        self.rank, self.levels = new_rank[rank], int(bends.sum())
        self.near_rank = self.rank[near]
        self.raised = np.cumsum(np.bincount(rank, minlength=levels))[bends].astype(np.float64)
        self.core = np.cumsum(np.bincount(self.rank[attack], minlength=self.levels)).astype(
            np.float64
        )
        borders = np.stack([real.starts, real.stops], axis=1).ravel()
        self.first = np.minimum.reduceat(np.append(self.rank, self.levels), borders)[::2]
        self.reach = 0
        self.existence = self._existence()

    def _buffers(
        self, reach: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The normal steps within reach of a range, nearest first: distance to the nearest edge and
        to the second nearest edge, and index."""
        starts, lasts, far = self.real.starts, self.real.stops - 1, self.steps + reach
        normal = np.flatnonzero(~self.attack)
        after = np.searchsorted(starts, normal)
        edges = [(lasts, after - 1), (starts, after), (lasts, after - 2), (starts, after + 1)]

        def distance(
            edge: NDArray[np.int64], which: NDArray[np.int64], steps: NDArray[np.int64]
        ) -> NDArray[np.int64]:
            at = edge[np.clip(which, 0, len(edge) - 1)]
            exists = (which >= 0) & (which < len(edge)) & (self.stretch[at] == self.stretch[steps])
            return np.where(exists, np.abs(at - steps), far)

        near = np.minimum(*(distance(edge, which, normal) for edge, which in edges[:2])) <= reach
        steps = normal[near]
        found = np.stack([distance(edge, which[near], steps) for edge, which in edges])
        found.sort(axis=0)
        order = np.argsort(found[0], kind="stable")
        return found[0][order], found[1][order], steps[order]

    def _existence(self) -> Floats:
        """(levels,) share of ranges with an alarm; ranges with overlapping buffers count as one."""
        starts, lasts = self.real.starts, self.real.stops - 1
        apart = (lasts[:-1] + self.reach < starts[1:] - self.reach) | (
            self.stretch[lasts[:-1]] != self.stretch[starts[1:]]
        )
        joined = np.minimum.reduceat(self.first, np.append(0, np.flatnonzero(apart) + 1))
        found: Floats = np.cumsum(np.bincount(joined, minlength=self.levels)) / len(joined)
        return found

    def _grow(self, reach: int) -> None:
        """Let every range's first alarm include the steps up to `reach` away."""
        while self.reach < reach:
            self.reach += 1
            for edge, beyond in (
                (self.real.starts, -self.reach),
                (self.real.stops - 1, self.reach),
            ):
                at = np.clip(edge + beyond, 0, self.steps - 1)
                exists = (at == edge + beyond) & (self.stretch[at] == self.stretch[edge])
                self.first = np.where(exists, np.minimum(self.first, self.rank[at]), self.first)
            self.existence = self._existence()

    def areas(self, width: int) -> tuple[float, float]:
        """Areas under the precision-recall and the ROC curve of one width."""
        reach = width // 2
        self._grow(reach)
        count = int(np.searchsorted(self.nearest, reach, side="right"))
        slope = np.sqrt(1 - np.arange(reach + 1) / max(width, 1))
        weights = np.where(self.second[:count] <= reach, 1.0, slope[self.nearest[:count]])
        soft = np.cumsum(np.bincount(self.near_rank[:count], weights, minlength=self.levels))
        found = self.core + soft
        positives = self.positives + soft / 2
        recall = np.minimum(found / positives, 1.0) * self.existence
        false = (self.raised - found) / (self.steps - positives)
        pr = np.dot(np.diff(recall, prepend=0.0), found / self.raised)
        roc = np.trapezoid(
            np.concatenate([[0.0], recall, [1.0]]), np.concatenate([[0.0], false, [1.0]])
        )
        return float(pr), float(roc)
