"""Trains runs on the nodes of a Ray cluster, one Ray task per run. No disk is shared: a run is sent
to its node as an order (texts, and the state to continue from). The node returns files: after each
epoch those to continue from, at the end all. The run's folder, lock and tracking stay here."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from anomalynet.config.identity import run_id
from anomalynet.config.load import load
from anomalynet.config.schema import HardwareConfig
from anomalynet.config.show import as_yaml
from anomalynet.data import sources
from anomalynet.data.folder import data_folder
from anomalynet.errors import AnomalynetError, RunError, UsageError, first_line, install_command
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import is_alive, write_bytes, write_text
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.sweep.launch import LocalWorker
from anomalynet.sweep.slots import THREADS, Slot
from anomalynet.tracking.run import catch_up

POLL = 2.0  # seconds between two checks of a running run, here and on its node
SILENT, NO_ROOM = 15.0, 60.0
"""Seconds until the user is notified of missing nodes; then a too small cluster is an error."""
STATE = ("checkpoints/last.ckpt", "checkpoints/best.ckpt", "timings.json", "progress.jsonl")
"""Files to continue a run on another node; read in this order, best is never older than last."""
OTHER = "RAY_ADDRESS=HOST:PORT names another cluster; without it, this machine's is used or started"
SAME_CODE = "install the same anomalynet on every node of the cluster"


def connect() -> Any:
    """The module `ray`, connected to RAY_ADDRESS, else to this machine's cluster, or a new one."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UsageError("--on ray: Ray is not installed", install_command("ray")) from None
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS")
    if address and not _answers(address):
        raise UsageError(f"--on ray: no Ray cluster at RAY_ADDRESS={address}", OTHER)
    base = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    last = Path(base) / "ray" / "ray_current_cluster"  # of this machine
    if not address and last.is_file() and not _answers(last.read_text(encoding="utf-8").strip()):
        address = "local"
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address=address or None, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        what = f"--on ray: no cluster at {address or 'this machine'}: {first_line(error)}"
        raise UsageError(what, OTHER) from None
    return ray


def _answers(address: str) -> bool:
    """Whether a process listens at HOST:PORT: Ray itself waits for minutes if a cluster is gone."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError:
        return False
    return True


def ray_slots(
    ray: Any, count: int | None, hardware: HardwareConfig, runs_per_gpu: int = 1
) -> list[Slot]:
    """`count` slots, by default as many as the nodes have room for: on GPUs if any, else on CPUs.
    Raises UsageError: no node has room for a run."""
    slot = Slot(cpus=hardware.devices)
    has_gpus = any(node["Resources"].get("GPU") for node in ray.nodes() if node["Alive"])
    if hardware.accelerator == "cuda" or (hardware.accelerator == "auto" and has_gpus):
        slot = Slot(gpu_share=hardware.devices / runs_per_gpu)
    found = _room(ray, slot)
    if not found and count is None:
        what = f"no node of the Ray cluster has {slot} for a run"
        raise UsageError(what, "`ray status` shows its resources")
    return [slot] * (found if count is None else count)


def _room(ray: Any, slot: Slot) -> int:
    """The number of runs that the nodes could train at a time if nothing else ran on them."""
    found = 0
    for node in ray.nodes():
        room = node["Resources"]
        shares = [room.get("CPU", 0) / slot.cpus]
        shares += [room.get("GPU", 0) / slot.gpu_share] if slot.gpu_share else []
        found += int(min(shares) + 1e-9) if node["Alive"] else 0
    return found


def order_of(job: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    """A run as a node needs it; it contains no paths of this machine except those of the data.
    Raises UsageError: a file of the user's own is not in or below the working folder."""
    loaded = load(job["experiment"], job["overrides"], job["axis"])
    write_text(folder.config, as_yaml(loaded, origin=True))
    config, names = loaded.config, (loaded.config.model.name, loaded.config.data.name)
    own = [name for name in names if name.endswith((".py", ".yaml"))]
    for name in own:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            what = f"{name}: --on ray sends only files in or below the working folder"
            raise UsageError(what, "name it relative to that folder")
    data = replace(config.data, root=config.data.root and str(Path(config.data.root).absolute()))
    # Tracking stays here: see `RayWorker._carry_out`.
    sent = replace(loaded, config=replace(config, data=data, tracking="disabled"))
    texts = {name: Path(name).read_text(encoding="utf-8") for name in own}
    return {
        "experiment": loaded.name,
        "id": folder.path.name,
        "code": code_hash(),
        "files": {f"{loaded.name}.yaml": as_yaml(sent), **texts},
        "state": _read_files(folder, STATE) if folder.last.exists() else {},
        "environment": {name: os.environ.get(name, "1") for name in THREADS},
        "data": str(data_folder().absolute()),
        "job": {"devices": job["devices"], "group": job["group"]},
        "poll": POLL,
    }


def download_results(folder: RunFolder, files: Mapping[str, bytes]) -> None:
    """Write a run's files: best before last, so that last can be continued; the result at last."""
    own = (folder.result.name, folder.checksums.name)  # config.yaml is that of this machine
    for name in sorted(files.keys() - {*own}):
        write_bytes(folder.path / name, files[name])
    if folder.result.name in files:
        folder.seal(files[folder.result.name])


def _read_files(folder: RunFolder, names: Iterable[str]) -> dict[str, bytes]:
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = (folder.path / name).read_bytes()
    return found


NODE_WORKER = LocalWorker(Slot())  # on a node: trains all runs that Ray gives to one process


def carry_out(order: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Carry out an order on a node. Yields the node's `host`; after each epoch the `files` to
    continue from; at the end all `files` and the `reply` of the worker process that trained. Yields
    `unfit` instead, with the reason, if this node cannot train the run. The folder is below
    `$ANOMALYNET_RAY_RUNS`, by default in the user's cache."""
    host = socket.gethostname()
    yield {"host": host}
    cache = Path.home() / ".cache" / "anomalynet" / "ray-runs"
    base = Path(os.environ.get("ANOMALYNET_RAY_RUNS") or cache).absolute()
    for old in base.glob(f"{host}-*"):  # folders of processes that were killed
        if (pid := old.name.removeprefix(f"{host}-")).isdigit() and not is_alive(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    here = base / f"{host}-{os.getpid()}"
    here.mkdir(parents=True, exist_ok=True)
    os.chdir(here)
    os.environ.update(order["environment"])
    data = order["data"] if Path(order["data"]).is_dir() else str(base / "data")
    os.environ.setdefault("ANOMALYNET_DATA", data)
    for name, text in order["files"].items():
        write_text(Path(name), text)
    config = here / f"{order['experiment']}.yaml"
    if unfit := _unfit(config, order):
        yield {"unfit": unfit}
        return
    folder = RunFolder(here / "runs" / order["experiment"] / order["id"])
    shutil.rmtree(folder.path, ignore_errors=True)
    download_results(folder, order["state"])
    seen = _progress_time(folder)
    job = {"experiment": str(config), "overrides": [], "axis": {}, "renew": False, **order["job"]}
    job |= {"runs": str(here / "runs"), "folder": str(folder.path)}
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(NODE_WORKER.ask, job)
        while not wait([pending], order["poll"]).done:
            if (changed := _progress_time(folder)) != seen:
                seen = changed
                yield {"files": _read_files(folder, STATE)}
    reply = pending.result() or {"failed": None, "died": NODE_WORKER.exit_reason()}
    paths = (path for path in sorted(folder.path.rglob("*")) if path.is_file())
    names = (path.relative_to(folder.path).as_posix() for path in paths)
    kept = [name for name in names if not name.startswith(".") and name != "config.yaml"]
    yield {"reply": reply, "files": _read_files(folder, kept)}
    shutil.rmtree(folder.path)


def _progress_time(folder: RunFolder) -> int:
    return folder.progress.stat().st_mtime_ns if folder.progress.exists() else 0


def _unfit(config: Path, order: Mapping[str, Any]) -> str:
    """Why this node would not compute the planned run; empty if it would."""
    if (code := code_hash()) != order["code"]:
        return f"it has other code ({code}) than the machine that sends it ({order['code']})"
    try:
        loaded = load(str(config))
        full = sources.completed(loaded.config)
        data = sources.fingerprint(full.data)
    except AnomalynetError as error:
        return str(error)
    if (found := run_id(full, data)) == order["id"]:
        return ""
    return (
        f"the data of {loaded.config.data.title}, fingerprint {data[:10]}, or the configuration "
        f"differs on the node: it would train the run {found}, not {order['id']}"
    )


class RayWorker:
    """Carries out the runs of a slot, one Ray task per run, on any node that has room; `notify` is
    called with what the user must know meanwhile."""

    def __init__(self, slot: Slot, ray: Any, notify: Callable[[str], None]) -> None:
        self.slot, self.ray, self.notify = slot, ray, notify
        self._host, self._ended, self._warned = "", False, False
        self._news: Any = None

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Carry out a job on a node while holding the lock of its folder here. The reply has `lost`
        if the node was lost, which is not the run's fault. None: `end` was called. Raises RunError:
        no run of this sweep can be trained."""
        folder, errors, self._host = RunFolder(Path(job["folder"])), self.ray.exceptions, ""
        try:
            folder.renew(finished=job["renew"])
            with folder.locked(wait=False):
                try:
                    repaired = folder.repair()
                except RunError as error:
                    return {"failed": str(error)}
                done = {"failed": None, "was_done": True}
                reply = done if folder.finished else self._carry_out(job, folder)
                return {**reply, "repaired": repaired}
        except BusyError:
            return {"failed": None, "busy": True}
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            host = self._host or "a node of the Ray cluster"
            what = f"{host}: {type(cause).__name__}: {first_line(cause)}"
            raise RunError(what, None if self._host else SAME_CODE) from None
        except errors.OutOfMemoryError:
            return {"failed": None, "died": f"{self._host} ran out of memory"}
        except errors.RayError as error:
            if self._ended:
                return None
            host = self._host or "a node of the Ray cluster"
            self.notify(f"{host} was lost; its run {folder.path.name} goes back to the queue")
            return {"failed": None, "lost": f"{host}, {type(error).__name__}"}

    def _carry_out(self, job: dict[str, Any], folder: RunFolder) -> dict[str, Any]:
        folder.stop.unlink(missing_ok=True)
        folder.failed.unlink(missing_ok=True)
        order = order_of(job, folder)
        began = time.monotonic()
        needs = {"num_cpus": self.slot.cpus, "num_gpus": self.slot.gpu_share}
        task = self.ray.remote(num_returns="streaming", max_retries=0, **needs)(carry_out)
        self._news = task.remote(order)
        while True:
            if not self.ray.wait([self._news], timeout=POLL)[0]:
                if not self._host:
                    self._check_room(time.monotonic() - began)
                continue
            event = self.ray.get(next(self._news))  # one of the dicts that `carry_out` yields
            self._host = event.get("host", self._host)
            if "unfit" in event:
                what = f"{self._host} cannot run this sweep: {event['unfit']}"
                raise RunError(what, SAME_CODE if "other code" in what else None)
            download_results(folder, event.get("files", {}))
            if "reply" in event:
                if folder.finished:
                    loaded = load(job["experiment"], job["overrides"], job["axis"])
                    catch_up(loaded, folder, job["group"])
                return dict(event["reply"])
            if "files" in event and folder.stop.exists():  # the epoch's checkpoint is here now
                self.ray.cancel(self._news, force=True)
                return {"failed": None, "stopped": True}

    def _check_room(self, seconds: float) -> None:
        if seconds > NO_ROOM and not _room(self.ray, self.slot):
            hint = "`ray status` shows its resources; repeat the command to resume"
            raise RunError(f"no node of the Ray cluster has {self.slot} for a run", hint)
        if seconds > SILENT and not self._warned:
            self._warned = True
            self.notify(f"waiting for free resources on the Ray cluster: {self.slot} for a run")

    def exit_reason(self) -> str:
        """Why there was no reply."""
        return "it was ended"

    def end(self) -> None:
        """End the task and its training; the run continues from the last files it returned."""
        self._ended = True
        with contextlib.suppress(Exception):  # it may be gone, and the cluster too
            self.ray.cancel(self._news, force=True)
