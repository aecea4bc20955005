"""Which simulated world data is, for data that has more than one."""

from __future__ import annotations

from anomalynet.config.schema import DataConfig
from anomalynet.data.sources import simulated


def world_of(config: DataConfig) -> int | None:
    """The seed of the world that is simulated for this data; None for recordings and folders of a
    world, of which there is one."""
    made_here = simulated.knows(config.name) and config.name != simulated.FOLDER
    return config.world if made_here else None
