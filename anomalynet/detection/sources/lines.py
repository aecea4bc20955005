"""Chunks of bytes → lines, in bounded memory."""

from __future__ import annotations


class Lines:
    """Cuts chunks into lines.

    Args:
        longest: bytes of a line; of a longer one nothing is kept.

    Attributes:
        offset: bytes so far, those of a line that is only begun included.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._skipping = False
        self.offset = 0

    def feed(self, chunk: bytes) -> list[tuple[bytes | None, int]]:
        """The lines that this chunk completes: content without its line end (None: too long), and
        the offset behind it."""
        found: list[tuple[bytes | None, int]] = []
        at = 0
        while (end := chunk.find(b"\n", at)) >= 0:
            self._take(chunk[at:end])
            found.append(self._finish(1))
            at = end + 1
        self._take(chunk[at:])
        return found

    def rest(self) -> list[tuple[bytes | None, int]]:
        """A last line without a line end."""
        return [self._finish(0)] if self._begun or self._skipping else []

    def _take(self, part: bytes) -> None:
        self.offset += len(part)
        if not self._skipping:
            self._begun += part
            self._skipping = len(self._begun) > self._longest
        if self._skipping:
            self._begun.clear()

    def _finish(self, ending: int) -> tuple[bytes | None, int]:
        self.offset += ending
        line = None if self._skipping else bytes(self._begun).rstrip(b"\r")
        self._begun.clear()
        self._skipping = False
        return line, self.offset
