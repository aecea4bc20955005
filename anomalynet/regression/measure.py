"""Trains the runs that the check compares, and reads their results from files."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.errors import RunError, StoppedError
from anomalynet.regression import golden
from anomalynet.regression.baseline import RunMetrics
from anomalynet.regression.finding import FAILED, Finding, Part
from anomalynet.regression.suite import RegressionSuite
from anomalynet.regression.verdict import Measured
from anomalynet.runs.files import read_json
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.progress import say
from anomalynet.sweep.runner import carry_out
from anomalynet.sweep.slots import cpu_slots


def train(
    parts: Sequence[RegressionSuite],
    metrics: Iterable[str],
    *,
    overrides: Sequence[str] = (),
    slots: int | None = None,
    runs: Path | None = None,
    progress: bool = False,
) -> Measured:
    """Train every run of the parts on the CPU, in the empty folder `runs` or in one that is deleted
    afterwards, and read what the comparison needs. `metrics`: metrics to keep of the statistical
    part. Raises RunError: every run failed; StoppedError: interrupted."""
    with tempfile.TemporaryDirectory(prefix="anomalynet-check-") as temporary:
        folder = runs or Path(temporary)
        jobs: dict[Part, list[Job]] = {one.part: one.jobs(folder, overrides) for one in parts}
        every, chosen_slots = [job for own in jobs.values() for job in own], cpu_slots(slots)
        if progress:
            say(f"training {len(every)} runs, {min(len(chosen_slots), len(every))} at a time")
        try:
            carry_out(every, chosen_slots, group="check", progress=progress)
        except KeyboardInterrupt:
            what = "interrupted: nothing was compared and nothing written"
            raise StoppedError(what, "repeat the command to start anew") from None
        found = read_results(jobs, metrics)
        if found is None:
            reasons = [failure.sentence() for failure in failures(jobs)]
            raise RunError("\n".join(["every run failed", *reasons]))
        return found


def read_results(jobs: Mapping[Part, Sequence[Job]], metrics: Iterable[str]) -> Measured | None:
    """The results of the jobs of each part, all of which have ended; None if no job succeeded.
    `metrics`: metrics to keep of runs of the statistical part."""
    done = {part: [job for job in own if job.state == "done"] for part, own in jobs.items()}
    first = next((job for own in done.values() for job in own), None)
    if first is None:
        return None
    goldens = {
        job.run.loaded.name: (job.folder.path.name, golden.summarise(job.folder))
        for job in done.get("golden", [])
    }
    repeated: dict[str, tuple[list[str], list[RunMetrics]]] = {}
    for job in done.get("statistical", []):
        values = job.folder.read_result().metrics
        _, seed, fold, world = job.run.expected
        kept = {name: golden.rounded(values[name]) for name in metrics if name in values}
        ids, runs = repeated.setdefault(job.run.loaded.name, ([], []))
        ids.append(job.folder.path.name)
        runs.append(RunMetrics(seed, fold, world, kept))
    environment = read_json(first.folder.environment)
    return Measured(
        environment=key_of(environment),
        code=str(environment["code"]),
        commit=environment.get("commit"),
        golden=goldens,
        statistical={name: (_digest(ids), runs) for name, (ids, runs) in repeated.items()},
        failed=failures(jobs),
    )


def key_of(environment: Mapping[str, Any]) -> str:
    """The environment as `torch 2.13, scikit-learn 1.9, AVX512`: minor versions of the libraries
    and the CPU capability that torch used, from a run's `environment.json`."""
    versions = {name: str(environment["packages"][name]) for name in ("torch", "scikit-learn")}
    minor = (f"{name} {'.'.join(own.split('.')[:2])}" for name, own in versions.items())
    return ", ".join([*minor, str(environment["cpu"])])


def failures(jobs: Mapping[Part, Sequence[Job]]) -> list[Finding]:
    """One finding per failed run."""
    found = []
    for part, own in jobs.items():
        for job in (job for job in own if job.state == "failed"):
            what, note = f"run of {job.run.repetition}", next(iter(job.reason.splitlines()), "")
            found.append(Finding(part, job.run.loaded.name, what, FAILED, note=note))
    return found


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:10]
