"""What `sweep` and `reproduce` share: where runs are placed, what is refused before the first, and
watching them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_runs, data_set, names, option
from anomalynet.cli.output import say
from anomalynet.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from anomalynet.sweep.file import Sweep
    from anomalynet.sweep.jobs import Job
    from anomalynet.sweep.launch import Launch
    from anomalynet.sweep.slots import Slot


def add_launch(parser: argparse.ArgumentParser) -> None:
    """`--data`, `--slots`, `--gpus`, `--runs-per-gpu`, `--devices`, `--on`, `--runs`"""
    text = "data set (`anomalynet data ls`; default: smart_city), or a folder of "
    option(parser, "--data", "NAME|DIR", f"{text}`anomalynet simulate`")
    text = "runs at a time (default: every GPU, else one or two by the cores)"
    option(parser, "--slots", "N", text, int)
    text = "place runs on these GPUs, each of which one worker sees alone; `all`"
    option(parser, "--gpus", "0,1", text)
    option(parser, "--runs-per-gpu", "N", "runs at a time on each GPU (default: 1)", int, 1)
    option(parser, "--devices", "N", "devices that train each run together (DDP)", int)
    text = "where runs are placed: here, or on a Ray cluster"
    parser.add_argument("--on", choices=("local", "ray"), default="local", help=text)
    add_runs(parser)


def overrides_of(args: argparse.Namespace) -> list[str]:
    """The `key=value` arguments of a command, those that its flags mean included; refuses keys that
    the sweep itself varies in every run."""
    for text in args.overrides:
        if text.startswith(("seed=", "data.split.fold=")):
            hint = "`anomalynet train` takes one; the sweep's file names them"
            raise UsageError(f"{text}: seeds and folds are the sweep's", hint)
    data, place = data_set(args.data) if args.data else (None, [])
    named = [f"data.name={data}", *place] if data else []
    devices = [f"hardware.devices={args.devices}"] if args.devices is not None else []
    return [*named, *args.overrides, *devices]


def slots_of(args: argparse.Namespace, jobs: Sequence[Job]) -> list[Slot]:
    """The slots that a command asks for, by default every GPU of the machine, else as many as the
    cores carry."""
    from anomalynet.sweep.slots import cpu_slots, gpu_slots, gpus_here

    hardware = jobs[0].run.loaded.config.hardware
    if args.on == "ray":
        from anomalynet.sweep.cluster import connect, ray_slots

        if args.gpus is not None:
            what = "--gpus names GPUs of this machine, and Ray those of its cluster"
            raise UsageError(what, "leave it out; --slots bounds the runs")
        return ray_slots(connect(), args.slots, hardware, args.runs_per_gpu)
    if args.gpus is not None:
        if args.slots is not None:
            hint = "--runs-per-gpu puts several runs on each GPU"
            raise UsageError("--slots and --gpus exclude each other", hint)
        here = gpus_here()
        gpus = here if args.gpus == "all" else names(args.gpus)
        if not gpus:
            hint = "--slots N places runs on the CPU"
            raise UsageError(f"--gpus {args.gpus}: no GPU was found", hint)
        if not here:
            what = "no GPU was found on this machine: unless torch finds one, runs are trained on"
            say(f"warning: {what} the CPU")
        return gpu_slots(gpus, args.runs_per_gpu, hardware.devices)
    free = gpus_here() if args.slots is None and hardware.accelerator in ("auto", "cuda") else []
    if free:
        return gpu_slots(free, args.runs_per_gpu, hardware.devices)
    return cpu_slots(args.slots, hardware.devices)


@contextmanager
def launcher(args: argparse.Namespace, slots: Sequence[Slot], group: str) -> Iterator[Launch]:
    """Workers for a command, started with their first runs."""
    from anomalynet.sweep.launch import Launch

    if args.on == "ray":
        from anomalynet.sweep.cluster import RayWorker, session

        with session() as ray:
            hire = partial(RayWorker, ray=ray, say=say)
            with Launch(slots, group=group, hire=hire, say=say) as launch:
                yield launch
    else:
        with Launch(slots, group=group, say=say) as launch:
            yield launch


def work(args: argparse.Namespace, jobs: list[Job], slots: Sequence[Slot], group: str) -> None:
    """Carry out the jobs that are waiting; does nothing where none is."""
    if not any(job.state == "waiting" for job in jobs):
        return

    from anomalynet.cli.progress import SweepProgress

    with SweepProgress(jobs) as progress, launcher(args, slots, group) as launch:
        launch.run(jobs, progress)
    if stopped := sum(job.state == "stopped" for job in jobs):
        raise StoppedError(f"{stopped} runs were asked to stop", "the same command continues")


def try_splits(jobs: Sequence[Job]) -> None:
    """Prepare the data and cut every split that waiting runs will need: what is refused, is refused
    before the first run."""
    waiting = dict.fromkeys(job.run.loaded.config.data for job in jobs if job.state == "waiting")
    if not waiting:
        return

    from anomalynet.data.prepare import prepare
    from anomalynet.data.sources.simulated import world_of
    from anomalynet.data.split.parts import split

    told: set[int | None] = set()
    for config in waiting:
        if (world := world_of(config)) not in told:
            say(f"preparing {config.title}" + ("" if world is None else f", world {world}"))
            told.add(world)
        split(prepare(config), config)


PLAIN = ("data.name=", "data.root=", "data.subset=", "data.split.policy=", "hardware.", "tracking=")
"""Arguments that a label tells already, or that change nothing in a report."""


def label_of(
    sweep: Sweep, jobs: Sequence[Job], overrides: Sequence[str], extra: Sequence[str] = ()
) -> str:
    """What a command's report is called: the sweep unless it is the paper's, the data, the split's
    policy if the command names one, the preset, and six digits of whatever else is asked or, of a
    world's folder, of its content: another setting on the command line overwrites no report."""
    import hashlib

    from anomalynet.data import sources
    from anomalynet.runs.audits import slug

    config = jobs[0].run.loaded.config.data
    named = any(text.startswith("data.split.policy=") for text in overrides)
    policy = [config.split.policy] if named else []
    other = [*(text for text in overrides if not text.startswith(PLAIN)), *extra]
    other += [sources.fingerprint(config)] if config.name == "simulated" else []
    digits = [hashlib.sha256(" ".join(sorted(other)).encode()).hexdigest()[:6]] if other else []
    own = [] if sweep.name == "paper_models" else [slug(sweep.name)]
    preset = [sweep.preset] if sweep.preset and sweep.preset != "full" else []
    return "-".join([*own, slug(data_name(jobs)), *policy, *preset, *digits])


def data_name(jobs: Sequence[Job]) -> str:
    """The data set; of a world's folder or a scenario file, what that is called."""
    config = jobs[0].run.loaded.config.data
    if config.name == "simulated" and config.root is not None:
        return Path(config.root).resolve().name
    return Path(config.name).stem if config.name.endswith(".yaml") else config.title
