"""A sweep on a Ray cluster of two nodes on one machine, one of which is killed while a run is under
way on it.

A program of its own, so that the test can start it in an empty network namespace. Prints what it
saw as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from anomalynet.sweep import cluster as ours
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.plan import plan
from anomalynet.sweep.runner import launcher
from tests.training.small import SHORT

SWEEP = "experiments: [hybrid, logistic]\nseeds: [0]\nfolds: [0, 1, 2]\n"
OVERRIDES = [
    *(text for text in SHORT if not text.startswith(("model.", "training."))),
    "training.epochs=12",
    "training.patience=12",
]
ADDRESS = "127.0.0.2"
"""Ray binds the machine's own address, and a driver cannot connect to 127.0.0.1."""


def main(folder: Path) -> None:
    """Sweep on two nodes, each with folders of its own, and kill the first one where a run has come
    home with an epoch."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "node_ip_address": ADDRESS, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    places = [folder / "node0", folder / "node1"]
    nodes = []
    for place in places:
        own = {"ANOMALYNET_RAY_RUNS": str(place / "runs"), "ANOMALYNET_DATA": str(place / "data")}
        nodes.append(cluster.add_node(num_cpus=1, node_ip_address=ADDRESS, env_vars=own))
    os.environ["RAY_ADDRESS"] = cluster.address
    ours.POLL = 0.1
    jobs = jobs_of(plan(read_sweep(str(folder / "mine.yaml"), "quick"), OVERRIDES), folder / "runs")
    used: set[str] = set()
    seen = {"running": False, "epochs": 0}
    removed: list[int] = []
    said: list[str] = []

    def watch() -> None:
        under_way = {}
        for number, place in enumerate(places):
            for run in place.glob("runs/*/runs/hybrid/*"):
                under_way[run.name] = number
                used.add(place.name)
        for job in jobs:
            name, epochs = job.folder.path.name, len(job.folder.read_progress())
            trained = job.state == "running" and epochs and name in under_way
            if trained and not removed and len(used) == 2:
                seen.update(running=job.folder.running, epochs=epochs)
                removed.append(under_way[name])
                cluster.remove_node(nodes[removed[0]], allow_graceful=False)

    ray = ours.connect()
    slots = ours.ray_slots(ray, None, jobs[0].run.loaded.config.hardware)
    with launcher(slots, "two nodes", "ray", said.append) as launch:
        launch.run(jobs, watch, interval=0.02)
    cluster.shutdown()
    facts = {"slots": len(slots), "nodes": sorted(used), "seen": seen, "said": said}
    counts = {name: [getattr(job, name) for job in jobs] for name in ("losses", "attempts")}
    print(json.dumps(facts | counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
