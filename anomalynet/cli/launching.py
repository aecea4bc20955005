"""What `sweep` and `reproduce` share: where runs are placed, what is refused before the first, and
watching them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import data_set
from anomalynet.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from anomalynet.sweep.file import Sweep
    from anomalynet.sweep.jobs import Job
    from anomalynet.sweep.launch import Launch
    from anomalynet.sweep.slots import Slot


def add_launch(parser: argparse.ArgumentParser) -> None:
    """`--data`, `--slots`, `--gpus`, `--runs-per-gpu`, `--devices`, `--on`"""
    told = (
        "data set (`anomalynet data ls`; default: smart_city), or a folder of `anomalynet simulate`"
    )
    parser.add_argument("--data", metavar="NAME|DIR", help=told)
    parser.add_argument(
        "--slots",
        type=int,
        metavar="N",
        help="runs at a time (default: every GPU, else one or two by the cores)",
    )
    parser.add_argument(
        "--gpus",
        metavar="0,1",
        help="place runs on these GPUs, each of which one worker sees alone; `all`",
    )
    parser.add_argument(
        "--runs-per-gpu",
        type=int,
        default=1,
        metavar="N",
        help="runs at a time on each GPU (default: 1)",
    )
    parser.add_argument(
        "--devices", type=int, metavar="N", help="devices that train each run together (DDP)"
    )
    parser.add_argument(
        "--on",
        choices=("local", "ray"),
        default="local",
        help="where runs are placed: here, or on a Ray cluster",
    )


def overrides_of(args: argparse.Namespace) -> list[str]:
    """The `key=value` arguments of a command, those that its flags mean included.

    Raises:
        UsageError: a key that the sweep itself varies in every run.
    """
    chosen = [text for text in args.overrides if text.startswith(("seed=", "data.split.fold="))]
    if chosen:
        raise UsageError(
            f"{chosen[0]}: seeds and folds are the sweep's",
            "`anomalynet train` takes one; the sweep's file names them",
        )
    data, place = data_set(args.data) if args.data else (None, [])
    named = [f"data.name={data}", *place] if data else []
    return [
        *named,
        *args.overrides,
        *([f"hardware.devices={args.devices}"] if args.devices is not None else []),
    ]


def slots_of(args: argparse.Namespace, jobs: Sequence[Job]) -> list[Slot]:
    """The slots that a command asks for, by default every GPU of the machine, else as many as the
    cores carry."""
    from anomalynet.sweep.slots import cpu_slots, gpu_slots, gpus_here

    hardware = jobs[0].run.loaded.config.hardware
    if args.on == "ray":
        from anomalynet.sweep.cluster.session import connect, ray_slots

        if args.gpus is not None:
            raise UsageError(
                "--gpus names GPUs of this machine, and Ray those of its cluster",
                "leave it out; --slots bounds the runs",
            )
        return ray_slots(connect(), args.slots, hardware, args.runs_per_gpu)
    if args.gpus is not None:
        if args.slots is not None:
            raise UsageError(
                "--slots and --gpus exclude each other",
                "--runs-per-gpu puts several runs on each GPU",
            )
        here = gpus_here()
        names = (
            here
            if args.gpus == "all"
            else [name.strip() for name in args.gpus.split(",") if name.strip()]
        )
        if not names:
            raise UsageError(
                f"--gpus {args.gpus}: no GPU was found", "--slots N places runs on the CPU"
            )
        if not here:
            say(
                "warning: no GPU was found on this machine: unless torch finds one, runs are "
                "trained on the CPU"
            )
        return gpu_slots(names, args.runs_per_gpu, hardware.devices)
    free = gpus_here() if args.slots is None and hardware.accelerator in ("auto", "cuda") else []
    return (
        gpu_slots(free, args.runs_per_gpu, hardware.devices)
        if free
        else cpu_slots(args.slots, hardware.devices)
    )


@contextmanager
def launcher(args: argparse.Namespace, slots: Sequence[Slot], group: str) -> Iterator[Launch]:
    """Workers for a command, started with their first runs."""
    from anomalynet.sweep.launch import Launch

    if args.on == "ray":
        from anomalynet.sweep.cluster.session import session
        from anomalynet.sweep.cluster.worker import RayCluster

        with (
            session() as ray,
            Launch(slots, group=group, hire=RayCluster(ray, say).hire, say=say) as launch,
        ):
            yield launch
    else:
        with Launch(slots, group=group, say=say) as launch:
            yield launch


def work(args: argparse.Namespace, jobs: list[Job], slots: Sequence[Slot], group: str) -> None:
    """Carry out the jobs that are waiting; does nothing where none is."""
    if not any(job.state == "waiting" for job in jobs):
        return

    from anomalynet.cli.sweep_progress import SweepProgress

    with SweepProgress(jobs) as progress, launcher(args, slots, group) as launch:
        launch.run(jobs, progress)
    stopped = sum(job.state == "stopped" for job in jobs)
    if stopped:
        raise StoppedError(f"{stopped} runs were asked to stop", "the same command continues")


def try_splits(jobs: Sequence[Job]) -> None:
    """Prepare the data and cut every split that waiting runs will need: what is refused, is refused
    before the first run."""
    waiting = dict.fromkeys(job.run.loaded.config.data for job in jobs if job.state == "waiting")
    if not waiting:
        return

    from anomalynet.data.prepare import prepare
    from anomalynet.data.sources.simulated import world_of
    from anomalynet.data.split import split

    told: set[int | None] = set()
    for config in waiting:
        if (world := world_of(config)) not in told:
            say(f"preparing {config.title}" + ("" if world is None else f", world {world}"))
            told.add(world)
        split(prepare(config), config)


def say(text: str) -> None:
    """Tell the user something that is no result."""
    print(text, file=sys.stderr, flush=True)


PLAIN = ("data.name=", "data.root=", "data.subset=", "data.split.policy=", "hardware.", "tracking=")
"""Arguments that a label tells already, or that change nothing in a report."""


def label_of(
    sweep: Sweep, jobs: Sequence[Job], overrides: Sequence[str], extra: Sequence[str] = ()
) -> str:
    """What a command's report is called: the sweep unless it is the paper's, the data, the split's
    policy if the command names one, the preset, and six digits of whatever else is asked or, of a
    world's folder, of its content.

    Another setting on the command line never overwrites a report.
    """
    import hashlib

    from anomalynet.data import sources
    from anomalynet.runs.audits import slug

    config = jobs[0].run.loaded.config.data
    policy = (
        [config.split.policy]
        if any(text.startswith("data.split.policy=") for text in overrides)
        else []
    )
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
