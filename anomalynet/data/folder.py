"""The data folder: where fetched files, imported sets and the prepared cache live."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the data folder, `$ANOMALYNET_DATA` or `./data`; it need not exist yet.

    Fetched files stand in `<data folder>/<name>/`, imported sets in `<data folder>/<name>/` beside
    their `dataset.json`, simulated worlds in `<data folder>/simulated/`, windows ready for training
    in `<data folder>/prepared/`."""
    return Path(os.environ.get("ANOMALYNET_DATA") or "data")
