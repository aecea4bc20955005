"""Chooses how many runs are trained at a time, and which devices each of them sees."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from anomalynet.config.schema import HardwareConfig
from anomalynet.errors import UsageError

Where = Literal["local", "ray"]
MAX_SLOTS = 1000  # threads of this process, each with a worker
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
"""Environment variables that limit a run's threads on CPUs; 1 unless the user has set them."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one run at a time."""

    gpus: tuple[str, ...] | None = None  # its worker's CUDA_VISIBLE_DEVICES; None: unchanged
    # What Ray reserves for it on any node: CPUs, and GPUs or a share of one.
    cpus: int = 1
    gpu_share: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpus} CPU" + (f" and {self.gpu_share:g} GPU" if self.gpu_share else "")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that its worker gets in addition to this process's environment."""
        own = {name: "1" for name in THREADS if name not in os.environ}
        if self.gpus is not None:
            own |= {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return own


def choose_slots(
    hardware: HardwareConfig,
    count: int | None = None,
    gpus: str | None = None,
    runs_per_gpu: int = 1,
    on: Where = "local",
    warn: Callable[[str], None] = lambda text: None,
) -> list[Slot]:
    """The slots that the user asked for; by default one per GPU of the machine, without a GPU as
    many as `cpu_slots` gives. `gpus`: `0,1` or `all`. Raises UsageError: they cannot be had."""
    cpus = cpu_slots(count, hardware.devices)
    _check_limits("--runs-per-gpu", runs_per_gpu)
    if hardware.devices > 1 and runs_per_gpu > 1:
        what = f"--runs-per-gpu {runs_per_gpu}: a multi-device run cannot share GPUs"
        raise UsageError(what, "leave it out")
    if on == "ray":
        from anomalynet.sweep.cluster import connect, ray_slots

        if gpus is not None:
            what = "--gpus names GPUs of this machine, but Ray uses those of its cluster"
            raise UsageError(what, "leave it out; --slots limits the runs at a time")
        return ray_slots(connect(), count, hardware, runs_per_gpu)
    if gpus is not None:
        if count is not None:
            hint = "--runs-per-gpu puts several runs on each GPU"
            raise UsageError("--slots and --gpus exclude each other", hint)
        here = gpus_here()
        given = [name.strip() for name in gpus.split(",") if name.strip()]
        chosen = here if gpus == "all" else given
        if not chosen:
            raise UsageError(f"--gpus {gpus}: no GPU was found", "--slots N trains on the CPU")
        if not here:
            what = "runs are trained on the CPU unless torch finds a GPU"
            warn(f"warning: no GPU was found on this machine; {what}")
        return gpu_slots(chosen, runs_per_gpu, hardware.devices)
    free = gpus_here() if count is None and hardware.accelerator in ("auto", "cuda") else []
    return gpu_slots(free, runs_per_gpu, hardware.devices) if free else cpus


def cpu_slots(count: int | None, devices: int = 1) -> list[Slot]:
    """`count` CPU slots; by default two, or one with a single core or several devices per run."""
    if count is not None:
        _check_limits("--slots", count)
    return [Slot()] * (count or max(1, min(2, os.cpu_count() or 1) // devices))


def _check_limits(option: str, count: int) -> None:
    if not 1 <= count <= MAX_SLOTS:
        limit = "at least 1" if count < 1 else f"at most {MAX_SLOTS}"
        raise UsageError(f"{option} must be {limit}, not {count}")


def gpu_slots(gpus: Sequence[str], runs_per_gpu: int = 1, devices: int = 1) -> list[Slot]:
    """`runs_per_gpu` slots per GPU; if a run takes several `devices`, one slot per group of that
    many GPUs, and no two groups share a GPU."""
    named = f"--gpus {','.join(gpus)}"
    if len(set(gpus)) < len(gpus):
        hint = "--runs-per-gpu puts several runs on each"
        raise UsageError(f"{named}: a GPU is named twice", hint)
    starts = range(0, len(gpus) - devices + 1, devices)
    groups = [tuple(gpus[start : start + devices]) for start in starts]
    if not groups:
        hint = "name more of them, or fewer --devices"
        raise UsageError(f"{named}: a run needs {devices} devices", hint)
    return [Slot(group) for _ in range(runs_per_gpu) for group in groups]


def gpus_here() -> list[str]:
    """The GPUs in CUDA_VISIBLE_DEVICES, or else those that the driver lists; empty without a
    driver. Torch is not asked, because importing it takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout.split() if listed.returncode == 0 else []
