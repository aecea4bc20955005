"""Which simulated world data is, for data that has more than one."""

from __future__ import annotations

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.errors import DataError


def world_of(config: DataConfig) -> int | None:
    """The seed of the world that is generated for this data; None for recordings, of which there is one."""
    try:
        generated = sources.info(config.name).generated
    except DataError:
        return None  # a set imported into another folder, which only data.root names
    return config.world if generated else None
