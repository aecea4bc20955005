"""Placeholder of the interface until the engine is merged."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """An alarm that opened or was cleared."""

    kind: str
    id: str
    device: str
    time: int
    score: float
    threshold: float
    channels: tuple[Any, ...] = ()
    steps: tuple[Any, ...] = ()

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))
