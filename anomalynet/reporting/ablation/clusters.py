"""Series that saw the same incident are no independent witnesses of it: they are one cluster.

Source: not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterable

SeriesKey = tuple[int | None, str]
"""(world, series): a name means another sensor in another world."""


def clusters(
    series: Iterable[SeriesKey], touched: Iterable[tuple[SeriesKey, int]]
) -> dict[SeriesKey, SeriesKey]:
    """Group series that share an incident, directly or through others.

    Args:
        series: every series; one that no incident touches is a cluster of its own.
        touched: (series, number of an incident that it saw); a number means the same incident only
        within a world.

    Returns:
        series → the first series of its cluster, in order of world and name.
    """
    parent = {one: one for one in series}

    def root(one: SeriesKey) -> SeriesKey:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    first: dict[tuple[int | None, int], SeriesKey] = {}
    for one, incident in touched:
        parent.setdefault(one, one)
        low, high = sorted(
            (root(one), root(first.setdefault((one[0], incident), one))), key=in_order
        )
        parent[high] = low
    return {one: root(one) for one in sorted(parent, key=in_order)}


def in_order(key: SeriesKey) -> tuple[int, str]:
    """Sorts series by world, then name."""
    world, name = key
    return -1 if world is None else world, name
