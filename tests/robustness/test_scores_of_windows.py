"""`run.score` scores windows as the run read them, or says in one message why it does not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from anomalynet.errors import UsageError
from tests.training.small import shared


@pytest.mark.parametrize("model", ["hybrid", "logistic"])
def test_a_window_scores_alike_however_it_lies_in_memory(model: str) -> None:
    run = shared(model).open()
    steps, channels = run.detector.shape
    x = np.random.default_rng(0).normal(size=(3, steps, channels)).astype(np.float32)
    expected = run.score(x)
    assert expected.shape == (3,)
    still = x.copy()
    still.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for same in (x[::-1][::-1], np.asfortranarray(x), still):
            assert np.array_equal(run.score(same), expected)
        assert run.score(x[::-1]) == pytest.approx(expected[::-1], rel=1e-5)
        assert run.score(x[:0]).shape == (0,)


@pytest.mark.parametrize("model", ["hybrid", "logistic"])
def test_what_is_no_window_of_the_run_is_refused(model: str) -> None:
    run = shared(model).open()
    x = np.zeros((2, *run.detector.shape), np.float32)
    hole = x.copy()
    hole[1, 3, 0] = np.nan
    wrong: list[tuple[Any, str]] = [
        (hole, "window 1 holds a value that is not finite"),
        (np.where(np.isnan(hole), np.inf, hole).astype(np.float32), "window 1 holds"),
        (np.ma.masked_invalid(hole), "MaskedArray"),
        (x.astype(">f4"), ">f4"),
        (x.astype(np.float64), "float64"),
        (x[:, 1:], "not numpy.ndarray float32"),
        (x[0], "not numpy.ndarray float32"),
        (x.tolist(), "not builtins.list"),
        (None, "not builtins.NoneType"),
    ]
    for array, message in wrong:
        with pytest.raises(UsageError, match=message):
            run.score(array)
