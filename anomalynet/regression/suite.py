"""The experiments that the check trains, from two sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anomalynet.config import locate
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.regression.baseline import Baseline, read_baseline
from anomalynet.regression.finding import Part
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.plan import plan

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
        if not self.experiments:
            return []
        chosen = replace(self.sweep, experiments=self.experiments)
        return jobs_of(plan(chosen, overrides), runs / self.part)


def read_suites(sweeps: dict[Part, str], wanted: Sequence[str] | None) -> list[RegressionSuite]:
    """The parts of the check from their sweeps (a name or path each), with all experiments or only
    the `wanted` ones. Raises NothingToCompareError: a sweep names a missing experiment."""
    found = []
    for part, name in sweeps.items():
        sweep = read_sweep(name, PRESET)
        if sweep.axes or sweep.extras or sweep.design == "search":
            raise UsageError(
                f"{name}: the check compares experiments, but this sweep has axes, arms or a "
                "search",
                "remove axes, arms and search from the sweep",
            )
        shipped = locate.files("experiments")
        named = [one for one in sweep.experiments if not one.endswith((".yaml", ".yml"))]
        missing = [one for one in named if one not in shipped]
        if missing and (wanted is None or set(missing) & set(wanted)):
            raise NothingToCompareError(
                f"sweep {name}: unknown experiment {missing[0]!r}",
                f"remove it from sweep {name}; then "
                f'`anomalynet check --only {part} --update "reason"` removes it from the baseline',
            )
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
        named, sweep = one.names, one.sweep.name
        known |= recorded | named
        chosen = recorded | named if wanted is None else set(wanted)
        missing, new = sorted((recorded - named) & chosen), sorted((named - recorded) & chosen)
        problems += [
            f"{name}: in the baseline ({one.part}), missing in sweep {sweep}" for name in missing
        ]
        problems += [
            f"{name}: in sweep {sweep}, missing in the baseline ({one.part})" for name in new
        ]
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
