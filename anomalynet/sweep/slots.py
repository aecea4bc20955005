"""How many runs at a time, and which devices each of them sees."""

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

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
"""Variables that bound a run's threads on CPUs; 1 unless the user's own says otherwise."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one run at a time."""

    gpus: tuple[str, ...] | None = None  # its worker's CUDA_VISIBLE_DEVICES; None leaves it alone

    @property
    def environment(self) -> dict[str, str]:
        """What its worker's environment has beside ours."""
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
    """The slots that are asked for, by default every GPU of the machine, else as many as the cores
    carry. `gpus`: `0,1` or `all`."""
    if on == "ray":
        from anomalynet.sweep.cluster import connect, ray_slots

        if gpus is not None:
            what = "--gpus names GPUs of this machine, and Ray those of its cluster"
            raise UsageError(what, "leave it out; --slots bounds the runs")
        return ray_slots(connect(), count, hardware, runs_per_gpu)
    if gpus is not None:
        if count is not None:
            hint = "--runs-per-gpu puts several runs on each GPU"
            raise UsageError("--slots and --gpus exclude each other", hint)
        here = gpus_here()
        given = [name.strip() for name in gpus.split(",") if name.strip()]
        chosen = here if gpus == "all" else given
        if not chosen:
            hint = "--slots N places runs on the CPU"
            raise UsageError(f"--gpus {gpus}: no GPU was found", hint)
        if not here:
            warn(
                "warning: no GPU was found on this machine: unless torch finds one, "
                "runs are trained on the CPU"
            )
        return gpu_slots(chosen, runs_per_gpu, hardware.devices)
    free = gpus_here() if count is None and hardware.accelerator in ("auto", "cuda") else []
    if free:
        return gpu_slots(free, runs_per_gpu, hardware.devices)
    return cpu_slots(count, hardware.devices)


def cpu_slots(count: int | None, devices: int = 1) -> list[Slot]:
    """`count` slots that share the CPU; by default two where there are two cores or more, fewer
    where a run takes several devices."""
    if count is not None and count < 1:
        raise UsageError(f"--slots must be at least 1, not {count}")
    return [Slot()] * (count or max(1, min(2, os.cpu_count() or 1) // devices))


def gpu_slots(gpus: Sequence[str], runs_per_gpu: int = 1, devices: int = 1) -> list[Slot]:
    """One slot a GPU, or several on each, or one for each group of `devices`: no two groups share a
    GPU."""
    named = f"--gpus {','.join(gpus)}"
    if len(set(gpus)) < len(gpus):
        hint = "--runs-per-gpu puts several runs on each"
        raise UsageError(f"{named}: a GPU is named twice", hint)
    if runs_per_gpu < 1:
        raise UsageError(f"--runs-per-gpu must be at least 1, not {runs_per_gpu}")
    if devices > 1 and runs_per_gpu > 1:
        raise UsageError("a run on several devices has them alone", "leave out --runs-per-gpu")
    starts = range(0, len(gpus) - devices + 1, devices)
    groups = [tuple(gpus[start : start + devices]) for start in starts]
    if not groups:
        hint = "name more of them, or fewer --devices"
        raise UsageError(f"{named}: a run wants {devices} devices", hint)
    return [Slot(group) for _ in range(runs_per_gpu) for group in groups]


def gpus_here() -> list[str]:
    """The GPUs that the driver lists, or those of CUDA_VISIBLE_DEVICES; none without a driver. Asks
    no torch: that takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout.split() if listed.returncode == 0 else []
