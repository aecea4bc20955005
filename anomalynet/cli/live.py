"""A table that is drawn again and again while work goes on: on a terminal's stderr, and nowhere
else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.table import Table


class LiveTable:
    """What progress displays share; use as a context manager. `live` says whether there is a
    terminal to draw on."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self.live:
            from rich.console import Console
            from rich.live import Live

            self._table = Live(console=Console(stderr=True), refresh_per_second=4)
            self._table.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self._table.stop()

    def redraw(self, table: Table) -> None:
        """Show this table in place of the last one."""
        self._table.update(table)
