"""A file that only grows at its end: a write that fails leaves it as it was."""

from __future__ import annotations

import os
from pathlib import Path

from anomalynet.errors import RunError


class Appended:
    """An open file.

    Args:
        path: made if it is not there.
        told: name of the file in errors, where it is another one.
        empty: begin without what the file holds.

    Attributes:
        size: bytes; what is behind them is overwritten.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, told: Path | None = None, empty: bool = False) -> None:
        self.path, self._told = path, told or path
        self._file = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if empty else 0), 0o644
        )
        self.size = os.fstat(self._file).st_size

    def append(self, content: bytes, sync: bool = False) -> None:
        """Write at the end; `sync`: and wait for the disk.

        Raises:
            RunError: it could not be written whole; the file is as before.
        """
        try:
            if os.pwrite(self._file, content, self.size) < len(content):
                raise OSError("not written whole")
            if sync:
                os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self.size)
            raise self._failed(error) from None
        self.size += len(content)

    def end(self, length: int) -> bytes:
        """The last bytes, at most `length`."""
        return os.pread(self._file, length, max(0, self.size - length))

    def cut(self, size: int) -> None:
        """Drop what is behind this size."""
        os.ftruncate(self._file, size)
        self.size = size

    def sync(self) -> None:
        """Wait until content and name are on the disk.

        Raises:
            RunError: the disk fails.
        """
        try:
            os.fsync(self._file)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _failed(self, error: OSError) -> RunError:
        return RunError(
            f"{self._told}: {error.strerror or error}", "make room; the same command continues"
        )


def sync_folder(folder: Path) -> None:
    """Make names that changed in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
