"""The experiments that the check trains, from two sweeps; their runs; and the results, read from
files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalynet.config import locate
from anomalynet.errors import NothingToCompareError, RunError, StoppedError, UsageError, say
from anomalynet.regression import golden
from anomalynet.regression.baseline import Baseline, RunMetrics, read_baseline
from anomalynet.regression.finding import FAILED, Finding, Part
from anomalynet.regression.verdict import Measured
from anomalynet.runs.files import read_json, scratch_folder
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.plan import plan
from anomalynet.sweep.runner import carry_out
from anomalynet.sweep.slots import cpu_slots

PRESET = "quick"


@dataclass(frozen=True, slots=True)
class RegressionSuite:
    """One part of the check: its sweep, and the selected experiments."""

    part: Part
    sweep: Sweep
    experiments: list[str]

    @property
    def names(self) -> set[str]:
        """All experiments of the sweep, selected or not."""
        return {Path(name).stem for name in self.sweep.experiments}

    def jobs(self, runs: Path, overrides: Sequence[str]) -> list[Job]:
        """The runs of the part. All of them are trained, so `runs` must be an empty folder."""
        chosen = self.sweep.only(self.experiments)
        return jobs_of(plan(chosen, overrides), runs / self.part) if self.experiments else []


def read_suites(sweeps: dict[Part, str], wanted: Sequence[str] | None) -> list[RegressionSuite]:
    """The parts of the check from their sweeps (a name or path each), with all experiments or only
    the `wanted` ones. Raises NothingToCompareError: a sweep names a missing experiment."""
    found, shipped = [], locate.files("experiments")
    for part, name in sweeps.items():
        sweep = read_sweep(name, PRESET)
        if sweep.axes or sweep.extras or sweep.design == "search":
            what = "the check compares experiments, but this sweep has axes, arms or a search"
            raise UsageError(f"{name}: {what}", "remove axes, arms and search from the sweep")
        named = [one for one in sweep.experiments if not one.endswith((".yaml", ".yml"))]
        missing = [one for one in named if one not in shipped]
        if missing and (wanted is None or set(missing) & set(wanted)):
            command = f'`anomalynet check --only {part} --update "reason"`'
            how = f"remove it from sweep {name}; then {command} removes it from the baseline"
            raise NothingToCompareError(f"sweep {name}: unknown experiment {missing[0]!r}", how)
        own = [one for one in sweep.experiments if wanted is None or Path(one).stem in wanted]
        found.append(RegressionSuite(part, sweep, own))
    return found


def prepare(
    against: Path, sweeps: dict[Part, str], wanted: Sequence[str] | None, *, update: bool
) -> tuple[Baseline | None, list[RegressionSuite]]:
    """The baseline (None if an update creates it), and the parts of the check with all experiments
    or only the `wanted` ones. Raises NothingToCompareError, UsageError: it cannot be compared."""
    baseline = read_baseline(against) if not update or against.exists() else None
    parts = read_suites(sweeps, wanted)
    if baseline is None or update:
        _check_known(wanted, {name for one in parts for name in one.names})
    else:
        check_coverage(parts, baseline, wanted)
    return baseline, parts


def check_coverage(
    parts: Sequence[RegressionSuite], baseline: Baseline, wanted: Sequence[str] | None
) -> None:
    """Check before training that sweeps and baseline have the same experiments, and know the wanted
    ones. Raises NothingToCompareError or UsageError, with the command for each difference."""
    known: set[str] = set()
    problems, steps = [], []
    for one in parts:
        every = baseline.environments.values()
        recorded = {name for environment in every for name in getattr(environment, one.part)}
        named, sweep, base = one.names, f"sweep {one.sweep.name}", f"the baseline ({one.part})"
        known |= recorded | named
        chosen = recorded | named if wanted is None else set(wanted)
        missing, new = sorted((recorded - named) & chosen), sorted((named - recorded) & chosen)
        problems += [f"{name}: in {base}, missing in {sweep}" for name in missing]
        problems += [f"{name}: in {sweep}, missing in {base}" for name in new]
        same = f"repeat the command with --only {one.part}"
        if missing:
            command = f'{same} --update "reason", without --experiments,'
            steps.append(f"{', '.join(missing)}: {command} to remove it from the baseline")
        if new:
            command = f'{same} --experiments {",".join(new)} --update "reason"'
            steps.append(f"{', '.join(new)}: {command} to add it to the baseline")
    _check_known(wanted, known)
    if problems:
        hint = "if this is intended, for\n    " + "\n    ".join(steps)
        raise NothingToCompareError("\n".join(problems), hint)


def _check_known(wanted: Sequence[str] | None, known: set[str]) -> None:
    """Raise UsageError if an experiment is in no sweep of the check."""
    for name in wanted or ():
        if name not in known:
            has = f"known are {', '.join(sorted(known))}"
            raise UsageError(f"unknown experiment {name!r}", has)


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
    with scratch_folder() as temporary:
        folder = runs or temporary
        jobs: dict[Part, list[Job]] = {one.part: one.jobs(folder, overrides) for one in parts}
        every, chosen_slots = [job for own in jobs.values() for job in own], cpu_slots(slots)
        if progress:
            say(f"training {len(every)} runs, {min(len(chosen_slots), len(every))} at a time")
        try:
            carry_out(every, chosen_slots, group="check", progress=progress)
        except KeyboardInterrupt:
            what = "interrupted: nothing was compared and nothing written"
            raise StoppedError(what, "repeat the command to start anew") from None
        return _read_results(jobs, metrics)


def _read_results(jobs: Mapping[Part, Sequence[Job]], metrics: Iterable[str]) -> Measured:
    """The results of the jobs of each part, all of which have ended. Raises RunError."""
    failed = _failures(jobs)
    done = {part: [job for job in own if job.state == "done"] for part, own in jobs.items()}
    first = next((job for own in done.values() for job in own), None)
    if first is None:
        raise RunError("\n".join(["every run failed", *(one.sentence() for one in failed)]))
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

    def digest(ids: Sequence[str]) -> str:
        return hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:10]

    environment = read_json(first.folder.environment)
    return Measured(
        environment=key_of(environment),
        code=str(environment["code"]),
        commit=environment.get("commit"),
        golden=goldens,
        statistical={name: (digest(ids), runs) for name, (ids, runs) in repeated.items()},
        failed=failed,
    )


def key_of(environment: Mapping[str, Any]) -> str:
    """The environment as `torch 2.13, scikit-learn 1.9, AVX512`: minor versions of the libraries
    and the CPU capability that torch used, from a run's `environment.json`."""
    versions = {name: str(environment["packages"][name]) for name in ("torch", "scikit-learn")}
    minor = (f"{name} {'.'.join(own.split('.')[:2])}" for name, own in versions.items())
    return ", ".join([*minor, str(environment["cpu"])])


def _failures(jobs: Mapping[Part, Sequence[Job]]) -> list[Finding]:
    found = []
    for part, own in jobs.items():
        for job in (job for job in own if job.state == "failed"):
            what, note = f"run of {job.run.repetition}", next(iter(job.reason.splitlines()), "")
            found.append(Finding(part, job.run.loaded.name, what, FAILED, note=note))
    return found
