"""Counter-based random streams: what happens to a frame depends on (seed, cell, node, frame), never
on what happened before."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """The stream that belongs to a place in a world, such as `stream(seed, "cell", 3, "node", 7,
    "fading")`.

    Frame i of a stream of uniforms is row i of one draw of shape (frames, k): a world with an
    incident and one without it draw the same numbers for everything that both have.

    Source: not in the paper
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *path))).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
