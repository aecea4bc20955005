"""Prepares readings for models: cleaning, resampling to a grid, holding values, calibration.

There is one implementation, in NumPy. `data/prepare.py` calls it with chunks of rows of recordings;
`detection/engine/preparation.py` calls it with one step of many devices at a time. In both, the
rows of a series are contiguous, `lengths` is the number of rows of each series, and the state that
a series needs from its earlier rows is passed in and returned. So the result does not depend on
where the rows are cut. Readings are float64 until their calibration is subtracted, because the
seven digits of float32 are too few for small changes of a large reading."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
LARGEST = float(np.finfo(np.float32).max)
"""The inputs of networks are float32, so a reading beyond this is missing."""
