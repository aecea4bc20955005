"""What laying recordings on their grid found out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from anomalynet.data.prepared import Int64


@dataclass
class Layout:
    """What laying found out: where series start, where segments end, and where each series'
    commissioning rows stand."""

    rows: int = 0
    observed: int = 0
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    """Rows at which a segment starts because a long silence precedes them."""
    laid: int = 0
    """Steps laid into gaps."""
    commissioning: list[Int64] = field(default_factory=list)
    """Rows of the first `calibration_rows` readings of every series, in order."""
    commissioned: dict[int, int] = field(default_factory=dict)
    """Series → row after its last commissioning row; absent where the series is too short."""
    commissioning_attacks: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    """Values that the quality stage dropped, by reason."""

    @property
    def edges(self) -> Int64:
        """Series starts and the end, int64 (series+1,)."""
        return np.array([*self.starts, self.rows], np.int64)
