"""When scores become an alarm, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass

from anomalynet.errors import UsageError

LONGEST = 63
"""Most steps that a rule looks back: the answers stand in the bits of one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """A scored step is a hit where its score is at or above the threshold; steps of a silent device are scored, too.

    An alarm is raised at a hit that makes `k` hits among the last `n` scored steps of the segment, unless one stands or its cool-down
    runs. It is cleared at the `n`-th scored step in a row below `clear` × threshold, or where the segment ends. With the defaults an
    alarm is a run of hits.

    Attributes:
        threshold: None: the contract's.
        clear: share of the threshold, 0 … 1; 1 = no hysteresis. No other is possible for a threshold that is not above 0.
        cool_down: seconds after an alarm was cleared in which its device raises no other.
    """

    threshold: float | None = None
    clear: float = 1.0
    k: int = 1
    n: int = 1
    cool_down: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= LONGEST:
            raise UsageError(f"{self.k} of {self.n} steps make no alarm", f"1 <= k <= n <= {LONGEST}")
        if not 0 < self.clear <= 1:
            raise UsageError(f"an alarm cannot clear at {self.clear:g} times the threshold", "a share above 0, at most 1")
        if not 0 <= self.cool_down < float("inf"):
            raise UsageError(f"a cool-down of {self.cool_down:g} seconds is none", "0 or more")

    def resolved(self, threshold: float) -> tuple[float, float]:
        """The threshold, and the score below which a step is quiet.

        Args:
            threshold: the contract's.

        Raises: UsageError if the threshold is no number, or hysteresis has no meaning.
        """
        found = threshold if self.threshold is None else self.threshold
        if found != found:
            raise UsageError("the threshold is no number")
        if self.clear == 1:
            return found, found
        if found <= 0:
            raise UsageError(f"the threshold is {found:g}, and a share of it is no lower score", "leave `clear` at 1")
        return found, self.clear * found
