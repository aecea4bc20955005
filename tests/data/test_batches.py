"""Batches: every training window once an epoch over all ranks, and the global mean of the loss
exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.data import batches
from anomalynet.data.batches import Batch, OrderedBatches, TrainBatches
from anomalynet.data.ranges import Ranges
from anomalynet.data.windows import Windows
from tests.data.build import Recording, prepared

RANDOM = np.random.default_rng(0)
VALUES = [np.arange(80.0).tolist(), RANDOM.normal(size=80).tolist()]
ROWS = prepared([Recording("s", range(80), VALUES, RANDOM.choice([0, 1], 80).tolist())])
WINDOWS = Windows(ROWS, Ranges.of([(0, 33), (40, 80)]), 5)


def first_rows(found: list[Batch]) -> list[int]:
    """Channel a counts rows, so a window's first value names it; padding left out."""
    return [
        int(x[0, 0])
        for batch in found
        for x, weight in zip(batch.x, batch.weight, strict=True)
        if weight > 0
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 5),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([9, 1 << 20]),
)
def test_ranks_share_each_window_once_and_step_together(
    batch_size: int, world: int, seed: int, epoch: int, shuffled: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "SHUFFLED", shuffled)
        ranks = [
            list(TrainBatches(WINDOWS, batch_size, seed, lambda: epoch, rank, world))
            for rank in range(world)
        ]
        alone = list(TrainBatches(WINDOWS, batch_size, seed, lambda: epoch))
    assert sorted(row for found in ranks for row in first_rows(found)) == WINDOWS.starts().tolist()
    assert (
        {len(found) for found in ranks}
        == {len(alone)}
        == {len(TrainBatches(WINDOWS, batch_size, seed, lambda: epoch))}
    )
    for step, whole in enumerate(alone):
        shares = [found[step] for found in ranks]
        assert len({share.x.shape for share in shares}) == 1
        assert sorted(first_rows(shares)) == sorted(first_rows([whole]))
        assert torch.isclose(
            sum((share.weight.sum() for share in shares), torch.zeros(())) / world, torch.ones(())
        )
        assert torch.allclose(whole.weight, torch.full((len(whole.x),), 1 / len(whole.x)))


def test_averaged_rank_gradients_are_the_gradient_of_the_global_mean() -> None:
    weights = torch.randn(
        5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()

    def gradient(batch: Batch) -> torch.Tensor:
        losses = ((batch.x.double() * weights).sum((1, 2)) / 100 - batch.target) ** 2
        return torch.autograd.grad((batch.weight.double() * losses).sum(), weights)[0]

    for world in (2, 3):
        ranks = [TrainBatches(WINDOWS, 16, 0, lambda: 0, rank, world) for rank in range(world)]
        for whole, *shares in zip(TrainBatches(WINDOWS, 16, 0, lambda: 0), *ranks, strict=True):
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
    def order(seed: int, epoch: int) -> list[int]:
        return first_rows(list(TrainBatches(WINDOWS, 16, seed, lambda: epoch)))

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_ordered_batches_are_all_windows_in_row_order() -> None:
    found = list(OrderedBatches(WINDOWS, 10))
    assert first_rows(found) == WINDOWS.starts().tolist()
    assert len(found) == len(OrderedBatches(WINDOWS, 10))
    assert found[0].x.dtype == torch.float32
    assert found[0].target.dtype == torch.int64
