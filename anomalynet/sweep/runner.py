"""Carries out a sweep: plans its runs, trains those that are not done, and writes the report.

`run_sweep` does all of it; the command line calls it too."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from anomalynet.errors import StoppedError, UsageError, disk_errors, say
from anomalynet.reporting.formats.files import read_forms
from anomalynet.runs.files import refuse_unwritable
from anomalynet.runs.sweeps import SweepRecord, brief
from anomalynet.sweep import estimate, report
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import Again, Job, PlannedSweep, data_name, jobs_of, label_of
from anomalynet.sweep.plan import plan, refuse_overridden_axes
from anomalynet.sweep.progress import SweepProgress, say_nothing
from anomalynet.sweep.slots import Slot, Where, choose_slots

if TYPE_CHECKING:
    from anomalynet.sweep.launch import Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """The state of a sweep after `run_sweep`; with `plan_only`, before it.

    label: the sweep with its data and preset. slots: runs at a time. jobs: `number`, `folder.path`,
    `state` and `reason` of each run; for a search, of the unchanged experiment. report: its first
    form; None if no run is done or `only` some were run. Of a search alone: wanted, the number of
    trials; trials, with state, values and parameters; best, the numbers of the best ones."""

    label: str
    slots: int
    jobs: tuple[Job, ...]
    report: Path | None = None
    wanted: int | None = None
    trials: tuple[dict[str, Any], ...] = ()
    best: tuple[int, ...] = ()

    def count(self, state: str) -> int:
        """The number of runs in a state (`done`, `failed`); for a search, the number of trials
        (`complete`, `pruned`, `fail`, `running`)."""
        if self.wanted is None:
            return sum(job.state == state for job in self.jobs)
        return sum(trial["state"] == state for trial in self.trials)

    @property
    def failed(self) -> int:
        """The number of runs, or trials of a search, that failed."""
        return self.count("failed") + self.count("fail")


@disk_errors("the folder of the runs")
def run_sweep(
    name: str | Path,
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    runs: str | Path = "runs",
    out: str | Path | None = None,
    experiments: Sequence[str] | None = None,
    slots: int | None = None,
    gpus: str | None = None,
    runs_per_gpu: int = 1,
    on: Where = "local",
    rerun: Sequence[Again] = (),
    only: str | None = None,
    formats: Sequence[str] = ("md",),
    trials: int | None = None,
    storage: str | None = None,
    plan_only: bool = False,
    progress: bool = False,
) -> SweepOutcome:
    """Train every run of a sweep that is not done, and write the report.

    Repeat the call to resume an interrupted sweep; finished runs are not trained again.

        outcome = run_sweep("attention", preset="quick", slots=2)
        outcome.report, outcome.failed

    Args:
        name: a sweep (`golden` is the smallest), or a YAML file (`help("anomalynet.sweep.file")`).
        preset: how much is trained, `quick` (the default) or `full`.
        overrides: `key=value` of the configuration, which win over the sweep's.
        runs, out: folders of the runs, and of the report (default: `reports/<label>`).
        experiments: only these instead of the sweep's.
        slots: runs at a time; by default one per GPU, without a GPU one or two.
        gpus: GPUs of this machine to train on, `0,1` or `all`, each with `runs_per_gpu` runs.
        on: `local`, or `ray` for the nodes of a Ray cluster.
        rerun: also train again runs that `failed`, or that other code made (`stale`).
        only: numbers of runs such as `3,7-9`, as in `plan_only`; then no report is written.
        formats: forms of the report: `md`, `html`, `latex`, `csv` or `all`.
        trials, storage: of a search: total number of trials, and database that machines share.
        plan_only: train and write nothing; return the plan.
        progress: show the progress on stderr; nothing is printed otherwise.

    Raises:
        UsageError, ConfigError, DataError: the sweep is invalid; raised before the first run.
        StoppedError: a run was asked to stop. A run that fails raises nothing: see `failed`.
    """
    notify = say if progress else say_nothing
    forms = read_forms(formats)
    refuse_repetitions(overrides)
    sweep = read_sweep(str(name), preset or "quick")
    runs = Path(runs)
    if experiments is not None:
        sweep = sweep.only(experiments)
    searched = sweep.design == "search"
    if searched and only is not None:
        refuse_search(sweep)
    if not searched and (trials is not None or storage is not None):
        raise UsageError(f"{sweep.name} is not a search: trials and storage do not apply")
    if searched:
        from anomalynet.sweep.search import study
        from anomalynet.sweep.search.runner import run_search

        study.check(sweep, overrides)
        jobs = study.base_jobs(sweep, overrides, runs)
    else:
        refuse_overridden_axes(sweep, overrides)
        jobs = jobs_of(plan(sweep, overrides), runs, rerun)
    hardware = jobs[0].run.loaded.config.hardware
    label = label_of(sweep, jobs, overrides, [",".join(experiments)] if experiments else [])
    planned = PlannedSweep(
        source=str(name),
        sweep=sweep,
        overrides=tuple(overrides),
        runs=runs,
        out=Path("reports") / label if out is None else Path(out),
        label=label,
        jobs=jobs,
        slots=choose_slots(hardware, slots, gpus, runs_per_gpu, on, notify),
        on=on,
    )
    if not plan_only:
        refuse_unwritable(planned.out, "out (--out)")
    if searched:
        return run_search(planned, forms, trials, storage, rerun, plan_only, progress)
    own = tuple(jobs[number - 1] for number in numbers(only, len(jobs)))
    path = None
    if not plan_only:
        if only is None:  # before hours of training
            folders = [job.folder for job in jobs]
            if out is None:
                planned = report.beside_others(planned, folders, notify)
            else:
                report.refuse_other(planned, folders)
        record = _train(planned, own, "failed" in rerun, progress)
        if only is None and any(job.state == "done" for job in own):
            facts = str([(job.folder.path.name, job.state, job.run.arm) for job in jobs])
            done = [job.folder for job in jobs if job.state == "done"]
            write = partial(report.write_sweep_report, planned, forms, progress=progress)
            path = report.renew_report(planned, record, forms, facts, done, write)
            report.track(planned, [job.folder for job in jobs], notify)
    return SweepOutcome(label=label, slots=len(planned.slots), jobs=own, report=path)


def _train(planned: PlannedSweep, own: Sequence[Job], again: bool, progress: bool) -> SweepRecord:
    """Train the runs in `own` that are waiting; `again`: the command had `--rerun failed`."""
    notify = say if progress else say_nothing
    _announce(planned, notify)
    validate_splits(own, notify)
    record = planned.write_record()
    carry_out(own, planned.slots, planned.label, planned.on, progress=progress)
    failed = [job for job in own if job.state == "failed"]
    for job in failed:
        name = f"{job.run.arm.name} {job.run.repetition}"
        notify(f"failed: {name} {job.folder.path}: {brief(job.reason)}")
    if failed:
        notify(f"{'the same command' if again else '`--rerun failed`'} tries them again")
    return record


def refuse_repetitions(overrides: Sequence[str]) -> None:
    """Raise UsageError if an override sets a key that the sweep varies in every run."""
    for text in overrides:
        if text.startswith(("seed=", "data.split.fold=")):
            hint = "set them in the sweep's file; `anomalynet train` takes a single one"
            raise UsageError(f"{text}: the sweep sets seeds and folds", hint)


def refuse_search(sweep: Sweep) -> NoReturn:
    """Raise UsageError: single runs of a search cannot be chosen."""
    what = f"{sweep.name}: a search's runs cannot be listed in advance"
    raise UsageError(what, "plan_only (--plan) shows its progress")


def numbers(text: str | None, count: int) -> list[int]:
    """The numbers of runs in `3,7-9`, or all numbers if the text is None. Raises UsageError: an
    invalid text, or a number that no run has."""
    if text is None:
        return list(range(1, count + 1))
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*0*([0-9]+)\s*(?:-\s*0*([0-9]+)\s*)?", part)
        if not match:
            what = f"only {text!r}: expected numbers of runs, such as 3 or 3,7-9"
            raise UsageError(what, "plan_only (--plan) shows them")
        # Ten digits are more than any sweep has.
        first, last = (int(number[:10]) for number in match.groups(match[1]))
        if not 1 <= first <= last <= count:
            what = f"only {text!r}: there are runs 1 to {count}"
            raise UsageError(what, "plan_only (--plan) shows them")
        found.update(range(first, last + 1))
    return sorted(found)


def _announce(planned: PlannedSweep, notify: Callable[[str], None]) -> None:
    """Notify of the state before the first run, and warn of runs that other code made."""
    jobs, slots = planned.jobs, planned.slots
    done = sum(job.state == "done" for job in jobs)
    failed = sum(job.state == "failed" for job in jobs)
    earlier = f"{failed} failed earlier, " if failed else ""
    threads = "one thread each, " if slots[0].gpus is None else ""
    left = estimate.seconds_left(planned.runs, jobs, len(slots)) if done < len(jobs) else None
    notify(
        f"{len(jobs)} runs on {data_name(jobs)}, {done} done, {earlier}"
        f"{len(slots)} at a time, {threads}in {planned.runs}"
        + (estimate.time_text(*left, len(slots)) if left else "")
    )
    stale = [job.folder.path for job in jobs if job.state == "done" and job.stale]
    if stale:
        notify(
            f"warning: another version of the code made {len(stale)} of them, such as {stale[0]}; "
            "this command with --rerun stale makes them again"
        )


def validate_splits(jobs: Sequence[Job], notify: Callable[[str], None] = say_nothing) -> None:
    """Prepare the data and cut every split that waiting runs will need, so that problems are raised
    before the first run."""
    waiting = dict.fromkeys(job.run.loaded.config.data for job in jobs if job.state == "waiting")
    if not waiting:
        return

    from anomalynet.data.prepare import prepare
    from anomalynet.data.sources.simulated import generated, worlds
    from anomalynet.data.split.parts import split

    prepared: set[tuple[int, ...]] = set()
    for config in waiting:
        seeds = worlds(config) if generated(config) else ()
        if seeds not in prepared:
            many = f"world{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
            notify(f"preparing {config.title}" + (f", {many}" if seeds else ""))
            prepared.add(seeds)
        split(prepare(config), config)


def carry_out(
    jobs: Sequence[Job],
    slots: Sequence[Slot],
    group: str,
    on: Where = "local",
    *,
    progress: bool = False,
) -> None:
    """Train the jobs that are waiting, one at a time in each slot, and update their `state`; does
    nothing if none is. `group`: name of their group in W&B. A run that fails raises nothing. Raises
    StoppedError: some were asked to stop."""
    if not any(job.state == "waiting" for job in jobs):
        return
    with SweepProgress(jobs, progress) as shown, launcher(slots, group, on, shown.say) as launch:
        launch.run(jobs, shown)
    if stopped := sum(job.state == "stopped" for job in jobs):
        raise StoppedError(f"{stopped} runs were asked to stop", "repeat the command to resume")


@contextmanager
def launcher(
    slots: Sequence[Slot], group: str, on: Where, notify: Callable[[str], None]
) -> Iterator[Launch]:
    """A launch on this machine or on Ray; each worker starts with its first run."""
    from anomalynet.sweep.launch import Launch, LocalWorker

    if on == "local":
        with Launch(slots, group, LocalWorker, notify) as launch:
            yield launch
        return
    from anomalynet.sweep.cluster import RayWorker, connect

    ray = connect()
    worker = partial(RayWorker, ray=ray, notify=notify)
    try:  # Ray's notices are hidden: stdout is for results
        with redirect_stdout(io.StringIO()), Launch(slots, group, worker, notify) as launch:
            yield launch
    finally:
        ray.shutdown()
