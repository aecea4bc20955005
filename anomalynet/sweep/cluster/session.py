"""Where a sweep finds a Ray cluster, and how many runs at a time it has room for."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalynet.config.schema import HardwareConfig
from anomalynet.errors import UsageError
from anomalynet.sweep.slots import Slot

OTHER = "RAY_ADDRESS=HOST:PORT names another cluster; without it, this machine's is used or started"


@dataclass(frozen=True, slots=True)
class RaySlot(Slot):
    """Room for one run at a time, somewhere on the cluster.

    Attributes:
        cpus: CPUs that Ray keeps for it.
        gpu_share: GPUs, or a part of one.
    """

    cpus: int = 1
    gpu_share: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpus} CPU" + (f" and {self.gpu_share:g} GPU" if self.gpu_share else "")


def connect() -> Any:
    """The module `ray`, connected as Ray does it: to RAY_ADDRESS, else to the cluster of this
    machine, else to one started now.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--on ray: Ray is not installed", "pip install 'anomalynet[ray]'"
        ) from None
    if not ray.is_initialized():
        address = _address()
        try:
            ray.init(
                address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"--on ray: no cluster at {address or 'this machine'}: {first_line(error)}", OTHER
            ) from None
    return ray


def _address() -> str | None:
    """What `ray.init` is to be told. Ray itself waits for minutes where a cluster is gone, so that
    is found out first.

    Raises:
        UsageError: nothing answers at RAY_ADDRESS.
    """
    if named := os.environ.get("RAY_ADDRESS"):
        if not _answers(named):
            raise UsageError(f"--on ray: nothing answers at RAY_ADDRESS={named}", OTHER)
        return named
    base = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        last = (Path(base) / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return None if _answers(last) else "local"


def _answers(address: str) -> bool:
    """Whether something listens at HOST:PORT; what is no such address is Ray's to judge."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def session() -> Iterator[Any]:
    """`connect`, and let go of the cluster afterwards. Ray prints notices to stdout, where results
    belong: closed meanwhile."""
    ray = connect()
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
            yield ray
    finally:
        ray.shutdown()


def ray_slots(
    ray: Any, count: int | None, hardware: HardwareConfig, runs_per_gpu: int = 1
) -> list[Slot]:
    """`count` slots on a cluster, by default as many as its nodes have room for: on GPUs if there
    are any, else on CPUs.

    Raises:
        UsageError: no node has room for one run, or several runs are to share each of several GPUs.
    """
    if count is not None and count < 1:
        raise UsageError(f"--slots must be at least 1, not {count}")
    if runs_per_gpu < 1 or (hardware.devices > 1 and runs_per_gpu > 1):
        raise UsageError(
            f"--runs-per-gpu {runs_per_gpu}: at least 1, and a run on several devices has them "
            "alone"
        )
    has_gpus = any(resources.get("GPU", 0) for resources in _living(ray))
    if hardware.accelerator == "cuda" or (hardware.accelerator == "auto" and has_gpus):
        slot = RaySlot(gpu_share=hardware.devices / runs_per_gpu)
    else:
        slot = RaySlot(cpus=hardware.devices)
    found = room(ray, slot)
    if not found and count is None:
        raise UsageError(
            f"no node of the Ray cluster has {slot} for a run", "`ray status` says what it has"
        )
    return [slot] * (found if count is None else count)


def _living(ray: Any) -> list[dict[str, float]]:
    """The resources of each node that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def room(ray: Any, slot: RaySlot) -> int:
    """How many workers of a kind the cluster could carry if nothing else ran on it."""
    found = 0
    for resources in _living(ray):
        shares = [
            resources.get("CPU", 0) / slot.cpus,
            *([resources.get("GPU", 0) / slot.gpu_share] if slot.gpu_share else []),
        ]
        found += int(min(shares) + 1e-9)
    return found


def first_line(error: BaseException) -> str:
    """What an exception says, without what follows."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
