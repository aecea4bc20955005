"""What the gate trains: two sweeps, in a folder that holds nothing else."""

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
class Asked:
    """One part of the gate: its sweep, and the experiments of it that are wanted now."""

    part: Part
    sweep: Sweep
    experiments: list[str]

    @property
    def names(self) -> set[str]:
        """All experiments of its sweep, wanted now or not."""
        return {Path(name).stem for name in self.sweep.experiments}

    def jobs(self, runs: Path, overrides: Sequence[str]) -> list[Job]:
        """Its runs, each of which will be trained: `runs` must hold none."""
        if not self.experiments:
            return []
        chosen = replace(self.sweep, experiments=self.experiments)
        return jobs_of(plan(chosen, overrides), runs / self.part)


def asked(sweeps: dict[Part, str], wanted: Sequence[str] | None) -> list[Asked]:
    """The parts with their sweeps (a name or path each) and the `wanted` of its experiments, or
    all. Raises NothingToCompareError: a sweep names an experiment that is gone."""
    found = []
    for part, name in sweeps.items():
        sweep = read_sweep(name, PRESET)
        if sweep.axes or sweep.extras or sweep.design == "search":
            what = f"{name}: the gate compares experiments, and this sweep varies something else"
            raise UsageError(what, "leave out axes, arms and search")
        shipped = locate.files("experiments")
        named = [one for one in sweep.experiments if not one.endswith((".yaml", ".yml"))]
        gone = [one for one in named if one not in shipped]
        if gone and (wanted is None or set(gone) & set(wanted)):
            what = f"{gone[0]}: sweep {name} names this experiment, and it is gone"
            hint = f"take it out of sweep {name}; then `anomalynet check --only {part} --update "
            raise NothingToCompareError(what, f'{hint}"reason"` takes it out of the baseline')
        own = [one for one in sweep.experiments if wanted is None or Path(one).stem in wanted]
        found.append(Asked(part, sweep, own))
    return found


def prepare(
    against: Path, sweeps: dict[Part, str], wanted: Sequence[str] | None, *, update: bool
) -> tuple[Baseline | None, list[Asked]]:
    """The baseline (None: an update makes the first) and what is to be trained of the sweeps, or of
    the `wanted` experiments. Raises NothingToCompareError, UsageError: it cannot be compared."""
    baseline = read_baseline(against) if not update or against.exists() else None
    parts = asked(sweeps, wanted)
    if baseline is None or update:
        _refuse_unknown(wanted, {name for one in parts for name in one.names})
    else:
        refuse_gaps(parts, baseline, wanted)
    return baseline, parts


def refuse_gaps(parts: Sequence[Asked], baseline: Baseline, wanted: Sequence[str] | None) -> None:
    """Refuse, before anything is trained, experiments that the sweep has and the baseline lacks, or
    the other way round, and wanted ones that neither has."""
    known: set[str] = set()
    problems, steps = [], []
    for one in parts:
        every = baseline.environments.values()
        recorded = {name for environment in every for name in getattr(environment, one.part)}
        named, sweep = one.names, one.sweep.name
        known |= recorded | named
        chosen = recorded | named if wanted is None else set(wanted)
        gone, new = sorted((recorded - named) & chosen), sorted((named - recorded) & chosen)
        lost = f"in the baseline ({one.part}), gone from sweep {sweep}"
        problems += [f"{name}: {lost}" for name in gone]
        problems += [f"{name}: in sweep {sweep}, not in the baseline ({one.part})" for name in new]
        same = f"the same command with --only {one.part}"
        if gone:
            command = f'{same} --update "reason", without --experiments,'
            steps.append(f"{', '.join(gone)}: {command} takes it out of the baseline")
        if new:
            command = f'{same} --experiments {",".join(new)} --update "reason"'
            steps.append(f"{', '.join(new)}: {command} adds it to the baseline")
    _refuse_unknown(wanted, known)
    if problems:
        told = "if that is meant, for\n    " + "\n    ".join(steps)
        raise NothingToCompareError("\n".join(problems), told)


def _refuse_unknown(wanted: Sequence[str] | None, known: set[str]) -> None:
    """Refuse experiments that no sweep of the gate has."""
    for name in wanted or ():
        if name not in known:
            has = f"it has {', '.join(sorted(known))}"
            raise UsageError(f"the gate has no experiment {name!r}", has)
