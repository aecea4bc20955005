"""Estimates the time for a sweep's unfinished runs from the durations of finished ones, and what
its tests can show at best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.config.check import value_of
from anomalynet.config.leaves import read_yaml
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import seconds_of
from anomalynet.sweep.jobs import Job


@dataclass(frozen=True, slots=True)
class Cost:
    """Mean duration of an experiment's finished runs."""

    seconds: float  # per epoch, or per run if the model has no epochs
    epochs: bool  # whether `seconds` is per epoch


WORK_KEYS: tuple[str, ...] = (
    "data.scenario",
    "data.window",
    "data.stride",
    "data.view",
    "training.batch_size",
)
WORK_KEYS += ("data.worlds", "training.windows_per_epoch")
"""Keys that change how much work an epoch is, on the same data set."""
MAX_RUNS = 5  # runs per experiment that are read


def read_costs(runs: Path, jobs: Sequence[Job]) -> dict[str, Cost]:
    """The cost of each experiment with finished runs on the same data and epochs as large."""
    costs = {}
    for name, job in {job.run.loaded.name: job for job in jobs}.items():
        config = job.run.loaded.config
        work = [value_of(config, key) for key in WORK_KEYS]
        seconds: list[float] = []
        for path in sorted((runs / name).glob("*/result.json")):
            folder, result = RunFolder(path.parent), read_json(path)
            spent = seconds_of(folder)
            if result.get("data") != config.data.title or spent is None or _work(folder) != work:
                continue
            epochs = result.get("epochs")
            if epochs is not None and type(epochs) is not int:
                continue  # damaged
            seconds.append(spent / (epochs or 1))
            costs[name] = Cost(sum(seconds) / len(seconds), epochs is not None)
            if len(seconds) == MAX_RUNS:
                break
    return costs


def _work(folder: RunFolder) -> list[object]:
    flat = {leaf.key: leaf.value for leaf in read_yaml(folder.config)}
    return [flat.get(key) for key in WORK_KEYS]


def unfinished_jobs(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that a launch would work on; failed ones are not among them."""
    return [job for job in jobs if job.state in ("waiting", "running", "stopped")]


def seconds_left(runs: Path, jobs: Sequence[Job], slots: int) -> tuple[float | None, list[str]]:
    """Seconds for the unfinished jobs if none stops early, spread over the slots; None if some of
    their experiments have no cost, and the names of these. A run counts with the mean of its arm's
    finished runs, else with its experiment's cost."""
    costs, unfinished = read_costs(runs, jobs), unfinished_jobs(jobs)
    if unmeasured := sorted({job.run.loaded.name for job in unfinished} - costs.keys()):
        return None, unmeasured
    own: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        if job.state == "done" and (spent := seconds_of(job.folder)) is not None:
            own[job.run.arm.name].append(spent)
    total = 0.0
    for job in unfinished:
        cost, took = costs[job.run.loaded.name], own[job.run.arm.name]
        epochs = job.run.loaded.config.training.epochs if cost.epochs else 1
        total += sum(took) / len(took) if took else cost.seconds * epochs
    return total / slots, []


def most_clusters(jobs: Sequence[Job]) -> int | None:
    """The largest number of clusters of test series: the radio cells of the tested worlds, whose
    nodes share incidents; None for data that is not simulated."""
    from anomalynet.data.sources import simulated
    from anomalynet.simulation.network.placement import cells

    tested: set[tuple[str, int]] = set()
    found = 0
    for job in jobs:
        config = job.run.loaded.config.data
        if not simulated.generated(config):
            return None
        seeds = simulated.worlds(config)
        if config.split.test_worlds is not None:
            seeds = simulated.seeds_of(config.split.test_worlds, "data.split.test_worlds")
        tested |= {(config.name, seed) for seed in seeds}
        found = found or cells(simulated.scenario_of(config))
    return found * len(tested)


def power_text(jobs: Sequence[Job]) -> str:
    """The lowest p that a sweep's tests can reach, and the smallest difference that they would
    find, before anything is trained; empty if it compares nothing."""
    from anomalynet.reporting.ablation.contrasts import detectable, needed, smallest_p

    tests = len({job.run.arm.name for job in jobs}) - 1
    if tests < 1:
        return ""
    least, most = needed(tests), most_clusters(jobs)
    each = f"{tests} comparison{'s' if tests > 1 else ''}"
    if most is None:
        return f"{each}: a test can pass with {least} clusters of series that share no incident"
    if most < least:
        return (
            f"{each} over at most {most} clusters of series cannot show any difference: p is never "
            f"below {min(tests * smallest_p(max(most, 2)), 1):.3g}; at least {least} are needed"
        )
    size = detectable(most, tests)
    return (
        f"{each} over at most {most} clusters of series: p not below "
        f"{tests * smallest_p(most):.3g}; differences of {size:.2g} standard deviations between "
        "clusters are found (80 %)"
    )
