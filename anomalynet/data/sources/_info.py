"""What every source says of itself before anything is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A data set's papers: its licence, where it comes from, and what a reader of its numbers must
    know.

    Attributes:
        name: what `data.name` says.
        title: one line.
        licence: of the recordings, not of this program.
        url: the home of the recordings; empty where they are simulated.
        period: expected seconds between readings, None for events without a grid.
        subsets: parts that `data.subset` can name.
        needs_subset: whether one part must be named, because the parts do not share their channels.
        folders: folders below the root, tried in this order, that may hold the files.
        by_hand: how to get the files where nobody but their authors may hand them out; empty
        elsewhere. generated: simulated from the seed `data.world`; there are no files. warnings:
        true of every table made from this data.
    """

    name: str
    title: str
    licence: str
    url: str = ""
    period: float | None = None
    subsets: tuple[str, ...] = ()
    needs_subset: bool = False
    folders: tuple[str, ...] = (".",)
    by_hand: str = ""
    generated: bool = False
    warnings: tuple[str, ...] = ()
