"""What a sweep varies: each axis is a key with a list of levels, or a range of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anomalynet.config.leaves import Leaf, is_plain
from anomalynet.errors import Problem

Levels = list[object]
MAX_LEVELS = 10_000  # of one range whose levels are all tried
LARGEST, MAX_STEPS = 1e300, 1e15  # of a range that a search draws from, so that it stays exact


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; whole numbers if both are. A search draws from
    it. Other designs take every `step`-th, or `count` at even distances (`log`: even ratios)."""

    low: float
    high: float
    step: float | None = None
    count: int | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether all numbers of the range are whole."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 0))

    @property
    def steps(self) -> int:
        """The number of whole steps from `low` to `high`; 0 without a step."""
        return math.floor((self.high - self.low) / self.step + 1e-9) if self.step else 0

    @property
    def last(self) -> float:
        """The largest number of the range: the last step may end before `high`."""
        return self._number(self.low + self.step * self.steps) if self.step else self.high

    @property
    def size(self) -> float:
        """The number of levels, known without listing them; infinite if it is continuous."""
        return self.steps + 1 if self.step else self.count or math.inf

    def levels(self) -> Levels:
        """Every number of the range, for designs that try all."""
        low, high = self.low, self.high
        if self.step is not None:
            return [self._number(low + self.step * number) for number in range(self.steps + 1)]
        assert self.count is not None
        shares = [number / max(self.count - 1, 1) for number in range(self.count)]
        if self.log:
            found = [self._number(low * (high / low) ** share) for share in shares]
        else:
            found = [self._number(low + (high - low) * share) for share in shares]
        return [*dict.fromkeys(found)]

    def _number(self, value: float) -> float:
        return round(value) if self.whole else float(f"{value:.12g}")


Axis = Levels | Range
_PARTS = {"low": float, "high": float, "step": float, "count": int, "log": bool}


def axis_key(full: str, leaf: Leaf) -> tuple[str, str]:
    """The key that `axes.<key>` or `axes.<key>.low` varies, and which part of a range the leaf
    gives (`low`); "" if it gives a list of levels."""
    full_key = full.removeprefix("axes.")
    key, _, part = full_key.rpartition(".")
    return (key, part) if part in _PARTS and not isinstance(leaf.value, list) else (full_key, "")


def read_axes(leaves: Mapping[str, Leaf], *, search: bool) -> tuple[dict[str, Axis], list[Problem]]:
    """The axes among a sweep file's leaves, `axes.<key>` and `axes.<key>.low`, in their order, and
    the problems with them. A `search` draws from ranges, which then need neither step nor count."""
    axes: dict[str, Axis] = {}
    problems: list[Problem] = []
    ranges: dict[str, dict[str, Leaf]] = {}
    for full, leaf in leaves.items():
        if not full.startswith("axes."):
            continue
        key, part = axis_key(full, leaf)
        if part:
            ranges.setdefault(key, {})[part] = _number_in(leaf)
            axes.setdefault(key, [])
        elif isinstance(leaf.value, list) and leaf.value:
            axes[key] = leaf.value
            if len(set(map(repr, leaf.value))) < len(leaf.value):
                problems.append(Problem(leaf.where, f"{full}: duplicate levels in {leaf.value!r}"))
        else:
            what = f"{full}: expected a list or {{low: …, high: …}}, not {leaf.value!r}"
            problems.append(Problem(leaf.where, what))
    for key, parts in ranges.items():
        where, what = _range_problem(parts, search=search)
        if axes[key]:
            where = next(iter(parts.values())).where
            what = " is a list already, here or in the file that is extended"
        if what:
            problems.append(Problem(where, f"axes.{key}{what}"))
        else:
            axes[key] = Range(**{name: leaf.value for name, leaf in parts.items()})  # type: ignore[arg-type]
    return axes, problems


def _number_in(leaf: Leaf) -> Leaf:
    """The leaf with its text as a number, if it is one: YAML reads `1e-4` as a text."""
    try:
        number = isinstance(leaf.value, str) and is_plain(leaf.value)
        return replace(leaf, value=float(leaf.word)) if number else leaf
    except ValueError:
        return leaf


def _range_problem(parts: Mapping[str, Leaf], *, search: bool) -> tuple[str, str]:
    """File and line of the first problem of a range, and the message after its key; "" if the
    range is valid."""
    where = next(iter(parts.values())).where
    for name, leaf in parts.items():
        kind = _PARTS[name]
        if not (type(leaf.value) is kind or (kind is float and type(leaf.value) is int)):
            return leaf.where, f".{name}: expected {kind.__name__}, not {leaf.value!r}"
    if {"low", "high"} - parts.keys():
        return where, ": a range has `low` and `high`"
    values: dict[str, Any] = {name: leaf.value for name, leaf in parts.items()}
    low, high = values["low"], values["high"]
    step, count, log = (values.get(name) for name in ("step", "count", "log"))
    if not all(abs(value) < LARGEST for value in (low, high, step or 0)):
        return where, f": expected numbers below {LARGEST:g}"
    if not low < high:
        return where, f": low = {low} is not below high = {high}"
    if log and low <= 0:
        return where, f": a logarithmic range starts above 0, not at {low}"
    if log and step is not None:
        return where, ": a logarithmic range has a `count`, not a `step`"
    if step is not None and step <= 0:
        return where, f": step must be positive, not {step}"
    if count is not None and count < 2:
        return where, f": count must be at least 2, not {count}"
    if not search and (step is None) == (count is None):
        return where, ": needs either `step` or `count`, because every level of it is tried"
    count = count or (0 if step is None else (high - low) / step)
    if count > (MAX_STEPS if search and step else MAX_LEVELS):
        return where, f": more than {MAX_LEVELS:,} levels"
    return where, ""


def size(axis: Axis) -> float:
    """The number of levels of an axis; infinite if it is continuous."""
    return axis.size if isinstance(axis, Range) else len(axis)


def has(axis: Axis, value: object) -> bool:
    """Whether an axis can have a value."""
    if isinstance(axis, Range):
        return isinstance(value, int | float) and axis.low <= value <= axis.high
    return value in axis


def levels(axis: Axis) -> Levels:
    """Every level of an axis."""
    return axis.levels() if isinstance(axis, Range) else axis
