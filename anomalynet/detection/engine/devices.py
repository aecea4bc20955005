"""What is known of each device: one array a fact, one row a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.errors import UsageError

Array = npt.NDArray[Any]
FIRST = 64  # rows of a table that has any


class DamagedError(UsageError):
    """A saved state that cannot be restored."""


class Table:
    """Columns that grow together, by doubling. A column's array is another one after `grow`: ask
    for it anew, as `table["name"]`."""

    def __init__(self) -> None:
        self.rows = 0  # devices that are known
        self._arrays: dict[str, Array] = {}
        self._fills: dict[str, Any] = {}

    def add(
        self, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...] = (), fill: Any = 0
    ) -> None:
        """Declare a column; a new device has `fill` in it."""
        self._arrays[name], self._fills[name] = np.empty((0, *shape), dtype), fill

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def take(self, name: str, rows: Array) -> Array:
        """Some rows of a column, copied."""
        array = self._arrays[name]
        if len(rows) == 1:  # a slice costs a fifth
            return array[(row := int(rows[0])) : row + 1].copy()
        return array.take(rows, axis=0)

    def put(self, name: str, rows: Array, values: Array) -> None:
        """Overwrite some rows of a column."""
        if len(rows) == 1:
            self._arrays[name][int(rows[0])] = values[0]
        else:
            self._arrays[name][rows] = values

    def grow(self, rows: int) -> None:
        """Have `rows` devices."""
        self.rows = rows
        capacity = len(next(iter(self._arrays.values())))
        if rows <= capacity:
            return
        wanted = max(FIRST, 1 << (rows - 1).bit_length())
        for name, old in self._arrays.items():
            # zeros: pages that are never touched take no memory
            new = np.zeros((wanted, *old.shape[1:]), old.dtype)
            if self._fills[name] != 0:
                new[capacity:] = self._fills[name]
            new[:capacity] = old
            self._arrays[name] = new

    def snapshot(self) -> dict[str, Array]:
        """A copy of every column."""
        return {name: array[: self.rows].copy() for name, array in self._arrays.items()}

    def check(self, state: Mapping[str, Array], rows: int) -> None:
        """Raises DamagedError if these are not the columns of `rows` devices."""
        for name, array in self._arrays.items():
            found, shape = state.get(name), (rows, *array.shape[1:])
            if found is None or found.dtype != array.dtype or found.shape != shape:
                what = f"the saved state is damaged, or of another version: {name}"
                raise DamagedError(what, "start without it")

    def restore(self, state: Mapping[str, Array], rows: int) -> None:
        """Take over the columns that `check` approved of."""
        self._arrays = {name: array[:0] for name, array in self._arrays.items()}
        self.grow(rows)
        for name, array in self._arrays.items():
            array[:rows] = state[name]
