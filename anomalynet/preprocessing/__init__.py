"""What is done to readings before any model sees them: cleaning, the grid, holding, calibration.

There is one implementation, in NumPy. `data/prepare.py` feeds it recordings in chunks of rows;
`detection/engine/preparation.py` feeds it one step of many devices at a time. In both, the rows of
a series stand together, `lengths` says how many rows each series has, and what a series needs to
know of its earlier rows is passed in and returned. So the result does not depend on where the rows
are cut. Readings are float64 until their calibration is subtracted: float32 has seven digits, too
few for small changes of a large reading."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LARGEST = float(np.finfo(np.float32).max)
"""What networks read is float32: a reading beyond this is missing."""
