"""All devices of one model: messages in, steps and events out. No wall clock and no I/O: the same messages give the same outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from anomalynet.detection.alarms import AlarmRule
from anomalynet.detection.model import Model
from anomalynet.detection.readings import Message
from anomalynet.detection.steps import Array, Outcome


class Engine:
    """Devices, from their first reading on.

    Args:
        max_devices: further ones are refused and counted.
        allowed: the devices that may be; None: any.
        lateness: seconds that a source's readings may come after its clock has passed them.

    Attributes:
        counts: readings that were refused, by kind.
        names: of the devices, by number.
    """

    def __init__(
        self,
        model: Model,
        rule: AlarmRule,
        *,
        max_devices: int = 100_000,
        allowed: Collection[str] | None = None,
        lateness: float = 0.0,
    ) -> None:
        self.model, self.contract, self.rule = model, model.contract, rule
        self.counts: dict[str, int] = {}
        self.names: list[str] = []

    def process(self, messages: Sequence[Message]) -> Outcome:
        """Everything that these messages make certain."""
        raise NotImplementedError

    def finish(self) -> Outcome:
        """Nothing more comes: what lateness held back."""
        raise NotImplementedError

    def states(self) -> dict[str, int]:
        """Devices by state: calibrating, filling, scoring, silent, alarm."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Array]:
        """All state in arrays that `np.savez` writes and `np.load(allow_pickle=False)` reads."""
        raise NotImplementedError

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a snapshot."""
        raise NotImplementedError
