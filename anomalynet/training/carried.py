"""Scores of a network that carries its state: each segment is read once, from its start, as a detector in the field would read it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from anomalynet.data.windows import Windows
from anomalynet.models.hybrid_causal import HybridCausal

CHUNK = 4096
"""Steps read at once, over all segments together."""


def carried_scores(model: HybridCausal, windows: Windows) -> NDArray[np.float64]:
    """Scores (window,) of the steps on which windows end, with a state that began where the step's segment begins.

    A step of one part is scored with what came before it in its segment, whichever part that belongs to: readings, never labels.
    """
    ends = windows.ends()
    prepared = windows.prepared
    owner = np.searchsorted(prepared.segment_starts, ends, side="right") - 1
    touched, of = np.unique(owner, return_inverse=True)
    starts = prepared.segment_starts[touched]
    lengths = np.zeros(len(touched), np.int64)
    np.maximum.at(lengths, of, ends - starts[of] + 1)
    found = np.empty((len(touched), int(lengths.max(initial=0))))
    state, size = model.start(len(touched)), max(1, CHUNK // max(1, len(touched)))
    for first in range(0, found.shape[1], size):
        rows = starts[:, None] + np.arange(first, min(first + size, found.shape[1]))
        x = prepared.values[np.minimum(rows, starts[:, None] + lengths[:, None] - 1)]  # a segment that is over repeats its last step
        read, state = model.advance(torch.from_numpy(x).to(model.device), state)
        found[:, first : first + size] = read.double().cpu().numpy()
    scores: NDArray[np.float64] = found[of, ends - starts[of]]
    return scores
