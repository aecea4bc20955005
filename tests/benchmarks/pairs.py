"""How far one model's average precision is ahead of the others', and what averaging its scores with
theirs gives: the numbers of `reports/accuracy.md` that no report has.

    python -m tests.benchmarks.pairs RUNS EXPERIMENT

RUNS: a folder of runs on one data set, one arm of each experiment. Differences are means over
clusters with 95 % intervals, by the functions that the reports use.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from anomalynet.reporting.ablation.arms import by_series, run_key
from anomalynet.reporting.aggregate import aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.paper.claims.judge import gather
from anomalynet.runs.collect import RunRecord, load_results
from anomalynet.runs.scores import read_test_steps

METRIC = "average_precision"


def averaged(one: RunRecord, other: RunRecord) -> float:
    """Average precision of the mean of two runs' scores on the same test part."""
    left, right = (
        read_test_steps(each)
        .drop_nulls(["label", "score"])
        .select("series", "time", "label", "score")
        for each in (one, other)
    )
    both = left.join(right, on=["series", "time"], how="inner")
    mean = both.select((pl.col("score") + pl.col("score_right")) / 2).to_series()
    return float(average_precision_score(both["label"], mean))


def main() -> None:
    """Print a line per other experiment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("experiment")
    chosen = parser.parse_args()
    found = [arm for arm in arms(load_results(chosen.runs)) if arm.records]
    evidence = gather(aggregate(found, [by_series((METRIC,))]), (METRIC,))
    runs = {arm.name: {run_key(run): run for run in arm.records} for arm in found}
    print("other\tahead, points AP\tinterval\tp\tclusters\tAP of the averaged scores, by run")
    for name, own in runs.items():
        if name == chosen.experiment:
            continue
        one = evidence.contrast(chosen.experiment, name, METRIC)
        shared = sorted(key for key in own if key in runs[chosen.experiment])
        values = [averaged(runs[chosen.experiment][key], own[key]) for key in shared]
        mean, low, high = (f"{100 * value:.1f}" for value in (one.mean, one.low, one.high))
        each = " ".join(f"{100 * value:.1f}" for value in values)
        print(name, mean, f"{low} to {high}", f"{one.p:.4f}", one.clusters, each, sep="\t")
        print(f"\tmean of the runs: {100 * float(np.mean(values)):.1f}")


if __name__ == "__main__":
    main()
