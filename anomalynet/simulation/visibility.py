"""How visible incidents are: each slot of a cell beside the same slot of its twin, the same cell
simulated without incidents. What is equal in both, no model can detect."""

from __future__ import annotations

import numpy as np
import polars as pl

from anomalynet.simulation.records import Float64

MISSING = "missing"  # stands for a slot that is silent in one world and not in the other


def visibility(happened: pl.DataFrame, twin: pl.DataFrame) -> pl.DataFrame:
    """How far each slot is from its twin, in ordinary deviations of the twin.

    The ordinary deviation of a channel is 1.4826 × the median absolute difference between
    neighbouring readings of a node, over √2: the noise that a reading has from one slot to the
    next. A channel that rarely changes has the standard deviation of these differences; one that
    never does has 1. A slot that is silent in one world alone differs by 1 / √(p(1 - p)), p the
    share of silent slots of the twin.

    Args:
        happened, twin: telemetry of a cell, with equal rows of series and time.
    Returns: a row for each of theirs: `deviation`, Float32, the largest over the channels, 0 where
    both are equal; `channel`, the name of the one that has it, null where both are equal.
    Source: not in the paper
    """
    channels = [name for name, kind in twin.schema.items() if kind == pl.Float32]
    first, second = (
        table.select(channels).fill_null(np.nan).to_numpy().astype(np.float64)
        for table in (happened, twin)
    )
    series = twin["series"].rle_id().to_numpy()
    same = series[1:] == series[:-1]
    away = np.abs(first - second) / _ordinary(np.diff(second, axis=0)[same])
    away[np.isnan(away)] = 0.0
    silent = [np.isnan(table).any(axis=1) for table in (first, second)]
    share = np.clip(silent[1].mean(), 1 / len(twin), 0.5)
    missing = (silent[0] != silent[1]) / np.sqrt(share * (1 - share))
    every = np.column_stack([away, missing])
    largest = every.max(axis=1)
    names = pl.Series([*channels, MISSING]).gather(every.argmax(axis=1))
    return pl.DataFrame({"deviation": largest, "channel": names}).select(
        pl.col("deviation").cast(pl.Float32),
        pl.when(pl.col("deviation") > 0).then("channel").alias("channel"),
    )


def _ordinary(steps: Float64) -> Float64:
    """Ordinary deviation of each channel, from differences of neighbouring slots (n, channel)."""
    found = np.ones(steps.shape[1])
    for place, column in enumerate(steps.T):
        known = column[np.isfinite(column)]
        if len(known):
            robust = 1.4826 * float(np.median(np.abs(known))) / np.sqrt(2)
            found[place] = robust or float(known.std()) or 1.0
    return found
