"""Batches: each training window once an epoch over all ranks; the loss's global mean exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.data import batches
from anomalynet.data.batches import Batch, OrderedBatches, TrainBatches
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.windows import Windows
from tests.data.build import Recording, prepared

RANDOM = np.random.default_rng(0)
VALUES = [np.arange(80.0).tolist(), RANDOM.normal(size=80).tolist()]
ROWS = prepared([Recording("s", range(80), VALUES, RANDOM.choice([0, 1], 80).tolist())])
WINDOWS = Windows(ROWS, Ranges.of([(0, 33), (40, 80)]), 5)
SEEDS = st.integers(0, 3)


def first_rows(found: list[Batch]) -> list[int]:
    """Channel a counts rows, so a window's first value names it; padding left out."""
    return [int(first) for one in found for first in one.x[one.weight > 0][:, 0, 0]]


def per_rank(world: int, size: int = 16, seed: int = 0, epoch: int = 0) -> list[list[Batch]]:
    return [
        list(TrainBatches(WINDOWS, size, seed, lambda: epoch, rank, world)) for rank in range(world)
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.integers(1, 5), SEEDS, SEEDS, st.sampled_from([9, 1 << 20]))
def test_ranks_share_each_window_once_and_step_together(
    size: int, world: int, seed: int, epoch: int, shuffled: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "SHUFFLED", shuffled)
        ranks = per_rank(world, size, seed, epoch)
        (alone,) = per_rank(1, size, seed, epoch)
    assert sorted(row for found in ranks for row in first_rows(found)) == WINDOWS.starts().tolist()
    lengths = {len(found) for found in (*ranks, alone)}
    assert lengths == {len(TrainBatches(WINDOWS, size, seed, lambda: epoch))}
    for step, whole in enumerate(alone):
        shares = [found[step] for found in ranks]
        assert len({share.x.shape for share in shares}) == 1
        assert sorted(first_rows(shares)) == sorted(first_rows([whole]))
        assert torch.cat([share.weight for share in shares]).sum().item() == pytest.approx(world)
        assert torch.allclose(whole.weight, torch.full((len(whole.x),), 1 / len(whole.x)))


def test_batches_gathered_on_a_device_are_those_gathered_in_memory() -> None:
    there = list(TrainBatches(WINDOWS, 16, 1, lambda: 2, device=torch.device("cpu")))
    here = list(TrainBatches(WINDOWS, 16, 1, lambda: 2))
    assert len(there) == len(here)
    for one, other in zip(there, here, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_averaged_rank_gradients_are_the_gradient_of_the_global_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(5, 3, dtype=torch.float64, generator=generator).requires_grad_()

    def gradient(batch: Batch) -> torch.Tensor:
        losses = ((batch.x.double() * weights).sum((1, 2)) / 100 - batch.target) ** 2
        return torch.autograd.grad((batch.weight.double() * losses).sum(), weights)[0]

    for world in (2, 3):
        for whole, *shares in zip(*per_rank(1), *per_rank(world), strict=True):
            averaged = torch.stack([gradient(share) for share in shares]).mean(0)
            assert torch.allclose(averaged, gradient(whole), rtol=1e-6)


def test_batches_equal_naive_slicing_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(TrainBatches(WINDOWS, 16, 1, lambda: 2))
    for batch in whole:
        for x, target in zip(batch.x.numpy(), batch.target.tolist(), strict=True):
            first = int(x[0, 0])
            assert np.array_equal(x, ROWS.values[first : first + 5])
            assert target == ROWS.labels[first + 4]
    monkeypatch.setattr(batches, "CHUNK_BYTES", 4 * 5 * 3 * 16)
    pieces = list(TrainBatches(WINDOWS, 16, 1, lambda: 2))
    assert all(torch.equal(one.x, other.x) for one, other in zip(whole, pieces, strict=True))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    drawn = [(0, 0), (0, 0), (0, 1), (1, 0), (1, 1)]
    orders = [tuple(first_rows(per_rank(1, 16, seed, epoch)[0])) for seed, epoch in drawn]
    assert orders[0] == orders[1] and len(set(orders)) == 4


def test_ordered_batches_are_all_windows_in_row_order() -> None:
    found = list(OrderedBatches(WINDOWS, 10))
    assert first_rows(found) == WINDOWS.starts().tolist()
    assert len(found) == len(OrderedBatches(WINDOWS, 10))
    assert (found[0].x.dtype, found[0].target.dtype) == (torch.float32, torch.int64)
