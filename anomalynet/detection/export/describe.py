"""Makes the contract of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from anomalynet.data import sources
from anomalynet.data.prepared import Float32, Float64, Prepared
from anomalynet.data.sources import simulated
from anomalynet.detection.contract import Contract, Reference, Sensor
from anomalynet.runs.files import read_json
from anomalynet.training.finished import FinishedRun

LICENCE = "Apache-2.0"  # of the exported file, as of the program
MARGIN = 1e-6  # largest decrease of the threshold; relative for thresholds above 1

ROWS = 100_000  # most training steps, evenly spaced, for the reference quantiles of a channel


def contract(
    run: FinishedRun,
    form: Literal["window", "step", "statistics"],
    outputs: tuple[str, ...],
    carried: Mapping[str, tuple[int, ...]] | None = None,
    width: int = 0,
) -> Contract:
    """The contract of a run's `float32` file.

    Args:
        outputs: names of the graph's outputs.
        carried, width: shapes of the state, for the form `step`.

    Raises DataError: the run's data is missing.
    """
    config, result, prepared = run.config, run.result, run.data.prepared
    data, quality = config.data, config.data.quality
    axis: Literal["time", "channel"] = getattr(config.model, "attention_axis", "time")
    return Contract(
        run=result.id,
        experiment=result.experiment,
        model=Path(result.model).stem,
        data=result.data,
        fingerprint=result.fingerprint,
        code=str(read_json(run.folder.environment).get("code", "")),
        seed=result.seed,
        split=result.split,
        licence=LICENCE,
        form=form,
        sensors=tuple(Sensor(**asdict(channel)) for channel in sources.load(data).channels),
        mask=prepared.mask is not None,
        window=data.window,
        period=prepared.period,
        periods=prepared.periods,
        max_gap=data.max_gap,
        breaks=not simulated.knows(data.name),
        hold=data.max_gap if quality.impute == "hold" else 0,
        calibration_rows=data.calibration_rows,
        calibration=data.calibration,
        clip=data.clip if data.calibration_rows and data.calibration == "deviation" else None,
        range_check=quality.range_check,
        outliers=quality.outliers,
        hampel_window=quality.hampel_window,
        hampel_threshold=quality.hampel_threshold,
        threshold=threshold(run),
        threshold_rule=result.threshold_rule,
        probability=result.probability,
        outputs=outputs,
        attention_axis=axis if "attention" in outputs else None,
        carried=carried or {},
        width=width,
        metrics=result.metrics,
        warnings=tuple(dict.fromkeys((*prepared.warnings, *result.warnings))),
        reference=_reference(run, prepared),
        table=sources.table_format(data),
    )


def threshold(run: FinishedRun) -> float:
    """The run's threshold, slightly lower, because some rules choose a score as threshold, and the
    graph computes scores with an error of about 1e-7. It stays above the middle to the next smaller
    validation score, so that no other validation score becomes an alarm."""
    limit, scores = run.result.threshold, _validation(run)
    below = float(np.max(scores[scores < limit], initial=-np.inf))
    return limit - min((limit - below) / 2, MARGIN * max(1.0, abs(limit)))


def _validation(run: FinishedRun) -> Float64:
    """The stored scores of the validation part, float64 (window,)."""
    return run.scores.filter(run.scores["split"] == "validation")["score"].drop_nulls().to_numpy()


def _reference(run: FinishedRun, prepared: Prepared) -> Reference:
    validation = _validation(run)
    rows = run.data.windows("train").ranges.merged().rows()
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), ROWS)).astype(np.int64)]
    names = [channel.name for channel in prepared.channels]
    values = prepared.values[rows]
    return Reference(
        scores=_quantiles(validation) if len(validation) else (),
        channels={name: _quantiles(values[:, position]) for position, name in enumerate(names)},
    )


def _quantiles(values: Float32 | Float64) -> tuple[float, ...]:
    return tuple(np.quantile(values.astype(np.float64), np.linspace(0, 1, 101)).tolist())
