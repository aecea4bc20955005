"""A network as a run traced it: `architecture.json` read and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalynet.errors import RunError
from anomalynet.runs.collect import MOVE_AWAY
from anomalynet.runs.folder import RunFolder

INPUT, OUTPUT = "input window", "score of the window"
"""Nodes that are no parts; names with a space, which no module can have."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a network.

    Attributes:
        name, kind: as in the module, `sequence.attention` of kind `Attention`.
        parameters: how many of its weights are trained.
        shapes: of what it returns, without the batch.
        layers: names of the torch layers within, in their order, each with how many there are.
    """

    name: str
    kind: str
    parameters: int
    shapes: tuple[tuple[int, ...], ...]
    layers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Parts in the order they compute, and which feeds which: (source, target), `INPUT` and
    `OUTPUT` among them."""

    steps: int
    channels: int
    parts: tuple[Part, ...]
    edges: tuple[tuple[str, str], ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Input, parts, output."""
        return (INPUT, *(part.name for part in self.parts), OUTPUT)

    @property
    def parameters(self) -> int:
        """Of all parts."""
        return sum(part.parameters for part in self.parts)

    def sources(self, node: str) -> tuple[str, ...]:
        """What feeds a node."""
        return tuple(source for source, target in self.edges if target == node)


def read_network(folder: Path) -> Network | None:
    """The network of a run; None where the run kept no graph: a model that is no network, or a run
    of an earlier version.

    Raises:
        RunError: the file is damaged.
    """
    path = RunFolder(folder).architecture
    try:
        return _network(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{path}: not the graph of a network: {error!r}"
        raise RunError(what, MOVE_AWAY) from None


def _network(raw: dict[str, Any]) -> Network:
    steps, channels = (int(size) for size in raw["input"])
    parts = tuple(_part(part) for part in raw["parts"])
    return Network(steps, channels, parts, tuple(_edges(raw, [part.name for part in parts])))


def _part(raw: dict[str, Any]) -> Part:
    layers = Counter(str(layer["layer"]).partition("(")[0] for layer in raw["layers"])
    shapes = tuple(tuple(int(size) for size in shape) for shape in raw["shapes"])
    return Part(
        str(raw["name"]), str(raw["kind"]), int(raw["parameters"]), shapes, tuple(layers.items())
    )


def _edges(raw: dict[str, Any], names: list[str]) -> Iterator[tuple[str, str]]:
    for target, sources in [
        *((part["name"], part["from"]) for part in raw["parts"]),
        (OUTPUT, raw["output"]),
    ]:
        for source in sources:
            if source != "input" and source not in names:
                raise ValueError(f"{target} comes from {source!r}, which is no part")
            yield (source if source in names else INPUT), target
