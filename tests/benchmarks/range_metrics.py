"""Seconds and peak memory of every metric of detection over time, by the number of steps, one
process and one thread each.

    python tests/benchmarks/range_metrics.py [--steps 100000 300000 1000000] [--buffer 100]

One series with 10 % attack in ranges of about 100 steps and continuous scores. Peak memory is above
that of the inputs; seconds of the processor are what is left of a machine that others use too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

PREPARED = "labels, scores, alarms, stretch = inputs({steps})"
IMPORT = (
    "from tests.benchmarks.range_metrics import inputs; from anomalynet.reporting.range_metrics"
)
METRICS = {
    "VUS, every score a threshold": (".vus import vus", "vus(labels, scores, stretch, {buffer})"),
    "VUS, 250 thresholds": (".vus import vus", "vus(labels, scores, stretch, {buffer}, 250)"),
    "range-based": (".ranges import range_f1", "range_f1(labels, alarms, stretch)"),
    "affiliation": (".affiliation import affiliation", "affiliation(labels, alarms, stretch)"),
    "PA-F1, PA%K": (".ranges import adjusted", "adjusted(labels, alarms, stretch)"),
    "event recall at 14 budgets": (
        ".budget import event_recall_at_budgets",
        "event_recall_at_budgets(labels=labels, scores=scores, incidents=stretch, "
        "series=stretch, step_seconds=30.0, budgets=range(1, 15))",
    ),
    "delays": (
        ".budget import undetected; from anomalynet.metrics.events import detection_delays",
        "undetected(detection_delays(labels, alarms, stretch, stretch))",
    ),
}
SCRIPT = """
import resource, time
{load}{module}
{prepared}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started, busy = time.perf_counter(), time.process_time()
{call}
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(time.perf_counter() - started, time.process_time() - busy, (after - before) / 1024)
"""


def inputs(
    steps: int,
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Labels, scores, alarms, and one stretch."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(steps // 100 + 1) % 10 == 3, 100)[:steps].astype(np.int8)
    scores = random.normal(size=steps) + labels
    return labels, scores, scores > 1.5, np.zeros(steps, dtype=np.int64)


def main() -> None:
    """Print a line a metric and number of steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument(
        "--buffer", type=int, default=100, help="widest buffer of VUS, steps (default: 100)"
    )
    arguments = parser.parse_args()
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    print(f"{'metric':<30}{'steps':>10}{'seconds':>10}{'of CPU':>8}{'MiB':>8}{'bytes a step':>14}")
    for name, (module, call) in METRICS.items():
        for steps in arguments.steps:
            code = SCRIPT.format(
                load=IMPORT,
                module=module,
                prepared=PREPARED.format(steps=steps),
                call=call.format(buffer=arguments.buffer),
            )
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, **one_thread},
                capture_output=True,
                text=True,
                check=True,
            )
            seconds, busy, mebibytes = map(float, done.stdout.split())
            print(
                f"{name:<30}{steps:>10}{seconds:>10.2f}{busy:>8.2f}"
                f"{mebibytes:>8.0f}{mebibytes * 2**20 / steps:>14.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
