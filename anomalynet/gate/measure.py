"""Reads what the workers trained, from its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from anomalynet.gate import golden
from anomalynet.gate.baseline import RunMetrics, Values
from anomalynet.gate.environment import key_of
from anomalynet.gate.finding import FAILED, Finding, Part
from anomalynet.gate.verdict import Measured
from anomalynet.runs.files import read_json
from anomalynet.sweep.jobs import Job


def measured(jobs: Mapping[Part, Sequence[Job]], metrics: Iterable[str]) -> Measured | None:
    """What the jobs found; None where not one of them is done.

    Args:
        jobs: part → its jobs, all of which ended.
        metrics: those that are kept of a run of the statistical part.

    Source: not in the paper.
    """
    done = {part: [job for job in own if job.state == "done"] for part, own in jobs.items()}
    first = next((job for own in done.values() for job in own), None)
    if first is None:
        return None
    environment = read_json(first.folder.environment)
    goldens: dict[str, tuple[str, Values]] = {}
    for job in done.get("golden", []):
        goldens[job.run.loaded.name] = job.folder.path.name, golden.summarise(job.folder)
    repeated: dict[str, list[RunMetrics]] = {}
    ids: dict[str, list[str]] = {}
    for job in done.get("statistical", []):
        values = job.folder.read_result().metrics
        _, seed, fold, world = job.run.expected
        kept = {name: golden.rounded(values[name]) for name in metrics if name in values}
        repeated.setdefault(job.run.loaded.name, []).append(RunMetrics(seed, fold, world, kept))
        ids.setdefault(job.run.loaded.name, []).append(job.folder.path.name)
    return Measured(
        environment=key_of(environment),
        code=str(environment["code"]),
        commit=environment.get("commit"),
        golden=goldens,
        statistical={name: (_digest(ids[name]), runs) for name, runs in repeated.items()},
        failed=failures(jobs),
    )


def failures(jobs: Mapping[Part, Sequence[Job]]) -> list[Finding]:
    """One finding a run that failed."""
    return [
        Finding(
            part,
            job.run.loaded.name,
            f"run of {job.run.place}",
            FAILED,
            note=job.reason.splitlines()[0] if job.reason else "",
        )
        for part, own in jobs.items()
        for job in own
        if job.state == "failed"
    ]


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:10]
