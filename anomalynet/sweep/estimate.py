"""Estimates the time for a sweep's unfinished runs, from the durations of finished ones, or else
from the usual speed of a model, and what its tests can show at best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.config.bounds import value_of
from anomalynet.config.leaves import read_yaml
from anomalynet.config.schema import Config
from anomalynet.errors import ConfigError, counted
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import seconds_of
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.progress import duration


@dataclass(frozen=True, slots=True)
class Cost:
    """Mean duration of an experiment's finished runs."""

    seconds: float  # per epoch, or per run if the model has no epochs
    epochs: bool  # whether `seconds` is per epoch


WORK_KEYS: tuple[str, ...] = ("data.scenario", "data.window", "data.stride", "data.view")
WORK_KEYS += ("data.worlds", "training.batch_size", "training.windows_per_epoch")
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
    """The values of `WORK_KEYS` in a run; empty if its configuration cannot be read."""
    try:
        leaves = read_yaml(folder.config)
    except ConfigError:
        return []
    flat = {leaf.key: leaf.value for leaf in leaves}
    return [flat.get(key) for key in WORK_KEYS]


def unfinished_jobs(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that a launch would work on; failed ones are not among them."""
    return [job for job in jobs if job.state in ("waiting", "running", "stopped")]


SPEED = {
    "cnn": (0.14, 16, True),
    "lstm": (0.21, 39, True),
    "cnn_lstm": (0.24, 36, True),
    "hybrid": (0.37, 52, True),
    "autoencoder": (0.10, 15, True),
    "logistic": (0.11, 18, False),
    "random_forest": (1.17, 42, False),
    "gradient_boosting": (0.51, 23, False),
    "isolation_forest": (0.06, 37, False),
}
"""Model → milliseconds per training window, microseconds per scored window, and whether it is
trained in epochs: from `timings.json` of `anomalynet reproduce` on two busy cores of a server."""


def usual_seconds(config: Config) -> float | None:
    """The longest duration of a run, by `SPEED`; None: the model or the size of the data is not
    known before the data is prepared."""
    from anomalynet.data.sources import simulated
    from anomalynet.simulation.scenario import slots

    data, training = config.data, config.training
    if config.model.name not in SPEED or not simulated.generated(data):
        return None
    scenario = simulated.scenario_of(data)
    steps = len(simulated.worlds(data)) * scenario.deployment.nodes * slots(scenario)
    milliseconds, microseconds, in_epochs = SPEED[config.model.name]
    fit, score = milliseconds / 1e3, microseconds / 1e6
    drawn = steps // data.stride
    if in_epochs:
        watched = min(steps, training.validation_windows)
        epoch = min(drawn, training.windows_per_epoch) * fit + watched * score
        return training.epochs * epoch + steps * score
    return min(drawn, training.classical_windows) * fit + steps * score


def seconds_left(runs: Path, jobs: Sequence[Job], slots: int) -> tuple[float | None, list[str]]:
    """Seconds for the unfinished jobs if none stops early, spread over the slots, and the names of
    experiments without a finished run, which count with `usual_seconds`; None if these are not
    known. A run counts with the mean of its arm's finished runs, else with its experiment's
    cost."""
    costs, unfinished = read_costs(runs, jobs), unfinished_jobs(jobs)
    unmeasured = sorted({job.run.loaded.name for job in unfinished} - costs.keys())
    own: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        if job.state == "done" and (spent := seconds_of(job.folder)) is not None:
            own[job.run.arm.name].append(spent)
    total = 0.0
    for job in unfinished:
        config, took = job.run.loaded.config, own[job.run.arm.name]
        if cost := costs.get(job.run.loaded.name):
            epochs = config.training.epochs if cost.epochs else 1
            total += sum(took) / len(took) if took else cost.seconds * epochs
        elif (usual := usual_seconds(config)) is not None:
            total += usual
        else:
            return None, unmeasured
    return total / slots, unmeasured


def time_text(seconds: float | None, unmeasured: Sequence[str], slots: int) -> str:
    """The answer of `seconds_left` as the end of a sentence."""
    names = ", ".join(unmeasured)
    if seconds is None:
        return f"; time left unknown: no run of {names} has been measured"
    note = f" (by their usual speed: {names})" if unmeasured else ""
    return f"; about {duration(seconds)} with {slots} at a time{note}, without start-up"


def most_clusters(jobs: Sequence[Job]) -> int | None:
    """The largest number of clusters of test series: the radio cells of the worlds that the jobs'
    folds test, whose nodes share incidents; None for data that is not simulated."""
    from anomalynet.data.sources import simulated
    from anomalynet.data.split.parts import tested_worlds
    from anomalynet.simulation.network.placement import cells

    tested: set[tuple[str, int]] = set()
    found = 0
    for job in jobs:
        config = job.run.loaded.config.data
        if not simulated.generated(config):
            return None
        tested |= {(config.name, seed) for seed in tested_worlds(config)}
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
    each = counted(tests, "comparison")
    if most is None:
        return f"{each}: a test can pass with {least} clusters of series"
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
