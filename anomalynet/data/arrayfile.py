"""An `.npy` file that grows by appending, so that an array larger than memory can be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

HEADER = 128
"""Bytes before the rows."""

CHUNK = 1 << 16
"""Rows in memory at a time."""


class ArrayFile:
    """Writes rows to an `.npy` file whose number of rows is known only at the end.

    NumPy pads the header for a first axis that grows, so it is rewritten in place on closing.

    Args:
        path: the file; overwritten.
        dtype: of every row.
        width: columns of each row; None for a one-dimensional array.
    """

    def __init__(self, path: Path, dtype: str, width: int | None = None) -> None:
        self._file = path.open("wb")
        self._dtype = np.dtype(dtype)
        self._width = width
        self.rows = 0
        self._header()

    def _header(self) -> None:
        shape = (self.rows,) if self._width is None else (self.rows, self._width)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        )

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows at the end."""
        np.ascontiguousarray(rows, dtype=self._dtype).tofile(self._file)
        self.rows += len(rows)

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.flush()
            self._file.seek(0)
            self._header()
        self._file.close()


def read_rows(
    path: Path, width: int, rows: int = CHUNK
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Read a float32 file of `ArrayFile` in chunks, without mapping it: (first row, values (rows,
    width))."""
    with path.open("rb") as file:
        file.seek(HEADER)
        start = 0
        while len(values := np.fromfile(file, np.float32, rows * width)):
            yield start, values.reshape(-1, width)
            start += len(values) // width
