"""From the jobs of a sweep to its report, and the record of both beside the runs."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli.launching import data_name
from anomalynet.cli.output import say
from anomalynet.errors import RunError
from anomalynet.reporting.formats import present, wanted
from anomalynet.runs.code import code_hash
from anomalynet.runs.sweeps import SweepRecord, SweepRun, read_sweep_record, write_sweep

if TYPE_CHECKING:
    from anomalynet.config.schema import DataConfig
    from anomalynet.reporting.formats import Form
    from anomalynet.runs.collect import RunRecord
    from anomalynet.runs.folder import RunFolder
    from anomalynet.runs.schema import Result
    from anomalynet.sweep.file import Sweep
    from anomalynet.sweep.jobs import Job
    from anomalynet.sweep.slots import Slot

SOURCES = (".py", ".html", ".css", ".js", ".yaml")
"""What reports are made by."""


def announce(jobs: Sequence[Job], runs: Path, slots: Sequence[Slot]) -> None:
    """Say what stands before the first run, and warn of runs that other code made."""
    done, failed = (sum(job.state == state for job in jobs) for state in ("done", "failed"))
    told = f"{len(jobs)} runs on {data_name(jobs)}, {done} done, "
    told += f"{failed} failed earlier, " if failed else ""
    threads = "one thread each, " if slots[0].gpus is None else ""
    say(f"{told}{len(slots)} at a time, {threads}in {runs}")
    stale = [job.folder.path for job in jobs if job.state == "done" and job.stale]
    if stale:
        again = "this command with --rerun stale makes them again"
        say(f"warning: other code made {len(stale)} of them, such as {stale[0]}; {again}")


def keep_record(
    args: argparse.Namespace,
    sweep: Sweep,
    label: str,
    overrides: Sequence[str],
    slots: Sequence[Slot],
    out: Path,
    runs: Iterable[SweepRun],
    trials: int | None = None,
) -> SweepRecord:
    """Note what this command wants, for `status` and `report`; what the last one has reported is
    kept."""
    last = read_sweep_record(args.runs, label)
    record = SweepRecord(
        label=label,
        sweep=args.name if args.name.endswith((".yaml", ".yml")) else sweep.name,
        preset=sweep.preset,
        overrides=tuple(overrides),
        slots=len(slots),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        report=str(out),
        runs=tuple(runs),
        trials=trials,
        reported=last.reported if last else "",
        pid=os.getpid(),
        host=socket.gethostname(),
    )
    write_sweep(args.runs, record)
    return record


def runs_of(jobs: Sequence[Job]) -> Iterator[SweepRun]:
    """The runs of a plan as its record has them."""
    for number, job in enumerate(jobs, 1):
        run, name = job.run, job.folder.path.name
        epochs = run.loaded.config.training.epochs
        yield SweepRun(number, run.loaded.name, name, run.arm.name, run.place, epochs)


def is_current(record: SweepRecord, source: str, forms: Sequence[Form]) -> bool:
    """Whether the very report that lies in the record's folder, in all of these forms, was made
    from this source: another command may have written it since."""
    there = {"md", *forms} <= present(Path(record.report))
    return there and record.reported == _stamp(record, source)


def mark_reported(record: SweepRecord, source: str, runs: Path) -> None:
    """Note that the report that lies in the record's folder was made from a source."""
    write_sweep(runs, replace(record, reported=_stamp(record, source)))


def _stamp(record: SweepRecord, source: str) -> str:
    return hashlib.sha256(source.encode() + _bytes(Path(record.report) / "report.md")).hexdigest()


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def source_of(sweep: Sweep, jobs: Sequence[Job], out: Path, runs: Path) -> str:
    """A digest of all that a sweep's report is made from: the question, the results, the code, and
    where the report quotes them, the audit and the findings of ablations beside it."""
    code = f"{code_hash(('reporting',), SOURCES)} {code_hash()}"
    digest = hashlib.sha256(f"{code} {out} {sweep}".encode())
    for job in jobs:
        digest.update(f"{job.folder.path.name} {job.state} {job.run.arm}".encode())
        if job.state == "done":
            digest.update(made(job.folder))
    if not sweep.axes and not sweep.extras:
        for data in sorted({job.folder.read_result().data for job in jobs if job.state == "done"}):
            for path in _quoted(runs, out, data):
                digest.update(f"{path.name} ".encode() + _bytes(path))
    return digest.hexdigest()


def _quoted(runs: Path, out: Path, data: str) -> Iterator[Path]:
    """The files beside the runs of a data set that a report of them quotes."""
    from anomalynet.reporting.sections.ablations import FINDINGS, ablation_reports
    from anomalynet.runs.audits import audit_path

    yield audit_path(runs, data)
    yield from (
        one.folder / FINDINGS if one.folder else Path(one.label)
        for one in ablation_reports(runs, out, data)
    )


def made(folder: RunFolder) -> bytes:
    """A finished run's result, and what made it."""
    return (folder.path / "result.json").read_bytes() + folder.environment.read_bytes()


def command_of(sweep: Sweep, overrides: Sequence[str]) -> str:
    """The command that makes a sweep's runs and its report again; of a path that only this machine
    has, the name."""

    def shown(override: str) -> str:
        key, _, value = override.partition("=")
        return f"{key}=…/{Path(value).name}" if Path(value).is_absolute() else override

    verb = ["reproduce"] if sweep.name == "paper_models" else ["sweep", sweep.name]
    preset = ["--preset", sweep.preset] if sweep.preset else []
    return shlex.join(["anomalynet", *verb, *preset, *map(shown, overrides)])


def report(
    sweep: Sweep,
    jobs: Sequence[Job],
    runs: Path,
    out: Path,
    overrides: Sequence[str],
    forms: Sequence[Form],
    *,
    audits: bool = True,
) -> Path:
    """Write the report of a sweep's finished runs: the paper's tables where it compares
    experiments, else its ablation. Returns the path of its first form. `audits` lets it make the
    leakage audit of the data where none of it is there, which takes minutes."""
    from anomalynet.runs.collect import load_record

    done = [job for job in jobs if job.state == "done"]
    records = {job.folder.path: load_record(job.folder) for job in done}
    with wanted(forms, out) as path:
        if sweep.axes or sweep.extras:
            _write_ablation(sweep, jobs, records, out)
            return path

        from anomalynet.reporting.render import write_report
        from anomalynet.reporting.sections.ablations import ablation_reports
        from anomalynet.runs.audits import read_audit

        result, data = records[done[0].folder.path].result, done[0].run.loaded.config.data
        write_report(
            list(records.values()),
            out,
            expected=[job.run.expected for job in jobs],
            audit=_audit(data, result, runs) if audits else read_audit(runs, result.data),
            title=f"Report on {data_name(jobs)}",
            ablations=ablation_reports(runs, out, result.data),
            command=command_of(sweep, overrides),
        )
    return path


def _write_ablation(
    sweep: Sweep, jobs: Sequence[Job], records: Mapping[Path, RunRecord], out: Path
) -> None:
    from anomalynet.reporting.ablation.document import Ablation, AblationArm, write_ablation
    from anomalynet.sweep.axes import levels

    arms = []
    for arm in {job.run.arm.name: job.run.arm for job in jobs}.values():
        own = [job for job in jobs if job.run.arm.name == arm.name]
        finished = tuple(records[job.folder.path] for job in own if job.state == "done")
        failed = sum(job.state == "failed" for job in own)
        place = (arm.name, arm.levels, arm.on_axes, arm.reference)
        arms.append(AblationArm(*place, finished, len(own), failed))
    axes = {key: levels(axis) for key, axis in sweep.axes.items()}
    if len(sweep.experiments) > 1:
        axes = {"experiment": list(sweep.experiments), **axes}
    ablation = Ablation(sweep.name, sweep.question, sweep.design, axes, sweep.metric, tuple(arms))
    write_ablation(ablation, out, f"{sweep.name} on {data_name(jobs)}")


_TEST = ("average_precision", "auroc", "f1_attack", "balanced_accuracy")
SHOWN = (*(f"test/{name}" for name in _TEST), "validation/average_precision")
"""Metrics of the table in Weights & Biases."""


def catch_up(jobs: Sequence[Job], label: str) -> None:
    """Where runs are tracked: tell W&B of those that were finished before this command and that it
    does not know."""
    done = [job for job in jobs if job.was_done and job.run.loaded.config.tracking == "wandb"]
    if not done:
        return
    from anomalynet.tracking import run as tracking

    for job in done:
        with job.folder.locked(wait=True):
            tracking.catch_up(job.run.loaded, job.folder, label)


def track(label: str, jobs: Sequence[Job], runs: Path, out: Path) -> None:
    """Where runs are tracked: tell W&B of the sweep's runs and its report, and the user of what W&B
    did not get."""
    if jobs[0].run.loaded.config.tracking != "wandb":
        return
    rows: list[dict[str, object]] = []
    for job in jobs:
        keys = ("experiment", "seed", "fold", "world")
        place = {"arm": job.run.arm.name, **dict(zip(keys, job.run.expected, strict=True))}
        metrics = job.folder.read_result().metrics if job.state == "done" else {}
        state = {"run": job.folder.path.name, "state": job.state}
        rows.append({**place, **state, **{name: metrics.get(name) for name in SHOWN}})
    track_rows(label, rows, [job.folder.path for job in jobs], runs, out)


def track_rows(
    label: str, rows: Sequence[Mapping[str, object]], folders: Sequence[Path], runs: Path, out: Path
) -> None:
    """Tell W&B of a sweep by a table of its own, and the user of what W&B did not get of the runs
    in `folders`."""
    from anomalynet.tracking.record import notes
    from anomalynet.tracking.run import track_sweep

    folder = track_sweep(label, rows, out, runs)
    for note in notes([*folders, *([folder] if folder else [])]):
        say(f"{note}; `anomalynet sync` uploads later")


def _audit(config: DataConfig, result: Result, runs: Path) -> dict[str, Any] | None:
    """The leakage audit of the data and split that were trained on, made now if it is missing."""
    from anomalynet.cli.audit import reporter
    from anomalynet.data.audit import audit, identity
    from anomalynet.runs.audits import read_audit, write_audit

    if result.parts["test"].labelled == 0:
        return None
    try:
        there = read_audit(runs, result.data)
    except RunError:
        there = None  # damaged: it is made again
    if there is None or there.get("identity") != identity(config, 0, result.fingerprint):
        there = audit(config, progress=reporter(config)).to_dict()
        write_audit(runs, there)
    return there
