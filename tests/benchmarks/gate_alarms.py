"""How often the statistical part of the gate cries wolf: a program in which nothing changed but
what chance decides.

    python -m tests.benchmarks.gate_alarms [--redraw N] [--draws N] [--experiments a,b]

With `--redraw N` every run of the smoke sweep is trained with N other seeds of weights, shuffling
and dropout, in the same worlds and splits; printed is how far a world's metric moves from the
committed baseline's, as root mean square (what `SPREAD` keeps). Without, differences of eight
worlds are drawn from normal distributions of these spreads and judged as the gate judges them. The
sum of all rates bounds the chance that a check raises any false alarm, however the comparisons
depend on each other.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalynet.regression.baseline import DEFAULTS, RunMetrics, read_baseline
from anomalynet.regression.finding import REGRESSION
from anomalynet.regression.statistical import LEVEL, compare
from anomalynet.reporting.ablation.contrasts import sign_flip_p

WORLDS = 8
AP, AUROC = "test/average_precision", "test/auroc"
F1, ALARMS = "test/f1_attack", "test/false_alarms_per_device_day"
SPREAD: dict[str, dict[str, float]] = {
    "cnn": {AP: 0.0392, AUROC: 0.0272, F1: 0.0398, ALARMS: 13},
    "lstm": {AP: 0.0183, AUROC: 0.0144, F1: 0.03, ALARMS: 4.59},
    "cnn_lstm": {AP: 0.02, AUROC: 0.017, F1: 0.0186, ALARMS: 10.4},
    "hybrid": {AP: 0.0153, AUROC: 0.0229, F1: 0.0223, ALARMS: 8.96},
    "autoencoder": {AP: 0.00177, AUROC: 0.00242, F1: 0.0126, ALARMS: 4.24},
    "logistic": {AP: 0, AUROC: 0, F1: 0, ALARMS: 0},
    "random_forest": {AP: 0.0118, AUROC: 0.00163, F1: 0.0164, ALARMS: 6.47},
}
"""Experiment → metric → root mean square of a world's difference; from four to six pairs each, so
that none is exact."""


def rate(metric: str, spread: float, tolerance: float, draws: int) -> float:
    """Share of `draws` simulated checks without any change, the same every time, in which this
    comparison is a regression; `spread` is the deviation of a world's difference."""
    differences = np.random.default_rng(0).normal(0, spread, (draws, WORLDS))
    alarms = 0
    for own in differences[np.abs(differences.mean(axis=1)) > tolerance]:
        if sign_flip_p(own) < LEVEL:  # asked here first because an interval is dear
            before = [RunMetrics(world, 0, world, {metric: 0.0}) for world in range(WORLDS)]
            moved = enumerate(own.tolist())
            now = [RunMetrics(world, 0, world, {metric: value}) for world, value in moved]
            alarms += compare("", metric, before, now, tolerance).verdict == REGRESSION
    return alarms / draws


def rates(
    draws: int, tolerances: dict[str, float] = DEFAULTS.metrics
) -> dict[tuple[str, str], float]:
    """(experiment, metric) → its rate of false alarms."""
    return {
        (name, metric): rate(metric, SPREAD[name][metric], tolerance, draws)
        for name in SPREAD
        for metric, tolerance in tolerances.items()
    }


def redraw(count: int, experiments: list[str]) -> None:
    """Train with other seeds and print the spread."""
    from anomalynet.cli.main import main as anomalynet
    from anomalynet.training import run
    from tests.regression.training import in_process

    committed = read_baseline(Path("reports/baseline.json"))
    before = committed.environments[committed.history[-1].environment].statistical
    found: dict[tuple[str, str], list[float]] = {}
    real = run._fit
    for number in range(1, count + 1):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            in_process(patch)

            def fit(config: Any, *rest: Any, shift: int = 100 * number) -> Any:
                return real(replace(config, seed=config.seed + shift), *rest)

            patch.setattr(run, "_fit", fit)
            path = Path(folder) / "redrawn.json"
            command = ["check", "--slots", "1", "--only", "statistical", "--against", str(path)]
            command += ["--update", "redrawn", "--experiments", ",".join(experiments)]
            assert anomalynet(command) == 0
            (now,) = read_baseline(path).environments.values()
        for name in experiments:
            old = {one.world: one.metrics for one in before[name].runs}
            for one in now.statistical[name].runs:
                for metric, value in one.metrics.items():
                    moved = (value or 0.0) - (old[one.world][metric] or 0.0)
                    found.setdefault((name, metric), []).append(moved)
    for (name, metric), values in found.items():
        spread = math.sqrt(math.fsum(value * value for value in values) / len(values))
        print(
            f"{name:<16}{metric:<28}{spread:.4f} over {len(values)} pairs, mean "
            f"{math.fsum(values) / len(values):+.4f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--redraw", type=int, default=0)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--experiments", default=",".join(SPREAD))
    args = parser.parse_args()
    if args.redraw:
        redraw(args.redraw, args.experiments.split(","))
        return
    found = rates(args.draws)
    for (name, metric), share in found.items():
        print(f"{name:<16}{metric:<28}{share:.4f}")
    bare = max(rate(metric, 1.0, 0.0, args.draws) for metric in DEFAULTS.metrics)
    print(f"without tolerance {bare:.4f} a comparison; with it at most {max(found.values()):.4f}")
    print(f"a check of {len(found)} comparisons: at most {sum(found.values()):.4f}")


if __name__ == "__main__":
    main()
