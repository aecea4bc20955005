"""How far the time of each source has come, whatever a single wrong time stamp says."""

from __future__ import annotations

from collections.abc import Sequence

AGREEING = 3
"""Messages in a row that must name a far-off time before a source's clock goes there."""

NEVER = -(1 << 62)
"""Microseconds: before all times, and far enough from the end of int64 to be subtracted."""

LONGEST_NAME = 1024
"""Characters of a source's name."""


class Clocks:
    """Sources by number.

    Args:
        far: microseconds; a clock that moves by more than this, ahead or back, has jumped.

    Attributes:
        now: microseconds of each source's clock; NEVER before its first message.
        due: microseconds; before that no device of the source can have missed a step. A lower
        bound.
    """

    def __init__(self, far: int) -> None:
        self.names: list[str] = []
        self.now: list[int] = []
        self.due: list[int] = []
        self._numbers: dict[str, int] = {}
        self._far = far
        self._candidates: list[
            tuple[int, int]
        ] = []  # a far-off time, and how many messages in a row agreed on it

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int | None:
        """Of a source that is known."""
        return self._numbers.get(name)

    def add(self, name: str, now: int = NEVER, candidate: tuple[int, int] = (NEVER, 0)) -> int:
        """A new source's number."""
        number = self._numbers[name] = len(self.names)
        self.names.append(name)
        self.now.append(now)
        self.due.append(NEVER)
        self._candidates.append(candidate)
        return number

    def jumps(self, number: int, time: int) -> bool:
        """Whether this time, the next of the source, takes its clock far off because the messages
        before agree."""
        before, agreed = self._candidates[number]
        return (
            agreed == AGREEING - 1
            and self._is_far(number, time)
            and abs(time - before) <= self._far
        )

    def advance(self, number: int, time: int) -> None:
        """Move a source's clock: ahead, or after a jump to wherever it is."""
        if not self._is_far(number, time):
            self.now[number] = max(self.now[number], time)
            self._candidates[number] = (NEVER, 0)
        elif self.jumps(number, time):
            self.now[number] = time
            self._candidates[number] = (NEVER, 0)
        else:
            before, agreed = self._candidates[number]
            self._candidates[number] = (
                time,
                agreed + 1 if agreed and abs(time - before) <= self._far else 1,
            )

    def _is_far(self, number: int, time: int) -> bool:
        now = self.now[number]
        return now != NEVER and abs(time - now) > self._far

    def state(self) -> list[tuple[str, int, int, int]]:
        """What `restore` needs."""
        return [
            (name, now, *candidate)
            for name, now, candidate in zip(self.names, self.now, self._candidates, strict=True)
        ]

    def restore(self, state: Sequence[tuple[str, int, int, int]]) -> None:
        """Know these sources and no others."""
        self.names, self.now, self.due, self._numbers, self._candidates = [], [], [], {}, []
        for name, now, far, agreed in state:
            self.add(name, now, (far, agreed))

    def keep(self, wanted: set[int]) -> dict[int, int]:
        """Forget all other sources. Returns: old number → new number."""
        kept = [(number, state) for number, state in enumerate(self.state()) if number in wanted]
        self.restore([state for _, state in kept])
        return {number: new for new, (number, _) in enumerate(kept)}
