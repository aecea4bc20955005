"""A sweep on a Ray cluster of two nodes on one machine, one of which is killed while a run is under way on it.

A program of its own, so that the test can start it in an empty network namespace. Prints what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.on_ray import RayCluster, connect, ray_slots
from anomalynet.sweep.plan import plan
from tests.training.small import SHORT

SWEEP = """
experiments: [cnn, logistic]
seeds: [0, 1]
folds: [0, 1]
"""
OVERRIDES = [*(text for text in SHORT if not text.startswith("model.")), "training.epochs=6"]
ADDRESS = "127.0.0.2"  # 127.0.0.1 hangs where a driver connects


def main(folder: Path) -> None:
    """Sweep on two nodes, and kill the first one whose folder shows an epoch."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "node_ip_address": ADDRESS, "include_dashboard": False})
    places = [folder / "node0", folder / "node1"]
    nodes = [
        cluster.add_node(
            num_cpus=1, node_ip_address=ADDRESS, env_vars={"ANOMALYNET_RAY_RUNS": str(place), "ANOMALYNET_DATA": str(place / "data")}
        )
        for place in places
    ]
    os.environ["RAY_ADDRESS"] = cluster.address
    jobs = jobs_of(plan(read_sweep(str(folder / "mine.yaml"), "quick"), OVERRIDES), folder / "runs")
    used: set[int] = set()
    removed: list[int] = []
    states: set[str] = set()
    epochs: list[int] = []
    began = time.monotonic()

    def watch() -> None:
        at_work = {
            number
            for number, place in enumerate(places)
            for path in place.glob("*/runs/cnn/*/progress.jsonl")
            if path.read_text().count("\n") >= 2
        }
        used.update(at_work)
        states.update(str((job.state, job.folder.running)) for job in jobs if job.state == "running")
        epochs.append(
            max(len(job.folder.read_progress()) for job in jobs if job.state == "running")
            if "running" in [job.state for job in jobs]
            else 0
        )
        if len(used) == 2 and at_work and not removed:
            removed.append(min(at_work))
            cluster.remove_node(nodes[removed[0]], allow_graceful=False)
            print("removed", removed, time.monotonic() - began, file=sys.stderr)

    ray = connect()
    slots = ray_slots(ray, None, jobs[0].run.loaded.config.hardware)
    print("connected", time.monotonic() - began, file=sys.stderr)
    with Launch(slots, hire=RayCluster(ray).hire) as launch:
        launch.run(jobs, watch, interval=0.05)
    print("done", time.monotonic() - began, file=sys.stderr)
    facts = {
        "slots": len(slots),
        "removed": removed,
        "states": {job.folder.path.name: job.state for job in jobs},
        "attempts": [job.attempts for job in jobs],
        "losses": [job.losses for job in jobs],
        "seconds": [job.seconds for job in jobs],
        "epochs": sorted(set(epochs)),
        "running": sorted(states),
    }
    print(json.dumps(facts))
    ray.shutdown()
    cluster.shutdown()
    print("end", time.monotonic() - began, file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
