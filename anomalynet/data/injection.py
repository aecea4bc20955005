"""Incidents injected into windows of normal readings: the simulator's catalogue as operations on
whole batches, for training without labels.

Source: not in the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from anomalynet.config.schema import InjectionConfig
from anomalynet.data.prepared import Bool, Float32, Int8, Int64, Prepared
from anomalynet.errors import UsageError

Random = np.random.Generator
Floats = npt.NDArray[np.floating]

STREAM = 0x1A7E  # sets the random numbers of incidents apart from those of shuffling
WITH_GAP = 0.4  # share of the windows that get a gap, where gaps are no incidents


class Drawn(NamedTuple):
    """Windows of one kind before the incident, and what was drawn for each."""

    x: Float32  # (n, time, channel)
    size: Float32  # (n, 1, channel), signed magnitude in the units of the data
    age: Float32  # (n, time, 1), steps since the onset; negative before it
    first: Float32  # (n, 1, channel), the reading at the onset
    other: Float32  # (n, time, channel), windows of another time or device
    partner: Int64  # (channel,), for each channel another one of its unit, or itself
    hold: int  # steps that a missing sensor keeps its last value


def bias(random: Random, of: Drawn) -> Floats:
    """A constant is added."""
    return of.x + of.size


def ramp(random: Random, of: Drawn) -> Floats:
    """What is added grows evenly, from the onset to the window's end."""
    return of.x + of.size * np.maximum(of.age, 0) / np.maximum(of.age[:, -1:], 1)


def gain(random: Random, of: Drawn) -> Floats:
    """Readings are multiplied by a factor of 2 to 7, or divided by it."""
    shape = of.size.shape
    return of.x * np.exp(random.choice((-1, 1), shape) * random.uniform(0.7, 2, shape))


def noise(random: Random, of: Drawn) -> Floats:
    """Normal noise is added."""
    return of.x + np.abs(of.size) * 0.7 * random.standard_normal(of.x.shape, np.float32)


def oscillation(random: Random, of: Drawn) -> Floats:
    """A sine is added, of 3 to 50 steps per period."""
    turns = random.uniform(0.02, 0.3, (len(of.x), 1, 1)) * of.age
    return of.x + of.size * np.sin(2 * np.pi * (turns + random.random(of.size.shape)))


def stuck(random: Random, of: Drawn) -> Floats:
    """The reading at the onset stays, in half of the windows at another level."""
    return np.broadcast_to(of.first + of.size * _half(random, of), of.x.shape)


def spike(random: Random, of: Drawn) -> Floats:
    """Single readings jump, among them the last."""
    hit = random.random((*of.x.shape[:2], 1)) < 0.15
    hit[:, -1] = True
    return of.x + of.size * hit


def clipping(random: Random, of: Drawn) -> Floats:
    """Readings end at a level within the window's range, from above or below."""
    low, high = of.x.min(axis=1, keepdims=True), of.x.max(axis=1, keepdims=True)
    level = low + (high - low) * random.uniform(0.3, 0.7, low.shape)
    found: Floats = np.where(of.size > 0, np.minimum(of.x, level), np.maximum(of.x, level))
    return found


def replay(random: Random, of: Drawn) -> Floats:
    """Readings of another time or device, in half of the windows at another level."""
    return of.other + of.size * _half(random, of)


def reversal(random: Random, of: Drawn) -> Floats:
    """The window's own readings backwards, at another level."""
    return of.x[:, ::-1] + 0.7 * of.size


def swap(random: Random, of: Drawn) -> Floats:
    """Readings of another channel of the same unit."""
    return of.x[:, :, of.partner]


def outage(random: Random, of: Drawn) -> Floats:
    """Nothing is heard: the last value is held, then the sensor reads its zero."""
    return np.where(of.age < of.hold, of.first, 0)


def _half(random: Random, of: Drawn) -> Bool:
    return random.random((len(of.x), 1, 1)) < 0.5


Operation = Callable[[Random, Drawn], Floats]
_EVERY = (bias, ramp, gain, noise, oscillation, stuck, spike, clipping, replay, reversal, swap)
OPERATIONS: Mapping[str, Operation] = {one.__name__: one for one in (*_EVERY, outage)}
"""Kind of incident → what it does to the chosen channels of windows, in all their steps; the
injector takes those from the onset on."""


@dataclass(frozen=True, slots=True)
class Injector:
    """Injects incidents that go on to the window's end, on random channels, from a random onset or
    the window's start. The mask of missing sensors changes only in an outage."""

    units: Float32  # (channel,), the unit of magnitudes
    partner: Int64  # as in `Drawn`
    mask: int | None  # index of the mask channel
    hold: int  # as in `Drawn`
    gap: int  # longest gap that is usual, in steps; 0: none, or silence may be an incident
    bound: float  # largest magnitude of a calibrated reading
    config: InjectionConfig
    everywhere: bool  # whether labels are not read: every window is taken as normal

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        units: Float32,
        config: InjectionConfig,
        *,
        hold: int,
        gap: int,
        bound: float,
        everywhere: bool,
    ) -> Injector:
        """For windows of prepared recordings; other arguments as the fields."""
        names = [channel.unit for channel in prepared.channels]
        together = [
            [at for at, unit in enumerate(names) if unit == own != "" and at != prepared.mask]
            for own in names
        ]
        places = range(len(names))
        partner = [
            (own[own.index(at) - 1] if at in own else at)
            for at, own in zip(places, together, strict=True)
        ]
        return cls(units, np.array(partner), prepared.mask, hold, gap, bound, config, everywhere)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are injected: those of the configuration that this data allows."""
        swaps = bool((self.partner != np.arange(len(self.partner))).any())
        possible = {"swap": swaps, "outage": self.mask is not None}
        return tuple(one for one in kinds_of(self.config) if possible.get(one, True))

    def __call__(self, random: Random, x: Float32, target: Int8) -> tuple[Float32, Int8]:
        """Inject incidents into a share of the normal windows.

        Args:
            x: float32 (window, time, channel), calibrated.
            target: int8 (window,), 1 attack, 0 normal, -1 unlabelled; not read if `everywhere`.

        Returns: new windows and targets; injected ones have target 1.
        """
        target = np.zeros_like(target) if self.everywhere else target.copy()
        hit = np.flatnonzero((random.random(len(x)) < self.config.share) & (target == 0))
        target[hit] = 1
        found = x.copy()
        found[hit] = self.inject(random, x[hit], x[random.integers(len(x), size=len(hit))])
        if self.gap and self.mask is not None:
            self._add_gaps(random, found, self.mask)
        return found, target

    def _add_gaps(self, random: Random, x: Float32, mask: int) -> None:
        """Give some windows x (n, time, channel), with and without an incident, a usual gap: a held
        reading is then no sign of a stuck sensor. A third of the gaps end the window."""
        at, steps = np.flatnonzero(random.random(len(x)) < WITH_GAP), x.shape[1]
        length = random.integers(1, self.gap + 1, size=len(at))
        end = random.integers(1, steps + 1, size=len(at))
        end = np.where(random.random(len(at)) < 1 / 3, steps, end)
        first = np.maximum(end - length, 1)
        step = np.arange(steps)
        inside = (step >= first[:, None]) & (step < end[:, None])
        values = x[at]
        found = np.where(inside[:, :, None], x[at, first - 1][:, None], values)
        found[:, :, mask] = np.where(inside, 1, values[:, :, mask])
        x[at] = found

    def inject(
        self, random: Random, x: Float32, other: Float32, kinds: Sequence[str] = ()
    ) -> Float32:
        """Windows with an incident each. x, other: float32 (window, time, channel); `other` are
        windows for replays. `kinds`: of each window; empty: drawn."""
        count, steps, channels = x.shape
        known = kinds or self.kinds
        kind = (
            np.array(kinds) if kinds else np.array(known)[random.integers(len(known), size=count)]
        )
        sensors = channels - (self.mask is not None)
        touched = self._channels(random, count, channels)
        middle = random.random(count) < 0.5
        onset = np.where(middle, random.integers(0, max(steps - 1, 1), size=count), 0)
        longer = np.where(kind == "outage", max(steps - 1 - self.gap, 0), steps)
        onset = np.minimum(onset, longer)  # an outage is longer than a usual gap
        age = (np.arange(steps) - onset[:, None])[:, :, None].astype(np.float32)
        low, high = np.log(self.config.smallest), np.log(self.config.largest)
        size = np.exp(random.uniform(low, high, (count, 1, channels))) * self.units
        size = (size * random.choice((-1, 1), size.shape)).astype(np.float32)
        first = np.take_along_axis(x, onset[:, None, None], axis=1)
        changed = np.empty_like(x)
        for name in dict.fromkeys(kind.tolist()):
            of = kind == name
            drawn = Drawn(x[of], size[of], age[of], first[of], other[of], self.partner, self.hold)
            changed[of] = OPERATIONS[name](random, drawn)
        found = np.where((age >= 0) & touched[:, None], changed, x)
        if self.mask is not None:
            silent = touched.sum(axis=1) / sensors * (kind == "outage")
            found[:, :, self.mask] = np.maximum(
                x[:, :, self.mask], silent[:, None] * (age[:, :, 0] >= 0)
            )
        return np.clip(found, -self.bound, self.bound).astype(np.float32)

    def _channels(self, random: Random, count: int, channels: int) -> Bool:
        """Which channels each incident touches, bool (count, channel): from one to half of them."""
        order = random.random((count, channels))
        if self.mask is not None:
            order[:, self.mask] = 2  # last, and so never among the first half
        rank = order.argsort(axis=1).argsort(axis=1)
        return rank < random.integers(1, max(2, channels // 2 + 1), size=(count, 1))


def typical_deviation(x: Float32) -> Float32:
    """The median deviation (channel,) within windows x (n, time, channel) of channels calibrated by
    deviation, 0.1 to 1: a shift that a daily cycle would hide over days is large within hours."""
    found: Float32 = np.clip(np.median(x.std(axis=1), axis=0), 0.1, 1).astype(np.float32)
    return found


def usual_gap(silent: Bool) -> int:
    """The length in steps that 19 of 20 gaps of windows do not exceed; 0 without any. `silent`:
    bool (window, time), whether a step has no reading."""
    edges = np.diff(np.pad(silent, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lengths = np.nonzero(edges < 0)[1] - np.nonzero(edges > 0)[1]
    return int(np.quantile(lengths, 0.95)) if len(lengths) else 0


def kinds_of(config: InjectionConfig) -> list[str]:
    """The kinds that a configuration names; all where it names none. Raises UsageError: an unknown
    one."""
    named = (config.kinds or " ".join(OPERATIONS)).split()
    if unknown := [one for one in named if one not in OPERATIONS]:
        what = f"training.injection.kinds: unknown kind {unknown[0]!r}"
        raise UsageError(what, f"there are {', '.join(OPERATIONS)}")
    return named
